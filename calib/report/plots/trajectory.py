"""Measures of the checkpoints of a training run, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from calib.report.formats import fixed
from calib.report.plots.theme import CSS, PANEL, PERCENT, Theme, drawing, legend, plain

Points = Sequence[Mapping[str, Any]]
MOST_LABELS = 6
LONGEST = 9
"""Characters of a label for which the axis has room; longer names are numbered."""


@dataclass(frozen=True)
class Line:
    """A line over the checkpoints: entries of results.json with value, low and high.

    ``colour`` is a role of ``Theme``; ``dashes`` and ``marker`` as matplotlib has them.
    """

    name: str
    points: Points
    colour: str = "ink"
    dashes: Any = "-"
    marker: str = "o"


def over_checkpoints(
    labels: Sequence[str],
    lines: Sequence[Line],
    *,
    label: str,
    axis: str = "step",
    percent: bool = True,
    zero: bool = False,
    theme: Theme = CSS,
) -> Figure:
    """Each line over the checkpoints, one place each, with 95 % intervals where there are any.

    ``zero``: a level line at 0 is drawn, as of a measure with a sign; else the axis begins there.
    """
    with drawing(PANEL, 2.9, theme) as figure:
        axes = figure.add_subplot()
        plain(axes, theme)
        if zero:
            axes.axhline(0, color=theme.muted, linewidth=1.0)
        for number, line in enumerate(lines):
            shift = 0.1 * (number - (len(lines) - 1) / 2)
            known = [
                (place + shift, point)
                for place, point in enumerate(line.points)
                if point["value"] is not None
            ]
            colour = getattr(theme, line.colour)
            axes.plot(
                [at for at, _ in known],
                [point["value"] for _, point in known],
                color=colour,
                marker=line.marker,
                markersize=4,
                linewidth=1.6,
                linestyle=line.dashes,
                label=line.name,
                clip_on=False,
                zorder=3,
            )
            for at, point in known:
                if point.get("low") is not None:
                    axes.plot([at] * 2, [point["low"], point["high"]], color=colour, linewidth=0.9)
        every = -(-len(labels) // MOST_LABELS)
        places = list(range(0, len(labels), every))
        axes.set_xticks(places, [labels[place] for place in places])
        axes.set_xlim(-0.3, len(labels) - 0.7)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        if percent:
            axes.yaxis.set_major_formatter(PERCENT)
        if not zero:
            axes.set_ylim(0, max(axes.get_ylim()[1], 1e-3))
        axes.set(xlabel=axis, ylabel=label)
        if len(lines) > 1:
            legend(axes, theme, 2, length=2.6)
        figure.set_label(said_of(labels, lines, axis))
    return figure


def said_of(labels: Sequence[str], lines: Sequence[Line], axis: str) -> str:
    """The first and the last value of each line, in words."""
    return "; ".join(
        f"{line.name} "
        + " to ".join(
            f"{fixed(line.points[k]['value'])} at {axis} {labels[k]}" for k in (0, len(labels) - 1)
        )
        for line in lines
    )


def tick_labels(names: Sequence[str], steps: Sequence[int | None]) -> tuple[list[str], str]:
    """What stands under each checkpoint, and what the axis is called."""
    if None not in steps:
        return [f"{step:,}" for step in steps], "step"
    if max(map(len, names)) <= LONGEST:
        return list(names), "checkpoint"
    return [str(number) for number in range(1, len(names) + 1)], "checkpoint, by its place"
