"""Which files are pictures: formats, cut ones, what is no regular file, names; all told at once."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calib.images import ALLOWED, check_images, format_of, open_image, size_of, suffix_of
from calib.images.check import ITEM_PIXELS
from calib.images.opening import readable
from calib.records import CalibError, EncodedImage, ImageRef, InputError, Item
from tests.pictures import DATA, ask, encoded, noise, png_of_size, refusal

EPS = (DATA / "eps_as.png").read_bytes()


def said(*images: ImageRef) -> str:
    with pytest.raises(InputError) as caught:
        check_images([Item("q7", "?", images=images, options=("x", "y"), answer=0)])
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ALLOWED)
def test_every_allowed_format_is_read(tmp_path: Path, kind: str):
    if kind not in readable():
        pytest.skip(f"this PIL does not decode {kind}")
    how: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.new("RGB", (20, 10), (255, 0, 0)), kind, **how)
    assert format_of(data) == kind
    path = tmp_path / f"a{suffix_of(data)}"
    path.write_bytes(data)
    for image in (path, EncodedImage(data, "table.tsv, line 3")):
        check_images([Item("q", "?", images=(image,), options=("x", "y"), answer=0)])
        assert size_of(image) == (20, 10)
        near = np.abs(np.asarray(open_image(image)).astype(int) - [255, 0, 0])
        assert near.max() <= 3  # JPEG and AVIF are lossy


def test_the_phones_jpeg_of_two_pictures(tmp_path: Path):
    one, two = noise(), noise(32)
    data = encoded(one, "MPO", save_all=True, append_images=[two])
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    check_images(ask(path))
    assert open_image(path).size == one.size


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every ``gs`` and every subprocess leaves a mark."""
    mark = tmp_path / "mark"
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("gs", "gswin64c", "djpeg"):
        (folder / name).write_text(f"#!/bin/sh\ntouch '{mark}'\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def started(*how: Any, **more: Any) -> Any:
        mark.touch()
        raise OSError("a subprocess was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    return mark


@pytest.mark.parametrize("name", ["p.png", "p.eps", "p.jpg", "p.tif"])
def test_postscript_starts_nothing_whatever_it_is_called(
    tmp_path: Path, ghostscript: Path, name: str
):
    path = tmp_path / name
    path.write_bytes(EPS)
    told = refusal(path)
    assert "PostScript" in told and "PNG, JPEG, WEBP" in told
    for image in (path, EncodedImage(EPS, "q.tsv, line 2")):
        with pytest.raises(CalibError, match="PostScript"):
            open_image(image)
        with pytest.raises(CalibError, match="PostScript"):
            size_of(image)
    with Image.open(path) as waiting:
        assert "EPS" in said(waiting)
    assert not ghostscript.exists()


def test_the_case_of_postscript():
    assert "PostScript" in refusal(DATA / "eps_as.png")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf \n<!DOCTYPE html><p>404", "HTML"),
        (b"8BPS" + bytes(60), "PSD"),
        (b"\0\0\0\x18ftypheic" + bytes(60), "HEIC"),
        (b"\0\0\0\x18ftypisom" + bytes(60), "film"),
        (b"PK\3\4" + bytes(60), "ZIP"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"hello there", "b'hello th'"),
        (b"\x89PNG\r\n\x1a\n", "begins as PNG"),
        (b"\xff\xd8\xff\xe0", "begins as JPEG"),
        (b"", "empty"),
    ],
)
def test_a_refusal_names_what_was_found(tmp_path: Path, data: bytes, named: str):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert named in refusal(path)
    assert named in said(EncodedImage(data, "t.tsv, line 9, column image"))


def test_bytes_of_a_table_are_named_by_their_place():
    assert said(EncodedImage(b"nothing", "t.tsv, line 9")).startswith(
        "item 'q7', image t.tsv, line 9: "
    )


CUT = ["BMP", "GIF", "TIFF", "PNG", "JPEG", "WEBP", "PPM", "JPEG2000", "AVIF"]


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.parametrize("source", ["file", "table"])
def test_a_cut_picture_is_found_before_a_model_is_loaded(tmp_path: Path, kind: str, source: str):
    if kind not in readable():
        pytest.skip(f"this PIL does not decode {kind}")
    whole = encoded(noise(), kind)
    path = tmp_path / "a"
    spare = {"PNG": 4, "GIF": 2}.get(kind, 0)  # a checksum of nothing; an empty block and a trailer
    for left in (0.2, 0.5, 0.9, 0.99, 1.0):
        data = whole[: int(left * (len(whole) - spare)) - 1]
        path.write_bytes(data)
        told = said(path if source == "file" else EncodedImage(data, "t.tsv, line 2"))
        assert "cut off" in told, (left, told)


@pytest.mark.parametrize("name", ["cut.bmp", "cut.gif"])
def test_the_cases_of_cut_files(name: str):
    assert "cut off" in refusal(DATA / name)


def test_a_tiff_that_lacks_strips():
    data = bytearray(encoded(Image.new("L", (8, 16)), "TIFF", compression="raw"))
    check_images(ask(EncodedImage(bytes(data), "t")))
    height = data.index(struct.pack("<HHI", 257, 4, 1)) + 8  # of the image; one strip has 16 rows
    assert data[height] == 16
    data[height] = 40
    assert "strips of the image are missing" in said(EncodedImage(bytes(data), "t"))


def test_a_turned_bit_in_a_gif_or_tiff_never_gets_past_the_check(tmp_path: Path):
    path = tmp_path / "a"
    for kind, how in (("GIF", {}), ("TIFF", {"compression": "tiff_lzw"})):
        whole = bytearray(encoded(noise(), kind, **how))
        for place in range(0, len(whole), 61):
            data = whole.copy()
            data[place] ^= 0x10
            path.write_bytes(data)
            try:
                check_images(ask(path))
            except InputError:
                continue
            open_image(path)


def test_a_cut_jpeg_is_found_by_no_thumbnails_end(tmp_path: Path):
    thumbnail = encoded(noise(16), "JPEG")
    whole = encoded(noise(16), "JPEG", exif=b"Exif\0\0" + bytes(30) + thumbnail)
    assert thumbnail in whole
    path = tmp_path / "a.jpg"
    path.write_bytes(whole)
    check_images(ask(path))
    path.write_bytes(whole[:-300])
    assert "cut off" in refusal(path)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_broken_exif_is_found_before_a_model_is_loaded(kind: str):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(noise(16), kind, exif=exif)
    start = data.index(b"MM\0*")
    broken = data[:start] + b"MM\0!" + data[start + 4 :]
    if kind == "PNG":  # whose parts have checksums
        length, name = broken.index(b"eXIf") - 4, broken.index(b"eXIf")
        end = name + 4 + int.from_bytes(broken[length:name])
        check = struct.pack(">I", zlib.crc32(broken[name:end]))
        broken = broken[:end] + check + broken[end + 4 :]
    assert open_image(EncodedImage(data, "t")).size == (16, 16)
    if kind == "JPEG":  # whose EXIF PIL passes by where it has no header
        assert open_image(EncodedImage(broken, "t")).size == (16, 16)
    else:
        assert "broken" in said(EncodedImage(broken, "t"))


def test_what_a_phone_writes_behind_a_jpeg_does_not_matter(tmp_path: Path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(noise(), "JPEG") + bytes(100_000))
    check_images(ask(path))


@pytest.mark.parametrize("what", ["pipe", "device", "socket", "folder", "link to a pipe"])
def test_what_is_no_file_is_refused_unopened(tmp_path: Path, what: str):
    path = tmp_path / "a.png"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path.symlink_to("/dev/zero")
    elif what == "folder":
        path.mkdir()
    elif what == "socket":
        server = socket.socket(socket.AF_UNIX)
        here = Path.cwd()
        os.chdir(tmp_path)  # the path of a socket may be no longer than a hundred characters
        server.bind(path.name)
        os.chdir(here)
        server.close()
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    told = refusal(path)
    assert what.removeprefix("link to ").removeprefix("a ") in told and "not an image" in told
    for look in (open_image, size_of):
        with pytest.raises(CalibError, match="not an image"):
            look(path)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/urandom", "/dev/null", "/proc/self/mem"])
def test_devices_and_memory(path: str):
    if not Path(path).exists():
        pytest.skip(f"there is no {path} here")
    refusal(Path(path))


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    noise().save(tmp_path / "x.png")
    for image in ("~/x.png", Path("~/x.png")):
        item = Item("q", "?", images=(image,), options=("x", "y"), answer=0)  # type: ignore[arg-type]
        assert item.images == (tmp_path / "x.png",)
        check_images([item])
    nobody = Path("~nobody-is-called-so/x.png")
    assert Item("q", "?", images=(nobody,)).images == (nobody,)


@pytest.mark.parametrize("scheme", ["https", "http", "s3", "hf", "file"])
def test_an_address_is_said_to_be_one(tmp_path: Path, scheme: str):
    for path in (Path(f"{scheme}://e.com/a.png"), tmp_path / f"{scheme}://e.com/a.png"):
        assert "this is an address" in refusal(path)
    assert "this is an address" in said(Path("data:image/png;base64," + "A" * 6000))


def test_a_long_name_is_shortened():
    told = said(Path("a" * 5000 + ".png"))
    assert len(told) < 500 and "aaa" in told and told.endswith("(File name too long)")
    with pytest.raises(InputError) as caught:
        check_images([Item("i" * 5000, "?", images=(Path("b.png"),))])
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["a\ud800.png", "a\udcff.png", "a\0.png", "a\n\x1b[31m.png"])
def test_a_name_that_cannot_be_printed(name: str):
    said(Path(name)).encode()  # and holds neither surrogates nor escapes
    assert "\x1b" not in said(Path(name))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.png"
    noise().save(path)

    def denied(*how: Any, **more: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", denied)
    assert "permission denied" in refusal(path)


def test_the_pixels_of_one_item(tmp_path: Path):
    path = png_of_size(tmp_path / "a.png", 10_000, 10_000)
    most = ITEM_PIXELS // 100_000_000
    check_images(ask(*[path] * most))
    assert f"{most + 1} images hold {(most + 1) * 100_000_000:,} pixels" in said(
        *[path] * (most + 1)
    )


def test_each_file_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    noise().save(tmp_path / "a.png")
    opened: list[Path] = []
    plain = Path.open

    def counted(path: Path, *how: Any, **more: Any) -> Any:
        opened.append(path)
        return plain(path, *how, **more)

    monkeypatch.setattr(Path, "open", counted)
    check_images(ask(tmp_path / "a.png") * 100)
    assert len(opened) <= 2
