"""The page of sampled runs: which questions it shows, what it says of them, how it is seen."""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from calib import cli
from calib.intervals import wilson
from calib.records import Answer, Verdict
from calib.report.answers import write_answers_report
from calib.report.items.question import state_of
from calib.report.measures import best_measure, write_measures_report
from calib.runs import open_run
from calib.uncertainty.measures import CHANCE, MEASURES, label, of_samples
from calib.uncertainty.telling import chosen, outcome
from tests.browser import axe, measured
from tests.page import Page
from tests.sampled import HOSTILE, WORD, make, make_pictured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_pictured(tmp_path_factory.mktemp("sampled") / "run")
    write_measures_report(open_run(folder))
    return folder


def texts_of(folder: Path) -> dict[str, list[str]]:
    lines = (folder / "records-0.jsonl").read_text().splitlines()
    texts: dict[str, list[str]] = {}
    for row in map(json.loads, lines):
        texts.setdefault(row["id"], []).append(row["text"])
    return texts


def results_of(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text())


def kind_of(text: str) -> str:
    """What becomes of an answer of ``make_pictured``, without any judge."""
    if "don't know" in text:
        return "refused"
    return "right" if text.startswith("Rome") else "wrong"


def test_outcomes_are_those_of_the_first_samples(folder: Path) -> None:
    counted = Counter(kind_of(texts[0]) for texts in texts_of(folder).values())
    assert results_of(folder)["outcomes"] == counted
    assert counted["refused"] == 7
    assert results_of(folder)["accuracy"] == counted["right"] / 60


def test_clusters_hold_the_other_samples(folder: Path) -> None:
    texts = texts_of(folder)
    for item in results_of(folder)["examples"]["items"]:
        first, *others = texts[item["id"]]
        assert (item["answer"], item["outcome"]) == (first, kind_of(first))
        found = {cluster["text"]: cluster["n"] for cluster in item["clusters"]}
        assert found == Counter(others) and item["samples"] == 5
        assert all(cluster["outcome"] == kind_of(cluster["text"]) for cluster in item["clusters"])
        sizes = [cluster["n"] for cluster in item["clusters"]]
        assert sizes == sorted(sizes, reverse=True)
        share = 1 - sizes[0] / 5
        assert item["measures"]["disagreement"] == pytest.approx(share)


def test_the_surest_wrong_and_the_least_sure_right_are_shown(folder: Path) -> None:
    shown = results_of(folder)["examples"]
    assert shown["measure"] == "semantic_rao"
    items = shown["items"]
    assert [item["outcome"] for item in items] == ["wrong"] * 4 + ["right"] * 3 + ["refused"] * 3
    order = [item["measures"]["semantic_rao"] for item in items]
    assert order[:4] == sorted(order[:4]) and order[4:7] == sorted(order[4:7], reverse=True)
    # Right answers whose samples scatter more than those shown: there is none.
    sure = min(order[4:7])
    ids = {item["id"] for item in items}
    scatter = {i: len(set(t[1:])) for i, t in texts_of(folder).items() if kind_of(t[0]) == "right"}
    assert sure > 0 and max(scatter[i] for i in scatter if i not in ids) <= 3


def test_a_refusal_is_right_where_the_right_option_is_one() -> None:
    assert outcome(Verdict(True, 3, True, "letter")) == "right"
    assert outcome(Verdict(False, None, True, "refusal")) == "refused"
    assert outcome(Verdict(False, None, False, "letter")) == "wrong"
    assert [state_of(Verdict(None, None, r, "x")) for r in (True, False)] == ["refused", "unjudged"]


def test_places_that_are_free_go_to_the_others() -> None:
    right = ["right"] * 20
    assert chosen(right, range(20)) == list(range(19, 9, -1))
    mixed = ["right", "wrong", "refused", "wrong"]
    assert chosen(mixed, [0.0, 2.0, 0.0, 1.0]) == [3, 1, 0, 2]
    assert chosen([], []) == []


def test_tables_hold_what_the_cards_say(folder: Path) -> None:
    text = (folder / "tables" / "examples_wrong.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    items = [i for i in results_of(folder)["examples"]["items"] if i["outcome"] == "wrong"]
    assert [row["id"] for row in rows] == [item["id"] for item in items]
    for row, item in zip(rows, items, strict=True):
        rao = item["measures"]["semantic_rao"]
        assert float(row["semantic entropy, rao"]) == rao
        assert row["right answer"] == "Rome" and row["judged"] == "wrong"


def test_identical_measures_are_told_in_words(folder: Path) -> None:
    results = results_of(folder)
    twin = (folder / "report.md").read_text()
    assert ["logprob", "mean_logprob"] in results["agreement"]["alike"]
    assert "−log p per token orders the questions as −log p of the answer does" in twin
    head = re.search(r"^\| measure \| −log p of the answer \|.*$", twin, re.M)
    assert head and "per token" not in head[0]
    page = (folder / "report.html").read_text()
    assert page.count("<figure") == 2 and len(results["curves"]) == 7


def test_texts_of_questions_and_answers_stay_text(folder: Path) -> None:
    page = Page()
    page.feed((folder / "report.html").read_text())
    assert not page.open
    html, twin = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    assert "<script>document" not in html and "<b>capitals" not in html
    assert "\\<script\\>" in twin and "[a](http" not in twin
    assert WORD not in html and "more characters" in html


def test_every_question_alike(tmp_path: Path) -> None:
    """No question wrong and no measure that varies: nothing to rank, and still a page."""
    folder = make(tmp_path / "run", {f"q{k}": ["Rome", "Rome", "Rome"] for k in range(12)})
    twin = write_measures_report(open_run(folder)).with_suffix(".md").read_text()
    assert "Right: 10 of 12" in twin and "Wrong:" not in twin


def test_three_questions_have_a_page_without_bands(tmp_path: Path) -> None:
    texts = {"a": ["Rome", "Rome"], "b": ["Oslo", "Rome"], "c": ["I don't know", "Oslo"]}
    twin = write_measures_report(open_run(make(tmp_path / "run", texts))).with_suffix(".md")
    assert "no band, since there are too few clusters" in twin.read_text()


def test_a_run_of_one_sample_has_a_page_of_its_answers(tmp_path: Path) -> None:
    folder = make_pictured(tmp_path / "one", samples=1)
    done = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert done.exit_code == 0, done.output
    results, texts = results_of(folder), texts_of(folder)
    counted = Counter(kind_of(text) for [text] in texts.values())
    assert results["format"] == "calib.answers/1" and results["outcomes"] == counted
    right = results["shares"]["right"]
    assert right["value"] == counted["right"] / 60
    # Three questions share a picture: the interval is no narrower than Wilson's of 60.
    low, high = wilson(counted["right"], 60)
    assert right["high"] - right["low"] >= high - low
    twin = (folder / "report.md").read_text()
    assert f"{counted['right']} of 60 answers are right" in twin
    assert f"it refuses {counted['refused']}" in twin
    assert "calib sample goes on" in twin and "AUROC" not in twin
    logs = [item["measures"]["mean_logprob"] for item in results["examples"]["items"][:4]]
    assert logs == sorted(logs)


def test_an_unfinished_run_of_one_sample_says_so(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", {f"q{k}": ["Rome"] for k in range(12)})
    records = folder / "records-0.jsonl"
    records.write_text("".join(records.read_text().splitlines(keepends=True)[:7]))
    twin = write_answers_report(open_run(folder)).with_suffix(".md").read_text()
    assert "7 of 7 answers are right" in twin
    assert "The run is not finished: 5 of 12 questions have no answer yet." in twin
    records.write_text("")
    refused = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert refused.exit_code == 2 and "expected answers to questions" in refused.stderr


def row(name: str, auroc: float) -> dict[str, Any]:
    return {"measure": name, "label": label(name), "auroc": auroc}


def pair(first: str, second: str, value: float, p: float | None = 1.0) -> dict[str, Any]:
    tested = {"p": p, "holm": p, "least_p": 0.0, "at_most": False}
    return {"first": first, "second": second, "value": value, **tested}


RAO, MC, OFF = "semantic_rao", "semantic_mc", "disagreement"


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (
            {RAO: None, MC: None, OFF: None},
            "No measure is shown to tell right from wrong: “semantic entropy, rao” and “sample "
            "disagreement” come first together (AUROC 0.955 each, chance 0.5; too few to test).",
        ),
        (
            {RAO: 0.001, MC: 0.5, OFF: 0.001},
            "“semantic entropy, rao” and “sample disagreement” tell right from wrong (AUROC 0.955 "
            "each, chance 0.5); no difference from semantic entropy, mc is shown.",
        ),
        (
            {RAO: 0.3, MC: 0.001, OFF: 0.3},
            "Semantic entropy, mc tells right from wrong; “semantic entropy, rao” and “sample "
            "disagreement” come first together (AUROC 0.955 each, chance 0.5; p = 0.300).",
        ),
    ],
)
def test_the_headline_names_ties(p: dict[str, float | None], told: str) -> None:
    rows = [row(RAO, 0.955), row(MC, 0.909), row(OFF, 0.955)]
    against = [pair(r["measure"], CHANCE, r["auroc"] - 0.5, p[r["measure"]]) for r in rows]
    against += [pair(RAO, MC, 0.046), pair(RAO, OFF, 0.0)]
    tests = {"best": RAO, "n": 12, "against": against}
    assert best_measure({"tests": tests, "measures": rows}) == told


def test_the_table_says_why_there_is_no_interval(tmp_path: Path) -> None:
    said = {f"q{k}": ["Rome" if k < 1 else "Oslo", "Rome", "Bern"] for k in range(12)}
    folder = make(tmp_path / "run", said)
    twin = write_measures_report(open_run(folder)).with_suffix(".md").read_text()
    assert "| – |" in twin and "A dash: fewer than 5 right answers (1); the best measure" in twin
    results = results_of(folder)
    assert {r["auroc_method"] for r in results["measures"]} == {
        "none: fewer than 5 right answers (1)"
    }


def test_every_measure_is_explained_on_the_page_and_in_the_docs(folder: Path) -> None:
    with (folder / "tables" / "meanings.csv").open() as file:
        told = {row["measure"]: row["what it is"] for row in csv.DictReader(file)}
    assert [f["label"] for f in results_of(folder)["measures"]] == list(told)
    docs = Path("docs/sampling.md").read_text()
    for measure in MEASURES.values():
        assert f"| {measure.label} | {measure.meaning} |" in docs
        assert told.get(measure.label, measure.meaning) == measure.meaning


def test_mc_counts_a_repeated_text_twice_and_says_so() -> None:
    """Three equal answers of probability 0.9 weigh 2.7; the definition is lm-polygraph's."""
    same = [Answer("Rome", 1, math.log(0.9))] * 3
    assert of_samples(same)["semantic_mc"] == pytest.approx(-math.log(2.7))
    assert "fall below 0" in MEASURES["semantic_mc"].meaning


def test_the_picture_stands_beside_the_first_prompt(tmp_path: Path) -> None:
    for samples, write in ((6, write_measures_report), (1, write_answers_report)):
        folder = make_pictured(tmp_path / str(samples), samples=samples)
        asked = {"id": "q00", "text": "which?", "images": [[64, 64]]}
        (folder / "prompts.jsonl").write_text(json.dumps(asked) + "\n")
        page = write(open_run(folder)).read_text()
        section = page.partition('<section id="asked">')[2].partition("</section>")[0]
        assert section.count("<img src=") == 1 and "which?" in section


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("samples", [1, 6])
def test_the_page_is_seen(
    tmp_path: Path, open_page: Any, samples: int, width: int, scheme: str
) -> None:
    folder = make_pictured(tmp_path / "run", samples=samples)
    assert CliRunner().invoke(cli.app, ["report", str(folder)]).exit_code == 0
    opened = open_page(folder / "report.html", width=width, scheme=scheme)
    page, seen = opened.page, measured(opened.page)
    assert seen["scroll"] <= width and not seen["wide"] and not seen["broken"]
    assert seen["figures"] == (2 if samples > 1 else 0)
    assert not seen["small"] or min(seen["small"]) >= 9
    assert axe(page) == []
    assert page.title().startswith("m on t: ")
    assert page.locator("article.card").count() == 10
    assert HOSTILE.split("\n")[0] in page.locator("#examples").inner_text()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    opened.check()
