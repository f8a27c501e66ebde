"""Draw what ``summary`` computed: reliability, confidence histogram, risk-coverage.

Each function takes plain numbers out of ``results.json`` and returns a matplotlib Figure; nothing
is computed here but positions. ``svg`` gives an inline drawing whose colours are the page's CSS
variables, so that one drawing serves light and dark; ``png`` gives a picture for a README.

Reading a reliability diagram: a dot on the diagonal keeps its word. Below it the model is
over-confident (vermilion), above it under-confident (blue); the bar is the 95 % Wilson interval of
the bin's accuracy, the strip beneath counts the questions.
"""

from __future__ import annotations

import html
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

Bin = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role. ``over`` and ``under`` stay apart for every common colour blindness."""

    ink: str
    muted: str
    grid: str
    over: str
    under: str
    face: str


LIGHT = Theme("#1d2129", "#667085", "#e4e7ec", "#c2410c", "#0b6bb3", "#ffffff")
DARK = Theme("#e6e8eb", "#98a2b3", "#344054", "#ff8f5e", "#6cb6f5", "#14171c")

# Stand-ins, each of a colour that is drawn nowhere else; ``svg`` turns them into CSS variables.
CSS = Theme("#010001", "#010002", "#010003", "#010004", "#010005", "#010006")

RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "calib",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "path.simplify": True,
}
PERCENT = FuncFormatter(lambda value, _: f"{100 * value:.3g}")  # small axes have halves
COUNT = FuncFormatter(lambda value, _: f"{value:,.0f}")
FEW = 10  # bins with fewer questions are drawn faint
PANEL = 3.7  # inches; with 9 pt text legible when shown 340 pixels wide


def reliability(bins: Sequence[Bin], *, note: str = "", theme: Theme = CSS) -> Figure:
    """One diagram with its counts; ``bins`` as in ``calib.summary.curves.diagram``."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(PANEL, 4.2), layout="constrained")
        top, strip = _diagram_axes(figure)
        _draw_reliability(top, strip, bins, note, theme)
    return figure


def before_after(
    before: Sequence[Bin], after: Sequence[Bin], *, titles: tuple[str, str], notes: tuple[str, str]
) -> Figure:
    """Two diagrams side by side in light colours, for a README."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(2 * PANEL, 4.4), layout="constrained", facecolor=LIGHT.face)
        parts: Any = figure.subfigures(1, 2)
        for part, bins, title, note in zip(parts, (before, after), titles, notes, strict=True):
            part.set_facecolor(LIGHT.face)
            top, strip = _diagram_axes(part)
            _draw_reliability(top, strip, bins, note, LIGHT)
            top.set_title(title, color=LIGHT.ink, loc="left", fontweight="bold")
    return figure


def confidence_histogram(
    bins: Sequence[Bin], *, confidence: float, accuracy: float, theme: Theme = CSS
) -> Figure:
    """Questions per bin, right ones below wrong ones; lines at mean confidence and accuracy."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(PANEL, 3.1), layout="constrained")
        axes = figure.add_subplot()
        plain(axes, theme)
        total = max(1, sum(row["n"] for row in bins))
        left = [row["low"] for row in bins]
        width = [0.92 * (row["high"] - row["low"]) for row in bins]
        right = [row["correct"] / total for row in bins]
        wrong = [(row["n"] - row["correct"]) / total for row in bins]
        axes.bar(left, right, width, align="edge", color=theme.under, alpha=0.85, label="right")
        axes.bar(
            left, wrong, width, right, align="edge", color=theme.over, alpha=0.85, label="wrong"
        )
        top = 1.05 * max([a + b for a, b in zip(right, wrong, strict=True)], default=1.0) or 1.0
        axes.set(xlim=(0, 1), ylim=(0, top), xlabel="confidence, %", ylabel="share of questions, %")
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        for value, name, style in ((confidence, "confidence", "--"), (accuracy, "accuracy", "-")):
            axes.axvline(value, color=theme.ink, linewidth=1.1, linestyle=style, label=name)
        legend(axes, theme, columns=4)
    return figure


def risk_coverage(
    points: Sequence[tuple[float, float]], *, overall: float, best: float, theme: Theme = CSS
) -> Figure:
    """Error rate among the most confident share of questions, against that share.

    ``overall`` is the error rate of answering everything; the dotted line is a confidence that
    ranks every right answer above every wrong one, which errs only past the share ``best``.
    """
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(PANEL, 3.1), layout="constrained")
        axes = figure.add_subplot()
        plain(axes, theme)
        coverage = [share for share, _ in points]
        risk = [error for _, error in points]
        axes.fill_between(coverage, risk, color=theme.over, alpha=0.12, linewidth=0)
        axes.plot(coverage, risk, color=theme.over, linewidth=1.8, label="this model")
        axes.axhline(overall, color=theme.muted, linewidth=1, linestyle="--", label="no ranking")
        ideal = [best + (1 - best) * k / 40 for k in range(41)]
        axes.plot(
            [0, *ideal],
            [0, *((share - best) / share if share > 0 else 0.0 for share in ideal)],
            color=theme.under,
            linewidth=1.2,
            linestyle=":",
            label="perfect ranking",
        )
        top = 1.1 * max([overall, *risk], default=1.0) or 1.0
        axes.set(
            xlim=(0, 1),
            ylim=(0, min(1.0, top)),
            xlabel="share answered, most confident first, %",
            ylabel="wrong among answered, %",
        )
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
        legend(axes, theme, columns=3)
    return figure


def over_steps(
    evaluations: Sequence[Mapping[str, Any]],
    training: Sequence[Mapping[str, Any]] = (),
    *,
    measure: str,
    theme: Theme = LIGHT,
) -> Figure:
    """What a training run's calibration did: ``measure``, and confidence beside accuracy.

    Both are records with ``step``, ``measure``, ``confidence`` and ``top1_accuracy``: the history
    of a CalibrationCallback, and Trainer's log entries of training rows.
    """
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(2 * PANEL, 3.1), layout="constrained", facecolor=theme.face)
        left, right = figure.subplots(1, 2)
        for axes in (left, right):
            plain(axes, theme)
            axes.set(xlabel="step")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
        _line(left, training, measure, "training rows", theme.muted, "--", "")
        _line(left, evaluations, measure, "evaluations", theme.under, "-", "o")
        _line(right, evaluations, "confidence", "confidence", theme.over, "--", "o")
        _line(right, evaluations, "top1_accuracy", "accuracy", theme.under, "-", "o")
        left.set(ylabel=f"{measure}, %", ylim=(0, None))
        right.set(ylabel="of evaluated rows, %", ylim=(0, 1))
        legend(left, theme, columns=2)
        legend(right, theme, columns=2)
    return figure


def svg(figure: Figure, *, name: str, label: str) -> str:
    """An ``<svg>`` element for a page: colours as CSS variables, ids prefixed with ``name``."""
    buffer = io.StringIO()
    with matplotlib.rc_context(RC):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--figure-font)", text)
    for role in Theme.__slots__:
        text = text.replace(getattr(CSS, role), f"var(--{role})")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    opening = f'<svg role="img" aria-label="{html.escape(label)}" '
    return text.replace("<svg ", opening, 1).strip()


def png(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 160) -> None:
    """Write a PNG that does not change from one run to the next."""
    with matplotlib.rc_context(RC):
        figure.savefig(path, format="png", dpi=dpi, metadata={"Software": None})


def _diagram_axes(figure: Any) -> tuple[Axes, Axes]:
    grid = figure.add_gridspec(2, 1, height_ratios=(1, 0.17))
    top = figure.add_subplot(grid[0])
    return top, figure.add_subplot(grid[1], sharex=top)


def _draw_reliability(top: Axes, strip: Axes, bins: Sequence[Bin], note: str, theme: Theme) -> None:
    plain(top, theme)
    plain(strip, theme)
    top.plot([0, 1], [0, 1], color=theme.muted, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    largest = max([row["n"] for row in bins], default=0)
    for row in bins:
        if row["n"] == 0:
            continue
        over = row["confidence"] > row["accuracy"]
        colour = theme.over if over else theme.under
        width = row["high"] - row["low"]
        strength = 1.0 if row["n"] >= FEW else 0.35
        top.bar(
            row["low"] + 0.14 * width,
            row["accuracy_high"] - row["accuracy_low"],
            0.72 * width,
            row["accuracy_low"],
            align="edge",
            color=colour,
            alpha=0.22 * strength,
            linewidth=0,
            zorder=2,
        )
        ends = (row["confidence"], row["accuracy"])
        top.plot(
            [row["confidence"]] * 2, ends, color=colour, linewidth=1.3, alpha=strength, zorder=3
        )
        size = 14 + 42 * (row["n"] / largest) ** 0.5
        marker = "o" if over else "^"
        top.scatter(
            *ends,
            s=size,
            color=colour,
            marker=marker,
            linewidth=0,
            alpha=strength,
            zorder=4,
            clip_on=False,
        )
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="right, %", box_aspect=1)
    top.xaxis.set_major_formatter(PERCENT)
    top.yaxis.set_major_formatter(PERCENT)
    top.tick_params(labelbottom=False)
    top.text(0.04, 0.96, note, color=theme.ink, va="top", linespacing=1.45, transform=top.transAxes)
    top.text(0.96, 0.05, "over-confident", color=theme.over, ha="right", transform=top.transAxes)
    top.text(0.04, 0.76, "under-confident", color=theme.under, va="top", transform=top.transAxes)
    strip.bar(
        [row["low"] for row in bins],
        [row["n"] for row in bins],
        [0.92 * (row["high"] - row["low"]) for row in bins],
        align="edge",
        color=theme.muted,
        alpha=0.7,
        linewidth=0,
    )
    strip.set(ylim=(0, max(1, 1.1 * largest)), yticks=[0, max(1, largest)], xlabel="confidence, %")
    strip.yaxis.set_major_formatter(COUNT)
    strip.set_ylabel("count", fontsize=8)


def plain(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor("none")
    axes.set_axisbelow(True)
    axes.grid(color=theme.grid, linewidth=0.7)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.muted)
    axes.tick_params(colors=theme.ink, length=3, width=0.8)
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)


def _line(
    axes: Axes,
    records: Sequence[Mapping[str, Any]],
    name: str,
    label: str,
    colour: str,
    style: str,
    marker: str,
) -> None:
    if records:
        axes.plot(
            [record["step"] for record in records],
            [record[name] for record in records],
            color=colour,
            linestyle=style,
            marker=marker,
            markersize=4,
            linewidth=1.6,
            label=label,
            clip_on=False,
        )


def legend(axes: Axes, theme: Theme, columns: int) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        labelcolor=theme.ink,
        fontsize=8,
        handlelength=1.2,
        columnspacing=1.0,
        handletextpad=0.5,
        borderaxespad=0.1,
    )
