"""Risk and coverage: answer the surest questions only, and how many of the answers are wrong?"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calib.report.formats import percent, share
from calib.report.plots.theme import CSS, PANEL, PERCENT, SMALL, WIDE, Theme, drawing, legend, plain

Curve = Mapping[str, Any]

LEVELS = (0.25, 0.5, 1.0)  # the coverages that are said in words
COLUMNS = 3
TITLE = 17  # characters of a line over a small panel
FAR = 4  # of so many points one is drawn of a curve in the background


def risk_coverage(curve: Curve, *, theme: Theme = CSS) -> Figure:
    """Error rate among the most confident share of questions, against that share, with its band.

    ``curve``: points, low, high, overall and best, as in ``calib.summary.curves.selective``. The
    dotted line is a confidence that ranks every right answer above every wrong one.
    """
    with drawing(PANEL, 3.4, theme) as figure:
        axes = figure.add_subplot()
        plain(axes, theme)
        _draw_curve(axes, curve, theme, "this confidence")
        axes.axhline(
            curve["overall"], color=theme.muted, linewidth=1, linestyle="--", label="no ranking"
        )
        best = curve["best"]
        ideal = [best + (1 - best) * k / 40 for k in range(41)]
        axes.plot(
            [0, *ideal],
            [0, *((part - best) / part if part > 0 else 0.0 for part in ideal)],
            color=theme.under,
            linewidth=1.2,
            linestyle=":",
            label="perfect ranking",
        )
        axes.set(
            xlim=(0, 1),
            ylim=(0, _top([curve])),
            xlabel="share answered, surest first, %",
            ylabel="wrong among answered, %",
        )
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
        legend(axes, theme, 2)
        figure.set_label(_told(curve))
    return figure


def risk_coverage_by_measure(curves: Sequence[Curve], *, theme: Theme = CSS) -> Figure:
    """A small panel for each measure, in the order given: its curve with its band, and the curves
    of all others behind it in grey.

    ``curves``, one or more: each label, points, low, high and overall, as ``curves`` of
    ``calib.uncertainty.side_by_side``.
    """
    columns = 2 if len(curves) in (2, 4) else min(COLUMNS, max(1, len(curves)))
    rows = math.ceil(len(curves) / columns)
    with drawing(WIDE if columns > 2 else PANEL, 0.85 + 1.35 * rows, theme) as figure:
        panels: Any = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(curves) :]:
            axes.set_visible(False)
        for axes, curve in zip(panels.flat, curves, strict=False):
            plain(axes, theme)
            for other in curves:
                if other is not curve:
                    far = {"points": other["points"][::FAR]}
                    _draw_line(axes, far, theme.muted, 0.7, 0.4, "another measure")
            _draw_curve(axes, curve, theme, "this measure")
            axes.axhline(
                curve["overall"], color=theme.muted, linewidth=1, linestyle="--", label="no ranking"
            )
            title = "\n".join(textwrap.wrap(curve["label"], TITLE))
            axes.set_title(title, color=theme.ink, loc="left", fontsize=9)
            axes.set(xlim=(0, 1), ylim=(0, _top(curves)), xticks=[0, 0.5, 1])
            axes.xaxis.set_major_formatter(PERCENT)
            axes.yaxis.set_major_formatter(PERCENT)
        for k in range(len(curves) - columns, len(curves)):  # the last of each column
            panels.flat[k].tick_params(labelbottom=True)
        _name_lines(figure, list(panels.flat), theme)
        figure.supxlabel("share answered, surest first, %", color=theme.ink, fontsize=9)
        figure.supylabel("wrong among answered, %", color=theme.ink, fontsize=9)
        figure.set_label(" ".join(f"{curve['label']}: {_told(curve)}" for curve in curves))
    return figure


def _name_lines(figure: Figure, panels: Sequence[Axes], theme: Theme) -> None:
    """One legend above all panels, of what any of them holds."""
    lines: dict[str, Any] = {}
    for axes in panels:
        lines |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    outside: Any = "outside upper left"
    figure.legend(
        handles=list(lines.values()),
        loc=outside,
        ncols=2,
        frameon=False,
        labelcolor=theme.ink,
        fontsize=SMALL,
        handlelength=1.8,
        columnspacing=1.0,
        handletextpad=0.5,
    )


def has_band(curve: Curve) -> bool:
    """Whether a band is drawn: there is none at the one share of confidences that are all equal,
    nor where rows are too few."""
    return len(_banded(curve)) > 1


def _banded(curve: Curve) -> list[tuple[float, float, float]]:
    """Coverage and the ends of the band, where they are known."""
    return [
        (point[0], low, high)
        for point, low, high in zip(curve["points"], curve["low"], curve["high"], strict=True)
        if low is not None
    ]


def _draw_curve(axes: Axes, curve: Curve, theme: Theme, name: str) -> None:
    if has_band(curve):
        coverage, low, high = zip(*_banded(curve), strict=True)
        axes.fill_between(
            coverage, low, high, color=theme.over, alpha=0.2, linewidth=0, label="95 % band"
        )
    _draw_line(axes, curve, theme.over, 1.8, 1.0, name)


def _draw_line(
    axes: Axes, curve: Curve, colour: str, width: float, alpha: float, name: str
) -> None:
    # Among the surest that tie, a random order errs as often as all of them.
    coverage, risk = zip((0.0, curve["points"][0][1]), *curve["points"], strict=True)
    axes.plot(coverage, risk, color=colour, linewidth=width, alpha=alpha, label=name)


def _top(curves: Sequence[Curve]) -> float:
    """Room for the curves and their bands, without what is known of a handful of answers only."""
    known = [
        high
        for curve in curves
        for point, high in zip(curve["points"], curve["high"], strict=True)
        if high is not None and point[0] >= 0.2
    ]
    risks = [risk for curve in curves for _, risk in curve["points"]]
    overall = [curve["overall"] for curve in curves]
    return min(1.0, 1.1 * max([*known, *overall, min(max(risks), 2 * max(overall))])) or 1.0


def _told(curve: Curve) -> str:
    """The error rate at a few coverages."""
    said = []
    for level in LEVELS:
        coverage, risk = min(curve["points"], key=lambda point: abs(point[0] - level))
        if abs(coverage - level) <= 0.05:
            said.append(f"{share(coverage)} answered, {percent(risk, 1)} wrong")
    return f"{'; '.join(said)}."
