"""A picture as a page holds it: its file as it is where that is small, else scaled down."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.images import format_of, open_image
from calib.records import CalibError

MEDIA = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp", "GIF": "gif"}
"""Formats that browsers show, and what they call them."""
LARGEST_PICTURE = 150_000
"""Bytes of a picture that is embedded as it is; a larger one is scaled to LARGEST_SIDE pixels."""
LARGEST_SIDE = 640
SMALL_SIDE = 128
"""A picture no larger than this is shown enlarged, its pixels kept square."""


class Gone(Exception):
    """A picture is no longer there, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class Scaled:
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


def picture(folder: Path, name: str) -> dict[str, Any]:
    """A picture as a data URI, scaled down where it is large; else ``missing`` says why not."""
    try:
        scaled = for_page(found(folder, name), largest=LARGEST_PICTURE, side=LARGEST_SIDE)
    except Gone:
        return {"uri": None, "missing": f"{name}: no longer there, or not readable"}
    code = base64.b64encode(scaled.content).decode("ascii")
    return {"uri": f"data:image/{scaled.media};base64,{code}", "small": scaled.side <= SMALL_SIDE}
