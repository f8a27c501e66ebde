"""A picture as a page holds it: its file as it is where that is small, else scaled down.

Where its file is gone, it is the copy that items.html keeps:

``RUN/items/pictures/``      copies, each under the beginning of its content's SHA-256
``RUN/items/pictures.json``  which copy was made of which path, and how many originals are missing

Paths stand there as digests: who is sent items.html with its data learns no folder's name.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calib.fields import Fields, check_fields, is_count, is_mapping, is_text, read_object
from calib.images import format_of, open_image
from calib.records import CalibError

MEDIA = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp", "GIF": "gif"}
"""Formats that browsers show, and what they call them."""
LARGEST_PICTURE = 150_000
"""Bytes of a picture that is embedded as it is; a larger one is scaled to LARGEST_SIDE pixels."""
LARGEST_SIDE = 640
SMALL_SIDE = 128
"""A picture no larger than this is shown enlarged, its pixels kept square."""
COPIES, COPIED = "items/pictures", "items/pictures.json"
COPY = re.compile(r"[0-9a-f]{16}\.[a-z]+")
"""The name of a copy; no other file is ever read as one."""


class Gone(Exception):
    """A picture is no longer there, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """``content`` is a file of the type image/``media``; ``side`` the picture's longer side, in
    pixels, before it was scaled."""

    media: str
    content: bytes
    side: int


@dataclass(frozen=True, slots=True)
class Copied:
    """What pictures.json tells: of ``distinct`` pictures so many originals are ``missing``, so many
    of which are ``shown`` by their copies; ``copies`` are those by ``digest_of`` their paths."""

    distinct: int = 0
    missing: int = 0
    shown: int = 0
    copies: dict[str, str] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """How many originals are missing, in a sentence; "" where none is."""
        if not self.missing:
            return ""
        one = self.missing == 1
        lost = self.missing - self.shown
        copies = (
            f"{'its copy' if one else 'the copies'} in {COPIES} {'is' if one else 'are'} shown"
            if not lost
            else f"{self.shown:,} of them {'is' if self.shown == 1 else 'are'} shown from the "
            f"copies in {COPIES}, {lost:,} not at all"
            if self.shown
            else f"no copy of {'it' if one else 'them'} is kept"
        )
        return (
            f"{self.missing:,} of {self.distinct:,} pictures {'is' if one else 'are'} no longer "
            f"where {'it' if one else 'they'} lay, or not readable: {copies}."
        )


COPIED_FIELDS: Fields = {
    "distinct": ("a number of pictures", is_count),
    "missing": ("a number of pictures", is_count),
    "shown": ("a number of pictures", is_count),
    "copies": (
        "names of copies",
        is_mapping(lambda name: is_text(name) and bool(COPY.fullmatch(name))),
    ),
}


def copied(folder: Path) -> Copied:
    """What is known of the copies in a run's folder. InputError where its file is damaged."""
    path = folder / COPIED
    if not path.is_file():
        return Copied()
    row = read_object(path)
    check_fields(row, str(path), COPIED_FIELDS)
    return Copied(**{name: row[name] for name in COPIED_FIELDS})


def digest_of(path: str) -> str:
    """What pictures.json calls a path."""
    return hashlib.sha256(path.encode(errors="surrogatepass")).hexdigest()[:16]


def found(folder: Path, name: str) -> Path:
    """Where a picture lies: below ``folder`` if there, else at the path ``name``. Raises Gone."""
    try:
        return next(path for path in (folder / name, Path(name)) if path.exists())
    except (OSError, ValueError, StopIteration) as cause:  # ValueError: no name a file can have
        raise Gone from cause


def for_page(path: Path, *, largest: int, side: int) -> Scaled:
    """The picture in a file, scaled to ``side`` pixels where it has more than ``largest`` bytes.

    Raises Gone where it cannot be read.
    """
    try:
        image = open_image(path)  # refuses a device, whose bytes have no end
        content = path.read_bytes()
    except (OSError, CalibError) as cause:
        raise Gone from cause
    media = MEDIA.get(format_of(content) or "")
    longer = max(image.size)
    if media is None or len(content) > largest:
        image.thumbnail((side, side))
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=85)
        media, content = "jpeg", buffer.getvalue()
    return Scaled(media, content, longer)


def shown(folder: Path, name: str) -> Scaled:
    """The picture for a card: its file or, where that cannot be read, its copy. Raises Gone."""
    try:
        return for_page(found(folder, name), largest=LARGEST_PICTURE, side=LARGEST_SIDE)
    except Gone:
        copy = copied(folder).copies.get(digest_of(name))
        if copy is None:
            raise
        return for_page(folder / COPIES / copy, largest=LARGEST_PICTURE, side=LARGEST_SIDE)


def picture(folder: Path, name: str) -> dict[str, Any]:
    """A picture as a data URI, scaled down where it is large; else ``missing`` says why not."""
    try:
        scaled = shown(folder, name)
    except Gone:
        return {"uri": None, "missing": f"{name}: no longer there, or not readable"}
    code = base64.b64encode(scaled.content).decode("ascii")
    return {"uri": f"data:image/{scaled.media};base64,{code}", "small": scaled.side <= SMALL_SIDE}
