"""Pictures made for a test, the few that are kept, and what is said of one that is refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calib.images import check_images
from calib.records import ImageRef, InputError, Item

DATA = Path(__file__).parent / "data" / "pictures"


def ask(*images: ImageRef, name: str = "q7") -> list[Item]:
    return [Item(name, "?", images=images, options=("x", "y"), answer=0)]


def refusal(path: Path) -> str:
    """What is said about ``path``: one line that names the item and the file."""
    with pytest.raises(InputError) as caught:
        check_images(ask(path))
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"item 'q7', image {path}: ")
    return text.removeprefix(f"item 'q7', image {path}: ")


def noise(size: int = 64) -> Image.Image:
    pixels = np.random.default_rng(0).integers(256, size=(size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png_of_size(path: Path, width: int, height: int) -> Path:
    """A whole, valid PNG of one bit per pixel, all black; small on disk however large it is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = zlib.compress(bytes(height * (1 + (width + 7) // 8)), 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **how)
    return buffer.getvalue()
