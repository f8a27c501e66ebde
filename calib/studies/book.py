"""Every study that comes with calib, one after the other, into one folder with an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from calib.records import CalibError, InputError
from calib.report.book import refuse_folder, write_book
from calib.runs.folder import Progress
from calib.studies.read import missing, read_study, shipped
from calib.studies.run import run_study
from calib.studies.study import CLAIMS


def run_all(
    root: str | Path,
    *,
    quick: bool = False,
    seeds: Sequence[int] | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> Path:
    """Run all studies below ``root``, sharing one cache, and write the book; return its page.

    The book is written after every study, with those that are done; one that requires what is not
    there is left out. The same call goes on where an earlier one was stopped. Raises CalibError for
    studies that failed, behind all others.
    """
    root, page = Path(root), Path(root)
    refuse_folder(root)
    folders: list[Path] = []
    left_out: dict[str, str] = {}
    failed: dict[str, str] = {}
    for name, path in shipped().items():
        study = read_study(path)
        if why := missing(study):
            left_out[name] = why
            if announce is not None:
                announce(f"{name} is left out: {why}")
            continue
        how: dict[str, Any] = {
            "quick": quick,
            "seeds": seeds,
            "progress": progress,
            "announce": announce,
        }
        try:
            run_study(study, out=root / name, **how)
        except (CalibError, InputError) as error:
            failed[name] = str(error)
            continue
        folders.append(root / name)
        page = write_book(root, folders, CLAIMS, left_out | failed)
    if folders:
        page = write_book(root, folders, CLAIMS, left_out | failed)
    if failed:
        told = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise CalibError(f"studies that failed: {told}")
    return page
