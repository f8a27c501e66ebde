"""Files that are there whole or not at all, whenever a process or a machine stops."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from calib.runs.config import CONFIG as CONFIG

if TYPE_CHECKING:
    pass


def replace(path: Path, content: str | bytes | Iterable[str]) -> None:
    """Write a file so that it is there whole or not at all, and stays when power fails.

    A long text may come in pieces. What a process left behind that was killed here is removed.
    """
    for left in path.parent.glob(f".{path.name}.*.new"):
        if not is_alive(left.name.split(".")[-2]):
            left.unlink(missing_ok=True)
    staging = path.with_name(f".{path.name}.{os.getpid()}.new")
    pieces = [content] if isinstance(content, (str, bytes)) else content
    try:
        with staging.open("wb") as file:
            file.writelines(p if isinstance(p, bytes) else p.encode() for p in pieces)
        sync(staging)
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)
    sync(path.parent)


def is_alive(number: str) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(int(number), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of them, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
