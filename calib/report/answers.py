"""The report of one answer to each question: how many are right, and how many refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calib.report.blocks import Page, Section, Table, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import count, interval, percent, share, within
from calib.report.items import PICTURES, write_items
from calib.report.page import write_file, write_page
from calib.report.scores import EVERY_QUESTION, lost_pictures, prompt_section
from calib.report.telling import examples_section
from calib.runs import Run
from calib.runs.folder import RESULTS, Progress
from calib.uncertainty.answered import answered
from calib.uncertainty.telling import OUTCOMES

MORE = (
    "One answer to each question has no samples beside it to measure uncertainty by: calib sample "
    "goes on with the run to more --samples, calib report SAMPLES --answers judges these answers "
    "beside the samples of another run, and calib p_true asks the model about them."
)


def write_answers_report(
    run: Run, *, progress: Progress | None = None, pictures: int = PICTURES
) -> Path:
    """Write results.json and the page of a run of one sample a question; return its path.

    And items.html with its data, in which at most so many ``pictures`` are kept.
    """
    results = answered(run)
    write_file(run.path / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write_items(run, pictures=pictures, progress=progress)
    return write_page(run.path, answers_page(results, run.path))


def answers_page(results: Mapping[str, Any], folder: Path) -> Page:
    counts, shares, n = results["outcomes"], results["shares"], count(results["n"])
    prompt = prompt_section(folder, results["first"])
    return Page(
        title=f"{results['model']} on {results['task']}: one answer to each question",
        headline=headline(results),
        lead=[
            Text(MORE, "lead"),
            *(Text(line, "caveat") for line in caveats(results)),
            *lost_pictures(folder),
        ],
        tiles=[
            Tile(name, percent(shares[name]["value"], 1), f"{count(counts[name])} of {n} judged")
            for name in OUTCOMES
        ],
        links=[EVERY_QUESTION],
        sections=[
            *([] if prompt is None else [prompt]),
            Section("outcomes", "What became of the questions", [outcome_table(results)]),
            examples_section(results, folder),
            facts_section(run_facts(results["facts"])),
        ],
        footer="The numbers are in results.json, the answers in records-*.jsonl.",
    )


def headline(results: Mapping[str, Any]) -> str:
    right = results["shares"]["right"]
    refused = results["outcomes"]["refused"]
    said = f"; it refuses {count(refused)}" if refused else ""
    return (
        f"{count(results['outcomes']['right'])} of {count(results['n'])} answers are right, "
        f"{share(right['value'])} (95\N{NO-BREAK SPACE}% interval "
        f"{within(right['low'], right['high'])}){said}."
    )


def caveats(results: Mapping[str, Any]) -> list[str]:
    lines = []
    if missing := results["questions"] - results["answered"]:
        lines.append(
            f"The run is not finished: {count(missing)} of {count(results['questions'])} "
            "questions have no answer yet."
        )
    if unknown := results["answered"] - results["n"]:
        lines.append(f"{count(unknown)} answered questions without a known answer are left out.")
    return lines


def outcome_table(results: Mapping[str, Any]) -> Table:
    return Table(
        "outcomes",
        ["outcome", "answers", "share", "95 % interval"],
        [
            [
                name,
                count(results["outcomes"][name]),
                percent(results["shares"][name]["value"], 1),
                interval(
                    results["shares"][name]["low"], results["shares"][name]["high"], "percent", 1
                ),
            ]
            for name in OUTCOMES
        ],
        "Wilson's intervals, at the effective number of answers where questions share an image. A "
        "refusal counts as refused also where nobody can know the answer.",
    )
