"""Which image formats are read, and what a file is by its first bytes.

The list is closed, since PIL alone would choose among some forty plugins by a file's bytes, and one
of them hands PostScript to Ghostscript whatever the file is called. All of those below are decoded
in the process itself.
"""

from __future__ import annotations

ALLOWED = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF")
"""PIL's names. JPEG includes MPO, the phones' JPEG of several pictures, of which the first is read;
PPM includes PGM, PBM and PFM."""

SUFFIXES = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}
"""Where a format's usual suffix is not its name."""

HEAD = 64
"""Bytes that ``format_of`` looks at."""

BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"%!PS", "PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (b"%PDF", "PDF"),
    (b"8BPS", "PSD"),
    (b"\0\0\1\0", "ICO"),
    (b"\0\0\0\x0cjP  ", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"SIMPLE  =", "FITS"),
    (b"\x89HDF", "HDF5"),
    (b"DDS ", "DDS"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "gzip"),
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself"),
)
BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "HEIC"),
}
"""By bytes 8 to 11 of a file with ``ftyp`` before them; any other is a film."""
MARKUP = ((b"<svg", "SVG"), (b"<!doctype html", "HTML"), (b"<html", "HTML"), (b"<?xml", "XML"))


def format_of(head: bytes) -> str | None:
    """What a file is by its first ``HEAD`` bytes or more: one of ``ALLOWED``, other, or None."""
    for beginning, name in BEGINNINGS:
        if head.startswith(beginning):
            return name
    if head[:4] == b"RIFF":
        return "WEBP" if head[8:12] == b"WEBP" else "RIFF (sound or film)"
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], "MP4 (a film)")
    if head[:1] == b"P" and head[1:2] in b"123456fF" and head[2:3].isspace():
        return "PPM"
    text = head[:HEAD].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((name for beginning, name in MARKUP if text.startswith(beginning)), None)


def suffix_of(head: bytes) -> str:
    """The suffix, with its point, of a file that begins so; "" where it is none of ``ALLOWED``."""
    name = format_of(head)
    return f".{SUFFIXES.get(name, name.lower())}" if name in ALLOWED else ""


def refusal_of(head: bytes) -> str:
    """Why a file that begins so is not read."""
    allowed = f"calib reads {', '.join(ALLOWED[:-1])} and {ALLOWED[-1]}"
    name = format_of(head)
    if not head:
        return "this is not an image: the file is empty"
    if name in ALLOWED:
        reason = f"it begins as {name} and is broken or cut off"
    elif name is None:
        reason = f"it begins with {head[:8]!r}; {allowed}"
    else:
        reason = f"it is {name}; {allowed}"
    return f"this is not an image that can be read: {reason}"
