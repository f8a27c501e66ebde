"""Tables sort by the column whose head is pressed; without scripts they stand as written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calib.report.blocks import Page, Section, Table
from calib.report.formats import bounded, fixed, interval, percent, points, pvalue
from calib.report.page import write_page
from tests.browser import axe

HEAD = ["name", "share", "difference", "p", "interval", "with bounds", "text"]
SORTED = {
    # Of each column the rows from its least value to its greatest; what is not known is last.
    "name": "b,run 2,run 10,z",
    "share": "z,run 2,b,run 10",
    "difference": "z,b,run 2,run 10",
    "p": "run 2,run 10,b,z",
    "interval": "z,b,run 2,run 10",
    "with bounds": "b,run 2,run 10,z",
    "text": "run 10,run 2,b,z",
}


def rows() -> list[list[str]]:
    def cells(name: str, x: float, p: str, text: str) -> list[str]:
        spread = bounded(10 * x, 9 * x, 11 * x, fixed)
        return [name, percent(abs(x)), points(x), p, interval(x, x + 1), spread, text]

    return [
        cells("run 10", 0.111, pvalue(0.02, at_most=True), "a"),
        cells("run 2", 0.109, pvalue(0.0004), "b"),
        ["b", percent(0.1104), points(-0.5), pvalue(0.5), interval(-9, 9), fixed(-1234.5), "c"],
        ["z", percent(0.0009), points(-1.0), "–", interval(-10, 1), "–", "–"],
    ]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    one = Table("one", HEAD, rows()[:1])
    sections = [
        Section("many", "Many", [Table("many", HEAD, rows())]),
        Section("one", "One", [one]),
    ]
    return write_page(tmp_path, Page("t", "A table", sections))


def names(page: Any) -> str:
    return ",".join(page.locator("#many tbody th").all_text_contents())


def test_a_head_sorts_up_down_and_back(page: Path, open_page: Any):
    shown = open_page(page).page
    asked = names(shown)
    for name, up in SORTED.items():
        head = shown.locator("#many thead th").nth(HEAD.index(name))
        known = [row for row in up.split(",") if cell_of(row, name) != "–"]
        last = [row for row in up.split(",") if row not in known]
        head.locator("button").click()
        assert (names(shown), head.get_attribute("aria-sort")) == (up, "ascending"), name
        assert shown.locator("#many [aria-sort]").count() == 1
        head.locator("button").click()
        down = ",".join([*known[::-1], *last])
        assert (names(shown), head.get_attribute("aria-sort")) == (down, "descending"), name
        head.locator("button").click()
        assert (names(shown), head.get_attribute("aria-sort")) == (asked, None), name


def cell_of(row: str, column: str) -> str:
    (found,) = [each for each in rows() if each[0] == row]
    return found[HEAD.index(column)]


def test_by_keyboard_and_for_a_screen_reader(page: Path, open_page: Any):
    shown = open_page(page, scheme="dark").page
    head = shown.get_by_role("button", name="share", exact=True)
    head.focus()
    shown.keyboard.press("Enter")
    assert names(shown) == SORTED["share"] and axe(shown) == []
    shown.keyboard.press("Space")
    assert names(shown) == ",".join(SORTED["share"].split(",")[::-1])
    assert head.evaluate("button => button === document.activeElement")
    assert shown.locator("#one button").count() == 0  # one row has no order


def test_heads_are_printed_and_need_no_script(page: Path, open_page: Any, browser: Any):
    shown = open_page(page).page
    shown.emulate_media(media="print")
    assert shown.locator("#many thead button").first.is_visible()
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(page.as_uri())
    heads = plain.locator("#many thead th").all_text_contents()
    assert heads == HEAD and plain.locator("#many button").count() == 0
    context.close()


def test_the_head_stands_where_it_stood(page: Path, open_page: Any, browser: Any):
    """The buttons move nothing: the table is as wide and as high as without a script."""
    size = "document.querySelector('#many table').getBoundingClientRect().toJSON()"
    shown = open_page(page).page.evaluate(size)
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 1280, "height": 900}
    )
    plain = context.new_page()
    plain.goto(page.as_uri())
    before = plain.locator("#many table").bounding_box()
    context.close()
    assert shown["width"] == pytest.approx(before["width"], abs=1)
    assert shown["height"] == pytest.approx(before["height"], abs=1)
