"""The report of a study of images against text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.fields import read_saved
from calib.modalities.cells import ARMS, FORMAT
from calib.modalities.noise import coefficients
from calib.modalities.pictures import ABSENT, CLEAN
from calib.report.blocks import Block, Card, Cards, Line, Page, Quote, Section, Table, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import count, fixed, percent, plural
from calib.report.modality_figures import curves, maps
from calib.report.modality_tables import arm_table, arms_of, cell_table, named, test_table
from calib.report.modality_words import headline, lead
from calib.report.page import write_page
from calib.report.pictures import picture
from calib.report.significance import resampled
from calib.runs.config import read_config
from calib.runs.kinds import RESULTS
from calib.runs.prompts import first_prompt, title_of

Results = Mapping[str, Any]
PROMPTED = ("both", "text", "image", "neither")
"""The arms of which one prompt is shown: the first that was asked."""


def write_modality_report(folder: Path) -> Path:
    """Write the page of a study from its results.json; return it. InputError where that is gone or
    no study's."""
    results = read_saved(folder / RESULTS, "the results of calib modality", FORMAT)
    return write_page(folder, modality_page(results, read_config(folder), folder))


def modality_page(results: Results, config: Mapping[str, Any], folder: Path) -> Page:
    return Page(
        title=f"Images against text: {results['task']}",
        headline=headline(results),
        lead=[Text(line, "lead") for line in lead(results)],
        tiles=[
            Tile(
                named(arm),
                percent(cell["metrics"]["confidence"]["value"], 1),
                f"sure; {percent(cell['metrics']['accuracy']['value'], 1)} right",
            )
            for arm, cell in arms_of(results)
        ],
        sections=list(sections(results, config, folder)),
        asked=f"{results['model']}, {plural(results['questions'], 'question')}, the same in every "
        "cell",
        footer="The numbers are in results.json; every cell is a run in cells/.",
    )


def sections(results: Results, config: Mapping[str, Any], folder: Path) -> Iterator[Section]:
    if results["arms"]:
        note = Text(
            "What each arm shows: "
            + "; ".join(f"{named(arm)}: {ARMS[arm]}" for arm in results["arms"])
            + ".",
            "note",
        )
        yield Section("arms", "Picture, description, both, neither", [arm_table(results), note])
    if results["tests"]:
        yield Section(
            "tests",
            "What is compared, and what is shown",
            [test_table(results), tests_note(results)],
        )
    if results["levels"]:
        yield Section("grid", "Noise by sentences", list(grid(results)))
    if results["example"] is not None:
        yield Section("shown", "What is seen of one picture", [pictures(results, folder)])
    asked = prompt_blocks(results, folder)
    if asked:
        yield Section("asked", "What the model is asked", asked)
    yield facts_section(run_facts(config))


def grid(results: Results) -> Iterator[Block]:
    yield from maps(results)
    yield from curves(results)
    yield cell_table(results)
    yield Text(
        "Noise is added as forward diffusion does: at step t the picture, its values scaled to −1 "
        "to 1, has the weight √ᾱ and standard normal noise √(1 − ᾱ); then values are cut to the "
        "range of a picture. A question's noise is the same at every step. Processors scale "
        "pictures afterwards, so that a step is worth something else to each model.",
        "note",
    )


def tests_note(results: Results) -> Text:
    tests = len(results["tests"])
    return Text(
        f"Differences {resampled(results)}; p is that of no difference, by exchanging clusters, "
        f"corrected for the {count(tests)} tests of this page (Holm); intervals are uncorrected. "
        "The interaction is what the picture adds beside the description, less what it adds alone. "
        "Entropies are in nats, and lower is surer. That a difference is not shown is no evidence "
        "of none.",
        "note",
    )


def pictures(results: Results, folder: Path) -> Cards:
    """The example's picture at each level and in each arm."""
    example = results["example"]
    names = [shown_name(row["shown"]) for row in example["pictures"]]
    cards = [
        Card(str(row["shown"]), name, [picture(folder, row["file"])], [Line(detail(row["shown"]))])
        for row, name in zip(example["pictures"], names, strict=True)
    ]
    table = Table(
        "shown",
        ["shown", "file"],
        [[name, row["file"]] for name, row in zip(names, example["pictures"], strict=True)],
        f"Question {example['id']}: {example['question']}",
        prose=(1,),
    )
    return Cards(cards, table)


def shown_name(shown: str | int) -> str:
    if isinstance(shown, int):
        return f"noise {shown}"
    return {CLEAN: "as it is", ABSENT: "no picture"}.get(shown, shown)


def detail(shown: str | int) -> str:
    """What makes the picture, in a few words."""
    if isinstance(shown, int):
        kept, added = coefficients(shown)
        return f"{fixed(kept)} of the picture, {fixed(added)} of noise"
    return "without noise" if shown == CLEAN else ARMS[shown].partition(",")[0]


def prompt_blocks(results: Results, folder: Path) -> list[Block]:
    """The first prompt with the most in it, and the whole description that it shows a part of."""
    arm = next((arm for arm in PROMPTED if arm in results["arms"]), None)
    name = results["arms"][arm] if arm is not None else results["cells"][-1]["name"]
    shown = first_prompt(folder / "cells" / name)
    if shown is None:
        return []
    told = f"The first prompt of the cell {name}, {title_of(shown)}:"
    source = results["descriptions"]
    said = [] if source is None else [Text(f"Descriptions come from {source}.", "note")]
    return [Text(told), Quote(shown["text"]), *said]
