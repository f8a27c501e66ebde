"""The book of studies: its table of claims, recounted, its links, and how it is written again."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from calib.records import InputError
from calib.report.book import write_book
from calib.report.kinds import Sources, write_again
from calib.report.study import write_study_report
from calib.runs.config import kind_of
from calib.runs.kinds import BOOK
from tests.browser import axe, measured
from tests.studies.reported import (
    HOSTILE,
    conclusion,
    found,
    open_,
    over,
    results,
    run,
    written,
)
from tests.twins import check_twins

CLAIMS = {
    "C1": "models are miscalibrated",
    "C2": "tuning changes little",
    "C3": "models are more uncertain of images than of text, and least of both",
    "C4": "models answer",
}


def remedies() -> list[dict[str, Any]]:
    return [
        conclusion("a", "against", "a is surer of images.", "C3"),
        conclusion("b", "shown", "b is surer of text.", "C3"),
        conclusion("c", "not shown", "c is not shown to answer.", "C4"),
        conclusion("d", "shown", "d bears on nothing.", ""),
    ]


def build(root: Path) -> Path:
    """A book of three studies: one of two seeds and hostile, a quick one, one of nothing."""
    second = run(1, conclusions=[over("stage1/words"), open_("stage1/letters")])
    told = {
        "one": results(run(), second, title=HOSTILE),
        "two": results(run(conclusions=remedies()), title="Remedies", quick=True),
        "none": results({"seed": 0, "steps": [], "found": found(conclusions=[], tables=[])}),
    }
    for name, each in told.items():
        write_study_report(written(root / name, each))
    return write_book(root, [root / name for name in told], CLAIMS)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("book") / "root").parent


def rows_of(book: Path, name: str) -> list[dict[str, str]]:
    with (book / "tables" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_claims_are_recounted(book: Path):
    rows = rows_of(book, "claims")
    assert [row["claim"].partition(":")[0] for row in rows] == ["C1", "C2", "C3", "C4"]
    for row in rows:
        claim = row["claim"].partition(":")[0]
        counted = dict.fromkeys(("shown", "against", "not shown"), 0)
        for name in ("one", "two", "none"):
            told = json.loads((book / name / "results.json").read_text())
            for each in told["runs"][0]["found"]["conclusions"]:
                counted[each["verdict"]] += each["claim"] == claim
        told = {verdict: row[verdict] for verdict in counted}
        assert told == {k: str(n) if claim != "C2" else "" for k, n in counted.items()}
    assert rows[0]["what it found"].startswith("Of 4 runs 2 are shown to be over-confident")
    assert rows[0]["unstable"] == "3"  # seed 1 makes one of the four statements
    assert rows[2]["what it found"] == (
        "An illustration: a is surer of images. b is surer of text."
    )
    assert rows[2]["unstable"] == ""


def test_the_first_screen(book: Path):
    text = (book / "report.md").read_text(encoding="utf-8")
    assert "**Tests speak for C1, and both ways of C3; of C2 and C4 they show nothing.**" in text
    assert "No number here is the paper's" in text and "An illustration: few questions" in text
    assert "Unstable: in “" in text
    html = (book / "index.html").read_text(encoding="utf-8")
    assert html == (book / "report.html").read_text(encoding="utf-8")
    assert "<b>2 of 4</b>" in html and "<b>1 of 2</b>" in html and "<b>0 of 1</b>" in html
    assert html.count('href="one/report.html"') == 3  # claims, studies, seeds
    check_twins(book)


def test_studies_in_a_line(book: Path):
    one, two, none = rows_of(book, "studies")
    assert one["study"].startswith("<script>") and one["seeds"] == "2" and one["run"] == "full"
    assert two["run"] == "illustration" and two["prompts"] == "80" and two["answers"] == "400"
    # Two steps have pages and are shared by seeds, a third has none and is each seed's own.
    assert float(one["time, seconds"]) == pytest.approx(2 * 52.226 + 2 * 0.06)
    assert none["what it found"] == "No test decides anything here." and none["prompts"] == "0"
    (seeds,) = rows_of(book, "seeds")
    assert seeds["do its seeds agree?"].startswith("Unstable: the seeds 0 and 1")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_the_book_in_a_browser(book: Path, open_page: Any, width: int, scheme: str):
    opened = open_page(book / "index.html", width, scheme)
    seen = measured(opened.page)
    assert seen["scroll"] == width and not seen["wide"] and not seen["torn"]
    assert axe(opened.page) == []
    opened.page.locator("#studies th a").nth(1).click()
    assert opened.page.locator("h1").text_content() == "Remedies"


def test_a_book_is_written_again(book: Path):
    assert kind_of(book) == BOOK
    before = (book / "index.html").read_bytes()
    for name in ("index.html", "report.html"):
        (book / name).unlink()
    assert write_again(Sources(book)) == book / "index.html"
    assert (book / "index.html").read_bytes() == before == (book / "report.html").read_bytes()


def test_a_book_that_grows_and_one_without_studies(tmp_path: Path):
    page = write_book(tmp_path, [], CLAIMS)
    text = page.with_name("report.md").read_text()
    assert "**Tests speak for no claim and against none.**" in text and "illustration" not in text
    assert build(tmp_path) == page
    assert "Remedies" in page.read_text()


def test_what_holds_something_else_is_refused(tmp_path: Path):
    written(tmp_path / "study", results())
    with pytest.raises(InputError, match="it holds a declared study"):
        write_book(tmp_path / "study", [], CLAIMS)
    with pytest.raises(InputError, match=r"gone.*cannot be read as the results of calib study"):
        write_book(tmp_path / "book", [tmp_path / "gone"], CLAIMS)
    assert not (tmp_path / "book" / "results.json").exists()
