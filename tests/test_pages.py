"""What all pages share: blocks written as HTML, Markdown and CSV, and used by keyboard."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.report.blocks import (
    Card,
    Cards,
    Figure,
    Figures,
    Key,
    Line,
    Link,
    Page,
    Quote,
    Section,
    Table,
    Text,
    Tile,
)
from calib.report.csv_tables import csv_text
from calib.report.formats import (
    count,
    fixed,
    gap,
    in_points,
    interval,
    percent,
    points,
    printable,
    pvalue,
)
from calib.report.markdown import escaped, markdown, paragraph
from calib.report.page import html, write_page
from calib.report.scores import write_report
from calib.runs import open_run
from tests.browser import axe, measured
from tests.twins import check_twins, inline_text, markdown_tables, markdown_tokens, one_line

HOSTILE = (
    "<script>alert(1)</script>",
    "</p></section><img src=x onerror=alert(1)>",
    "[a](javascript:b) ![c](d) <https://e.f> https://g.h www.i.j",
    "| a | b |\n| - | - |",
    "# no heading\n- no list\n1. none\n> no quote\n---\n```\n~~~",
    "*a* _b_ __c__ `d` ~~e~~ $f$ &amp; &copy; \\| a_b_c",
    "{{ 7 * 7 }} {% raw %}",
    "w" * 3_000,
    "\u202eright to left \u2066",
)


def page_of(*texts: str) -> Page:
    """A page of every block, each with the texts in every place that holds text."""
    rows = [[text, text, fixed(k / 7)] for k, text in enumerate(texts)]
    table = Table("texts", ["name", "text", "number"], rows, note=texts[0], prose=(1,))
    lines = [Line(text, percent(0.5), "given", text, 0.5) for text in texts]
    cards = [Card(text, text, [{"uri": None, "missing": text}], lines, [text]) for text in texts]
    figure = Figure(texts[0], "<svg viewBox='0 0 9 9'></svg>", texts[0])
    blocks = [
        *map(Text, texts),
        Key((("over", texts[0]),), texts[0]),
        table,
        Figures([figure]),
        Cards(cards, Table("cards", ["name"], [[text] for text in texts])),
        Quote(texts[0]),
        Link("items.html", texts[0]),
    ]
    sections = [Section(f"part-{k}", text, blocks[k::2]) for k, text in enumerate(texts[:2])]
    tiles = [Tile(text, text, text) for text in texts]
    return Page(texts[0], texts[0], sections, [Text(texts[0], "lead")], tiles, texts[0], texts[0])


def texts_of(tokens) -> list[str]:
    return [inline_text(token) for token in tokens if token.type == "inline"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_read_as_itself(text: str):
    seen = printable(one_line(text))
    assert texts_of(markdown_tokens(paragraph(text))) == [seen]
    (cells,) = markdown_tables(f"| {escaped(text)} |\n| --- |\n| {escaped(text)} |")
    assert cells == [[seen]] * 2


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab1 .)-+#=>|<[]()!*_`~$&;:/\\wht\n\t"), min_size=1, max_size=40))
def test_any_text_is_read_as_itself(text: str):
    if one_line(text):
        assert texts_of(markdown_tokens(paragraph(text))) == [one_line(text)]


def test_a_page_of_hostile_texts(tmp_path, open_page):
    page = page_of(*HOSTILE)
    write_page(tmp_path, page)
    text = html(page)
    assert text.count("<script") == 1 and "<img" not in text and "{{ 7 * 7 }}" in text
    check_twins(tmp_path)
    (tmp_path / "items.html").write_text("")
    for width in (1280, 400):
        opened = open_page(tmp_path / "report.html", width)
        seen = measured(opened.page)
        assert seen["scroll"] <= width and not seen["wide"]
        assert opened.page.locator("h1").text_content() == HOSTILE[0]
        opened.check()


def test_markdown_has_every_sentence_and_table():
    text = markdown(page_of("one", "two"))
    words = texts_of(t for t in markdown_tokens(text) if t.content.startswith(("one", "two")))
    assert words.count("two") >= 5
    assert len(markdown_tables(text)) == 3


def test_csv_holds_numbers_in_full():
    rows = [
        [
            "a",
            percent(1 / 3, 1),
            points(-0.0123),
            interval(0.1, 1 / 3, "points"),
            count(1234),
            pvalue(0.0001),
        ],
        ["=1+1", "–", gap(0.02), "–", "2,5", "≤ 0.016"],
    ]
    head = ["id", "share", in_points("difference"), "interval", "count", "p"]
    table = Table("t", head, rows)
    head, first, second = csv.reader(io.StringIO(csv_text(table)))
    assert head == ["id", "share", "difference", "interval, low", "interval, high", "count", "p"]
    assert first[0] == "a" and float(first[1]) == 1 / 3 and float(first[2]) == -0.0123
    assert (float(first[3]), float(first[4]), first[5], float(first[6])) == (
        0.1,
        1 / 3,
        "1234",
        1e-4,
    )
    assert second == ["'=1+1", "", "0.02", "", "", "2,5", "≤ 0.016"]


def test_tables_of_an_earlier_page_are_taken_away(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "earlier.csv").write_text("a\n")
    (tmp_path / "tables" / "notes.txt").write_text("mine\n")
    write_page(tmp_path, page_of("one"))
    names = sorted(path.name for path in (tmp_path / "tables").iterdir())
    assert names == ["cards.csv", "notes.txt", "texts.csv"]


@pytest.fixture(scope="module")
def report(tmp_path_factory, make_run):
    folder = make_run(tmp_path_factory.mktemp("run"), source="questions.jsonl")
    write_report(open_run(folder))
    return folder


def test_the_twins_of_a_report_agree(report):
    check_twins(report)


def test_a_report_says_where_its_questions_come_from(report):
    text = (report / "report.html").read_text(encoding="utf-8")
    assert "task made-up, file questions.jsonl" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(report, open_page, scheme: str):
    assert not axe(open_page(report / "report.html", scheme=scheme).page)


def test_a_page_is_walked_by_keyboard(report, open_page):
    page = open_page(report / "report.html").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.className || document.activeElement.tagName")
        )
    assert {"enlarge", "scroll", "csv", "anchor", "A"} <= reached
    page.locator(".contents a", has_text="Run facts").press("Enter")
    assert page.url.endswith("#facts")
    assert page.evaluate(
        "document.getElementById('facts').getBoundingClientRect().top < innerHeight"
    )


def test_a_figure_opens_large_and_closes_again(report, open_page):
    page = open_page(report / "report.html").page
    button = page.locator("button.enlarge").first
    small = page.locator("figure svg").first.bounding_box()["width"]
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog svg").bounding_box()["width"] > 1.5 * small
    assert not axe(page)
    page.keyboard.press("Escape")
    assert page.locator("dialog svg").is_hidden()
    assert button.evaluate("button => button === document.activeElement")


def test_a_table_scrolls_by_keyboard_on_a_phone(report, open_page):
    page = open_page(report / "report.html", 400).page
    table = page.locator("#metrics .scroll")
    table.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#metrics .scroll').scrollLeft > 100")


def test_print_hides_what_paper_cannot_do(report, open_page):
    page = open_page(report / "report.html").page
    page.emulate_media(media="print")
    assert page.locator("button.enlarge").first.is_hidden()
    assert page.locator(".contents").is_hidden()


def test_a_card_cuts_what_is_long_and_its_table_does_not(tmp_path):
    write_page(tmp_path, page_of("w" * 5_000))
    shown = (tmp_path / "report.html").read_text(encoding="utf-8").partition('class="cards"')[2]
    assert "w" * 241 not in shown.partition("</article>")[0] and "more characters" in shown
    assert "w" * 5_000 in (tmp_path / "tables" / "cards.csv").read_text(encoding="utf-8")
