"""What stands beside a drawing and says how to read it, the same on every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.report import plots

HISTOGRAM = (
    "Right answers upwards and wrong ones downwards, each on its own scale. The dashed line is the "
    "mean confidence, the solid line the accuracy: calibrated means that they meet."
)


def dots(unit: str = "questions") -> str:
    """The marks of a reliability diagram with bins of ``unit``, a plural."""
    return (
        "The line from a dot to the diagonal is the gap of its bin. The bar behind a dot is the "
        "95\N{NO-BREAK SPACE}% interval of the share that is right. The larger the dot, the more "
        f"{unit} its bin holds; bins of fewer than ten are faint. The strip below counts."
    )


def closer(bins: Sequence[Mapping[str, Any]]) -> str:
    """The marks of ``plots.reliability_zoomed`` that other diagrams do not have."""
    few = len(bins) == 1  # too few questions, or all with one confidence
    said = [
        f"The same questions in {'one bin' if few else 'bins that hold near-equally many'}.",
        "The level line through a dot is the range of confidences in its bin.",
    ]
    counts = [row["n"] for row in bins]
    if max(counts) > min(counts) + 1:  # parts of a sorted whole differ by one at most
        said.insert(1, "Equal confidences share a bin, so that some hold more.")
    if plots.is_part(bins):
        said.append(
            "The axes show a part of the whole square: the filled part of the small grey one."
        )
    return " ".join(said)


def band(curve: Mapping[str, Any]) -> str:
    """What the band about a risk-coverage curve is, or why there is none."""
    if plots.has_band(curve):
        return "The band is a 95\N{NO-BREAK SPACE}% interval at each share."
    if curve["band"].startswith("none"):
        return "There is no band: too few clusters of questions."
    return "There is no band: all confidences are equal, so that nothing is surest."
