"""Figures of a study's findings: each kind is drawn of plain data, as its results.json holds it.

``forest``: values with their intervals, a row each::

    {"rows": [[name, value, low, high], ...], "unit": "fixed" | "percent" | "points",
     "zero": a number to compare with, or null, "groups": [the group of each row] (optional)}

``matrix``: values by two names; ``marks`` are outlined::

    {"rows": [name, ...], "columns": [name, ...], "values": [[value or null, ...], ...],
     "digits": 2, "signed": false, "marks": [[true, ...], ...] (optional)}

``curves``: values over another, with the bounds of their intervals::

    {"series": [{"name", "x": [...], "y": [...], "low": [...] or null, "high": [...] or null}, ...],
     "x": title, "y": title, "unit": "fixed" | "percent" | "points"}

``diagrams``: reliability, its rows as in ``results.json["diagram"]["rows"]`` of a scored run::

    {"series": [{"name", "rows": [...]}, ...]}

Shares are shares of 1, and any value may be null. An x that is text stands at its place in the
order of first sight. Of curves and diagrams a drawing has four.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from calib.report.formats import fixed, percent, points
from calib.report.plots.modality import ROW, heat_map
from calib.report.plots.overlay import DASHES, ENTRY, MARKERS, overlay
from calib.report.plots.theme import (
    CSS,
    PERCENT,
    WIDE,
    Theme,
    drawing,
    entry,
    legend,
    plain,
    width_of,
    wrapped,
)

Data = Mapping[str, Any]
Form = Callable[[float | None], str]
FORMS: Mapping[str, Form] = {
    "fixed": lambda value: fixed(value),
    "percent": lambda value: percent(value, 1),
    "points": points,
}
"""How a number of each unit is written."""
TITLES = {"percent": "%", "points": "points"}
NAMES = 1.5
"""Inches of the names of rows."""
LINE = 0.17  # inches of a line of a name
SPACE = 0.07  # inches between two rows
MANY = 12
"""Of more points a curve has a band, and no marks."""


def forest(data: Data, *, theme: Theme = CSS) -> list[Figure]:
    """Rows from top to bottom. A mark is filled where its interval leaves out ``zero``."""
    rows, zero, unit = data["rows"], data.get("zero"), data["unit"]
    lines = list(in_groups(rows, data.get("groups")))
    names = [wrapped(name, 72 * NAMES) for name, _ in lines]
    heights = [LINE * (1 + name.count("\n")) + SPACE for name in names]
    with drawing(WIDE, sum(heights) + 0.45, theme) as figure:
        axes = figure.add_subplot()
        plain(axes, theme)
        axes.grid(visible=False, axis="y")
        places = [sum(heights[:k]) + height / 2 for k, height in enumerate(heights)]
        axes.set_yticks(places, names)
        axes.set(ylim=(sum(heights), 0), xlim=reach(rows, zero), xlabel=TITLES.get(unit, ""))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        ticks(axes.xaxis, unit)
        if zero is not None:
            axes.axvline(zero, color=theme.muted, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        for place, label, (_, row) in zip(places, axes.get_yticklabels(), lines, strict=True):
            if row is None:
                label.set(color=theme.muted, fontweight="bold")
            else:
                _draw_row(axes, place, row, zero, unit, theme)
        form = form_of(unit, zero)
        figure.set_label(" ".join(_told(row, form) for row in rows))
    return [figure]


def in_groups(
    rows: Sequence[Sequence[Any]], groups: Sequence[str] | None
) -> Iterator[tuple[str, Sequence[Any] | None]]:
    """Each row behind its name; before the first of a group the group's name with None."""
    last = None
    named: Sequence[str | None] = groups or [None] * len(rows)
    for row, group in zip(rows, named, strict=True):
        if group is not None and group != last:
            yield group, None
        last = group
        yield str(row[0]), row


def _draw_row(
    axes: Axes, place: float, row: Sequence[Any], zero: float | None, unit: str, theme: Theme
) -> None:
    _, value, low, high = row
    there = low is not None and high is not None
    axes.text(
        1.03,
        place,
        form_of(unit, zero)(value),
        transform=axes.get_yaxis_transform(),
        color=theme.ink if value is not None else theme.muted,
        va="center",
        fontsize=axes.get_yticklabels()[0].get_fontsize(),
    )
    if value is None:
        return
    if there:
        axes.plot([low, high], [place] * 2, color=theme.ink, linewidth=1.5, zorder=2)
    filled = there and (zero is None or not low <= zero <= high)
    # A hollow mark hides the line beneath it: its inside has the colour of the ground.
    axes.plot(
        [value],
        [place],
        marker="o",
        markersize=5.5,
        color=theme.ink,
        markerfacecolor=theme.ink if filled else theme.face,
        clip_on=False,
        zorder=3,
    )


def reach(rows: Sequence[Sequence[Any]], zero: float | None) -> tuple[float, float]:
    """Ends of an axis that holds every value, every bound and ``zero``, with room at both."""
    known = [number for row in rows for number in row[1:] if number is not None]
    known += [zero] if zero is not None else []
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def ticks(axis: Any, unit: str) -> None:
    """Few round numbers, in percent or points where the unit is that."""
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    if unit == "percent":
        axis.set_major_formatter(PERCENT)
    elif unit == "points":
        axis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{round(100 * value, 6):+.6g}".replace("-", "−"))
        )


def form_of(unit: str, zero: float | None) -> Form:
    """How a row's number is written: with its sign where 0 is what it is compared with."""
    return signed if unit == "fixed" and zero == 0 else FORMS[unit]


def signed(value: float | None) -> str:
    return f"+{fixed(value)}" if value is not None and value > 0 else fixed(value)


def _told(row: Sequence[Any], form: Form) -> str:
    name, value, low, high = row
    between = f", {form(low)} to {form(high)}" if low is not None and high is not None else ""
    return f"{name}: {form(value)}{between}."


def matrix(data: Data, *, theme: Theme = CSS) -> list[Figure]:
    """Shades of the values; columns whose names have no room are numbered."""
    rows, columns, values = data["rows"], data["columns"], data["values"]
    digits = int(data.get("digits", 2))
    heads = list(columns)
    if numbered(data):
        # Each number of a column needs about 15 points.
        every = math.ceil(15 * len(columns) / (72 * (WIDE - NAMES)))
        heads = [str(k) if not (k - 1) % every else "" for k in range(1, len(columns) + 1)]
    known = [
        f"{row}, {column}: {fixed(value, digits)}"
        for row, own in zip(rows, values, strict=True)
        for column, value in zip(columns, own, strict=True)
        if value is not None
    ]
    names = [wrapped(name, 72 * NAMES - 8) for name in row_names(data)]
    height = max(ROW, LINE * (1 + max(name.count("\n") for name in names)) + SPACE)
    return [
        heat_map(
            names,
            heads,
            values,
            digits=digits,
            sided=bool(data.get("signed")),
            marks=data.get("marks"),
            size=(WIDE, NAMES, height),
            said="; ".join(known) or "No value is known.",
            theme=theme,
        )
    ]


def numbered(data: Data) -> bool:
    """Whether a matrix has numbers for its columns, since a name is wider than a square."""
    columns = data["columns"]
    room = 72 * (WIDE - NAMES) / max(len(columns), 1) - 4
    return any(width_of(name) > room for name in columns)


def row_names(data: Data) -> list[str]:
    """The rows' names; behind its number where a row is also a numbered column."""
    rows, columns = list(data["rows"]), list(data["columns"])
    if rows != columns or not numbered(data):
        return rows
    return [f"{k} {name}" for k, name in enumerate(rows, 1)]


def curves(data: Data, *, theme: Theme = CSS) -> list[Figure]:
    """Four to a drawing, all with the same axes."""
    series, names = placed(data["series"])
    ends = reach([[None, *column(one, key)] for one in series for key in BOUNDED], None)
    across = reach([[None, *one["x"]] for one in series], None)
    drawn = []
    for k in range(0, len(series), 4):
        figure = _curves(series[k : k + 4], data, across, ends, theme)
        if names:
            figure.axes[0].set_xticks(range(len(names)), names)
        drawn.append(figure)
    return drawn


def placed(series: Sequence[Data]) -> tuple[Sequence[Data], list[str]]:
    """The series with a number for every x, and the names of 0, 1, ... where x are texts."""
    every = [x for one in series for x in one["x"]]
    if not any(isinstance(x, str) for x in every):
        return series, []
    names = list(dict.fromkeys(map(str, every)))
    return [{**one, "x": [names.index(str(x)) for x in one["x"]]} for one in series], names


BOUNDED = ("y", "low", "high")


def column(series: Data, key: str) -> list[float | None]:
    """The numbers of one of ``BOUNDED``; of bounds that are not known None for each point."""
    found: list[float | None] = series.get(key) or [None] * len(series["x"])
    return found


def _curves(
    series: Sequence[Data],
    data: Data,
    across: tuple[float, float],
    ends: tuple[float, float],
    theme: Theme,
) -> Figure:
    unit = data["unit"]
    entries = [wrapped(entry(one["name"]), ENTRY + 60) for one in series]
    lines = sum(1 + text.count("\n") for text in entries)
    with drawing(WIDE, 2.9 + 0.17 * lines, theme) as figure:
        axes = figure.add_subplot()
        plain(axes, theme)
        axes.set(xlim=across, ylim=ends, xlabel=data["x"])
        named = unit not in TITLES or data["y"].endswith(TITLES[unit])
        axes.set(ylabel=data["y"] if named else f"{data['y']}, {TITLES[unit]}")
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        ticks(axes.yaxis, unit)
        styles = zip(series, entries, theme.runs, MARKERS, DASHES, strict=False)
        for one, text, colour, marker, dash in styles:
            x, y = one["x"], [math.nan if value is None else value for value in one["y"]]
            axes.plot(
                x,
                y,
                color=colour,
                linestyle=dash,
                linewidth=1.5,
                marker="" if len(x) > MANY else marker,
                markersize=5,
                label=text,
            )
            _draw_bounds(axes, one, colour)
        legend(axes, theme, 1, axes.lines, length=2.6)
        figure.set_label(" ".join(_ends(one, unit) for one in series))
    return figure


def _draw_bounds(axes: Axes, series: Data, colour: str) -> None:
    """Upright lines, or a band where there are many points."""
    bounds = [
        (x, low, high)
        for x, low, high in zip(
            series["x"], column(series, "low"), column(series, "high"), strict=True
        )
        if low is not None and high is not None
    ]
    if not bounds:
        return
    x, low, high = map(list, zip(*bounds, strict=True))
    if len(series["x"]) > MANY:
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
    else:
        axes.vlines(x, low, high, color=colour, alpha=0.45, linewidth=1.2)


def _ends(series: Data, unit: str) -> str:
    form = FORMS[unit]
    known = [(x, y) for x, y in zip(series["x"], series["y"], strict=True) if y is not None]
    if not known:
        return f"{series['name']}: no value is known."
    (first, one), (last, other) = known[0], known[-1]
    return f"{series['name']}: {form(one)} at {first:g}, {form(other)} at {last:g}."


def diagrams(data: Data, *, theme: Theme = CSS) -> list[Figure]:
    """Reliability of four runs to a drawing."""
    runs = [(one["name"], one["rows"]) for one in data["series"]]
    return [overlay(runs[k : k + 4], theme=theme) for k in range(0, len(runs), 4)]


DRAWINGS: Mapping[str, Callable[..., list[Figure]]] = {
    "forest": forest,
    "matrix": matrix,
    "curves": curves,
    "diagrams": diagrams,
}
"""The drawings of each kind of figure, one or several."""
