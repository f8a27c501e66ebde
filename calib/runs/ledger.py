"""Where the batches of a scored run are written down: the histogram first, then the records.

So a batch whose records are whole always has its line in the histogram. Without records
(``log_samples="none"``) resuming reads these lines alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Self

from calib.metrics import ece
from calib.records import CalibError, Item
from calib.runs.batches import Batches, done_in, own_file, record_files
from calib.runs.begin import Growth, begin, keep_prompts
from calib.runs.folder import Run, append_lines
from calib.runs.histogram import held, histogram_file, histogram_files, read_totals
from calib.runs.kinds import HISTOGRAM, kind_in
from calib.runs.record_rows import Row

LOG_SAMPLES = ("all", "none")
SLACK = 1e-6
"""How far a record's confidence may be from the histogram's: the histogram counts multiples of
2^-32, and a device may round a float32 otherwise where it is counted and where it is stored."""


class Ledger:
    """An opened run: which batches are ``done``, and how further ones are written."""

    def __init__(self, run: Run, done: set[int], histogram: FileIO | None, logs: bool) -> None:
        self.run, self.done, self.logs = run, done, logs
        self._histogram = histogram
        self.wrote = False

    def append(self, line: Callable[[], Row], records: Callable[[], Sequence[Row]]) -> None:
        """Write a batch's line, then its records; each is made only where it is written."""
        self.wrote = True
        if self._histogram is not None:
            append_lines(self._histogram, [line()])
        if self.logs:
            self.run.append(records())
        elif self._histogram is None:
            self.run.append([line()])

    def compare(self) -> None:
        """Raises as ``agree``, where this process wrote a part of a whole run that has both."""
        if self.logs and self._histogram is not None and self.wrote:
            agree(self.run)

    def close(self) -> None:
        self.run.close()
        if self._histogram is not None:
            self._histogram.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_ledger(
    folder: Path,
    config: Mapping[str, Any],
    items: Sequence[Item],
    prompts: Sequence[str],
    batches: Batches,
    *,
    rank: int,
    world: int,
    log_samples: str,
    growth: Growth,
) -> Ledger:
    """Open process ``rank``'s files in ``folder``; what is torn is cut off.

    A run that has records and no histogram was begun before there were any, and goes on without.
    Raises as ``calib.runs.begin.begin`` and ``keep_prompts`` do.
    """
    if log_samples == "none":
        config = {**config, "kind": HISTOGRAM, "log_samples": "none"}
        config["prompts"] = digest_of(prompts)
        run = begin(folder, config, histogram_file(rank, world), growth)
        numbers = {file: held(file, batches) for file in histogram_files(folder)}
        ends = numbers[run.file][1]
        run.cut(ends[-1] if ends else 0)
        return Ledger(run, {n for own, _ in numbers.values() for n in own}, None, False)
    run = begin(folder, config, own_file(rank, world), growth)
    keep_prompts(run, items, prompts)
    begun = any(file.stat().st_size for file in record_files(folder))
    files = done_in(folder, batches)
    run.cut(files[run.file.name][1])
    done = set().union(*(whole for whole, _ in files.values()))
    if begun and not histogram_files(folder):
        return Ledger(run, done, None, True)
    file = (folder / histogram_file(rank, world)).open("ab", buffering=0)
    end = 0
    for number, position in zip(*held(folder / histogram_file(rank, world), batches), strict=True):
        if number not in done:
            break
        end = position
    file.truncate(end)
    return Ledger(run, done, file, True)


def digest_of(prompts: Sequence[str]) -> str:
    """A run that keeps no prompts is gone on with the same ones alone."""
    hashed = hashlib.blake2b(digest_size=16)
    for prompt in prompts:
        hashed.update(f"{len(prompt)}:{prompt}".encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()


def agree(run: Run) -> None:
    """Raise CalibError where the histogram and the records of a whole run do not agree.

    Numbers of rows and of right ones must be equal, and the ECE but for ``SLACK``; a confidence
    that is so near to the edge of a bin may have been counted on its other side.
    """
    totals, rows = read_totals(run.path), run.rows()
    if totals is None or len(rows) < int(run.config["questions"]):
        return
    judged = [
        row
        for row in rows
        if None not in (row["answer"], row["confidence"]) and row.get("valid", True)
    ]
    bins, counted = totals.histogram.bins, totals.histogram.rows
    right, right_counted = (
        sum(row["correct"] for row in judged),
        int(totals.histogram.correct.sum()),
    )
    if (counted, right_counted) != (len(judged), right):
        raise CalibError(
            f"{run.path}: the histogram holds {counted:,} questions, {right_counted:,} of them "
            f"right, and the records {len(judged):,} and {right:,}"
        )
    if not judged:
        return
    confidence = [min(row["confidence"], 1.0) for row in judged]
    theirs = ece(confidence, [row["correct"] for row in judged], bins=bins)
    near = sum(abs(c * bins - round(c * bins)) <= SLACK * bins for c in confidence)
    own = ece(totals.histogram)
    if abs(own - theirs) > SLACK + 2 * near / len(judged):
        raise CalibError(
            f"{run.path}: the ECE of the histogram is {own:.9f} and that of the records "
            f"{theirs:.9f}; the folder or the device is damaged"
        )


def whole(run: Run) -> bool:
    """Whether every question of a scored run was written down, by whichever process."""
    if kind_in(run.config) == HISTOGRAM:
        totals = read_totals(run.path)
        done = 0 if totals is None else totals.questions
    else:
        done = len(run.rows())
    return done >= int(run.config["questions"])
