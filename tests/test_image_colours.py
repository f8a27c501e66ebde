"""Every mode of PIL's as a person sees it: transparent on white, wide numbers scaled or refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from calib.images import check_images, open_image
from calib.records import CalibError, EncodedImage, InputError, Item
from tests.pictures import refusal

DATA = Path(__file__).parent / "data" / "pictures"
WHITE, RED = [255, 255, 255], [255, 0, 0]


def seen(image: Any) -> np.ndarray[Any, Any]:
    check_images([Item("q", "?", images=(image,), options=("x", "y"), answer=0)])
    picture = open_image(image)
    assert picture.mode == "RGB"
    return np.asarray(picture).astype(int)


def stored(image: Image.Image, kind: str, **how: Any) -> EncodedImage:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **how)
    return EncodedImage(buffer.getvalue(), f"a {kind}")


def half_transparent(mode: str) -> Image.Image:
    """Two pixels: of noise under an alpha of 0, and red (grey: black) under one of 255."""
    image = Image.new("RGBA", (2, 1), (17, 93, 201, 0))
    image.putpixel((1, 0), (255, 0, 0, 255))
    if mode in ("LA", "La"):
        image = Image.merge("LA", [Image.new("L", (2, 1), 0), image.getchannel("A")])
        return image.convert(mode)
    if mode == "PA":
        palette = image.convert("RGB").quantize(2)
        made = palette.convert("PA")
        made.putalpha(image.getchannel("A"))
        return made
    return image.convert(mode)


STORED = {
    "memory": ("RGBA", "RGBa", "LA", "La", "PA"),
    "PNG": ("RGBA", "LA"),
    "TIFF": ("RGBA", "LA", "PA"),
    "WEBP": ("RGBA",),
}


@pytest.mark.parametrize(("source", "mode"), [(s, m) for s, modes in STORED.items() for m in modes])
def test_what_is_transparent_is_white(source: str, mode: str):
    image = half_transparent(mode)
    how: dict[str, Any] = {"lossless": True, "exact": True} if source == "WEBP" else {}
    pixels = seen(image if source == "memory" else stored(image, source, **how))
    assert pixels[0].tolist() == [WHITE, [0, 0, 0] if mode in ("LA", "La") else RED]


def test_half_an_alpha_is_half_white():
    image = Image.new("RGBA", (1, 1), (255, 0, 0, 128))
    assert seen(image)[0, 0].tolist() == [255, 127, 127]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_entry_of_a_palette(kind: str):
    image = Image.new("P", (2, 1))
    image.putpalette([17, 93, 201, 255, 0, 0])
    image.putdata([0, 1])
    assert seen(stored(image, kind, transparency=0))[0].tolist() == [WHITE, RED]
    assert seen(stored(image, kind))[0].tolist() == [[17, 93, 201], RED]


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "1"])
def test_a_transparent_colour(mode: str):
    value: Any = {"L": 40, "RGB": (40, 50, 60), "I;16": 10_000, "1": 0}[mode]
    if mode == "I;16":
        image = Image.fromarray(np.array([[value, 0]], np.uint16))
    else:
        image = Image.new(mode, (2, 1), value)
        image.putpixel((1, 0), (1, 2, 3) if mode == "RGB" else 255)
    other = {"L": WHITE, "RGB": [1, 2, 3], "I;16": [0, 0, 0], "1": WHITE}[mode]
    assert seen(stored(image, "PNG", transparency=value))[0].tolist() == [WHITE, other]


def test_an_opaque_picture_is_what_it_was():
    pixels = np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    np.testing.assert_array_equal(seen(image), pixels)
    image.putalpha(255)
    np.testing.assert_array_equal(seen(stored(image, "PNG")), pixels)


def test_the_case_of_a_float_tiff():
    path = DATA / "float.tiff"
    values = np.asarray(Image.open(path))
    assert values.min() >= 0 and values.max() <= 1
    expected = np.rint(values * 255)[..., None].repeat(3, 2)
    np.testing.assert_array_equal(seen(path), expected)


LAST = 2**31 - 1
RANGES = [
    # dtype, values, what is seen of them
    (np.float32, [0, 0.25, 1], [0, 64, 255]),  # from 0 to 1: all of black to white
    (np.float32, [0.5, 0.5, 0.5], [128, 128, 128]),
    (np.float32, [0, 1.2, 254.6], [0, 1, 255]),  # from 0 to 255: as they are
    (np.float32, [-1, 0, 1], [0, 128, 255]),  # else by their range
    (np.float32, [1000, 1500, 2000], [0, 128, 255]),
    (np.float32, [-3e38, 0, 3e38], [0, 128, 255]),
    (np.float32, [7e5, 7e5, 7e5], [0, 0, 0]),  # of one value: black
    (np.int32, [0, 7, 200], [0, 7, 200]),
    (np.int32, [0, 32768, 65536], [0, 128, 255]),
    (np.int32, [-LAST, 0, LAST], [0, 128, 255]),
    (np.int32, [0, LAST // 2, LAST], [0, 127, 255]),
]


@pytest.mark.parametrize(("kind", "values", "expected"), RANGES)
@pytest.mark.parametrize("source", ["memory", "TIFF"])
def test_numbers_of_32_bits(kind: Any, values: list[float], expected: list[int], source: str):
    image = Image.fromarray(np.array([values], kind))
    pixels = seen(image if source == "memory" else stored(image, "TIFF"))
    assert pixels[0, :, 0].tolist() == expected
    assert (pixels == pixels[..., :1]).all()


def tiff(values: np.ndarray[Any, Any], **tags: int) -> EncodedImage:
    """A TIFF that PIL reads with these tags (numbers after "t")."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        info[int(name[1:])] = value
    return stored(Image.fromarray(values), "TIFF", tiffinfo=info)


def test_unsigned_numbers_above_the_signed_ones():
    # PIL writes int32 as signed; the same bytes with SampleFormat 1 are uint32.
    data = bytearray(stored(Image.fromarray(np.array([[0, -(2**31), -1]], np.int32)), "TIFF").data)
    tag = bytes([0x53, 0x01, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02])
    assert data.count(tag) == 1
    data[data.index(tag) + 8] = 1
    assert seen(EncodedImage(bytes(data), "t"))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(tmp_path: Path, bad: float):
    image = Image.fromarray(np.array([[0.5, bad, 1]], np.float32))
    path = tmp_path / "a.tiff"
    image.save(path)
    assert "NaN or infinite" in refusal(path)
    for source in (image, path):
        with pytest.raises(CalibError, match="NaN or infinite"):
            seen(source)
        with pytest.raises(CalibError, match="NaN or infinite"):
            open_image(source)


def test_sixteen_bits_keep_their_upper_eight():
    values = np.array([[0, 0x80FF, 0xFFFF]], np.uint16)
    for image in (stored(Image.fromarray(values), kind) for kind in ("PNG", "TIFF", "PPM")):
        assert seen(image)[0, :, 0].tolist() == [0, 0x80, 255]
    big = Image.frombytes("I;16B", (3, 1), values.astype(">u2").tobytes())
    assert seen(big)[0, :, 0].tolist() == [0, 0x80, 255]
    assert seen(stored(big, "TIFF"))[0, :, 0].tolist() == [0, 0x80, 255]


def test_a_pgm_of_few_levels_is_stretched_as_it_says():
    assert seen(EncodedImage(b"P2 3 1 1023\n0 512 1023\n", "a.pgm"))[0, :, 0].tolist() == [
        0,
        0x80,
        255,
    ]


def test_twelve_bits():
    # 0, 0x800 and 0xFFF, packed by three bytes a pair.
    pixels = bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x00])
    info = TiffImagePlugin.ImageFileDirectory_v2()
    tags = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1, 279: len(pixels)}
    for tag, value in tags.items():
        info[tag] = value
    data = b"II*\0\x08\0\0\0" + info.tobytes(8) + pixels  # the offset 273 counts from its end
    assert seen(EncodedImage(data, "t"))[0, :3, 0].tolist() == [0, 0x80, 255]


def test_a_tiff_whose_white_is_zero():
    values = np.array([[0, 0x80FF, 0xFFFF]], np.uint16)
    assert seen(tiff(values, t262=0))[0, :, 0].tolist() == [255, 0x7F, 0]
    assert seen(tiff(np.array([[0, 0.25, 1]], np.float32), t262=0))[0, :, 0].tolist() == [
        255, 191, 0,
    ]  # fmt: skip


def test_lab_is_seen_as_it_is():
    red = Image.new("RGB", (4, 4), (200, 30, 40))
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(red, *profiles, outputMode="LAB")
    for image in (lab, stored(lab, "TIFF")):
        assert np.abs(seen(image) - [200, 30, 40]).max() <= 3  # L*a*b* of 8 bits a channel


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_the_other_modes(mode: str):
    colour = (255, 255, 255) if mode in ("1", "L") else (255, 0, 0)
    image = Image.new("RGB", (4, 4), colour).convert(mode)
    assert np.abs(seen(image) - list(colour)).max() <= 2  # YCbCr rounds
    if mode not in ("HSV", "RGBX"):
        assert np.abs(seen(stored(image, "TIFF")) - list(colour)).max() <= 2


def test_a_users_image_is_left_alone():
    image = half_transparent("RGBA")
    image.info["transparency"] = None
    before = image.tobytes(), image.mode, dict(image.info)
    open_image(image)
    assert (image.tobytes(), image.mode, dict(image.info)) == before


def test_a_closed_file_in_memory(tmp_path: Path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pass
    with pytest.raises(CalibError, match="image in memory cannot be decoded"):
        open_image(image)
    with pytest.raises(InputError, match="item 'q', an image in memory: its file was closed"):
        seen(image)
