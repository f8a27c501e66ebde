"""Draw what repeated answers tell: the arms of an IDK evaluation, measures side by side.

As in ``calib.report.plots``, plain numbers come in and nothing is computed but positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from calib.report.plots import CSS, PANEL, PERCENT, RC, Theme, legend, plain


def arm(shown: Mapping[str, Mapping[str, int]], *, theme: Theme = CSS) -> Figure:
    """Right, refused and wrong answers among known and unknown questions, in per cent of each.

    ``shown``: {"known": {"right": n, "refused": n, "wrong": n}, "unknown": ...}.
    """
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(PANEL, 2.1), layout="constrained")
        axes = figure.add_subplot()
        plain(axes, theme)
        axes.grid(visible=False, axis="y")
        totals = {name: sum(parts.values()) for name, parts in shown.items()}
        rows = [f"{name}\n({totals[name]:,})" for name in shown]
        left = [0.0] * len(rows)
        styles = {"right": (theme.under, 0.85), "refused": (theme.muted, 0.55)}
        styles["wrong"] = (theme.over, 0.85)
        for part, (colour, alpha) in styles.items():
            width = [shown[name][part] / max(1, totals[name]) for name in shown]
            axes.barh(rows, width, 0.62, left, color=colour, alpha=alpha, label=part)
            for row, (start, share, name) in enumerate(zip(left, width, shown, strict=True)):
                if share >= 0.08:
                    axes.text(
                        start + share / 2,
                        row,
                        f"{shown[name][part]:,}",
                        color=theme.ink,
                        ha="center",
                        va="center",
                        fontsize=9,
                    )
            left = [a + b for a, b in zip(left, width, strict=True)]
        axes.set(xlim=(0, 1), xlabel="of these questions, %")
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(PERCENT)
        legend(axes, theme, columns=3)
    return figure


def correlations(
    labels: Sequence[str], matrix: Sequence[Sequence[float | None]], *, theme: Theme = CSS
) -> Figure:
    """A matrix of rank correlations: strength as the area of a square, sign as its colour.

    None (not defined) stays empty.
    """
    count = len(labels)
    side = 1.9 + 0.42 * count
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(side + 0.5, side), layout="constrained")
        axes: Any = figure.add_subplot()
        plain(axes, theme)
        axes.grid(visible=False)
        for row in range(count):
            for column in range(row + 1):
                value = matrix[row][column]
                if value is None:
                    continue
                colour = theme.under if value >= 0 else theme.over
                half = 0.48 * abs(value) ** 0.5
                axes.fill(
                    [column - half, column + half, column + half, column - half],
                    [row - half, row - half, row + half, row + half],
                    color=colour,
                    alpha=0.4,
                    linewidth=0,
                )
                axes.text(
                    column,
                    row,
                    f"{value:.2f}".replace("-", "−"),
                    color=theme.ink,
                    ha="center",
                    va="center",
                    fontsize=8.5,
                )
        axes.set(xlim=(-0.6, count - 0.4), ylim=(count - 0.4, -0.6), box_aspect=1)
        axes.set_xticks(range(count), labels, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(count), labels)
        axes.tick_params(length=0)
    return figure
