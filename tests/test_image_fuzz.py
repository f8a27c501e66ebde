"""Damaged pictures of every format: refused in one line or decoded, soon, and without another word.

With CALIB_FUZZ=1 each run draws other damage.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any

import pytest
from PIL import Image

from calib.images import check_images, open_image, size_of
from calib.images.opening import readable
from calib.records import CalibError, EncodedImage, InputError, Item
from tests.pictures import encoded, noise

CASES = 2000
SECONDS = 5.0
"""For one picture: damage may turn 40 pixels a side into a hundred million."""
EXTREMES = (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\x80\0\0\0")


def whole() -> list[tuple[str, bytes]]:
    image = noise(40).convert("RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    made: list[tuple[Image.Image, str, dict[str, Any]]] = [
        *((image.convert("RGB"), kind, {}) for kind in readable()),
        (image, "PNG", {"exif": exif}),
        (image.convert("P"), "PNG", {"transparency": 3}),
        (image.convert("RGB"), "JPEG", {"exif": exif, "progressive": True}),
        (image, "WEBP", {"lossless": True, "exif": exif}),
        *((image.convert(mode), "TIFF", {}) for mode in ("F", "I", "CMYK", "RGBA")),
        (image, "TIFF", {"compression": "tiff_lzw"}),
        (image.convert("1"), "TIFF", {"compression": "group4"}),
        (image.convert("RGB"), "TIFF", {"compression": "jpeg"}),
    ]
    return [(f"{kind}-{n}", encoded(i, kind, **how)) for n, (i, kind, how) in enumerate(made)]


def damaged(data: bytes, rng: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        place = rng.randrange(rng.choice([len(made), min(len(made), 120)]))
        kind = rng.randrange(5)
        if kind == 0:
            made[place] = rng.randrange(256)
        elif kind == 1:
            del made[place : place + rng.randrange(1, 40)]
        elif kind == 2:
            made[place:place] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 3:
            del made[place:]
        else:
            made[place : place + 4] = rng.choice(EXTREMES)
        if not made:
            return b""
    return bytes(made)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "data"), [pytest.param(n, d, id=n) for n, d in whole()])
def test_a_damaged_picture_is_refused_or_read(name: str, data: bytes):
    rng = random.Random(None if os.environ.get("CALIB_FUZZ") else name)
    for _ in range(CASES):
        image = EncodedImage(damaged(data, rng), "t.tsv, line 2")
        begun = time.perf_counter()
        try:
            check_images([Item("q7", "?", (image,), ("x", "y"), answer=0)])
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert min(size_of(image)) >= 1
            try:
                assert open_image(image).mode == "RGB"
            except CalibError as error:
                assert name.startswith(("JPEG", "WEBP", "PNG")), "the others are decoded at once"
                assert "\n" not in str(error)
        assert time.perf_counter() - begun < SECONDS, image.data.hex()
