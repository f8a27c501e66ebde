"""The rows of a run that can be judged, as arrays, and the count of those that cannot.

Axis legend: N questions, O options (questions with fewer are padded: probability 0, logit -inf).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calib.calibrators.facts import OPTIONS, STATED
from calib.calibrators.temperature import softmax
from calib.records import CalibError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Row = Mapping[str, Any]

MOST_CLASSES = 50
"""With more option texts than this in a run, an option's class is its position (A, B, ...)."""


EVERYTHING = frozenset({"options", "mass", "parsed", "prediction"})
"""Fields that every record of a scored run has; the rows of a table may lack them."""


@dataclass(frozen=True)
class Scored:
    """The rows that have an answer and finite numbers.

    ``has`` names the fields of ``EVERYTHING`` that the records have; mass and parsed mean nothing
    where it does not name them. Records without options count as having two: the given answer is
    right, with the confidence as its probability, or it is wrong, with the rest of 1.
    """

    confidence: Floats  # (N,)
    correct: Bools  # (N,)
    answer: NDArray[np.int64]  # (N,)
    logprob: Floats  # (N, O): what options are ranked by, log-probabilities or their token means
    mass: Floats  # (N,)
    parsed: Bools  # (N,)
    cluster: NDArray[np.int64]  # (N,)
    group: NDArray[np.str_]  # (N,)
    task: NDArray[np.str_]  # (N,)
    classes: NDArray[np.int64]  # (N, O): the option's class, -1 where there is no option
    vocabulary: bool  # the confidence is a probability over the whole vocabulary
    has: frozenset[str] = EVERYTHING

    def __len__(self) -> int:
        return len(self.confidence)

    def take(self, chosen: NDArray[Any]) -> Self:
        """The rows that an index array or a mask names."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return type(self)(
            **{name: v[chosen] if isinstance(v, np.ndarray) else v for name, v in values.items()}
        )

    @property
    def guess(self) -> Floats:
        """(N,): the probability that an option drawn at random is right."""
        return np.asarray(1 / (self.classes >= 0).sum(axis=1))

    @property
    def scores(self) -> str:
        """What ``logprob`` is of: "options", or "stated" confidences of being right."""
        return OPTIONS if "options" in self.has else STATED

    def only(self, has: frozenset[str]) -> Self:
        """The same rows without the fields that ``has`` does not name."""
        if "options" in has or "options" not in self.has:
            return replace(self, has=self.has & has)
        logprob, answer = right_or_wrong(self.confidence, self.correct)
        return replace(
            self, logprob=logprob, answer=answer, classes=offered(len(self), 2), has=self.has & has
        )

    def probabilities(self) -> Floats:
        """(N, O); where the confidence is over the vocabulary, (N, O + 1) with the rest last."""
        p = softmax(self.logprob)
        if not self.vocabulary:
            return p
        mass = np.clip(self.mass, 0.0, 1.0)[:, None]
        return np.concatenate([p * mass, 1.0 - mass], axis=1)

    def ties(self) -> Bools:
        """Rows whose two best options are equally likely; the first of them was taken."""
        if self.logprob.shape[1] < 2:
            return np.zeros(len(self), dtype=np.bool_)
        best = np.sort(self.logprob, axis=1)[:, -2:]
        return np.asarray(best[:, 0] == best[:, 1])


def collect(
    rows: Sequence[Row], *, vocabulary: bool, of: object = "this run"
) -> tuple[Scored, list[Row], dict[str, int]]:
    """Arrays of the rows that can be judged, these rows, and counts of all rows by their fate.

    Raises CalibError, naming their run ``of``, where not one row can be judged.
    """
    judgeable = [row for row in rows if can_be_judged(row)]
    unlabelled = sum(map(_unlabelled, rows))
    unparsed = sum(map(_unparsed, rows))
    if not judgeable:
        stood = f" (of {unparsed} no letter was said)" if unparsed else ""
        raise CalibError(
            f"{of} holds {len(rows)} rows; none has both an answer and finite numbers{stood}, so "
            "there is nothing to report"
        )
    has = frozenset(name for name in EVERYTHING if all(name in row for row in judgeable))
    if any("step" in row for row in rows):
        has -= {"parsed"}  # all that can be judged are: the rate is of all (calib.summary.letters)
    confidence = np.array([row["confidence"] for row in judgeable], dtype=np.float64)
    correct = np.array([bool(row["correct"]) for row in judgeable])
    if "options" in has:
        logprob, classes = _options(judgeable)
        answer = np.array([int(row["answer"]) for row in judgeable], dtype=np.int64)
    else:
        (logprob, answer), classes = right_or_wrong(confidence, correct), offered(len(judgeable), 2)
    clusters = list(map(cluster_name, judgeable))
    scored = Scored(
        confidence=confidence,
        correct=correct,
        answer=answer,
        logprob=logprob,
        mass=np.array([row.get("mass", 1.0) for row in judgeable], dtype=np.float64),
        parsed=np.array([bool(row.get("parsed")) for row in judgeable]),
        cluster=np.unique(clusters, return_inverse=True)[1].astype(np.int64),
        group=np.array([_text(row.get("group")) for row in judgeable]),
        task=np.array([_text(row.get("task")) for row in judgeable]),
        classes=classes,
        vocabulary=vocabulary,
        has=has,
    )
    counts = {
        "total": len(rows),
        "scored": len(judgeable),
        "without_answer": unlabelled,
        "invalid": len(rows) - len(judgeable) - unlabelled - unparsed,
        **({"unparsed": unparsed} if any("step" in row for row in rows) else {}),
        **({"parsed": int(scored.parsed.sum())} if "parsed" in has else {}),
        **({"ties": int(scored.ties().sum())} if "options" in has else {}),
        **({"ended": sum(bool(row.get("ended")) for row in judgeable)} if "parsed" in has else {}),
        "clusters": int(scored.cluster.max()) + 1,
    }
    return scored, judgeable, counts


def cluster_name(row: Row) -> str:
    """What the row belongs to: its cluster, or by default itself."""
    return str(row["id"] if _missing(row.get("cluster")) else row["cluster"])


def _options(rows: Sequence[Row]) -> tuple[Floats, NDArray[np.int64]]:
    """The values (N, O) by which options are ranked, and the options' classes (N, O)."""
    width = max(len(row["logprob"]) for row in rows)
    logprob = np.full((len(rows), width), -np.inf)
    classes = np.full((len(rows), width), -1, dtype=np.int64)
    texts = sorted({text for row in rows for text in row["options"]})
    index = {text: k for k, text in enumerate(texts)} if len(texts) <= MOST_CLASSES else None
    for i, row in enumerate(rows):
        count = len(row["logprob"])
        ranked = row.get("ranked") or row["logprob"]  # the first is there with normalize="mean"
        logprob[i, :count] = [-np.inf if value is None else value for value in ranked]
        classes[i, :count] = (
            np.arange(count) if index is None else [index[t] for t in row["options"]]
        )
    return logprob, classes


def right_or_wrong(confidence: Floats, correct: Bools) -> tuple[Floats, NDArray[np.int64]]:
    """Log-probabilities (N, 2) that the given answer is right and wrong, and which it is (N,)."""
    with np.errstate(divide="ignore"):  # where the confidence is 1, wrong has probability 0
        logprob = np.log(np.stack([confidence, 1 - confidence], axis=1))
    return logprob, (~correct).astype(np.int64)


def offered(rows: int, options: int) -> NDArray[np.int64]:
    """(N, O): the classes of options that are the same for every row."""
    return np.tile(np.arange(options), (rows, 1))


def drawn_whole(clusters: Sequence[Any], pictures: Sequence[Any]) -> str:
    """What resampling draws whole: a "question", an "image" with all of its questions, or else a
    "cluster". clusters, pictures: (N,); the pictures of a question are hashable, falsy for none."""
    number = len(set(clusters))
    if number == len(clusters):
        return "question"
    pairs = set(zip(clusters, pictures, strict=True))
    alike = len(pairs) == len(set(pictures)) == number
    return "image" if alike and all(pictures) else "cluster"


def _unlabelled(row: Row) -> bool:
    return _missing(row.get("answer") if "answer" in row else row.get("correct"))


def _unparsed(row: Row) -> bool:
    """Whether the model was to say a letter and said none (protocol ``paper``)."""
    nothing = "step" in row and row["step"] is None
    return nothing and not _unlabelled(row) and bool(row.get("valid", True))


def can_be_judged(row: Row) -> bool:
    """Whether it has a known answer and finite numbers."""
    return (
        not _unlabelled(row)
        and bool(row.get("valid", True))
        and not _missing(row.get("confidence"))
    )


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _text(value: Any) -> str:
    return "" if _missing(value) else str(value)
