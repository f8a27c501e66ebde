"""A file's text."""

from __future__ import annotations

import codecs
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calib.records import InputError
from calib.tasks.files.values import shown

MAX_BYTES = 4_000_000_000
"""A larger file is refused: its text, its rows and its pictures are held in memory."""

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def text_of(path: Path) -> str:
    """The whole text of a file: UTF-8, or UTF-16 or UTF-32 by its mark.

    UTF-16 without a mark is read where the zero beside the first character leaves no doubt. Raises
    InputError where there is no text, nothing but white space, or what is not a regular file,
    which is not opened.
    """
    with reading(path):
        text = decoded(bytes_of(path), path)
    if not text or text.isspace():
        raise InputError(f"{path}: the file is empty")
    if "\0" in text:
        line = line_at(text, text.index("\0"))
        raise InputError(
            f"{path}, line {line}: there is a NUL character, which no text has; save the file as "
            "plain text in UTF-8"
        )
    return text


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise InputError, naming the file, for what goes wrong while it is read."""
    name = str(path) if len(str(path)) < 500 and str(path).isprintable() else shown(str(path))
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{name}: it cannot be read as text ({reason})") from error
    except MemoryError as error:
        raise InputError(f"{name}: it does not fit into memory; split it") from error


def check_regular(path: Path) -> None:
    """InputError for what is no regular file, or too large, before it is opened."""
    facts = path.stat()
    for is_kind, name in KINDS:
        if is_kind(facts.st_mode):
            raise InputError(f"{path}: it cannot be read: it is {name}, not a file")
    if facts.st_size > MAX_BYTES:
        raise InputError(
            f"{path}: its {facts.st_size:,} bytes are more than the {MAX_BYTES:,} that are read; "
            "split it"
        )


def bytes_of(path: Path) -> bytes:
    """The bytes of a regular file. InputError for what is none, before it is opened."""
    check_regular(path)
    return path.read_bytes()


def decoded(data: bytes, path: Path) -> str:
    coding = coding_of(data)
    try:
        return data.decode(coding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: it cannot be read as text: byte {error.start:,} (line {line:,}) is "
            f"0x{data[error.start]:02x}, which is not {coding.removesuffix('-sig').upper()}; save "
            "the file as UTF-8 (latin-1 and the like are not guessed)"
        ) from error


def coding_of(data: bytes) -> str:
    for mark, coding in MARKS:
        if data.startswith(mark):
            return coding
    if len(data) % 2 == 0 and len(data) > 3:
        # No text of UTF-8 begins with two ASCII characters and a zero next to each.
        zeros = [byte == 0 for byte in data[:4]]
        if zeros == [False, True, False, True]:
            return "utf-16-le"
        if zeros == [True, False, True, False]:
            return "utf-16-be"
    return "utf-8"


def lines_of(text: str) -> Iterator[str]:
    """Lines with their ends: line feed, carriage return or both. Other separators end none."""
    return (match[0] for match in LINE.finditer(text))


def line_at(text: str, position: int) -> int:
    return sum(1 for _ in lines_of(text[:position] + "x"))
