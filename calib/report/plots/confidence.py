"""Where the confidences lie: right answers above, wrong ones below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from calib.report.formats import count, percent
from calib.report.plots.frame import shown
from calib.report.plots.theme import (
    COUNT,
    CSS,
    PANEL,
    PERCENT,
    SMALL,
    Theme,
    drawing,
    legend,
    plain,
)
from calib.summary.curves import reach

Bin = Mapping[str, Any]


def confidence_histogram(
    bins: Sequence[Bin], *, confidence: float, accuracy: float, theme: Theme = CSS
) -> Figure:
    """Questions per bin: the right ones upwards, the wrong ones downwards, each on its own scale;
    lines at mean confidence and accuracy.

    ``bins`` as in ``calib.summary.curves.spread`` or ``diagram``; they are shown as far as the
    filled ones and both lines reach.
    """
    kept = _reached(bins, confidence, accuracy)
    low = min(kept[0]["low"], confidence, accuracy)
    high = max(kept[-1]["high"], confidence, accuracy)
    right = [row["correct"] for row in kept]
    wrong = [row["n"] - row["correct"] for row in kept]
    with drawing(PANEL, 3.7, theme) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"hspace": 0.02})
        _draw(upper, kept, right, "right", theme.under, theme)
        _draw(lower, kept, wrong, "wrong", theme.over, theme)
        lower.invert_yaxis()
        lower.set(xlim=(low, high), xlabel=shown(low, high))
        lower.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        lower.xaxis.set_major_formatter(PERCENT)
        upper.tick_params(labelbottom=False)
        lines = (("mean confidence", confidence, "--"), ("accuracy", accuracy, "-"))
        for axes in (upper, lower):
            for name, value, style in lines:
                axes.axvline(
                    value,
                    color=theme.ink,
                    linewidth=1.1,
                    linestyle=style,
                    label=name,
                    clip_on=False,  # it may stand at an end of the axis
                )
        legend(upper, theme, 2, upper.lines)
        figure.set_label(
            f"{count(sum(right))} right and {count(sum(wrong))} wrong answers; mean confidence "
            f"{percent(confidence, 1)}, accuracy {percent(accuracy, 1)}."
        )
    return figure


def _reached(bins: Sequence[Bin], confidence: float, accuracy: float) -> list[Bin]:
    filled = [row for row in bins if row["n"]] or list(bins)
    low, high = reach([filled[0]["low"], filled[-1]["high"], confidence, accuracy])
    return [row for row in bins if row["high"] > low and row["low"] < high]


def _draw(
    axes: Axes, bins: Sequence[Bin], counts: Sequence[int], name: str, colour: str, theme: Theme
) -> None:
    plain(axes, theme)
    axes.bar(
        [row["low"] for row in bins],
        counts,
        [row["high"] - row["low"] for row in bins],
        align="edge",
        color=colour,
        edgecolor=theme.face,  # what parts two bars; each still reaches to the ends of its bin
        linewidth=0.6,
    )
    axes.set(ylim=(0, 1.08 * max(1, *counts)))
    axes.set_ylabel(f"{count(sum(counts))} {name}", color=colour)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(COUNT)
    axes.tick_params(axis="y", labelsize=SMALL)
