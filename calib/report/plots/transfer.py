"""A matrix of transfer: what was made on the run of a row, judged on the run of a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from calib.report.formats import fixed
from calib.report.plots.frame import grid
from calib.report.plots.theme import CSS, SMALL, WIDE, Theme, drawing, wrapped

LOWERS, RAISES, LESS_RIGHT, NOT_SHOWN = "↓", "↑", "×", "·"
NUMBERED = 6
"""Of more columns the squares have no room for a number beside their mark."""
NAMES = 1.35  # inches of the rows' names
HEAD = 0.3  # inches of the columns' numbers
TALLEST = 0.55  # inches of a row
COLOURS = {LOWERS: "under", RAISES: "over", LESS_RIGHT: "over", NOT_SHOWN: "muted"}
FILLED = 0.3  # strength of a colour behind a number


@dataclass(frozen=True, slots=True)
class Square:
    """A difference and its mark, one of ``LOWERS``, ``RAISES``, ``LESS_RIGHT``, ``NOT_SHOWN``.

    ``value`` is None where nothing could be judged; ``own``: made on the run it is judged on.
    """

    value: float | None
    mark: str
    own: bool


def transfer(
    rows: Sequence[str],
    columns: Sequence[str],
    squares: Sequence[Sequence[Square | None]],
    *,
    said: str,
    theme: Theme = CSS,
) -> Figure:
    """A square for each pair; its colour says what is shown, the mark says it without colour.

    ``columns`` are short, such as "1"; ``said`` is what a screen reader says of it all.
    """
    side = (WIDE - NAMES) / len(columns)
    height = min(TALLEST, side)
    with drawing(WIDE, HEAD + height * len(rows), theme) as figure:
        told = [wrapped(name, 72 * NAMES - 8) for name in rows]
        size = side, height
        axes = grid(figure, told, columns, size, names=NAMES, head=HEAD, theme=theme)
        for row, own in enumerate(squares):
            for place, square in enumerate(own):
                if square is not None:
                    corner = place * side, row * height
                    _draw(axes, square, corner, size, len(columns), theme)
        figure.set_label(said)
    return figure


def _draw(
    axes: Axes,
    square: Square,
    corner: tuple[float, float],
    size: tuple[float, float],
    columns: int,
    theme: Theme,
) -> None:
    gap = 0.03
    box = (corner[0] + gap, corner[1] + gap), size[0] - 2 * gap, size[1] - 2 * gap
    if square.value is not None and square.mark != NOT_SHOWN:
        colour = getattr(theme, COLOURS[square.mark])
        axes.add_patch(Rectangle(*box, color=colour, alpha=FILLED, linewidth=0))
    edge = theme.ink if square.own else theme.grid
    axes.add_patch(Rectangle(*box, fill=False, edgecolor=edge, linewidth=1.2 if square.own else 1))
    axes.text(
        corner[0] + size[0] / 2,
        corner[1] + size[1] / 2,
        written(square, columns),
        color=theme.muted if square.mark == NOT_SHOWN else theme.ink,
        ha="center",
        va="center",
        fontsize=SMALL,
    )


def written(square: Square, columns: int) -> str:
    """The number without its 0 and the mark; of many columns the mark alone."""
    if square.value is None:
        return "–"
    if columns > NUMBERED:
        return square.mark
    sign = "+" if square.value > 0 else ""
    number = f"{sign}{fixed(square.value, 3).replace('0.', '.', 1)}"
    return number if square.mark == NOT_SHOWN else f"{square.mark} {number}"
