"""Our value next to that of every independent library that is installed, on one run.

Libraries disagree about bin edges: some close bins on the left, some on the right, some give 1.0 a
bin of its own. Each library is compared with our value under *its* convention. Where even then a
run's confidences lie on an edge that the library treats in its own way, the line says so and
claims no error.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import metrics
from calib.calibrators.temperature import DegenerateTemperatureWarning, TemperatureScaling
from calib.runs import open_run
from calib.runs.config import checked
from calib.summary.rows import Scored, collect

Values = NDArray[Any]

TOLERANCE = 1e-6
"""Agreement: torchmetrics and several others compute in float32."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric, as we and one library compute it. ``theirs`` is None where ``note`` says why."""

    metric: str
    convention: str
    ours: float
    library: str
    theirs: float | None
    note: str = ""

    @property
    def agrees(self) -> bool | None:
        """Whether both say the same; None where the library gave no value."""
        if self.theirs is None:
            return None
        return abs(self.ours - self.theirs) <= TOLERANCE * max(1.0, abs(self.ours))


@dataclass(frozen=True, slots=True)
class Peer:
    """Another library's way to compute one of our numbers.

    ``unlike`` says why the two values cannot be compared on these rows, or "".
    """

    metric: str
    convention: str
    library: str
    module: str
    ours: Callable[[Scored], float]
    theirs: Callable[[Any, Scored], float]
    unlike: Callable[[Scored], str] = lambda _: ""
    of_options: bool = False


def crosscheck(scored: Scored, bins: int) -> list[Comparison]:
    """Our values and those of every installed library; ``note`` is the error of one that fails."""
    applicable = [peer for peer in peers(bins) if not peer.of_options or "options" in scored.has]
    return [
        comparison for peer in applicable if (comparison := compare_with(peer, scored)) is not None
    ]


def crosscheck_run(path: Path, bins: int) -> list[Comparison]:
    """``crosscheck`` of a run folder. Raises InputError for bins that no run has."""
    bins = checked("bins", bins)
    run = open_run(path, "calib crosscheck")
    vocabulary = run.config.get("confidence") == "vocab"
    scored, _, _ = collect(run.rows(), vocabulary=vocabulary, of=path)
    return crosscheck(scored, bins)


def compare_with(peer: Peer, scored: Scored) -> Comparison | None:
    """One comparison, or None where the library is not installed."""
    if not present(peer.module.partition(".")[0]):
        return None
    try:
        ours = float(peer.ours(scored))
    except ValueError as error:  # AUROC of right answers only, say
        note = f"no value: {error}"
        return Comparison(peer.metric, peer.convention, math.nan, peer.library, None, note)
    line = (peer.metric, peer.convention, ours, peer.library)
    if reason := peer.unlike(scored):
        return Comparison(*line, None, reason)
    try:
        module = _silently(lambda: importlib.import_module(peer.module))
        theirs = float(_silently(lambda: peer.theirs(module, scored)))
    except Exception as error:  # noqa: BLE001  (a foreign library may raise anything)
        return Comparison(*line, None, f"raised {type(error).__name__}: {error}"[:200])
    return Comparison(*line, theirs)


def present(module: str) -> bool:
    """Whether a top-level module can be imported; nothing is imported to find out."""
    return importlib.util.find_spec(module) is not None


def peers(bins: int) -> Iterator[Peer]:
    """Every peer, by convention."""
    yield from _left_closed(bins)
    yield from _right_closed(bins)
    yield from _equal_mass(bins)
    yield from _unbinned()


def _left_closed(bins: int) -> Iterator[Peer]:
    def ours(r: Scored) -> float:
        return metrics.ece(r.confidence, r.correct, bins=bins)

    left = f"{bins} bins [a, b)"
    yield Peer(
        "ECE", left, "netcal", "netcal.metrics", ours,
        lambda m, r: m.ECE(bins).measure(r.confidence, _int(r.correct)),
        lambda r: _on_linspace_edge(r, bins),
    )  # fmt: skip
    yield Peer(
        "ECE", left, "calibstats", "calibstats", ours,
        lambda m, r: m.ece(r.confidence, _int(r.correct), n_bins=bins),
        lambda r: _on_linspace_edge(r, bins),
    )  # fmt: skip
    for norm, name, function in (
        ("l1", "ECE", metrics.ece),
        ("max", "MCE", metrics.mce),
        ("l2", "RMSCE", metrics.rmsce),
    ):
        yield _torchmetrics(name, left, norm, function, bins)
    yield Peer(
        "MCE", left, "netcal", "netcal.metrics",
        lambda r: metrics.mce(r.confidence, r.correct, bins=bins),
        lambda m, r: m.MCE(bins).measure(r.confidence, _int(r.correct)),
        lambda r: _on_linspace_edge(r, bins),
    )  # fmt: skip


def _torchmetrics(
    name: str, convention: str, norm: str, function: Callable[..., float], bins: int
) -> Peer:
    def theirs(module: Any, r: Scored) -> float:
        confidence, correct = _tensor(r.confidence), _tensor(_int(r.correct))
        error = module.binary_calibration_error(confidence, correct, n_bins=bins, norm=norm)
        return float(error)

    return Peer(
        name,
        convention,
        "torchmetrics",
        "torchmetrics.functional.classification",
        lambda r: function(r.confidence, r.correct, bins=bins),
        theirs,
        lambda r: _at_one(r) or _on_linspace_edge(r, bins),
    )


def _right_closed(bins: int) -> Iterator[Peer]:
    def ours(r: Scored) -> float:
        return metrics.ece(r.confidence, r.correct, bins=bins, closed="right")

    right = f"{bins} bins (a, b]"
    yield Peer(
        "ECE", right, "scikit-learn", "sklearn.calibration", ours,
        lambda m, r: _from_curve(m.calibration_curve, r, bins),
        lambda r: _on_linspace_edge(r, bins),
    )  # fmt: skip
    yield Peer(
        "ECE", right, "uncertainty-calibration", "calibration", ours,
        lambda m, r: m.get_ece(r.confidence, _int(r.correct), num_bins=bins),
        lambda r: _on_linspace_edge(r, bins),
    )  # fmt: skip
    yield Peer(
        "ECE", right, "mapie", "mapie.metrics.calibration", ours,
        lambda m, r: m.expected_calibration_error(
            _int(r.correct), r.confidence, num_bins=bins + 1, split_strategy="uniform"
        ),
        lambda r: _at_zero(r) or _on_linspace_edge(r, bins),
    )  # fmt: skip


def _equal_mass(bins: int) -> Iterator[Peer]:
    yield Peer(
        "ECE", f"{bins} bins of equal count", "uncertainty-calibration", "calibration",
        lambda r: metrics.ece(r.confidence, r.correct, bins=bins, strategy="mass"),
        lambda m, r: m.get_ece_em(r.confidence, _int(r.correct), num_bins=bins),
    )  # fmt: skip
    yield Peer(
        "ECE", f"{bins} quantile edges", "calibstats", "calibstats",
        lambda r: metrics.ece(r.confidence, r.correct, bins=bins, strategy="quantile"),
        lambda m, r: m.ace(r.confidence, _int(r.correct), n_bins=bins),
    )  # fmt: skip


def _unbinned() -> Iterator[Peer]:
    yield Peer(
        "smooth ECE", "reflected kernel", "relplot", "relplot",
        lambda r: metrics.smooth_ece(r.confidence, r.correct),
        lambda m, r: m.smECE(r.confidence, _int(r.correct)),
    )  # fmt: skip
    yield Peer(
        "KS", "not scaled", "mapie", "mapie.metrics.calibration",
        lambda r: metrics.ks(r.confidence, r.correct),
        lambda m, r: m.kolmogorov_smirnov_statistic(_int(r.correct), r.confidence)
        * np.sqrt(np.sum(r.confidence * (1 - r.confidence)))
        / len(r),
        _tied,
    )  # fmt: skip
    yield Peer(
        "AUROC", "confidence against correctness", "scikit-learn", "sklearn.metrics",
        lambda r: metrics.auroc(r.confidence, r.correct),
        lambda m, r: m.roc_auc_score(_int(r.correct), r.confidence),
    )  # fmt: skip
    yield Peer(
        "AURC", "mean over coverages", "mapie", "mapie.metrics.uncertainty",
        lambda r: metrics.aurc(r.confidence, r.correct),
        lambda m, r: 1 - m.auarc(_int(r.correct), r.confidence),
        _tied,
    )  # fmt: skip
    yield Peer(
        "Brier", "confidence against correctness", "scikit-learn", "sklearn.metrics",
        lambda r: metrics.brier(r.confidence, r.correct),
        lambda m, r: m.brier_score_loss(_int(r.correct), r.confidence),
    )  # fmt: skip
    yield Peer(
        "NLL", "of the right option", "scikit-learn", "sklearn.metrics",
        lambda r: metrics.nll(r.probabilities(), r.answer),
        lambda m, r: m.log_loss(
            r.answer, r.probabilities(), labels=np.arange(r.probabilities().shape[1])
        ),
        lambda r: "clips probabilities to 2e-16" if _gold_is_zero(r) else "",
        of_options=True,
    )  # fmt: skip
    yield Peer(
        "temperature", "exact minimum of NLL", "probmetrics", "probmetrics.calibrators",
        _temperature,
        lambda m, r: 1
        / m.TemperatureScalingCalibrator().fit(r.probabilities(), r.answer).invtemp_,
        of_options=True,
    )  # fmt: skip
    yield Peer(
        "temperature", "exact minimum of NLL", "calibstats", "calibstats", _temperature,
        lambda m, r: m.TemperatureScaler(input="logits").fit(r.logprob, r.answer).temperature_,
        lambda r: "takes no options that some questions lack" if _ragged(r) else "",
        of_options=True,
    )  # fmt: skip


def _temperature(r: Scored) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateTemperatureWarning)
        return TemperatureScaling().fit(r.logprob, r.answer).temperature_


def _from_curve(curve: Callable[..., Any], r: Scored, bins: int) -> float:
    """ECE out of scikit-learn's curve, which drops empty bins and returns no weights."""
    accuracy, confidence = curve(_int(r.correct), r.confidence, n_bins=bins)
    inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    count = np.bincount(np.searchsorted(inner, r.confidence), minlength=bins)
    count = count[count > 0]
    return float(np.sum(count * np.abs(accuracy - confidence)) / count.sum())


def _on_linspace_edge(r: Scored, bins: int) -> str:
    """A reason where confidences lie on an edge k/B that numpy's linspace rounds; else "".

    A value between k/B and the rounded edge is in another bin.
    """
    true = np.arange(1, bins) / bins
    rounded = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    if np.isin(r.confidence, np.union1d(true[true != rounded], rounded[true != rounded])).any():
        return "its edges are rounded and some confidences lie on one"
    return ""


def _at_one(r: Scored) -> str:
    return "gives 1.0 a bin of its own" if (r.confidence == 1.0).any() else ""


def _at_zero(r: Scored) -> str:
    return "gives 0.0 a bin of its own" if (r.confidence == 0.0).any() else ""


def _tied(r: Scored) -> str:
    tied = len(np.unique(r.confidence)) < len(r)
    return "treats equal confidences in its own way" if tied else ""


def _ragged(r: Scored) -> bool:
    return bool(np.isneginf(r.logprob).any())


def _gold_is_zero(r: Scored) -> bool:
    return bool((r.probabilities()[np.arange(len(r)), r.answer] < 1e-15).any())


def _int(values: Values) -> Values:
    return values.astype(np.int64)


def _tensor(values: Values) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values))


def _silently(call: Callable[[], Any]) -> Any:
    """A foreign call without its progress bars, prints and warnings."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return call()
