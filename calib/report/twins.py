"""The report of answers to twins: does it tell apart what nobody can answer?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.fields import read_saved
from calib.report import plots
from calib.report.blocks import (
    Card,
    Cards,
    Figure,
    Figures,
    Line,
    Page,
    Quote,
    Section,
    Table,
    Text,
    Tile,
)
from calib.report.facts import facts_section, run_facts
from calib.report.formats import UNKNOWN, beginning, count, percent, plural
from calib.report.page import write_page
from calib.report.pictures import picture
from calib.report.significance import FEW_DIFFER, resampled
from calib.report.twins_tables import (
    interval_table,
    made_table,
    rate_table,
    test_table,
    way_table,
)
from calib.report.twins_words import caveats, headline, lead
from calib.runs.config import read_config
from calib.runs.kinds import RESULTS
from calib.runs.prompts import first_prompt
from calib.twin_sets.measures import ANSWERS, FORMAT, SCORES

Results = Mapping[str, Any]
ROLES = {"right": "gold", "wrong": "given", "refused": "refused"}
SAID = {"right": "right", "wrong": "wrong", "refused": "abstains"}


def write_twins_report(folder: str | Path) -> Path:
    """Write the page of an evaluation of twins from its results.json; return it. InputError where
    that is gone or another's."""
    folder = Path(folder)
    results = read_saved(folder / RESULTS, "the results of calib twins evaluate", FORMAT)
    return write_page(folder, twins_page(results, read_config(folder), folder))


def twins_page(results: Results, config: Mapping[str, Any], folder: Path) -> Page:
    return Page(
        title=f"{results['model']} on {results['task']}: does it see what nobody can answer?",
        headline=headline(results),
        lead=[
            *(Text(line, "lead") for line in lead(results)),
            *(Text(line, "caveat") for line in caveats(results)),
        ],
        tiles=[
            Tile(
                f"dual, {row['how']}",
                percent(row["rates"]["dual"]["value"], 1),
                f"abstains from {percent(row['rates']['abstains_twin']['value'])} of twins, "
                f"{percent(row['rates']['abstains']['value'])} of questions",
            )
            for row in results["ways"]
        ],
        sections=list(sections(results, config, folder)),
        asked=f"{plural(results['questions'], 'question')}, {plural(results['pairs'], 'pair')}",
        footer="The numbers are in results.json, what each pair came to in pairs.jsonl.",
    )


def sections(results: Results, config: Mapping[str, Any], folder: Path) -> Iterator[Section]:
    yield Section(
        "rates",
        "What it does with questions and their twins",
        [Figures([figure(results)]), rate_table(results), way_table(results)],
    )
    tests = [test for test in results["tests"] if test["p"] is not None]
    note = (
        f"In pairs, resampled {resampled(results)}; p is that of no difference, corrected for the "
        f"{count(len(tests))} tests of this page (Holm); intervals are uncorrected. {FEW_DIFFER} "
        "That a difference is not shown is no evidence of none."
    )
    yield Section(
        "tests", "Does it abstain where it should?", [test_table(results), Text(note, "note")]
    )
    yield Section("intervals", "How sure the rates are", [interval_table(results)])
    yield Section("examples", "Pairs", [cards(results, folder)])
    if asked := list(prompts(results, folder)):
        yield Section("asked", "What the model is asked", asked)
    if results["made"] is not None and results["made"]["without"]:
        told = "Questions that were made no twin of, when the file of pairs was made."
        yield Section("made", "What has no twin", [Text(told), made_table(results["made"])])
    yield facts_section(run_facts(config))


def figure(results: Results) -> Figure:
    drawing = plots.arms({row["how"]: row["shown"] for row in results["ways"]})
    title = "Answers by way"
    return Figure(
        title,
        plots.svg(drawing, name="ways", label=title),
        "Questions that can be answered, and the twins of them that nobody can answer. Grey is "
        "abstaining, which only there is right.",
    )


def prompts(results: Results, folder: Path) -> Iterator[Text | Quote]:
    """The first prompt of the questions with options, and of those without."""
    for name, told in ((SCORES, "with options"), (ANSWERS, "in words")):
        if (row := first_prompt(folder / name)) is not None:
            yield Text(f"The first prompt {told}, word for word:")
            yield Quote(beginning(row["text"], 100, 10_000))


def cards(results: Results, folder: Path) -> Cards:
    """Pairs side by side: a card for the question and one for its twin."""
    pairs = results["examples"]
    table = Table(
        "examples",
        ["pair", "way", "side", "question", "right", "answer", "mass on “I don't know”"],
        [
            [
                pair["pair"],
                pair["how"],
                side,
                pair[side]["question"],
                pair[side]["gold"] or UNKNOWN,
                f"{pair[side]['said']} ({SAID[pair[side]['role']]})",
                percent(pair[side]["mass"], 1),
            ]
            for pair in pairs
            for side in ("question", "twin")
        ],
        prose=(3, 4, 5),
    )
    return Cards(
        [card(pair, side, folder) for pair in pairs for side in ("question", "twin")], table
    )


def card(pair: Mapping[str, Any], side: str, folder: Path) -> Card:
    own = pair[side]
    lines = [Line(own["said"], SAID[own["role"]], ROLES[own["role"]], "answer")]
    if own["mass"] is not None:
        lines.append(Line("I don't know", percent(own["mass"], 1), "refused", "", own["mass"]))
    if own["gold"] is not None and own["role"] != "right":
        lines.append(Line(own["gold"], "", "gold", "right"))
    return Card(
        f"{pair['pair']}, {side}",
        own["question"],
        [picture(folder, name) for name in own["images"]],
        lines,
        [pair["how"], *([pair["group"]] if pair["group"] else [])],
    )
