"""What a search for a wording found, round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from calib.report.plots.theme import CSS, PANEL, PERCENT, Theme, drawing, legend, plain


def over_rounds(
    history: Sequence[Mapping[str, Any]], measure: str, label: str, *, theme: Theme = CSS
) -> Figure:
    """``measure`` of every kept wording in each round: a point each, and a line of the first's.

    ``history`` is that of ``calib.optimize_prompts``.
    """
    with drawing(PANEL, 2.9, theme) as figure:
        axes = figure.add_subplot()
        plain(axes, theme)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(PERCENT)
        points = [(entry["round"], kept[measure]) for entry in history for kept in entry["kept"]]
        axes.scatter(
            [place for place, _ in points],
            [value for _, value in points],
            s=14,
            color=theme.muted,
            label="kept wordings",
            clip_on=False,
        )
        first = [(entry["round"], entry["kept"][0][measure]) for entry in history]
        axes.plot(
            [place for place, _ in first],
            [value for _, value in first],
            color=theme.ink,
            marker="o",
            markersize=4,
            linewidth=1.6,
            label="the first by the key",
            clip_on=False,
        )
        highest = max(value for _, value in points)
        axes.set(xlabel="round", ylabel=f"{label}, %", ylim=(0, 1.08 * highest or 1.0))
        legend(axes, theme, 2, length=2.6)
        figure.set_label(
            f"{label} of the first wording: {100 * first[0][1]:.1f} % in round {first[0][0]}, "
            f"{100 * first[-1][1]:.1f} % in round {first[-1][0]}"
        )
    return figure
