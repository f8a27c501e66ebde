"""The numbers that a run's histogram gives: beside the records, or in place of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from calib import metrics
from calib.records import CalibError
from calib.runs import Run
from calib.runs.histogram import Tally, read_tally
from calib.summary.curves import bars
from calib.summary.table import specs

FORMAT = "calib.histogram/1"


def counted_beside(folder: Path) -> dict[str, Any] | None:
    """The ECE of the histogram that a run counted while scoring; None where it counted none."""
    tally = read_tally(folder)
    if tally is None or tally.histogram.rows == 0:
        return None
    histogram = tally.histogram
    return {"ece": metrics.ece(histogram), "n": histogram.rows, "bins": histogram.bins}


def summarize_histogram(run: Run) -> dict[str, Any]:
    """What results.json holds of a run without records; numbers have no intervals.

    Raises CalibError where no row can be judged.
    """
    tally = read_tally(run.path)
    if tally is None or tally.histogram.rows == 0:
        raise CalibError(
            f"{run.path}: its histogram holds no question that has an answer and finite numbers"
        )
    histogram, n = tally.histogram, tally.histogram.rows
    planned = int(run.config.get("questions") or tally.questions)
    conventions = {spec.name: spec for spec in specs(histogram.bins)}
    return {
        "format": FORMAT,
        "counts": {
            "total": tally.questions,
            "planned": planned,
            "scored": n,
            "invalid": histogram.invalid,
            "without_answer": tally.questions - n - histogram.invalid,
            "parsed": round(tally.sums["parsed"]),
        },
        "metrics": {
            name: {
                "value": value(tally),
                "low": None,
                "high": None,
                "label": conventions[name].label,
                "convention": conventions[name].convention,
                **conventions[name].facts,
                "n": n,
            }
            for name, value in VALUES.items()
        },
        "diagram": {
            "bins": histogram.bins,
            "closed": "left",
            "strategy": "width",
            "rows": bars(metrics.reliability_curve(histogram), histogram.bins),
        },
        "facts": dict(run.config),
    }


def mean(name: str) -> Callable[[Tally], float]:
    return lambda tally: tally.sums[name] / tally.histogram.rows


def confidence(tally: Tally) -> float:
    return float(tally.histogram.confidence.sum()) / tally.histogram.rows


VALUES: dict[str, Callable[[Tally], float]] = {
    "accuracy": mean("right"),
    "confidence": confidence,
    "gap": lambda tally: confidence(tally) - mean("right")(tally),
    "parse_rate": mean("parsed"),
    "mass": mean("mass"),
    "ece": lambda tally: metrics.ece(tally.histogram),
    "mce": lambda tally: metrics.mce(tally.histogram),
    "rmsce": lambda tally: metrics.rmsce(tally.histogram),
    "debiased_rmsce": lambda tally: metrics.debiased_rmsce(tally.histogram),
    "brier": mean("squared_error"),
    "nll": mean("nll"),
}
