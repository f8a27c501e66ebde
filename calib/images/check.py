"""Refuse pictures that cannot be read, before a model is loaded.

Checksums, an end marker or a length say whether a PNG, JPEG or WEBP file is whole: it is read
through, not decoded. Files of the other formats are decoded, which costs little for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from calib.images.colour import check_numbers
from calib.images.formats import ALLOWED
from calib.images.opening import image_file, readable
from calib.images.places import Unreadable, key_of, name_of, opened, printable
from calib.records import EncodedImage, ImageRef, InputError, Item, MadeImage

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

ITEM_PIXELS = 300_000_000
"""Pixels of one question's pictures, which a processor takes all at once: 2 GB while it does."""
LONGEST_ID = 80


def check_images(items: Iterable[Item]) -> None:
    """Raise InputError for the first image that is missing, broken, cut off or too large.

    Each file is looked at once.
    """
    checked: dict[Hashable, int] = {}  # pixels
    for item in items:
        name = f"item {printable(item.id, LONGEST_ID)!r}"
        for image in item.images:
            key = key_of(image)
            if key not in checked:
                checked[key] = check_one(image, name)
        together = sum(checked[key_of(image)] for image in item.images)
        if together > ITEM_PIXELS:
            raise InputError(
                f"{name}: its {len(item.images)} images hold {together:,} pixels, more than the "
                f"{ITEM_PIXELS:,} that are decoded together; scale them down"
            )


def check_one(image: ImageRef, name: str) -> int:
    """How many pixels it has, or what it is made of; ``name`` is its item in errors."""
    if isinstance(image, MadeImage):
        return check_one(image.source, name)
    try:
        if isinstance(image, (Path, EncodedImage)):
            name += f", image {name_of(image)}"
            return check_file(image)
        name += ", an image in memory"
        return check_memory(image)
    except Unreadable as error:
        raise InputError(f"{name}: {error}") from error


def check_file(image: Path | EncodedImage) -> int:
    """Raises Unreadable."""
    with image_file(image) as read:
        width, height = read.size
        kind = str(read.format)
        whole = WHOLE.get(kind)
        if kind != "PNG" or "exif" in read.info:  # else PIL would decode a PNG to look for some
            read.getexif()  # which may be broken, and is needed for the right way up
        if kind not in WHOLE:
            if kind == "TIFF":
                check_strips(read)
            read.load()
            check_numbers(read)
        else:
            read.verify()
    if whole is not None:
        with opened(image) as file:
            if not whole(file):
                raise Unreadable("the file is cut off before its end")
    return width * height


def check_strips(image: ImageFile) -> None:
    """Raises Unreadable for a TIFF that lacks its last strips: PIL would leave them black."""
    ends = [extents[2:] for _, extents, *_ in image.tile if extents is not None]
    if ends and (max(x for x, _ in ends) < image.width or max(y for _, y in ends) < image.height):
        raise Unreadable("the file is broken or cut off (strips of the image are missing)")


def check_memory(image: Image) -> int:
    """Raises Unreadable for NaN, and for a file of another format that waits to be decoded."""
    waits = bool(getattr(image, "tile", None))
    if waits and image.format not in (*readable(), "MPO", None):
        raise Unreadable(f"it is {image.format}; calib reads {', '.join(ALLOWED)}")
    if waits and getattr(image, "fp", None) is None:
        raise Unreadable("its file was closed before it was decoded; call load() before that")
    check_numbers(image)
    return image.width * image.height


def ends_as_jpeg(file: BinaryIO) -> bool:
    """Whether the end marker stands behind the scan; others write what they like behind that.

    Segments before the scan are stepped over: a thumbnail in one has an end marker of its own.
    """
    file.seek(2)
    while True:
        mark, code = file.read(1), file.read(1)
        while code == b"\xff":  # fill bytes
            code = file.read(1)
        if mark != b"\xff" or code in (b"", SCAN):
            break
        if code not in WITHOUT_LENGTH:
            length = int.from_bytes(file.read(2))
            file.seek(max(length - 2, 0), os.SEEK_CUR)
    last = b""
    while block := file.read(BLOCK):
        if JPEG_END in last + block:
            return True
        last = block[-1:]
    return False


def has_length_of_riff(file: BinaryIO) -> bool:
    """Whether a WEBP file is as long as it says: so many bytes behind the first eight."""
    file.seek(4)
    said = int.from_bytes(file.read(4), "little")
    return file.seek(0, os.SEEK_END) >= 8 + said


BLOCK = 1 << 20
JPEG_END, SCAN = b"\xff\xd9", b"\xda"
WITHOUT_LENGTH = frozenset(bytes([code]) for code in (0x01, *range(0xD0, 0xD8)))

WHOLE: dict[str, Callable[[BinaryIO], bool] | None] = {
    "PNG": None,  # ``verify`` has compared the checksums of all its parts
    "JPEG": ends_as_jpeg,
    "MPO": ends_as_jpeg,
    "WEBP": has_length_of_riff,
}
