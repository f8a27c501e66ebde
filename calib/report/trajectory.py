"""The report of a trajectory: calibration over the checkpoints of a training run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.fields import read_saved
from calib.report import plots
from calib.report.blocks import Block, Figure, Figures, Page, Section, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import count, fixed, percent, plural
from calib.report.page import write_page
from calib.report.plots.trajectory import Line, over_checkpoints, tick_labels
from calib.report.significance import resampled
from calib.report.trajectory_tables import (
    best_table,
    change_table,
    checkpoint_tables,
    end_table,
    interval_tables,
)
from calib.report.trajectory_words import headline, lead, main_best
from calib.runs.config import read_config
from calib.runs.kinds import RESULTS
from calib.trajectories.steps import FORMAT

Results = Mapping[str, Any]


def write_trajectory_report(folder: Path) -> Path:
    """Write the page of a trajectory from its results.json; return it. InputError where that is
    gone or no trajectory's."""
    results = read_saved(folder / RESULTS, "the results of calib trajectory", FORMAT)
    return write_page(folder, trajectory_page(results, read_config(folder)))


def trajectory_page(results: Results, config: Mapping[str, Any]) -> Page:
    each = results["checkpoints"]
    return Page(
        title=f"Calibration over {plural(len(each), 'checkpoint')}: {results['task']}",
        headline=headline(results),
        lead=[Text(line, "lead") for line in lead(results)],
        tiles=[tile(name, each[place]) for place, name in ends_and_best(results).items()],
        sections=list(sections(results, config)),
        asked=f"{plural(results['n'], 'question')}, the same of every checkpoint",
        footer="The numbers are in results.json.",
    )


def tile(name: str, one: Mapping[str, Any]) -> Tile:
    metrics = one["metrics"]
    ece = metrics["ece"]
    expected = ece.get("expected")
    beside = "" if expected is None else f" ({fixed(expected)} if calibrated)"
    return Tile(
        f"{one['name']}, {name}",
        percent(metrics["accuracy"]["value"], 1),
        f"right; {percent(metrics['confidence']['value'], 1)} sure, ECE {fixed(ece['value'])}"
        + beside,
    )


def ends_and_best(results: Results) -> dict[int, str]:
    """The places of the first, the best and the last checkpoint, and what each is called."""
    last = len(results["checkpoints"]) - 1
    named = {0: ["the first"], last: ["the last"]}
    found = main_best(results)
    if found is not None:
        named.setdefault(found[1]["lowest"], []).append("the best by Brier")
    return {place: " and ".join(names) for place, names in sorted(named.items())}


def sections(results: Results, config: Mapping[str, Any]) -> Iterator[Section]:
    """The page's sections, in reading order."""
    left = results["left_out"]
    more = "; ".join(f"{name} {count(number)}" for name, number in left.items())
    beside = [Text(f"Questions of some checkpoints alone are left out: {more}.", "note")]
    yield Section(
        "steps",
        "Calibration over the steps",
        [*figures(results), *checkpoint_tables(results), *(beside if left else [])],
    )
    if results["changes"]:
        yield Section(
            "changes", "When does it change?", [change_table(results), of_changes(results)]
        )
    if results["best"]:
        yield Section(
            "best", "Where to stop for calibration", [best_table(results), of_best(results)]
        )
    yield Section("reliability", "The first, the best, the last", [Figures([overlaid(results)])])
    if results["ends"]:
        told = Text(
            f"In pairs, resampled {resampled(results)}; p is corrected for the "
            f"{len(results['ends'])} tests of this section (Holm).",
            "note",
        )
        yield Section("ends", "The last against the first", [end_table(results), told])
    yield Section("intervals", "Every interval", list(interval_tables(results)))
    yield facts_section(run_facts(config))


def figures(results: Results) -> Iterator[Block]:
    each = results["checkpoints"]
    labels, axis = tick_labels([one["name"] for one in each], [one["step"] for one in each])

    def points(name: str) -> list[Mapping[str, Any]]:
        return [one["metrics"][name] for one in each]

    expected = [{"value": one["metrics"]["ece"].get("expected")} for one in each]
    floor: list[Line] = []
    if all(point["value"] is not None for point in expected):
        floor = [Line("ECE if calibrated", expected, "muted", ":", "")]
    brier = next(name for name in BRIER if name in each[0]["metrics"])
    surer = Line("mean confidence", points("confidence"), "run1", DASHED, "s")
    debiased = Line("debiased", points("debiased_rmsce"), "run1", DASHED, "s")
    panels: list[tuple[str, list[Line], dict[str, Any], str]] = [
        (
            "Accuracy and confidence",
            [Line("accuracy", points("accuracy")), surer],
            {"label": "of questions, %"},
            BARS,
        ),
        (
            "Confidence minus accuracy",
            [Line("confidence − accuracy", points("gap"))],
            {"label": "points", "zero": True},
            f"Above 0: over-confident. {BARS}",
        ),
        (
            "Calibration error",
            [Line("ECE", points("ece")), debiased, *floor],
            {"label": "error", "percent": False},
            ERRORS,
        ),
        (
            "Brier score",
            [Line("Brier", points(brier))],
            {"label": "Brier score", "percent": False},
            BARS,
        ),
    ]
    yield Figures(
        [
            Figure(
                title,
                plots.svg(
                    over_checkpoints(labels, lines, axis=axis, **how),
                    name=f"over-{number}",
                    label=title,
                ),
                caption,
            )
            for number, (title, lines, how, caption) in enumerate(panels)
        ]
    )


BRIER = ("brier", "brier_confidence")
DASHED = (0, (5, 2))
BARS = "Bars: 95 % intervals, each for itself."
ERRORS = (
    "ECE is above 0 even where every confidence is deserved: dotted. Bars: 95 % intervals of the "
    "debiased root mean squared error."
)


def overlaid(results: Results) -> Figure:
    each = results["checkpoints"]
    chosen = [
        (f"{each[place]['name']}, {name}", each[place]["quantiles"])
        for place, name in ends_and_best(results).items()
    ]
    title = "Reliability"
    return Figure(
        title,
        plots.svg(plots.overlay(chosen), name="overlay", label=title),
        "Bins of equal count, with 95 % intervals of accuracy. Below the diagonal: over-confident.",
    )


def of_changes(results: Results) -> Text:
    return Text(
        "For every place the mean of the checkpoints behind it minus the mean of those before it, "
        "question by question; the place of the largest, in units of its spread, is named. p is "
        "that of no change at all, by flipping the signs of whole clusters, corrected for the "
        f"{count(len(results['changes']))} measures (Holm). The interval holds for all places at "
        "once. The last column is a 95 % confidence set: it has each place for which no further "
        "change before or behind it is shown; “none” says that the measure changes more than "
        "once, or little by little. Every checkpoint counts the same, however far it is from the "
        "next.",
        "note",
    )


def of_best(results: Results) -> Text:
    return Text(
        "p is the smallest with which a checkpoint is worse than another, corrected for all pairs "
        "of one measure; below 0.05 it is shown to be worse. All that is shown of one measure is "
        "true together with a probability of 95 %, so the best in truth is among those that are "
        "not shown to be worse. Those are not shown to be as good: with more questions fewer are "
        "left. The lowest value is flattered by being chosen. One training run and one set of "
        "questions are behind all of this; another seed may end elsewhere.",
        "note",
    )
