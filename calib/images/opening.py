"""A picture decoded: the right way up, as RGB."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from calib.images.colour import Stored, as_rgb
from calib.images.formats import ALLOWED, HEAD, refusal_of
from calib.images.places import Unreadable, name_of, opened
from calib.records import CalibError, EncodedImage, ImageRef, MadeImage

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 100_000_000
"""An image that decodes to more is refused: 300 MB as RGB, and no model looks at so many."""


@contextmanager
def image_file(image: Path | EncodedImage) -> Iterator[ImageFile]:
    """Its header read and its pixels not yet. Raises Unreadable, also for what the body meets."""
    from PIL import Image, UnidentifiedImageError

    with opened(image) as file, warnings.catch_warnings():
        # PIL's own, lower alarm, ours below speaks for both; and of metadata that is not looked at.
        warnings.simplefilter("ignore")
        try:
            with Image.open(file, formats=readable()) as read:
                width, height = read.size
                if width * height > MAX_PIXELS:
                    raise Unreadable(
                        f"{width:,} x {height:,} pixels are more than the {MAX_PIXELS:,} that are "
                        "decoded; scale it down"
                    )
                yield read
        except (Unreadable, MemoryError):
            raise
        except Image.DecompressionBombError as error:
            raise Unreadable(str(error)) from error
        except UnidentifiedImageError as error:
            file.seek(0)
            raise Unreadable(refusal_of(file.read(HEAD))) from error
        except Exception as error:  # a plugin raises whatever a damaged file makes of it
            raise Unreadable(f"the file is broken or cut off ({one_line(error)})") from error


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def readable() -> tuple[str, ...]:
    """What is allowed and can be decoded by the PIL that is installed."""
    from PIL import Image

    Image.init()
    return tuple(name for name in ALLOWED if name in Image.OPEN)


def size_of(image: ImageRef) -> tuple[int, int]:
    """Width and height as stored; of a file, from its header, of a made one the source's."""
    from PIL import Image

    if isinstance(image, MadeImage):
        return size_of(image.source)
    if isinstance(image, Image.Image):
        return image.size
    try:
        with image_file(image) as read:
            return read.size
    except Unreadable as error:
        raise CalibError(f"image {name_of(image)}: it cannot be read ({error})") from error


def open_image(image: ImageRef) -> Image:
    """The image as RGB, decoded, the right way up. CalibError where it is broken after all."""
    from PIL import Image, ImageOps

    if isinstance(image, MadeImage):
        return image.make(open_image(image.source))
    if isinstance(image, Image.Image):
        try:
            return as_rgb(ImageOps.exif_transpose(image), Stored.of(image))
        except MemoryError:
            raise
        except Exception as error:
            raise CalibError(f"an image in memory cannot be decoded ({one_line(error)})") from error
    try:
        with image_file(image) as read:
            ImageOps.exif_transpose(read, in_place=True)
            return as_rgb(read, Stored.of(read))
    except Unreadable as error:
        raise CalibError(f"image {name_of(image)}: it cannot be decoded ({error})") from error
