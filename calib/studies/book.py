"""Every study that comes with calib, one after the other, into one folder with an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from calib.report.book import write_book
from calib.runs.folder import Progress
from calib.studies.read import read_study, shipped
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

    The book is written after every study, with those that are done. The same call goes on where an
    earlier one was stopped. Raises as ``run_study`` does.
    """
    root, folders = Path(root), []
    page = root
    for name, path in shipped().items():
        study = read_study(path)
        run_study(
            study,
            out=root / name,
            quick=quick,
            seeds=seeds,
            progress=progress,
            announce=announce,
        )
        folders.append(root / name)
        page = write_book(root, folders, CLAIMS)
    return page
