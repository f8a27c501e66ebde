"""Calibration over the steps of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from calib.report.formats import fixed, percent
from calib.report.plots.theme import CSS, PANEL, PERCENT, Theme, drawing, entry, legend, plain

Records = Sequence[Mapping[str, Any]]
FLOOR = "expected_ece"
STYLES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))


def over_steps(
    evaluations: Records,
    training: Records = (),
    *,
    measure: str,
    title: str = "",
    stacked: bool = False,
    theme: Theme = CSS,
) -> Figure:
    """What a training run's calibration did: ``measure`` with its floor, and confidence beside
    accuracy.

    Both are records with ``step``, ``measure``, ``confidence`` and ``top1_accuracy``: the history
    of a CalibrationCallback, and Trainer's log entries of training rows. The floor is the
    ``expected_ece`` of the records that have one: what the ECE of so many rows would be if every
    confidence were deserved. ``stacked`` puts one panel over the other, for a narrow page.
    """
    size = (PANEL, 5.0) if stacked else (2 * PANEL, 3.3)
    with drawing(size[0], size[1] + 0.25 * bool(title), theme) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True) if stacked else figure.subplots(1, 2)
        for axes in (upper, lower):
            plain(axes, theme)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_formatter(PERCENT)
        lower.set_xlabel("step")
        if not stacked:
            upper.set_xlabel("step")
        _line(upper, training, measure, "training rows", theme.muted, "--", "")
        _line(upper, evaluations, measure, "evaluations", theme.ink, "-", "o")
        floor = [record for record in evaluations if record.get(FLOOR) is not None]
        _line(upper, floor, FLOOR, "if calibrated (floor)", theme.muted, ":", "")
        _gap(lower, evaluations, theme)
        _line(lower, evaluations, "confidence", "mean confidence", theme.ink, "--", "o")
        _line(lower, evaluations, "top1_accuracy", "accuracy", theme.ink, "-", "o")
        upper.set_ylabel(f"{measure.split('_')[0].upper()}, %")
        _from_zero(upper)
        lower.set(ylabel="of evaluated rows, %", ylim=(0, 1))
        legend(upper, theme, 2, length=2.6)
        legend(lower, theme, 2, length=2.6)
        if title:
            figure.suptitle(title, color=theme.ink, fontsize=10.5, fontweight="bold")
        figure.set_label(_told(evaluations, measure))
    return figure


def entropy_over_steps(sets: Mapping[str, Records], *, theme: Theme = CSS) -> Figure:
    """The mean entropy of evaluated rows, in nats: a line for each evaluation set.

    ``sets``: by name, records with ``step`` and ``entropy``; one without it is left out.
    """
    with drawing(PANEL, 2.9, theme) as figure:
        axes = figure.add_subplot()
        plain(axes, theme)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        said = []
        for (name, records), (style, marker) in zip(sets.items(), cycle(STYLES)):
            known = [record for record in records if record["entropy"] is not None]
            _line(axes, known, "entropy", entry(name), theme.ink, style, marker)
            if known:
                said.append(f"{name}: {known[-1]['entropy']:.3f} nats at the end")
        axes.set(xlabel="step", ylabel="mean entropy, nats")
        _from_zero(axes)
        legend(axes, theme, 2, length=2.6)
        figure.set_label("; ".join(said))
    return figure


def _line(
    axes: Axes, records: Records, name: str, label: str, colour: str, style: str, marker: str
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


def _from_zero(axes: Axes) -> None:
    """An axis from zero, with room for the marks of a level line beneath the legend."""
    highest = [float(np.max(np.asarray(line.get_ydata()))) for line in axes.lines]
    axes.set_ylim(0, 1.08 * max(highest, default=0.0) or 1.0)


def _gap(axes: Axes, records: Records, theme: Theme) -> None:
    """The room between confidence and accuracy, in the colour of its side."""
    steps = [record["step"] for record in records]
    sure = [record["confidence"] for record in records]
    right = [record["top1_accuracy"] for record in records]
    for label, colour, where in (
        ("over-confident", theme.over, [a > b for a, b in zip(sure, right, strict=True)]),
        ("under-confident", theme.under, [a < b for a, b in zip(sure, right, strict=True)]),
    ):
        axes.fill_between(
            steps,
            sure,
            right,
            where=where,
            interpolate=True,
            color=colour,
            alpha=0.25,
            linewidth=0,
            label=label,
        )


def _told(evaluations: Records, measure: str) -> str:
    if not evaluations:
        return "No evaluation is drawn."
    first, last = evaluations[0], evaluations[-1]
    floor = last.get(FLOOR)
    return (
        f"ECE {fixed(first[measure])} at step {first['step']:,}, {fixed(last[measure])} at step "
        f"{last['step']:,}"
        + ("" if floor is None else f", where calibrated rows would give {fixed(floor)}")
        + f"; confidence {percent(last['confidence'], 1)} and accuracy "
        f"{percent(last['top1_accuracy'], 1)} then."
    )
