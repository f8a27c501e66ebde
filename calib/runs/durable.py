"""Files that are there whole or not at all, whenever a process or a machine stops."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from calib.fields import refuse_irregular
from calib.records import InputError
from calib.runs.config import CONFIG as CONFIG


def replace(path: Path, content: str | bytes | Iterable[str | bytes]) -> None:
    """Write a file so that it is there whole or not at all, and stays when power fails.

    What is long may come in pieces. What a process left behind that was killed here is removed.
    Raises InputError where something else than a regular file has that name.
    """
    refuse_irregular(path)
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
    except OSError as error:
        error.filename = str(path)  # and not its draft's
        raise
    finally:
        with suppress(OSError):  # as where its folder is none
            staging.unlink(missing_ok=True)
    sync(path.parent)


def refuse_no_folder(path: Path) -> None:
    """InputError where ``path``, or what it would lie in, is there and is no folder."""
    there = next((part for part in (path, *path.parents) if part.exists()), None)
    if there is not None and not there.is_dir():
        raise InputError(f"{path}: expected a folder, but {there} is none")


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
