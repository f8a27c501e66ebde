"""What repeated answers tell: the arms of an IDK evaluation, measures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from calib.report.formats import count, fixed
from calib.report.plots.theme import CSS, PERCENT, SMALL, WIDE, Theme, drawing, plain

Shown = Mapping[str, Mapping[str, int]]

TRUTHFUL = {
    "known": ("right",),
    "unknown": ("right", "refused"),
    "answerable": ("right",),
    "unanswerable": ("refused",),
}
OUTLINE = 1.8  # points
LEAST_PLACES = 12.0  # of a matrix of few measures, whose squares would be huge
WRITTEN = 0.07  # of the bar; a smaller part has no room for its number


def arms(shown: Mapping[str, Shown], *, theme: Theme = CSS) -> Figure:
    """Right, refused and wrong answers to known and unknown questions, in per cent of each, by arm.

    ``shown``: arm -> {"known": {"right": n, "refused": n, "wrong": n}, "unknown": ...}. A thick
    outline marks what is truthful: what is right, and a refusal of what is not known.
    """
    with drawing(WIDE, 0.95 + 0.95 * len(shown), theme) as figure:
        panels: Any = figure.subplots(len(shown), 1, sharex=True, squeeze=False)
        for axes, (name, parts) in zip(panels.flat, shown.items(), strict=True):
            _draw_arm(axes, parts, theme)
            axes.set_title(name, color=theme.ink, loc="left", fontsize=9.5, fontweight="bold")
        colours = {"right": theme.under, "refused": theme.muted, "wrong": theme.over}
        handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
        outlined = Patch(facecolor="none", edgecolor=theme.ink, linewidth=OUTLINE)
        outlined.set_label("outlined: truthful")
        outside: Any = "outside upper left"
        figure.legend(
            handles=[*handles, outlined],
            loc=outside,
            ncols=4,
            frameon=False,
            labelcolor=theme.ink,
            fontsize=SMALL,
            handlelength=1.3,
            columnspacing=1.0,
            handletextpad=0.5,
        )
        axes.set_xlabel("of these questions, %")
        figure.set_label(" ".join(_told(name, parts) for name, parts in shown.items()))
    return figure


def _draw_arm(axes: Axes, shown: Shown, theme: Theme) -> None:
    plain(axes, theme)
    axes.grid(visible=False, axis="y")
    colours = {"right": theme.under, "refused": theme.muted, "wrong": theme.over}
    for row, (name, parts) in enumerate(shown.items()):
        total, left = max(1, sum(parts.values())), 0.0
        for part, colour in colours.items():
            width = parts[part] / total
            axes.barh(row, width, 0.66, left, color=colour, linewidth=0)
            if width >= WRITTEN:
                axes.text(
                    left + width / 2,
                    row,
                    count(parts[part]),
                    color=theme.face,
                    ha="center",
                    va="center",
                    fontweight="bold",
                )
            left += width
        truthful = sum(parts[part] for part in TRUTHFUL[name]) / total
        if truthful:
            (outline,) = axes.barh(row, truthful, 0.66, 0, clip_on=False, zorder=5)
            outline.set(facecolor="none", edgecolor=theme.ink, linewidth=OUTLINE)
    rows = [f"{name} ({count(sum(parts.values()))})" for name, parts in shown.items()]
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(PERCENT)


def _told(arm: str, shown: Shown) -> str:
    said = [
        f"of {count(sum(parts.values()))} {name} questions "
        + ", ".join(f"{count(parts[part])} {part}" for part in ("right", "refused", "wrong"))
        for name, parts in shown.items()
    ]
    return f"{arm}: {'; '.join(said)}."


def correlations(
    labels: Sequence[str], matrix: Sequence[Sequence[float | None]], *, theme: Theme = CSS
) -> Figure:
    """Half a matrix of rank correlations: strength as the area of a square, sign as its colour.

    A measure's name stands on the diagonal, at the end of its row and at the top of its column.
    None (not defined) stays empty.
    """
    size = len(labels)
    # A name begins in its diagonal place; so much is wider than the matrix, in places.
    wide = max([LEAST_PLACES, *(k + 0.25 * len(label) + 0.6 for k, label in enumerate(labels))])
    with drawing(WIDE, WIDE * (size + 0.2) / wide, theme) as figure:
        figure.set_layout_engine("none")
        axes: Any = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-0.5, wide - 0.5), ylim=(size - 0.4, -0.6), aspect="equal")
        axes.set_axis_off()
        for row in range(size):
            axes.text(row - 0.4, row, labels[row], color=theme.ink, va="center", fontsize=9)
            for column in range(row):
                value = matrix[row][column]
                if value is not None:
                    _draw_square(axes, column, row, value, theme)
        figure.set_label(_extremes(labels, matrix))
    return figure


def _draw_square(axes: Axes, column: int, row: int, value: float, theme: Theme) -> None:
    half = 0.48 * abs(value) ** 0.5
    axes.fill(
        [column - half, column + half, column + half, column - half],
        [row - half, row - half, row + half, row + half],
        color=theme.under if value >= 0 else theme.over,
        alpha=0.4,
        linewidth=0,
    )
    text = fixed(value, 2).replace("0.", ".", 1)
    axes.text(column, row, text, color=theme.ink, ha="center", va="center", fontsize=8)


def _extremes(labels: Sequence[str], matrix: Sequence[Sequence[float | None]]) -> str:
    """The two measures that agree most, and the two that agree least."""
    pairs = [
        (value, labels[row], labels[column])
        for row in range(len(labels))
        for column in range(row)
        if (value := matrix[row][column]) is not None
    ]
    if not pairs:
        return "No two measures can be compared."
    (most, a, b), (least, c, d) = max(pairs), min(pairs)
    return (
        f"Rank correlations of {len(labels)} measures, from {fixed(least, 2)} ({c} and {d}) to "
        f"{fixed(most, 2)} ({a} and {b})."
    )
