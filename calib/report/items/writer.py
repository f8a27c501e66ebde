"""Write items.html and its data: every question is read once, and a chunk of them is in memory."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from calib.records import CalibError
from calib.report.items.pictures import Gallery
from calib.report.items.question import STATES, Question, Source
from calib.runs.durable import refuse_no_folder, replace
from calib.runs.folder import Progress, Work

PAGE, DATA = "items.html", "items"
FORMAT = "calib.items/1"
PICTURES = 2_000
"""Different pictures that are kept unless another number is asked for."""
CHUNK_QUESTIONS, CHUNK_BYTES = 200, 1_000_000
"""A chunk ends at so many questions, or behind the one with which it has so many bytes."""
BEGINNING = 80
"""Characters of a question that the list shows, and in which is searched."""

TEMPLATES = Path(__file__).parent.parent / "templates"
CHUNK = re.compile(r"\d{4,}\.js")
WHOLE = [entry.name for entry in fields(Question) if entry.name != "pictures"]


def write(folder: Path, source: Source, *, pictures: int, progress: Progress | None) -> Path:
    """Write items.html and items/ into ``folder``; return the page's path.

    index.js is there only with all the chunks that it names: of a writing that is stopped the page
    says that its data are incomplete. Raises CalibError where something cannot be written.
    """
    tell = progress or (lambda done, total, note: None)
    data = folder / DATA
    refuse_no_folder(data)
    try:
        data.mkdir(exist_ok=True)
        (data / "index.js").unlink(missing_ok=True)
        index, gallery = Index(), Gallery(folder)
        for name, chunk in chunks(source, gallery, index):
            (data / name).write_bytes(chunk)
            tell(len(index.ids), source.total, "items.html")
        for path in data.iterdir():
            if CHUNK.fullmatch(path.name) and int(path.stem) >= len(index.starts):
                path.unlink()
        kept = gallery.keep(
            pictures,
            lambda done, most: tell(done, most, Work("pictures of items.html", "pictures")),
        )
        replace(data / "index.js", script("index", index.columns(source, kept)))
        replace(folder / PAGE, page())
    except OSError as cause:
        where = cause.filename or data
        raise CalibError(f"{where}: it could not be written ({cause.strerror})") from cause
    if kept["told"]:
        warnings.warn(kept["told"], stacklevel=4)
    return folder / PAGE


def chunks(source: Source, gallery: Gallery, index: Index) -> Iterator[tuple[str, bytes]]:
    """The name and the content of each chunk; ``index`` and ``gallery`` are told each question."""
    rows: list[str] = []
    size = 0
    for question in source.questions:
        index.add(question, begins=not rows)
        rows.append(as_json(whole(question, gallery.add(question))))
        size += len(rows[-1])
        if len(rows) == CHUNK_QUESTIONS or size >= CHUNK_BYTES:
            yield index.last, call(index.last, f"[{','.join(rows)}]")
            rows, size = [], 0
    if rows:
        yield index.last, call(index.last, f"[{','.join(rows)}]")


def whole(question: Question, pictures: list[tuple[int, str]]) -> dict[str, Any]:
    """What a chunk holds of a question: what there is of it."""
    values = {name: getattr(question, name) for name in WHOLE} | {"pictures": pictures}
    return {name: value for name, value in values.items() if value not in (None, "", (), [])}


@dataclass
class Index:
    """The columns of index.js while they grow; ``starts`` is each chunk's first question."""

    starts: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    confidence: list[float | None] = field(default_factory=list)
    group: list[int] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)

    @property
    def last(self) -> str:
        """The file of the last chunk that has begun."""
        return f"{len(self.starts) - 1:04d}.js"

    def add(self, question: Question, begins: bool) -> None:
        """Take the columns of the next question; ``begins``: it is the first of a chunk."""
        if begins:
            self.starts.append(len(self.ids))
        group = question.group
        self.ids.append(question.id)
        self.states.append(STATES[question.state])
        self.confidence.append(question.confidence)
        self.group.append(-1 if group is None else self.groups.setdefault(group, len(self.groups)))
        # More than are kept, since runs of spaces become one.
        self.words.append(" ".join(question.question[: 8 * BEGINNING].split())[:BEGINNING])

    def columns(self, source: Source, pictures: dict[str, Any]) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "title": source.title,
            "called": source.confidence,
            "beginning": BEGINNING,
            "starts": self.starts,
            "ids": self.ids,
            "states": "".join(self.states),
            "confidence": self.confidence,
            "groups": list(self.groups),
            "group": self.group if self.groups else [],
            "words": self.words if any(self.words) else [],
            "pictures": pictures,
        }


def script(name: str, value: Any) -> bytes:
    return call(name, as_json(value))


def call(name: str, argument: str) -> bytes:
    """A script that hands JSON to the page's one function; whatever a text holds, it stays text."""
    return f'calibItems("{name.removesuffix(".js")}",{argument});\n'.encode(errors="replace")


def as_json(value: Any) -> str:
    """JSON that means the same in a script: without ``<`` and without separators of lines."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def page() -> str:
    """items.html: it is the same for all runs, and holds its style and script itself."""
    parts = {name: (TEMPLATES / name).read_text(encoding="utf-8") for name in PARTS}
    text = (TEMPLATES / PAGE).read_text(encoding="utf-8")
    return re.sub(r"@([\w.]+)@", lambda match: parts[match[1]], text)


PARTS = ("report.css", "items.css", "items.js")
