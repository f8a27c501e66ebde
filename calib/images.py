"""Images checked before a model is loaded, and opened when they are needed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from calib.records import CalibError, ImageRef, InputError, Item

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000
"""An image that decodes to more is refused: 300 MB as RGB, and no model looks at so many."""

JPEG_END = b"\xff\xd9"


def check_images(items: Iterable[Item]) -> None:
    """Raise InputError for the first image that is missing, broken, truncated or too large.

    Reads headers and checksums, not pixels; each file once.
    """
    checked: set[Path] = set()
    for item in items:
        for image in item.images:
            if isinstance(image, Path) and image not in checked:
                check_file(image, item.id)
                checked.add(image)


def check_file(path: Path, item: str) -> None:
    from PIL import Image, UnidentifiedImageError

    where = f"item {item!r}, image {path}"
    try:
        with warnings.catch_warnings():
            # PIL's own, lower alarm: ours below speaks for both.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise InputError(too_large(where, width, height))
                kind = image.format
                image.verify()
        if kind == "JPEG" and not ends_as_jpeg(path):
            raise InputError(f"{where}: the file is cut off before its end")
    except FileNotFoundError as error:
        raise InputError(f"{where}: there is no such file") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{where}: {error}") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{where}: this is not an image that can be read") from error
    except (OSError, SyntaxError, ValueError) as error:  # verify() raises all three
        raise InputError(f"{where}: the file is broken or cut off ({error})") from error


def ends_as_jpeg(path: Path) -> bool:
    """Whether the end marker is there; some writers pad after it."""
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 4096), 2)
        return JPEG_END in file.read()


def too_large(where: str, width: int, height: int) -> str:
    return (
        f"{where}: {width:,} x {height:,} pixels are more than the {MAX_PIXELS:,} that are "
        "decoded; scale it down"
    )


def size_of(image: ImageRef) -> tuple[int, int]:
    """Width and height as they are stored; of a file, from its header."""
    from PIL import Image

    if not isinstance(image, Path):
        return image.size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(image) as opened:
                return opened.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CalibError(f"image {image}: it cannot be read ({error})") from error


def open_image(image: ImageRef) -> Image:
    """The image as RGB, decoded, the right way up. CalibError where it is broken after all."""
    from PIL import Image, ImageOps

    if not isinstance(image, Path):
        return as_rgb(ImageOps.exif_transpose(image))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(image) as opened:
                return as_rgb(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CalibError(f"image {image}: it cannot be decoded ({error})") from error


def as_rgb(image: Image) -> Image:
    """``convert("RGB")`` but for two cases: it clips 16 bits, and warns of some palettes."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        import numpy as np

        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
