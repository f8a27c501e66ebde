"""A file's text."""

from __future__ import annotations

from pathlib import Path

from calib.records import InputError


def text_of(path: Path) -> str:
    """The whole text of a file. InputError where there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: it cannot be read as text ({error})") from error
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    return text
