"""The square of a diagram: its diagonal, and the part of it that is shown; squares in a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from calib.report.plots.theme import PERCENT, SMALL, Theme, plain

WHOLE = 0.8  # a larger part of the axis is not worth a zoom
LEAST = 0.1  # side of the filled square in the small one


def part(values: Sequence[float]) -> tuple[float, float]:
    """Round ends of the part of 0 to 1 that holds all values; all of it where they take most."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    most = max(high - low, 1e-6) / 4
    power = 10.0 ** math.floor(math.log10(most))
    step = max(power * k for k in (1, 2, 5) if power * k <= most)
    low = max(0.0, step * math.floor(low / step + 1e-9))
    high = min(1.0, step * math.ceil(high / step - 1e-9))
    if high - low <= 1e-12:
        low, high = max(0.0, low - step), min(1.0, high + step)
    return (0.0, 1.0) if high - low > WHOLE else (low, high)


def shown(low: float, high: float) -> str:
    """An axis' title; it says where the axis begins and ends unless that is 0 and 100 %."""
    if (low, high) == (0.0, 1.0):
        return "confidence, %"
    return f"confidence, %  (axis from {100 * low:.4g} to {100 * high:.4g})"


def zoomed_axes(axes: Axes, values: Sequence[float], theme: Theme) -> None:
    """Both axes show the same part, so that the diagonal goes from corner to corner."""
    plain(axes, theme)
    low, high = part(values)
    axes.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
    axes.set(xlabel=shown(low, high), ylabel="right, %")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(PERCENT)
    if (low, high) != (0.0, 1.0):
        _draw_part(axes, low, high, theme)


def grid(
    figure: Figure,
    rows: Sequence[str],
    columns: Sequence[str],
    square: tuple[float, float],
    *,
    names: float,
    head: float,
    theme: Theme,
) -> Axes:
    """Room for a square, so many inches wide and high, of each row and column, from (0, 0) down.

    names, head: inches left of the squares and above them, where the rows and columns are named.
    """
    width, height = square
    figure.set_layout_engine("none")
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-names, width * len(columns)), ylim=(height * len(rows), -head))
    axes.set_axis_off()
    for place, name in enumerate(columns):
        axes.text((place + 0.5) * width, -head / 2, name, color=theme.ink, ha="center", va="center")
    for place, name in enumerate(rows):
        middle = (place + 0.5) * height
        axes.text(-names, middle, name, color=theme.ink, va="center", fontsize=SMALL)
    drawn: Axes = axes
    return drawn


def draw_diagonal(axes: Axes, theme: Theme) -> None:
    axes.plot([0, 1], [0, 1], color=theme.muted, linewidth=1, linestyle=(0, (4, 3)), zorder=1)


def _draw_part(axes: Axes, low: float, high: float, theme: Theme) -> None:
    """The whole square in small, above the axes; the part that they show is filled."""
    whole = axes.inset_axes((0.87, 1.03, 0.13, 0.13))
    whole.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], facecolor="none")
    for spine in whole.spines.values():
        spine.set_color(theme.muted)
    side = max(high - low, LEAST)  # a smaller square could not be seen
    corner = min(low, 1 - side)
    whole.add_patch(Rectangle((corner, corner), side, side, color=theme.muted, linewidth=0))
    whole.plot([0, 1], [0, 1], color=theme.muted, linewidth=0.8, linestyle=(0, (4, 3)))
