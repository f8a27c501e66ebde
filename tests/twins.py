"""A page's three forms, read by other people's parsers: HTML, Markdown and CSV."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

Cells = list[list[str]]


def one_line(text: str) -> str:
    return " ".join(text.split())


class Tables(HTMLParser):
    """The text of every cell of every table of a page, and of every paragraph outside them."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[Cells] = []
        self.text: str | None = None

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.text = ""

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.text is not None:
            self.tables[-1][-1].append(one_line(self.text))
            self.text = None


def html_tables(path: Path) -> list[Cells]:
    page = Tables()
    page.feed(path.read_text(encoding="utf-8"))
    return page.tables


def markdown_tokens(text: str) -> list[Any]:
    """What GitHub's flavour reads: tables, bare addresses made links, HTML let through."""
    module = pytest.importorskip("markdown_it", reason="no markdown-it here")
    return module.MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)


PLAIN = ("text", "text_special", "softbreak", "link_close")
OWN = re.compile(r"(?:\.\./)*[\w%~-][\w./%~-]*/(?:report|index)\.html")
"""Where a page's own links lead: to pages of other folders."""


def inline_text(token: Any) -> str:
    """The text of an inline token; a mark or a link elsewhere is an error of who wrote it."""
    for child in token.children:
        own = child.type == "link_open" and OWN.fullmatch(child.attrs["href"])
        assert own or child.type in PLAIN, token.content
    return one_line("".join(child.content for child in token.children))


def markdown_tables(text: str) -> list[Cells]:
    tables: list[Cells] = []
    cell = False
    for token in markdown_tokens(text):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("td_open", "th_open"):
            cell = True
        elif token.type in ("td_close", "th_close"):
            cell = False
        elif token.type == "inline" and cell:
            tables[-1][-1].append(inline_text(token))
    return tables


def check_twins(folder: Path) -> None:
    """Assert that report.html, report.md and tables/*.csv hold the same tables.

    Markdown has the tiles, which the HTML shows as boxes, as a table of its own, and the questions
    on cards, of which there is a CSV, too.
    """
    in_html = html_tables(folder / "report.html")
    text = (folder / "report.md").read_text(encoding="utf-8")
    in_markdown = markdown_tables(text)
    assert in_html
    for table in in_html:
        assert table in in_markdown, table[0]
    heads = [
        next(csv.reader([path.read_text(encoding="utf-8").split("\n", 1)[0]]))
        for path in sorted((folder / "tables").glob("*.csv"))
    ]
    for table in in_html:
        assert any(is_head(table[0], head) for head in heads), table[0]
    assert not any(token.type.startswith("html") for token in markdown_tokens(text))


def is_head(shown: list[str], head: list[str]) -> bool:
    """Whether a CSV's header is that of a table.

    There an interval has two columns, a number with one three, names are whole and shares in points
    are shares of 1; times are seconds.
    """
    names = [one_line(name.removesuffix(", low")) for name in head if not name.endswith(", high")]
    columns = [name for k, name in enumerate(names) if not k or name != names[k - 1]]
    return len(shown) == len(columns) and all(map(is_of, shown, columns))


def is_of(shown: str, name: str) -> bool:
    """Whether ``shown`` is the name, the middle of a long one perhaps left out."""
    parts = map(re.escape, shown.removesuffix(", points").split("…"))
    return bool(re.fullmatch(".+".join(parts), name.removesuffix(", seconds")))
