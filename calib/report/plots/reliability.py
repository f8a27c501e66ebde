"""Reliability diagrams: of bins of equal width over 0 to 1, and of near-equally full bins, zoomed.

A dot on the diagonal keeps its word (ink). Below it the model is over-confident (vermilion), above
it under-confident (blue); the pale bar behind it is the 95 % interval of the bin's accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from calib.report.formats import count, percent, share
from calib.report.plots.frame import draw_diagonal, part, zoomed_axes
from calib.report.plots.theme import (
    CSS,
    PANEL,
    PERCENT,
    SMALL,
    Theme,
    drawing,
    legend,
    plain,
)

Bin = Mapping[str, Any]

FEW = 10  # bins with fewer questions are drawn faint
WRITTEN = 20  # of more bins the strip writes no counts
ROOMY = 15
WIDEST = 0.08  # of a bar, which stands about its dot and so may leave the square
LEVEL = 1e-9  # sums of floats are no closer to what they are sums of


@dataclass(frozen=True, slots=True)
class Side:
    """Where a dot lies: what that is called, the role of its colour, its marker."""

    name: str
    role: str
    marker: str


OVER, UNDER = Side("over-confident", "over", "o"), Side("under-confident", "under", "^")
ON = Side("on the diagonal", "ink", "D")


def side(row: Bin) -> Side:
    """The side of a filled bin."""
    gap = row["confidence"] - row["accuracy"]
    return ON if abs(gap) < LEVEL else OVER if gap > 0 else UNDER


def reliability(
    bins: Sequence[Bin], *, note: str = "", unit: str = "questions", theme: Theme = CSS
) -> Figure:
    """One diagram with its counts; ``bins`` as in ``calib.summary.curves.diagram``.

    ``unit`` is what is counted, in the plural.
    """
    with drawing(PANEL, 5.1 + _room(bins), theme) as figure:
        _draw(*_axes(figure), bins, note, unit, theme)
        figure.set_label(spoken(bins, unit))
    return figure


def reliability_zoomed(bins: Sequence[Bin], *, note: str = "", theme: Theme = CSS) -> Figure:
    """One diagram of near-equally full bins, of the part of the square that they and their
    intervals take; a small square says which part. ``bins`` as in
    ``calib.summary.curves.quantiles``."""
    with drawing(PANEL, 4.2 + _room(bins), theme) as figure:
        axes = figure.add_subplot()
        zoomed_axes(axes, _ends(bins), theme)
        draw_diagonal(axes, theme)
        for row in bins:
            _draw_interval(axes, row, theme)
            _draw_bin(axes, row, _size(row, bins), theme)
        _sides(axes, bins, note, theme)
        axes.set_xlabel(f"{axes.get_xlabel()}\n{_each(bins)}")
        figure.set_label(spoken(bins))
    return figure


def is_part(bins: Sequence[Bin]) -> bool:
    """Whether ``reliability_zoomed`` shows a part of the square, which the small square fills."""
    return part(_ends(bins)) != (0.0, 1.0)


def _ends(bins: Sequence[Bin]) -> list[float]:
    return [row[end] for row in bins for end in ("low", "high", "accuracy_low", "accuracy_high")]


def _each(bins: Sequence[Bin]) -> str:
    """How many questions a bin holds."""
    fewest, most = (count(end([row["n"] for row in bins])) for end in (min, max))
    where = "each bin" if len(bins) > 1 else "one bin"
    return f"{fewest if fewest == most else f'{fewest} to {most}'} questions in {where}"


def spoken(bins: Sequence[Bin], unit: str = "questions") -> str:
    """The fullest bin, and the widest gap of a bin that is not drawn faint."""
    filled = [row for row in bins if row["n"]]
    if not filled:
        return f"No {unit} are drawn."
    fullest = max(filled, key=lambda row: row["n"])
    total = sum(row["n"] for row in filled)
    said = f"{count(total)} {unit} in bins of confidence; the fullest: {_told(fullest)}"
    sure = [row for row in filled if row["n"] >= FEW and row is not fullest]
    if not sure:
        return f"{said}."
    widest = max(sure, key=lambda row: abs(row["confidence"] - row["accuracy"]))
    return f"{said}; of the others with {FEW} or more the farthest off: {_told(widest)}."


def _told(row: Bin) -> str:
    return (
        f"{count(row['n'])} with {share(row['confidence'])} confidence are right "
        f"{percent(row['accuracy'], 1)} of the time ({side(row).name})"
    )


def _axes(figure: Any) -> tuple[Axes, Axes]:
    grid = figure.add_gridspec(2, 1, height_ratios=(1, 0.27))
    top = figure.add_subplot(grid[0])
    return top, figure.add_subplot(grid[1], sharex=top)


def _draw(top: Axes, strip: Axes, bins: Sequence[Bin], note: str, unit: str, theme: Theme) -> None:
    plain(top, theme)
    draw_diagonal(top, theme)
    for row in bins:
        if row["n"]:
            top.bar(
                row["confidence"],
                row["accuracy_high"] - row["accuracy_low"],
                min(WIDEST, 0.72 * (row["high"] - row["low"])),
                row["accuracy_low"],
                color=_colour(row, theme),
                alpha=0.22 * _strength(row),
                linewidth=0,
                zorder=2,
                clip_on=False,
                in_layout=False,  # the square stays as wide as the strip below
            )
            _draw_bin(top, row, _size(row, bins), theme)
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="right, %", box_aspect=1)
    top.xaxis.set_major_formatter(PERCENT)
    top.yaxis.set_major_formatter(PERCENT)
    top.tick_params(labelbottom=False)
    _sides(top, bins, note, theme)
    _draw_counts(strip, bins, unit, theme)


def _draw_interval(axes: Axes, row: Bin, theme: Theme) -> None:
    """A bin that may be narrower than a line: its range across, its interval upright."""
    colour = _colour(row, theme)
    axes.plot(
        [row["confidence"]] * 2,
        [row["accuracy_low"], row["accuracy_high"]],
        color=colour,
        alpha=0.25 * _strength(row),
        linewidth=6,
        solid_capstyle="butt",
        zorder=2,
        clip_on=False,  # its dot may lie on the frame
    )
    axes.plot(
        [row["low"], row["high"]],
        [row["accuracy"]] * 2,
        color=colour,
        alpha=0.6,
        linewidth=1,
        clip_on=False,
    )


def _draw_bin(axes: Axes, row: Bin, size: float, theme: Theme) -> None:
    """The dot of a bin, and its way from the diagonal."""
    ends = (row["confidence"], row["accuracy"])
    colour, strength = _colour(row, theme), _strength(row)
    axes.plot(
        [ends[0]] * 2,
        ends,
        color=colour,
        linewidth=1.3,
        alpha=strength,
        zorder=3,
        clip_on=False,
    )
    axes.scatter(
        *ends,
        s=size,
        color=colour,
        marker=side(row).marker,
        linewidth=0,
        alpha=strength,
        zorder=4,
        clip_on=False,
        in_layout=False,
    )


def _size(row: Bin, bins: Sequence[Bin]) -> float:
    """Of a dot, in square points: the area grows with the root of the count."""
    return float(14 + 42 * (row["n"] / max(other["n"] for other in bins)) ** 0.5)


def _draw_counts(strip: Axes, bins: Sequence[Bin], unit: str, theme: Theme) -> None:
    plain(strip, theme)
    strip.grid(visible=False, axis="x")
    counts = [row["n"] for row in bins]
    strip.bar(
        [row["low"] for row in bins],
        counts,
        [0.92 * (row["high"] - row["low"]) for row in bins],
        align="edge",
        color=theme.muted,
        linewidth=0,
    )
    top = max(1, *counts)
    if len(bins) <= WRITTEN:
        across = 2 if len(bins) <= ROOMY else 1  # so many digits are as wide as a bar
        longest = max(len(_short(n)) for n in counts)
        for row in bins:
            if row["n"]:
                strip.annotate(
                    _short(row["n"]),
                    ((row["low"] + row["high"]) / 2, row["n"]),
                    (0, 2),
                    textcoords="offset points",
                    color=theme.ink,
                    fontsize=SMALL,
                    ha="center",
                    va="bottom",
                    rotation=90 if len(_short(row["n"])) > across else 0,
                )
        top *= 1.75 if longest > across else 1.4  # room for what is written over the highest bar
    strip.set(xlim=(0, 1), ylim=(0, top), xlabel="confidence, %", ylabel=unit)
    strip.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    strip.yaxis.set_major_formatter(lambda value, _: _short(round(value)))


def _short(n: int) -> str:
    """A count in at most five characters."""
    return count(n) if n < 10_000 else f"{n / 1000:.0f}k" if n < 1e6 else f"{n / 1e6:.0f}M"


def _sides(axes: Axes, bins: Sequence[Bin], note: str, theme: Theme) -> None:
    """What the colours say, above the axes."""
    handles = [
        Line2D(
            [],
            [],
            color=getattr(theme, shown.role),
            marker=shown.marker,
            linestyle="",
            markersize=5.5,
            label=shown.name,
        )
        for shown in ((OVER, UNDER, ON) if _level(bins) else (OVER, UNDER))
    ]
    legend(axes, theme, 2, handles, note=note)


def _level(bins: Sequence[Bin]) -> bool:
    return any(row["n"] and side(row) is ON for row in bins)


def _room(bins: Sequence[Bin]) -> float:
    """Inches for a second line of the legend: the square keeps its size."""
    return 0.18 if _level(bins) else 0.0


def _colour(row: Bin, theme: Theme) -> str:
    colour: str = getattr(theme, side(row).role)
    return colour


def _strength(row: Bin) -> float:
    return 1.0 if row["n"] >= FEW else 0.35
