"""What a page is made of: sections of blocks.

A page is built once; ``calib.report.page`` writes it as HTML, ``calib.report.markdown`` as Markdown
and ``calib.report.csv_tables`` its tables as CSV, so that all of them hold the same words and
numbers. ``kind`` is the block's macro in ``templates/blocks.html.j2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph. ``style`` is "", "lead", "caveat" (a warning) or "note" (small)."""

    kind: ClassVar[str] = "text"
    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """What colours mean: pairs of a mark ("over", "under", "muted") and the word it colours."""

    kind: ClassVar[str] = "key"
    words: tuple[tuple[str, str], ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, each as long as ``head``; the first cell names its row.

    ``name`` is that of its CSV file. A cell is text, a ``calib.report.formats.Shown``, whose mark
    colours it, or a ``Linked``. ``prose`` are the columns that hold sentences, which wrap and stand
    to the left. In a browser a press on a column's head sorts the rows by it.
    """

    kind: ClassVar[str] = "table"
    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    prose: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing, an ``<svg>`` element of ``calib.report.plots.svg``."""

    title: str
    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Drawings side by side; Markdown has their titles and captions."""

    kind: ClassVar[str] = "figures"
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Line:
    """One answer on a card: ``role`` is "given", "gold", "refused" or "", ``share`` from 0 to 1."""

    text: str
    value: str = ""
    role: str = ""
    tag: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A question with its pictures (``calib.report.pictures``) and its answers.

    ``address`` is its place in items.html, "" where there is none. Long texts are cut where they
    are shown, which says how much more there is; Markdown and CSV have them whole.
    """

    name: str
    title: str
    pictures: Sequence[Mapping[str, Any]]
    lines: Sequence[Line]
    notes: Sequence[str] = ()
    address: str = ""


@dataclass(frozen=True, slots=True)
class Cards:
    """Questions in a grid. Markdown and CSV have them as ``table``."""

    kind: ClassVar[str] = "cards"
    cards: Sequence[Card]
    table: Table


@dataclass(frozen=True, slots=True)
class Quote:
    """Text shown letter by letter, its lines and spaces as they are."""

    kind: ClassVar[str] = "quote"
    text: str
    pictures: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A file in the page's folder that the reader may open."""

    kind: ClassVar[str] = "link"
    file: str
    text: str


Block: TypeAlias = Text | Key | Table | Figures | Cards | Quote | Link


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its blocks; ``name`` is its anchor, which stays when the heading changes."""

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the first screen, its name above and a note below."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Page:
    """A report. ``asked`` says in a line what it is about, ``lead`` what was found."""

    title: str
    headline: str
    sections: Sequence[Section]
    lead: Sequence[Text] = ()
    tiles: Sequence[Tile] = ()
    asked: str = ""
    footer: str = ""
    links: Sequence[Link] = ()
