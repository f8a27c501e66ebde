"""Pictures as a page shows them: embedded, scaled down where they are large."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from calib.images import format_of, open_image
from calib.records import CalibError

LARGEST_PICTURE = 150_000
"""Bytes of a picture that is embedded as it is; a larger one is scaled to LARGEST_SIDE pixels."""
LARGEST_SIDE = 640
SMALL_SIDE = 128
"""A picture no larger than this is shown enlarged, its pixels kept square."""
MEDIA = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp", "GIF": "gif"}


def picture(folder: Path, name: str) -> dict[str, Any]:
    """A picture as a data URI, scaled down where it is large; else ``missing`` says why not."""
    try:
        path = next((p for p in (folder / name, Path(name)) if p.exists()), Path(name))
        image = open_image(path)  # refuses a device, whose bytes have no end
        content = path.read_bytes()
    except (OSError, ValueError, CalibError):  # ValueError: no name that a file can have
        return {"uri": None, "missing": f"{name}: no longer there, or not readable"}
    media = MEDIA.get(format_of(content) or "")
    small = max(image.size) <= SMALL_SIDE
    if media is None or len(content) > LARGEST_PICTURE:
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=85)
        media, content = "jpeg", buffer.getvalue()
    code = base64.b64encode(content).decode("ascii")
    return {"uri": f"data:image/{media};base64,{code}", "small": small}
