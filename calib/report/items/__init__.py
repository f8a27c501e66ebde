"""items.html beside a report: the questions of a run one by one, also a hundred thousand of them.

``items.html``         the page: a list with filters, and one question whole.
``items/index.js``     a few columns of every question, which the list is made of.
``items/0000.js`` ...  the questions whole, about two hundred a file, read when one is opened.
``items/pictures/``    pictures, small enough for a page, each once; ``items/pictures.json``: whose.

A page that is opened as a file may not fetch data, so these files are scripts that hand JSON to one
function of the page. All can be deleted and are written again by ``calib report``, but for copies
of pictures whose originals are gone: those are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from calib.report.items.question import Source
from calib.report.items.sampled import sampled
from calib.report.items.scored import scored
from calib.report.items.writer import PAGE, PICTURES, write
from calib.runs import Run
from calib.runs.folder import Progress
from calib.runs.kinds import IMPORTED, SAMPLE, SCORE

__all__ = ["PAGE", "PICTURES", "SOURCES", "address_of", "write_items"]

SOURCES: dict[str, Callable[..., Source]] = {SCORE: scored, IMPORTED: scored, SAMPLE: sampled}
"""How the questions of a run of each kind are read; of other kinds no page is written."""


def write_items(
    run: Run, *, pictures: int = PICTURES, progress: Progress | None = None, **sources: Any
) -> Path | None:
    """Write items.html and the folder items/ of a run; return the page's path.

    None, and nothing written, for a run that holds no questions one by one, as a histogram. At most
    ``pictures`` different pictures are kept, the surest wrong answers' first. ``sources``, of a run
    of samples, are those of ``calib.uncertainty.side_by_side``: answers, scores, judge. Raises
    InputError for records that are damaged, CalibError where nothing can be written.
    """
    read = SOURCES.get(run.kind)
    if read is None:
        return None
    return write(run.path, read(run, **sources), pictures=pictures, progress=progress)


def address_of(id: str) -> str:
    """The address of a question's place on the page, from the folder of its run."""
    return f"{PAGE}#id={quote(id, safe='', errors='replace')}"
