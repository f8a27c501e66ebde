"""Calibrators, which map scores to calibrated confidence, and thresholds above which to answer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from calib.calibrators.registry import CALIBRATORS as CALIBRATORS
from calib.calibrators.registry import load_calibrator as load

if TYPE_CHECKING:
    from calib.calibrators.adapter import Adapter as Adapter
    from calib.calibrators.adapter import adapt as adapt
    from calib.calibrators.grouped import GroupedTemperature as GroupedTemperature
    from calib.calibrators.histogram import HistogramBinning as HistogramBinning
    from calib.calibrators.isotonic import Isotonic as Isotonic
    from calib.calibrators.platt import Platt as Platt
    from calib.calibrators.scores import judged as judged
    from calib.calibrators.scores import padded as padded
    from calib.calibrators.stream import TemperatureStream as TemperatureStream
    from calib.calibrators.temperature import TemperatureScaling as TemperatureScaling
    from calib.calibrators.vector import VectorScaling as VectorScaling
    from calib.calibrators.venn_abers import VennAbers as VennAbers

_HOMES = {
    "Adapter": "adapter",
    "TemperatureStream": "stream",
    "adapt": "adapter",
    "judged": "scores",
    "padded": "scores",
    **{entry.name: entry.module.rpartition(".")[2] for entry in CALIBRATORS.values()},
}

__all__ = ["CALIBRATORS", "load", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"calib.calibrators.{_HOMES[name]}"), name)
    if name in CALIBRATORS:
        return import_module(CALIBRATORS[name].module)
    raise AttributeError(f"module 'calib.calibrators' has no attribute {name!r}")
