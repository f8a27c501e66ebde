"""The calibrators by name: a line each.

A calibrator has ``fit``, ``transform``, ``predict_proba``, ``save`` and ``load`` (``base.py``).
``save`` writes the calibrator's ``format`` into the file, from which ``load_calibrator`` chooses
the class.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from calib.fields import read_saved


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Where a calibrator's class is, loaded at its first use, and the format that it saves."""

    module: str
    name: str
    format: str

    def load_class(self) -> Any:
        return getattr(import_module(self.module), self.name)


CALIBRATORS: dict[str, Calibrator] = {
    "temperature": Calibrator(
        "calib.calibrators.temperature", "TemperatureScaling", "calib.temperature/1"
    ),
    "grouped": Calibrator(
        "calib.calibrators.grouped", "GroupedTemperature", "calib.grouped_temperature/1"
    ),
    "platt": Calibrator("calib.calibrators.platt", "Platt", "calib.platt/1"),
    "isotonic": Calibrator("calib.calibrators.isotonic", "Isotonic", "calib.isotonic/1"),
    "histogram": Calibrator(
        "calib.calibrators.histogram", "HistogramBinning", "calib.histogram_binning/1"
    ),
    "venn_abers": Calibrator("calib.calibrators.venn_abers", "VennAbers", "calib.venn_abers/1"),
    "vector": Calibrator("calib.calibrators.vector", "VectorScaling", "calib.vector/1"),
}


def load_calibrator(path: str | os.PathLike[str], use: Any = None, *, anyway: bool = False) -> Any:
    """The fitted calibrator that a file holds, of the class in ``CALIBRATORS`` that wrote it.

    use: what it is to be used for: a run, its folder, a loaded model, or a mapping with any of
    model, revision, dtype, prompt, template, normalize, orders and scores. A calibrator that was
    fitted for another is then refused, unless ``anyway`` is set. What the file says of them is the
    calibrator's ``made_for_``, with ``fitted_ids``, a digest of the questions it was fitted to.

    Raises InputError for a file that none of them wrote, or that cannot be read.
    """
    from calib.calibrators.facts import facts_in, refuse_other

    by_format = {entry.format: entry for entry in CALIBRATORS.values()}
    content = read_saved(Path(path), "a saved calibrator", *by_format)
    fitted = by_format[content["format"]].load_class().load(path)
    facts = facts_in(content)
    if use is not None and not anyway:
        refuse_other(path, facts, use, of_scores=not fitted.of_confidence)
    fitted.made_for_ = facts
    return fitted
