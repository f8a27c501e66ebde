"""Images: what is refused before a model is loaded, in one line, and how the rest is opened."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calib.images import MAX_PIXELS, check_images, open_image
from calib.records import CalibError, InputError
from tests.pictures import ask, noise, png_of_size, refusal


def test_a_missing_image(tmp_path: Path):
    assert refusal(tmp_path / "gone.png") == "there is no such file"


def test_what_is_no_image(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_text("<html>not found</html>")
    assert "not an image" in refusal(path)
    path.write_bytes(b"")
    assert "not an image" in refusal(path)
    (tmp_path / "folder.png").mkdir()
    assert refusal(tmp_path / "folder.png")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, suffix: str):
    whole = tmp_path / f"whole.{suffix}"
    noise().save(whole)
    check_images(ask(whole))
    data = whole.read_bytes()
    path = tmp_path / f"cut.{suffix}"
    last = len(data) - (4 if suffix == "png" else 0)  # behind it is a checksum of nothing
    for end in {*range(1, 80), *range(80, last, 97), *range(last - 20, last)}:
        path.write_bytes(data[:end])
        assert refusal(path), end


def test_a_changed_byte_in_a_png_is_found(tmp_path: Path):
    whole = tmp_path / "whole.png"
    noise(16).save(whole)
    data = bytearray(whole.read_bytes())
    path = tmp_path / "changed.png"
    for place in random.Random(0).sample(range(8, len(data) - 12), 100):
        changed = bytearray(data)
        changed[place] ^= 0xFF
        path.write_bytes(changed)
        with pytest.raises(CalibError) as caught:
            check_images(ask(path))
            open_image(path)
        assert "\n" not in str(caught.value)


def test_a_jpeg_that_was_padded_is_whole(tmp_path: Path):
    path = tmp_path / "padded.jpg"
    noise().save(path)
    path.write_bytes(path.read_bytes() + bytes(512))
    check_images(ask(path))


def test_a_decompression_bomb_is_refused_unopened(tmp_path: Path):
    path = png_of_size(tmp_path / "bomb.png", 20_000, 20_000)
    assert path.stat().st_size < 100_000  # that decode to 1.2 GB as RGB
    assert "400000000 pixels" in refusal(path).replace(",", "")
    with pytest.raises(CalibError, match="cannot be decoded"):
        open_image(path)


def test_the_limit_on_pixels(tmp_path: Path):
    assert MAX_PIXELS == 100_000_000
    assert "10,001 x 10,000 pixels" in refusal(png_of_size(tmp_path / "a.png", 10_001, 10_000))
    check_images(ask(png_of_size(tmp_path / "b.png", 10_000, 10_000)))


def test_what_passes_the_check_opens_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # As an image of 95 million pixels, which lies between PIL's alarm and ours.
    path = png_of_size(tmp_path / "a.png", 200, 100)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15_000)
    check_images(ask(path))
    assert open_image(path).size == (200, 100)


def test_a_sound_image_after_a_broken_one_does_not_hide_it(tmp_path: Path):
    noise().save(tmp_path / "a.png")
    items = [*ask(tmp_path / "a.png", name="one"), *ask(tmp_path / "b.png", name="two")]
    with pytest.raises(InputError, match="item 'two'"):
        check_images(items)
    with pytest.raises(InputError, match=r"b\.png"):
        check_images(ask(tmp_path / "a.png", tmp_path / "b.png"))


def test_images_in_memory_need_no_check():
    check_images(ask(noise()))


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    assert image.mode == "RGB"
    width, height = image.size
    places = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)]
    return [tuple(np.asarray(image)[y, x].tolist()) for x, y in places]


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def four() -> Image.Image:
    """20 x 10 pixels: red and green above, blue and white below."""
    image = Image.new("RGB", (20, 10))
    for x, y, colour in [(0, 0, RED), (10, 0, GREEN), (0, 5, BLUE), (10, 5, WHITE)]:
        image.paste(colour, (x, y, x + 10, y + 5))
    return image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
@pytest.mark.parametrize("stored", ["file", "memory"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, stored: str):
    image = four().convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    check_images(ask(path))
    assert corners(open_image(path if stored == "file" else image)) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_grey_stays_grey(tmp_path: Path, mode: str):
    path = tmp_path / "a.png"
    if mode == "I;16":
        Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(path)
        expected = (128, 128, 128)
    else:
        Image.new("L", (4, 4), 255).convert(mode).save(path)
        expected = WHITE
    check_images(ask(path))
    assert corners(open_image(path)) == [expected] * 4


def test_a_palette_with_transparency(tmp_path: Path):
    image = four().convert("P")
    image.save(tmp_path / "bytes.png", transparency=bytes([0, 128] + [255] * 254))
    image.save(tmp_path / "index.png", transparency=0)
    for name in ("bytes.png", "index.png"):
        check_images(ask(tmp_path / name))
        assert corners(open_image(tmp_path / name)) == [RED, GREEN, BLUE, WHITE]


def test_a_cmyk_jpeg(tmp_path: Path):
    four().resize((200, 100), Image.Resampling.NEAREST).convert("CMYK").save(tmp_path / "a.jpg")
    check_images(ask(tmp_path / "a.jpg"))
    found = corners(open_image(tmp_path / "a.jpg"))
    np.testing.assert_allclose(found, [RED, GREEN, BLUE, WHITE], atol=40)  # JPEG is lossy


@pytest.mark.parametrize(
    ("orientation", "size", "expected"),
    [
        (1, (20, 10), [RED, GREEN, BLUE, WHITE]),
        (3, (20, 10), [WHITE, BLUE, GREEN, RED]),  # stored upside down
        (6, (10, 20), [BLUE, RED, WHITE, GREEN]),  # to be turned by 90 degrees clockwise
        (8, (10, 20), [GREEN, WHITE, RED, BLUE]),  # counter-clockwise
    ],
)
def test_a_turned_photo_is_seen_upright(
    tmp_path: Path, orientation: int, size: tuple[int, int], expected: list[tuple[int, ...]]
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    four().save(tmp_path / "a.png", exif=exif)
    found = open_image(tmp_path / "a.png")
    assert found.size == size
    assert corners(found) == expected


def test_an_image_that_breaks_after_the_check_is_one_line(tmp_path: Path):
    # verify() reads no pixels of a BMP, so only opening it tells.
    path = tmp_path / "a.bmp"
    noise().save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CalibError, match=r"image .*a\.bmp") as caught:
        check_images(ask(path))
        open_image(path)
    assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(CalibError, match=r"image .*a\.bmp"):
        open_image(path)
