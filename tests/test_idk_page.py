"""The page of an IDK evaluation: quadrants explained, uncertain labels, a row a difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from calib.idk.ask import ask_set
from calib.idk.draw import Subject
from calib.idk.evaluate import QUADRANTS
from calib.idk.folder import build_set, labels_of
from calib.judge import answerable
from calib.report.csv_tables import tables_of
from calib.report.formats import Shown
from calib.report.idk import headline, idk_page, labels_note, uncertain_labels, write_idk_report
from calib.report.idk_tables import SHOWN, TITLES, difference_tables, interval_tables
from calib.report.markdown import markdown
from calib.runs.prompts import first_prompt
from tests.browser import axe, measured
from tests.hf.conftest import make_llama, make_tokenizer
from tests.idk_cases import SETTINGS, Scripted, questions

HOSTILE = "<b>x</b> | [a](b) $y$ `" + "long" * 40
OWN = f"Say if you don't know. {HOSTILE} {{question}}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("idk")
    subject = Subject.of(Scripted("scripted", make_llama(), make_tokenizer(), None))
    build_set(subject, questions(root), root / "set", **SETTINGS)
    ask_set(subject, root / "set", arms=["plain", "permission", "option", OWN])
    return root / "set"


@pytest.fixture(scope="module")
def results(made: Path) -> Any:
    return json.loads((made / "evaluation" / "results.json").read_text())


def test_the_headline_says_how_many_labels_are_uncertain(made: Path, results: Any) -> None:
    uncertain = 0
    for drawn in labels_of(made).draws:
        if answerable(drawn.item):
            bounds = stats.binomtest(drawn.correct, drawn.n).proportion_ci(method="exact")
            uncertain += bounds.low < results["tau"] <= bounds.high
    assert results["uncertain"] == uncertain_labels(results) == uncertain == 4
    headline = idk_page(results, made / "evaluation").headline
    assert headline.startswith("It knows 4 of 12 questions (4 labels could change")
    assert f"{uncertain} of the 12 labels are uncertain" in labels_note(results)


def with_rates(results: Any, rates: list[float | None], unread: int = 0) -> Any:
    """The evaluation with these rates of admitting, an arm each."""
    arms = [
        {
            **arm,
            "unparsed": unread,
            "rates": {**arm["rates"], "admit_rate": {**arm["rates"]["admit_rate"], "value": rate}},
        }
        for arm, rate in zip(results["arms"], rates, strict=False)
    ]
    return {**results, "arms": arms}


def test_the_headline_names_a_tie(results: Any) -> None:
    names = [arm["name"] for arm in results["arms"]]
    for rates, told in (
        ([0.0] * 4, "of the rest it admits not knowing 0\u00a0% in every arm."),
        ([0.0], "of the rest it admits not knowing 0\u00a0%."),
        ([0.1, 0.5, 0.5, 0.2], f"50\u00a0% at best ({names[1]}, {names[2]})."),
        ([0.1, 0.5], f"50\u00a0% at best ({names[1]})."),
        ([None, None], "it knows all of them, so there is nothing to admit."),
    ):
        assert headline(with_rates(results, rates)).endswith(told)


def test_the_headline_says_that_most_answers_were_not_read(made: Path, results: Any) -> None:
    unread = with_rates(results, [0.0] * 4, unread=12)
    told = headline(unread)
    assert told.startswith("48 of 48 answers could not be read, so what it admits cannot be told;")
    assert "not knowing" not in told
    assert headline(with_rates(results, [0.0] * 4, unread=6)).startswith("It knows")
    unread["counts"] = {**unread["counts"], "sample_unparsed": 0.99}
    lead = " ".join(text.text for text in idk_page(unread, made / "evaluation").lead)
    assert "99\u00a0% of the sampled answers could not be read" in lead


def test_a_tile_names_every_arm_that_ties(made: Path, results: Any) -> None:
    tied = with_rates(results, [0.2, 0.2, 0.2, 0.2])
    *_, admits = idk_page(tied, made / "evaluation").tiles
    assert admits.note == "in every arm"


def test_an_earlier_evaluation_says_what_its_sweep_knows(made: Path, results: Any) -> None:
    old = {k: v for k, v in results.items() if k != "uncertain"}
    assert uncertain_labels(old) == 4
    other = {**old, "tau": 0.28}
    assert uncertain_labels(other) is None
    assert "could change" not in idk_page(other, made / "evaluation").headline
    assert "uncertain" not in labels_note(other)


def test_quadrants_are_explained_before_they_are_used(made: Path) -> None:
    page = write_idk_report(made / "evaluation")
    told = page.with_suffix(".md").read_text()
    for name in QUADRANTS:
        assert told.index(f"| {name} |") < told.index("## What it does with what it knows")
        assert name not in told[: told.index("## Four ways to answer")]


def test_a_difference_is_a_row_and_its_arm_is_named_once(results: Any) -> None:
    tables = difference_tables(results)
    arms = [arm["name"] for arm in results["arms"]]
    assert [table.head[0] for table in tables] == [f"{a} − plain, points" for a in arms[1:]]
    rows = {(table.head[0].split(" − ")[0], row[0]): row for table in tables for row in table.rows}
    compared = [row for row in results["comparisons"] if row["rate"] in SHOWN]
    assert len(rows) == len(compared)
    assert len([row for row in compared if row["p"] is not None]) > 8
    for row in compared:
        shown = rows[row["first"], TITLES[row["rate"]]]
        assert shown[1].value == pytest.approx(row["value"])


def test_the_page_says_what_is_resampled(made: Path, results: Any) -> None:
    assert results["resampled"] == "image"
    for drawn, told in (
        ("image", "in pairs, by image,"),
        ("question", "in pairs, question by question,"),
        (None, "in pairs, by cluster,"),
    ):
        other = {k: v for k, v in {**results, "resampled": drawn}.items() if v is not None}
        text = markdown(idk_page(other, made / "evaluation"))
        assert told in text
        assert ("image" in text[text.index(told) :].split("## How it was asked")[0]) is (
            drawn == "image"
        )


def test_every_rate_has_its_interval_and_counts(results: Any) -> None:
    for arm, table in zip(results["arms"], interval_tables(results["arms"]), strict=True):
        for name, row in zip((*SHOWN, *QUADRANTS), table.rows, strict=True):
            rate = arm["rates"][name]
            hits, items = (cell.value for cell in row[3:])
            assert [hits, items] == rate["of"]
            if items:
                assert row[1].value == pytest.approx(hits / items)
                assert row[2].value == (rate["low"], rate["high"])
        assert sum(arm["quadrants"].values()) == 12


def test_no_cell_holds_two_numbers_but_an_interval(made: Path, results: Any) -> None:
    for table in tables_of(idk_page(results, made / "evaluation")):
        if table.name in ("words", "facts", "examples"):
            continue
        for cell in (cell for row in table.rows for cell in row[1:]):
            assert not set("([/") & set(cell), (table.name, cell)
            assert " … " not in cell or isinstance(cell, Shown)


def test_prompts_are_shown_word_for_word(made: Path) -> None:
    twin = write_idk_report(made / "evaluation").with_suffix(".md").read_text()
    for arm in (made / "evaluation" / "arms").iterdir():
        row = first_prompt(arm)
        text = json.loads((made / "evaluation" / "results.json").read_text())
        wording = next(a["wording"] for a in text["arms"] if a["name"] == arm.name)
        said = row["text"] if row else wording
        assert "\n".join(f"    {line}" for line in said.split("\n")) in twin


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_in_a_browser(made: Path, open_page: Any, width: int, scheme: str) -> None:
    opened = open_page(write_idk_report(made / "evaluation"), width, scheme)
    seen = measured(opened.page)
    assert seen["scroll"] == width and not seen["wide"] and seen["broken"] == 0
    assert seen["figures"] == 1 and not axe(opened.page)
    assert HOSTILE in opened.page.locator("#prompts").inner_text()
    opened.page.locator(".contents a").first.focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.url.endswith("#words")
