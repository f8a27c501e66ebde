"""What every calibrator takes and gives: scores of options, and the answer that they stand for.

The answer is the option of the highest score. A calibrator of confidences alone keeps it, and
moves only the probability that it is right: the rest of 1 is shared by the other options as the
scores share it. The answer may then have less than another option.

Axis legend: N questions, K options (an option that a question does not have is ``-inf``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.calibrators.likelihood import as_array, check_labels
from calib.records import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_LOG_ODDS = 100.0
"""A larger size is cut to this one: exp(-100) is far below what any number of answers can show."""


class DegenerateCalibratorWarning(UserWarning):
    """The answers do not decide the fit: what was chosen in its place is said."""


@dataclass(frozen=True, slots=True)
class Answered:
    """(N,) the option of the highest score, the log of its probability, and its log-odds."""

    option: Ints
    log_confidence: Floats
    log_odds: Floats

    @property
    def confidence(self) -> Floats:
        return np.exp(self.log_confidence)


def padded(scores: Iterable[Sequence[float | None]]) -> Floats:
    """(N, K) of N lists of one to K scores, as a run's records hold them; absent ones are -inf."""
    lists = list(scores)
    padded = np.full((len(lists), max(map(len, lists), default=0)), -np.inf)
    for row, own in zip(padded, lists, strict=True):
        row[: len(own)] = [-np.inf if value is None else value for value in own]
    return padded


def scores_of(scores: ArrayLike) -> Floats:
    """(N, K) in float64. InputError where a row has no highest score, or holds NaN or +inf."""
    z = np.asarray(as_array("scores", scores), dtype=np.float64)
    if z.ndim != 2 or z.shape[1] < 2:
        raise InputError(f"scores: expected shape (N, K) with two options or more, got {z.shape}")
    if len(z) and not np.isfinite(z.max(axis=1)).all():
        raise InputError("scores: NaN, +inf and rows of nothing but -inf stand for no answer")
    return z


def fitted_to(scores: ArrayLike, answers: ArrayLike) -> tuple[Floats, Ints]:
    """Scores (N, K) and the right options (N,), checked. Raises InputError."""
    z, y = scores_of(scores), as_array("answers", answers)
    check_labels(z.shape, y, "scores", "answers")
    return z, y.astype(np.int64)


def fixed_options(z: Floats, calibrator: str) -> Floats:
    """The scores, unless a question lacks an option: then InputError."""
    if not np.isfinite(z).all():
        raise InputError(
            f"scores: {calibrator} needs the same options in every question, and an option is "
            "-inf, which stands for one that a question does not have"
        )
    return z


def of_labels(name: str, values: ArrayLike | None, n: int, calibrator: str) -> NDArray[Any]:
    """Labels (N,) as texts, so that a file can hold them. InputError where one is none."""
    if values is None:
        raise InputError(f"{name}: {calibrator} needs one label a question, got None")
    found = np.asarray(values)
    if found.shape != (n,):
        raise InputError(f"{name}: expected shape ({n},), got {found.shape}")
    labels = found.tolist()
    absent = next((k for k, value in enumerate(labels) if value is None or value != value), None)
    if absent is not None:
        raise InputError(f"{name}: {calibrator} needs one label a question, got none at {absent}")
    return np.asarray([str(value) for value in labels])


def log_softmax(z: Floats) -> Floats:
    """(N, K) log-probabilities; ``-inf`` where the score is."""
    shifted = z - z.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def answered(z: Floats, given: ArrayLike | None = None) -> Answered:
    """The answers to scores (N, K): ``given`` (N,), or by default the first highest score's."""
    option = z.argmax(axis=1) if given is None else options_of(given, z.shape)
    logp, rows = log_softmax(z), np.arange(len(z))
    with np.errstate(divide="ignore"):
        rest = np.log(np.exp(np.where(others(option, z.shape[1]), logp, -np.inf)).sum(axis=1))
    log_odds = np.clip(logp[rows, option] - rest, -MOST_LOG_ODDS, MOST_LOG_ODDS)
    return Answered(option, logp[rows, option], log_odds)


def options_of(given: ArrayLike, shape: tuple[int, ...]) -> Ints:
    """The given options (N,), checked."""
    option = as_array("given", given)
    check_labels(shape, option, "scores", "given")
    return option.astype(np.int64)


def others(option: Ints, width: int) -> NDArray[np.bool_]:
    """(N, K): every option but the given one."""
    return np.asarray(np.arange(width)[None, :] != option[:, None])


def with_confidence(z: Floats, option: Ints, confidence: Floats) -> Floats:
    """Log-probabilities (N, K) in which ``option`` has ``confidence``.

    The rest is shared by the other options as the scores share it; evenly where these are all
    ``-inf``, as an answer of confidence 1 leaves them.
    """
    rest = np.where(others(option, z.shape[1]), z, -np.inf)
    alone = np.isneginf(rest).all(axis=1, keepdims=True)
    rest = np.where(alone & others(option, z.shape[1]), 0.0, rest)
    with np.errstate(divide="ignore"):
        logp = log_softmax(rest) + np.log1p(-confidence)[:, None]
        logp[np.arange(len(z)), option] = np.log(confidence)
    return logp


@dataclass(frozen=True, slots=True)
class Judged:
    """(N,) each, but ``logprob`` (N, K): the answers and how likely they are to be right."""

    prediction: Ints
    confidence: Floats
    logprob: Floats


def judged(
    calibrator: Any,
    scores: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    given: ArrayLike | None = None,
) -> Judged:
    """What a fitted calibrator says of scores; ``calibrator=None`` takes them as they are.

    The answer is the ``given`` one, by default that of the highest score; where the calibrator
    does not keep answers, the likeliest after it.
    """
    z = scores_of(scores)
    logp = log_softmax(z)
    if calibrator is not None:
        extra = {"given": given} if calibrator.of_confidence else {}
        logp = log_softmax(np.asarray(calibrator.transform(z, groups=groups, **extra), np.float64))
    if calibrator is not None and not calibrator.keeps_answers:
        prediction = logp.argmax(axis=1)
    else:
        prediction = answered(z, given).option
    return Judged(prediction, np.exp(logp[np.arange(len(z)), prediction]), logp)
