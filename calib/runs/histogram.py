"""The histogram of a scored run, batch by batch, with its records or instead of them.

``histogram.jsonl``    one line a batch: rows, right ones and summed confidence per bin, and the
                       sums that other numbers are means of; written before the batch's records.
``histogram-R.jsonl``  the same of process R of several.

The last line of a batch counts. Axis legend: B bins of equal width over [0, 1], [a, b), the last
closed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calib.metrics.binning import place, width_edges
from calib.records import InputError
from calib.runs.record_rows import Row, lines

HISTOGRAM = "histogram.jsonl"
STEPS = 2.0**32
"""A confidence is counted in multiples of 1 / STEPS, as ``calib_kernels`` counts it."""
SUMS = ("right", "parsed", "mass", "squared_error", "nll")


@dataclass(frozen=True)
class Histogram:
    """Sums of rows per bin, as ``calib.metrics`` reads them; ``invalid`` rows are in no bin."""

    count: NDArray[np.int64]  # (B,)
    correct: NDArray[np.int64]  # (B,)
    confidence: NDArray[np.float64]  # (B,)
    invalid: int = 0

    @classmethod
    def of(cls, confidence: Sequence[float], correct: Sequence[bool], bins: int) -> Self:
        """Of rows (N,); NaN and what is outside [0, 1] is invalid."""
        c, a = np.asarray(confidence, np.float64), np.asarray(correct, np.bool_)
        usable = (c >= 0) & (c <= 1)
        c, a = c[usable], a[usable]
        where = place(c, width_edges(bins), "left")
        steps = np.floor(c * STEPS) / STEPS
        return cls(
            np.bincount(where, minlength=bins),
            np.bincount(where[a], minlength=bins),
            np.bincount(where, steps, minlength=bins).astype(np.float64),
            int((~usable).sum()),
        )

    @property
    def bins(self) -> int:
        return len(self.count)

    @property
    def rows(self) -> int:
        """Rows in a bin."""
        return int(self.count.sum())

    def rebin(self, bins: int) -> Self:
        """The same rows in fewer bins; ``bins`` must divide the present number."""
        if bins < 1 or self.bins % bins:
            raise ValueError(f"bins must divide {self.bins}, got {bins}")
        count, correct = (part.reshape(bins, -1).sum(1) for part in (self.count, self.correct))
        return type(self)(count, correct, self.confidence.reshape(bins, -1).sum(1), self.invalid)


@dataclass(frozen=True)
class Totals:
    """What the lines of all batches come to: the histogram, how many questions there were, and
    ``sums`` over its rows, by the names of ``SUMS``."""

    histogram: Histogram
    questions: int = 0
    sums: Mapping[str, float] = field(default_factory=dict)


def histogram_file(rank: int, world: int) -> str:
    """The file that process ``rank`` of ``world`` writes its lines into."""
    return HISTOGRAM if world == 1 else f"histogram-{rank}.jsonl"


def histogram_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("histogram*.jsonl"))


def line_of(
    number: int,
    histogram: Histogram | None,
    rows: Sequence[Row],
    answers: Sequence[int | None],
    confidence: str,
    bins: int,
) -> Row:
    """A batch's line; without ``histogram`` its rows are counted here.

    ``squared_error`` and ``nll`` are those of ``summary``: of the options' probabilities, or, with
    confidence "vocab", of theirs among all tokens.
    """
    judged = [
        (row, answer)
        for row, answer in zip(rows, answers, strict=True)
        if answer is not None and row.get("valid", True) and not lost(row["confidence"])
    ]
    if histogram is None:
        labelled = [row for row, answer in zip(rows, answers, strict=True) if answer is not None]
        values = [math.nan if lost(r["confidence"]) else r["confidence"] for r in labelled]
        histogram = Histogram.of(values, [r["correct"] for r in labelled], bins)
    errors = [errors_of(row, answer, confidence == "vocab") for row, answer in judged]
    return {
        "batch": number,
        "questions": len(rows),
        "count": histogram.count.tolist(),
        "correct": histogram.correct.tolist(),
        "confidence": histogram.confidence.tolist(),
        "invalid": histogram.invalid,
        "right": sum(bool(row["correct"]) for row, _ in judged),
        "parsed": sum(bool(row["parsed"]) for row, _ in judged),
        "mass": math.fsum(row["mass"] for row, _ in judged),
        "squared_error": math.fsum(squared for squared, _ in errors),
        "nll": math.fsum(surprise for _, surprise in errors),
    }


def lost(value: Any) -> bool:
    return value is None or math.isnan(value)


def errors_of(row: Row, answer: int, vocabulary: bool) -> tuple[float, float]:
    """The squared error over all options, not halved, and -ln p of the right one, in nats."""
    ranked = np.array(row.get("ranked") or row["logprob"], np.float64)
    logp = ranked - np.logaddexp.reduce(ranked)
    p, rest = np.exp(logp), 0.0
    surprise = -float(logp[answer])
    if vocabulary:
        mass = min(max(row["mass"], 0.0), 1.0)
        p, rest = p * mass, 1.0 - mass
        surprise -= math.log(mass) if mass else -math.inf
    gold = float(p[answer])
    return float((p**2).sum()) + rest**2 - 2 * gold + 1, surprise


def held(file: Path, batches: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """The batches of which a file has a line, in its order, and the byte behind each."""
    numbers, ends = [], []
    for row, position in lines(file):
        number = None if row is None else row.get("batch")
        if row is None or not isinstance(number, int) or not 0 <= number < len(batches):
            break
        if row.get("questions") != len(batches[number]):
            break
        numbers.append(number)
        ends.append(position)
    return numbers, ends


def read_totals(folder: Path) -> Totals | None:
    """The sum over all batches of a run; None where it has no histogram.

    Raises InputError, naming the line, for one that is none of a batch.
    """
    by_batch: dict[int, Row] = {}
    for file in histogram_files(folder):
        torn = None
        for number, (row, _) in enumerate(lines(file), start=1):
            if torn is not None:
                raise InputError(
                    f"{file}, line {torn}: expected the line of a batch, and others follow"
                )
            if row is None or not is_line(row):
                torn = number
            else:
                by_batch[row["batch"]] = row
    if not by_batch:
        return None
    histogram = Histogram(
        np.sum([row["count"] for row in by_batch.values()], axis=0, dtype=np.int64),
        np.sum([row["correct"] for row in by_batch.values()], axis=0, dtype=np.int64),
        np.sum([row["confidence"] for row in by_batch.values()], axis=0, dtype=np.float64),
        sum(row["invalid"] for row in by_batch.values()),
    )
    sums = {
        name: math.fsum(math.inf if row[name] is None else row[name] for row in by_batch.values())
        for name in SUMS
    }
    return Totals(histogram, sum(row["questions"] for row in by_batch.values()), sums)


def is_line(row: Row) -> bool:
    """Whether it has what a line has, bins of one number among it."""
    required = {"batch", "questions", "count", "correct", "confidence", "invalid", *SUMS}
    lists = [row.get(name) for name in ("count", "correct", "confidence")]
    return (
        required <= row.keys() and len({len(v) if isinstance(v, list) else -1 for v in lists}) == 1
    )
