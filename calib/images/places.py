"""Where a picture's bytes are: a regular file, or a table's own bytes; and its name in errors."""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import BinaryIO

from calib.records import EncodedImage, ImageRef, MadeImage

LONGEST = 240
"""Characters of a path in a message: most whole paths, and no name of 5,000."""

ADDRESS = re.compile(r"(?:^|/)((?:https?|ftp|s3|gs|hf|file):/(?!/)|data:)", re.IGNORECASE)
"""An address as ``Path`` leaves it: of two slashes one."""

OTHERS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Unreadable(Exception):
    """Why a picture is not read, without its name."""


def key_of(image: ImageRef) -> Hashable:
    """What two mentions of one picture have in common, without a look at its pixels."""
    if isinstance(image, MadeImage):
        return key_of(image.source), image.recipe
    return image if isinstance(image, (Path, EncodedImage)) else id(image)


def printable(text: str, longest: int) -> str:
    """``text`` in one line that can be printed anywhere; its middle left out where it is longer."""
    if len(text) > longest:
        half = (longest - 3) // 2
        text = f"{text[:half]}...{text[-half:]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def name_of(image: Path | EncodedImage) -> str:
    return printable(image.name if isinstance(image, EncodedImage) else str(image), LONGEST)


def opened(image: Path | EncodedImage) -> BinaryIO:
    """Its bytes. Raises Unreadable for what is no regular file, before it is opened."""
    if isinstance(image, EncodedImage):
        return io.BytesIO(image.data)
    try:
        kind = stat.S_IFMT(image.stat().st_mode)
        if kind != stat.S_IFREG:
            description = OTHERS.get(kind, "something else")
            raise Unreadable(f"this is not an image but {description}; expected a regular file")
        return image.open("rb")
    except PermissionError as error:
        raise Unreadable("the file may not be read (permission denied)") from error
    except OSError as error:
        raise Unreadable(unopened(image, error)) from error
    except ValueError as error:  # NUL, or a surrogate that stands for no byte
        raise Unreadable(f"no file can have this name ({error})") from error


def unopened(path: Path, error: OSError) -> str:
    if ADDRESS.search(str(path)):
        return "this is an address, and calib reads files only; download it and name the file"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return f"it cannot be opened ({error.strerror})"
