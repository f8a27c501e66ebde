"""A page as Markdown (CommonMark with tables): the same sentences, tables and numbers.

Whatever comes from data is escaped, so that it is read as the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from calib.report.blocks import (
    Block,
    Cards,
    Figures,
    Key,
    Link,
    Page,
    Quote,
    Section,
    Table,
    Text,
    Tile,
)
from calib.report.formats import Linked, printable

SPECIAL = re.compile(r"[\\`*\[\]<>&|~$]|(?<![^\W_])_|_(?![^\W_])|!(?=\[)")
"""What Markdown may act on anywhere in a line; an underscore inside a word is text."""
BEGINNING = re.compile(r"^(?:(\d{1,9})(?=[.)](?: |$))|(?=[-+#=]))")
"""What it acts on where a paragraph begins: the marks of lists, headings and rules."""
BARE = re.compile(r"(?i)\b(https?|ftp|www)([:.])")
"""What GitHub makes a link of."""


def escaped(text: str) -> str:
    """``text`` in one line, every character of it shown as it is."""
    line = SPECIAL.sub(r"\\\g<0>", printable(" ".join(str(text).split())))
    return BARE.sub(r"\1\\\2", line)


def paragraph(text: str) -> str:
    """``escaped``, where a block begins."""
    return BEGINNING.sub(lambda found: f"{found[1] or ''}\\", escaped(text))


def markdown(page: Page) -> str:
    """The page, its blocks separated by blank lines."""
    head = [f"# {escaped(page.title)}", f"**{escaped(page.headline)}**"]
    if page.asked:
        head.append(paragraph(page.asked))
    head += [text_of(text) for text in page.lead]
    if page.tiles:
        head.append(tile_table(page.tiles))
    head += [link(each) for each in page.links]
    sections = (part for section in page.sections for part in section_parts(section))
    footer = [paragraph(page.footer)] if page.footer else []
    return "\n\n".join([*head, *sections, *footer]) + "\n"


def section_parts(section: Section) -> Iterator[str]:
    yield f"## {escaped(section.title)}"
    for block in section.blocks:
        if part := WRITERS[type(block)](block):
            yield part


def text_of(text: Text) -> str:
    return paragraph(text.text)


def key(block: Key) -> str:
    return paragraph(block.text)


def table(block: Table) -> str:
    left = {0, *block.prose}
    rule = [":---" if k in left else "---:" for k in range(len(block.head))]
    rows = [row_of(block.head), f"| {' | '.join(rule)} |", *map(row_of, block.rows)]
    return "\n".join(rows) + (f"\n\n{paragraph(block.note)}" if block.note else "")


def row_of(cells: Any) -> str:
    return f"| {' | '.join(map(cell, cells))} |"


def cell(value: str) -> str:
    if isinstance(value, Linked) and value.address:
        return f"[{escaped(value)}]({value.address})"
    return escaped(value)


def tile_table(tiles: Any) -> str:
    def note(tile: Tile) -> str:
        return f"{tile.value} ({tile.note})" if tile.note else tile.value

    rule = f"|{' ---: |' * len(tiles)}"
    return "\n".join([row_of(t.name for t in tiles), rule, row_of(note(t) for t in tiles)])


def figures(block: Figures) -> str:
    """Their captions: drawings are in the HTML."""
    return "\n\n".join(
        f"*{escaped(f.title)}.* {escaped(f.caption)}" if f.caption else f"*{escaped(f.title)}.*"
        for f in block.figures
    )


def cards(block: Cards) -> str:
    return table(block.table)


def quote(block: Quote) -> str:
    """An indented block, which nothing in the text can end."""
    return "\n".join(f"    {line}" for line in block.text.split("\n"))


def link(block: Link) -> str:
    return f"[{escaped(block.text)}]({block.file})"


WRITERS: dict[type[Block], Callable[[Any], str]] = {
    Text: text_of,
    Key: key,
    Table: table,
    Figures: figures,
    Cards: cards,
    Quote: quote,
    Link: link,
}
