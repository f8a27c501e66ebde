"""A study of images against text: maps of noise by sentences, and curves over the noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from calib.report.formats import fixed
from calib.report.plots.frame import grid
from calib.report.plots.theme import CSS, PANEL, PERCENT, SMALL, Theme, drawing, legend, plain

NAMES = 0.95  # inches of the rows' names
HEAD = 0.28  # inches of the columns' names
ROW = 0.34  # inches of a row
STRONGEST = 0.35
"""Strength of the colour of the largest value; text stays readable on it in both themes."""
NUMBERED = 6
"""Of more columns the squares have no room for two figures behind the point."""
MOST_NUMBERED = 14
"""And of more for none."""
LINES = (("run1", "o", "-"), ("run2", "s", (0, (4, 2))))
"""Colour, marker and dashes of the two lines, which differ without colour too."""


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    digits: int = 2,
    sided: bool = False,
    marks: Sequence[Sequence[bool]] | None = None,
    size: tuple[float, float, float] = (PANEL, NAMES, ROW),
    said: str,
    theme: Theme = CSS,
) -> Figure:
    """A square for each value (R, C), the larger the stronger its shade; its number stands in it.

    ``sided``: values lie about 0, and a value above has the colour of over-confidence, one below
    that of under-confidence. None is left out. Those of ``marks`` are outlined. ``size``: inches
    that the whole and the rows' names are wide and a row is high. ``said`` is what a screen reader
    says of it all.
    """
    width, names, height = size
    side = (width - names) / len(columns)
    known = [value for row in values for value in row if value is not None]
    low = 0.0 if sided else min(known, default=0.0)
    reach = max((abs(value - low) for value in known), default=0.0) or 1.0
    with drawing(width, HEAD + height * len(rows), theme) as figure:
        axes = grid(figure, rows, columns, (side, height), names=names, head=HEAD, theme=theme)
        for row, own in enumerate(values):
            for column, value in enumerate(own):
                if value is None:
                    continue
                colour = theme.ink if not sided else theme.over if value > 0 else theme.under
                strength = STRONGEST * abs(value - low) / reach
                box = (column * side + 0.02, row * height + 0.02), side - 0.04, height - 0.04
                axes.add_patch(Rectangle(*box, color=colour, alpha=strength, linewidth=0))
                edge = ("ink", 1.4) if marks is not None and marks[row][column] else ("grid", 0.8)
                outline = {"edgecolor": getattr(theme, edge[0]), "linewidth": edge[1]}
                axes.add_patch(Rectangle(*box, fill=False, **outline))
                if len(columns) > MOST_NUMBERED:
                    continue
                axes.text(
                    (column + 0.5) * side,
                    (row + 0.5) * height,
                    written(value, digits if len(columns) <= NUMBERED else 1, sided),
                    color=theme.ink,
                    ha="center",
                    va="center",
                    fontsize=SMALL,
                )
        figure.set_label(said)
    return figure


def written(value: float, digits: int, signed: bool) -> str:
    """The number without its 0 before the point."""
    number = fixed(value, digits)
    short = (
        number.replace("0.", ".", 1) if abs(value) < 1 and number != fixed(1.0, digits) else number
    )
    return f"+{short}" if signed and value > 0 else short


def over_noise(
    levels: Sequence[str],
    lines: Sequence[tuple[str, Sequence[Mapping[str, Any]]]],
    *,
    beside: tuple[str, float] | None = None,
    label: str,
    percent: bool = True,
    theme: Theme = CSS,
) -> Figure:
    """A line for each of at most two names over the levels, with its 95 % intervals.

    Each point is an entry of results.json with value, low and high. ``beside``: the name and value
    of a level line for comparison.
    """
    with drawing(PANEL, 2.7, theme) as figure:
        axes = figure.add_subplot()
        plain(axes, theme)
        places = range(len(levels))
        for number, (name, points) in enumerate(lines):
            colour, marker, dashes = LINES[number]
            at = [place + 0.08 * (number - 0.5) * (len(lines) > 1) for place in places]
            values = [point["value"] for point in points]
            axes.plot(
                at,
                values,
                color=getattr(theme, colour),
                marker=marker,
                markersize=4,
                linewidth=1.6,
                linestyle=dashes,
                label=name,
                clip_on=False,
                zorder=3,
            )
            for place, point in zip(at, points, strict=True):
                if point["low"] is not None:
                    ends = [point["low"], point["high"]]
                    axes.plot([place] * 2, ends, color=getattr(theme, colour), linewidth=0.9)
        if beside is not None:
            axes.axhline(
                beside[1], color=theme.muted, linewidth=1.2, linestyle=(0, (1, 2)), label=beside[0]
            )
        axes.set_xticks(list(places), levels)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        if percent:
            axes.yaxis.set_major_formatter(PERCENT)
        axes.set(xlabel="noise, step of 1,000", ylabel=f"{label}, %" if percent else label)
        legend(axes, theme, 2, length=2.6)
        figure.set_label(said_of(levels, lines, label))
    return figure


def said_of(
    levels: Sequence[str], lines: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], label: str
) -> str:
    ends = [
        " to ".join(f"{fixed(points[k]['value'], 3)} at {levels[k]}" for k in (0, len(levels) - 1))
        for _, points in lines
    ]
    told = "; ".join(f"{name}: {span}" for (name, _), span in zip(lines, ends, strict=True))
    return f"{label} over noise. {told}"
