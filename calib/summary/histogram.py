"""The numbers that a run's histogram gives: beside the records, or in place of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from calib import metrics
from calib.records import CalibError
from calib.runs import Run
from calib.runs.histogram import Totals, read_totals
from calib.summary.curves import bars
from calib.summary.table import specs

FORMAT = "calib.histogram/1"


def counted_beside(folder: Path) -> dict[str, Any] | None:
    """The ECE of the histogram that a run counted while scoring; None where it counted none."""
    totals = read_totals(folder)
    if totals is None or totals.histogram.rows == 0:
        return None
    histogram = totals.histogram
    return {"ece": metrics.ece(histogram), "n": histogram.rows, "bins": histogram.bins}


def summarize_histogram(run: Run) -> dict[str, Any]:
    """What results.json holds of a run without records; numbers have no intervals.

    Raises CalibError where no row can be judged.
    """
    totals = read_totals(run.path)
    if totals is None or totals.histogram.rows == 0:
        raise CalibError(
            f"{run.path}: its histogram holds no question that has an answer and finite numbers"
        )
    histogram, n = totals.histogram, totals.histogram.rows
    planned = int(run.config.get("questions") or totals.questions)
    conventions = {spec.name: spec for spec in specs(histogram.bins)}
    return {
        "format": FORMAT,
        "counts": {
            "total": totals.questions,
            "planned": planned,
            "scored": n,
            "invalid": histogram.invalid,
            "without_answer": totals.questions - n - histogram.invalid,
            "parsed": round(totals.sums["parsed"]),
        },
        "metrics": {
            name: {
                "value": value(totals),
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


def mean(name: str) -> Callable[[Totals], float]:
    return lambda totals: totals.sums[name] / totals.histogram.rows


def confidence(totals: Totals) -> float:
    return float(totals.histogram.confidence.sum()) / totals.histogram.rows


VALUES: dict[str, Callable[[Totals], float]] = {
    "accuracy": mean("right"),
    "confidence": confidence,
    "gap": lambda totals: confidence(totals) - mean("right")(totals),
    "parse_rate": mean("parsed"),
    "mass": mean("mass"),
    "ece": lambda totals: metrics.ece(totals.histogram),
    "mce": lambda totals: metrics.mce(totals.histogram),
    "rmsce": lambda totals: metrics.rmsce(totals.histogram),
    "debiased_rmsce": lambda totals: metrics.debiased_rmsce(totals.histogram),
    "brier": mean("squared_error"),
    "nll": mean("nll"),
}
