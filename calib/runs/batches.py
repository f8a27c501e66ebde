"""Which batches of a scored run are whole, in the files of all of its processes.

``records.jsonl``    what one process wrote that was alone: batches in their order.
``records-R.jsonl``  what process R of several wrote: whole batches in any order.

Which process wrote a batch does not matter, so a run may go on with another number of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.runs.record_rows import Row, lines, whole_records
from calib.runs.shards import shard, shards

RECORDS = "records.jsonl"
Batches = Sequence[Sequence[int]]
"""The numbers of each batch's questions, in the order of their records."""


def own_file(rank: int, world: int) -> str:
    """The file that process ``rank`` of ``world`` writes records into."""
    return RECORDS if world == 1 else shard(rank)


def record_files(folder: Path) -> list[Path]:
    """The files that hold records, of one process and of several."""
    alone = folder / RECORDS
    return [*([alone] if alone.exists() else []), *shards(folder)]


def all_records(folder: Path, config: Mapping[str, Any]) -> list[Row]:
    """Every record of the run in ``folder``, checked; of a question twice there the first.

    Raises as ``calib.runs.record_rows.whole_records`` does.
    """
    rows: dict[int, Row] = {}
    for file in record_files(folder):
        for row in whole_records(file, config):
            rows.setdefault(row["index"], row)
    return list(rows.values())


def done_in(folder: Path, batches: Batches) -> dict[str, tuple[set[int], int]]:
    """For each file of records: its whole batches, and the byte behind the last of them."""
    files = {file.name: whole_batches(file, batches) for file in shards(folder)}
    elsewhere = set().union(*(whole for whole, _ in files.values()))
    if (folder / RECORDS).exists():
        files[RECORDS] = whole_batches(folder / RECORDS, batches, elsewhere)
    return files


def whole_batches(
    file: Path, batches: Batches, elsewhere: set[int] | None = None
) -> tuple[set[int], int]:
    """The batches that stand whole from the start of a file on, and the byte where they end.

    With ``elsewhere``, batches that other files hold, the file's own must stand in their order and
    lack none but those: what stands behind a gap is not looked at.
    """
    done: set[int] = set()
    number, rows, end = -1, 0, 0
    for row, position in lines(file):
        if row is None:
            break
        if rows == 0:
            before, number = number, row.get("batch", -1)
            fits = isinstance(number, int) and 0 <= number < len(batches) and number not in done
            if not fits or (
                elsewhere is not None and not elsewhere.issuperset(range(before + 1, number))
            ):
                break
        if row.get("batch") != number or row.get("index") != batches[number][rows]:
            break
        rows += 1
        if rows == len(batches[number]):
            done.add(number)
            rows, end = 0, position
    return done, end
