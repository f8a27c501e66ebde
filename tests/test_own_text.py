"""Texts of users on a page and in a terminal: what belongs to words stays, what acts does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calib.report.formats import printable
from calib.report.scores import write_report
from calib.runs import open_run

PERSIAN = "می\u200cخواهم"
FAMILY = "👩\u200d👩\u200d👧"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    "text",
    [
        PERSIAN,
        FAMILY,
        "❤\ufe0f",
        ENGLAND,
        "a\tb\nc",
        "1\u00a0%",
        "\u3000",
        "\u200fא\u200e",
        "葛\U000e0100",
    ],
)
def test_what_belongs_to_words_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    "unseen",
    ["\0", "\r", "\x1b", "\x7f", "\x85", "\u2028", "\ufeff", "\ud800", "\ue000", "\U000e0041",
     *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))],
)  # fmt: skip
def test_what_acts_or_hides_is_shown_as_its_code(unseen: str) -> None:
    code = repr(unseen)[1:-1]
    assert code.startswith("\\") and printable(f"a{unseen}{PERSIAN}") == f"a{code}{PERSIAN}"


@pytest.fixture
def folder(tmp_path: Path, make_run: Any) -> Path:
    """A run whose groups, questions, options and ids are Hebrew, or turn what follows around."""
    folder: Path = make_run(tmp_path / "run", n=40)
    rows = list(map(json.loads, (folder / "records.jsonl").read_text().splitlines()))
    for row in rows:
        row["id"] = f"שאלה ({row['index']})"
        row["question"] = f"{PERSIAN}\t(1) {FAMILY}"
        row["group"] = ["\u202egnirts", "שלום (1)", "plain"][row["index"] % 3]
        row["options"] = [f"אפשרות {k} (!)" for k in range(len(row["options"]))]
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = {"id": rows[0]["id"], "text": f"{PERSIAN}\t{FAMILY}\r\n\u202eend", "images": []}
    (folder / "prompts.jsonl").write_text(json.dumps(first) + "\n")
    write_report(open_run(folder))
    return folder


def test_pages_and_twins_hold_no_turn(folder: Path) -> None:
    for name in ("report.html", "report.md"):
        text = (folder / name).read_text()
        assert "\u202e" not in text and "\\u202egnirts" in text.replace("\\\\", "\\"), name
        assert f"{PERSIAN}\t{FAMILY}\\r\n" in text, name


def test_a_text_reorders_nothing_beside_it(folder: Path, open_page: Any) -> None:
    page = open_page(folder / "report.html", width=1280).page
    # An element with a direction of its own is isolated; a paragraph with several texts is not.
    alone = "e => ['isolate', 'plaintext'].includes(getComputedStyle(e).unicodeBidi)"
    for own in ("#mistakes .options bdi", "#mistakes .note bdi", "#mistakes h3"):
        elements = page.locator(own).all()
        assert elements and all(element.evaluate(alone) for element in elements), own
    names = page.locator("#groups tbody th").all()
    assert len(names) > 2 and all(name.get_attribute("dir") == "auto" for name in names)
    assert all(name.evaluate("e => getComputedStyle(e).textAlign") == "left" for name in names)
    left = "e => e.getBoundingClientRect().left"
    for line in page.locator("#mistakes .options li:has(.bar)").all():
        text, bar = line.locator("bdi"), line.locator(".bar")
        assert text.evaluate(left) == pytest.approx(bar.evaluate(left), abs=1)
