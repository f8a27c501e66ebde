"""Reliability of several runs in one diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from calib.report.formats import count, percent
from calib.report.plots.frame import draw_diagonal, zoomed_axes
from calib.report.plots.theme import CSS, WIDE, Theme, drawing, entry, legend, wrapped

MARKERS = ("o", "s", "D", "v")
ENTRY = 190.0  # points; a wider entry of the legend would run into the small square
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))


def overlay(
    runs: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], *, theme: Theme = CSS
) -> Figure:
    """Up to four runs: each a name and its bins, as in ``calib.summary.curves.quantiles``.

    A run has its colour, marker and dash; the 95 % intervals are thin upright lines. Raises
    ValueError for more runs.
    """
    if len(runs) > len(theme.runs):
        raise ValueError(f"an overlay shows at most {len(theme.runs)} runs, got {len(runs)}")
    entries = [wrapped(entry(name), ENTRY) for name, _ in runs]
    lines = sum(1 + text.count("\n") for text in entries)
    with drawing(WIDE, WIDE + 0.12 + 0.17 * lines, theme) as figure:
        axes = figure.add_subplot()
        ends = ("accuracy_low", "accuracy_high", "confidence")
        values = [row[end] for _, bins in runs for row in bins if row["n"] for end in ends]
        zoomed_axes(axes, values, theme)
        draw_diagonal(axes, theme)
        styles = zip(runs, entries, theme.runs, MARKERS, DASHES, strict=False)
        for (_, bins), text, colour, marker, dash in styles:
            filled = [row for row in bins if row["n"]]
            confidence = [row["confidence"] for row in filled]
            axes.vlines(
                confidence,
                [row["accuracy_low"] for row in filled],
                [row["accuracy_high"] for row in filled],
                color=colour,
                alpha=0.45,
                linewidth=1.2,
            )
            axes.plot(
                confidence,
                [row["accuracy"] for row in filled],
                color=colour,
                marker=marker,
                linestyle=dash,
                linewidth=1.4,
                markersize=5,
                label=text,
            )
        legend(axes, theme, 1, axes.lines[1:], length=2.6)
        figure.set_label(" ".join(_told(name, bins) for name, bins in runs))
    return figure


def _told(name: str, bins: Sequence[Mapping[str, Any]]) -> str:
    n = sum(row["n"] for row in bins)
    if n == 0:
        return f"{name}: no question."
    sure = sum(row["n"] * row["confidence"] for row in bins if row["n"]) / n
    right = sum(row["correct"] for row in bins) / n
    return f"{name}: {count(n)} questions, {percent(sure, 1)} sure, {percent(right, 1)} right."
