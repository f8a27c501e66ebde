"""A picture as a page holds it: its file as it is where that is small, else scaled down."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from calib.images import format_of, open_image
from calib.records import CalibError

MEDIA = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp", "GIF": "gif"}
"""Formats that browsers show, and what they call them."""


class Gone(Exception):
    """A picture is no longer there, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """``content`` is a file of the type image/``media``; ``side`` the picture's longer side, in
    pixels, before it was scaled."""

    media: str
    content: bytes
    side: int


def found(folder: Path, name: str) -> Path:
    """Where a picture lies: below ``folder`` if there, else at the path ``name``. Raises Gone."""
    try:
        return next(path for path in (folder / name, Path(name)) if path.exists())
    except (OSError, ValueError, StopIteration) as cause:  # ValueError: no name a file can have
        raise Gone from cause


def for_page(path: Path, *, largest: int, side: int) -> Shown:
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
    return Shown(media, content, longer)
