"""Measures of uncertainty side by side: do they agree, and which tells right from wrong best?

Every measure is turned so that higher means less sure. Only ranks are compared, so a measure may
be in probabilities or in nats.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from calib import metrics
from calib.intervals import bootstrap, holm, paired_difference
from calib.records import Answer
from calib.uncertainty.semantic import LogProbs, semantic_entropy
from calib.uncertainty.semantic.estimators import ESTIMATORS, discrete, lengths, logprob_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """The column that a measure is read from, how it becomes an uncertainty, and what it is."""

    column: str
    label: str
    turn: Callable[[Floats], Floats]
    meaning: str


CHANCE = "chance"


def same(values: Floats) -> Floats:
    return values


def complement(values: Floats) -> Floats:
    return 1 - values


def negative(values: Floats) -> Floats:
    return -values


MEASURES = {
    measure.column: measure
    for measure in (
        Measure(
            "confidence",
            "1 − confidence",
            complement,
            "1 minus the probability of the option that the scored run calls likeliest.",
        ),
        Measure(
            "entropy",
            "option entropy",
            same,
            "The entropy of the probabilities that the scored run gives the options, in nats.",
        ),
        Measure(
            "mass",
            "1 − option mass",
            complement,
            "1 minus the probability of all options together, among all tokens.",
        ),
        Measure(
            "logprob",
            "−log p of the answer",
            negative,
            "Minus the log-probability of the judged answer, summed over its tokens, in nats: "
            "longer answers count as less sure.",
        ),
        Measure(
            "mean_logprob",
            "−log p per token",
            negative,
            "Minus the log-probability of the judged answer, divided by the number of its tokens.",
        ),
        Measure(
            "predictive_entropy",
            "predictive entropy",
            same,
            "The mean over the samples of minus their log-probability per token, in nats: how "
            "unlikely their texts are, whatever they mean.",
        ),
        Measure(
            "semantic_rao",
            "semantic entropy, rao",
            same,
            "The entropy of the clusters of samples that mean the same, in nats; a cluster weighs "
            "as much as its samples together, each by its probability per token (Farquhar et al. "
            "2024).",
        ),
        Measure(
            "semantic_mc",
            "semantic entropy, mc",
            same,
            "The mean over the samples of minus the log of their cluster's weight, in nats; that "
            "is the sum of its samples' probabilities as whole texts (lm-polygraph). A text drawn "
            "twice counts twice, so the weight may exceed 1 and the measure fall below 0.",
        ),
        Measure(
            "semantic_discrete",
            "semantic entropy, discrete",
            same,
            "The entropy of the clusters of samples that mean the same, in nats; a cluster weighs "
            "as many as its samples are, so that no probabilities are needed.",
        ),
        Measure(
            "disagreement",
            "sample disagreement",
            same,
            "The share of the samples that are not in the largest cluster.",
        ),
        Measure(
            "verbalized",
            "1 − stated confidence",
            complement,
            "1 minus the confidence that the judged answer states in words, else the mean of "
            "those that the samples state.",
        ),
        Measure(
            "p_true",
            "1 − P(True)",
            complement,
            "1 minus the probability that the model gives to “True” when it is asked whether the "
            "judged answer is true.",
        ),
    )
}


def of_samples(
    answers: Sequence[str] | Sequence[Answer],
    *,
    logprobs: LogProbs | None = None,
    **semantic: Any,
) -> dict[str, float]:
    """The measures of one item's samples; without log-probabilities, those that need them are nan.

    ``semantic`` goes to ``calib.semantic_entropy``: equivalence, match, nli, question.
    ``disagreement`` is the share of samples outside the largest cluster.
    """
    plain = semantic_entropy(answers, estimator="discrete", **semantic)
    return of_clusters(answers, plain.clusters, logprobs=logprobs)


def of_clusters(
    answers: Sequence[str] | Sequence[Answer],
    clusters: Sequence[int],
    *,
    logprobs: LogProbs | None = None,
) -> dict[str, float]:
    """The same of samples (R,) whose ``clusters`` (R,) are known."""
    values = {
        "predictive_entropy": math.nan,
        "semantic_rao": math.nan,
        "semantic_mc": math.nan,
        "semantic_discrete": discrete(clusters),
        "disagreement": 1 - max(Counter(clusters).values()) / len(clusters),
    }
    if logprobs is None and None in map(logprob_of, answers):
        return values
    for name, mean in (("rao", True), ("mc", False)):
        logs = lengths(answers, logprobs, mean)
        values[f"semantic_{name}"] = ESTIMATORS[name](clusters, logs)
    values["predictive_entropy"] = -float(lengths(answers, logprobs, True).mean())
    return values


# "80% sure", "confidence: 0.8", "I am 8/10 certain", "certainty of 80 out of 100".
SURE = r"(?:sure|certain|confident|confidence|certainty|probability|likelihood|likely)"
SHARE = r"(?<![\d.])(\d+(?:\.\d+)?|\.\d+)\s*(%|percent\b|per cent\b|/\s*\d+|out of \d+)?"
STATED = (
    re.compile(
        rf"\b(?:confidence|certainty|probability|likelihood)\b(?:\s+(?:level|score|rating))?"
        r"(?:\s+in\b[^.:\n]{0,40}?)?(?:\s+(?:is|of|at|would be|around|about))*"
        rf"\s*[:=]?\s*~?{SHARE}",
        re.I,
    ),
    re.compile(rf"{SHARE}\s*-?\s*{SURE}\b", re.I),
    re.compile(rf"\b{SURE}\b[^.:\d\n]{{0,20}}[:(]?\s*{SHARE}", re.I),
)


ENDS_STATED = re.compile(rf"[\s.,;]*\bconfidence\s*[:=]\s*{SHARE}[\s.]*$", re.I)
"""A closing "Confidence: 80%", as the prompt form ``verbalized`` asks for."""


def verbalized(text: str) -> float | None:
    """The last confidence that an answer states in numbers, in [0, 1]; None where it states none.

    Percents, shares (0.8), and "8/10" or "80 out of 100" are read. A bare number above 1 counts as
    percent, a bare 1 as a share. A number that then lies outside [0, 1] is no confidence.
    """
    clean = text.replace("*", "")
    stated = []
    for pattern in STATED:
        for match in pattern.finditer(clean):
            value = share_of(float(match[1]), (match[2] or "").strip().casefold())
            if value is not None:
                stated.append((match.start(1), value))
    return max(stated)[1] if stated else None


def unstated(text: str) -> str:
    """The answer without a closing "Confidence: 80%"; unchanged where it says nothing else."""
    clean = text.replace("*", "")
    bare = ENDS_STATED.sub("", clean)
    return bare if bare.strip() and bare != clean else text


def bare(answer: Answer) -> Answer:
    """The answer without the confidence that it states; so it is judged and compared."""
    return replace(answer, text=unstated(answer.text))


def share_of(number: float, unit: str) -> float | None:
    if unit.startswith(("/", "out")):
        whole = float(re.sub(r"\D", "", unit))
        value = number / whole if whole else math.inf
    elif unit or number > 1:
        value = number / 100
    else:
        value = number
    return value if value <= 1 else None


def uncertainties(table: pd.DataFrame | Mapping[str, ArrayLike]) -> pd.DataFrame:
    """The measures found among the columns of ``table`` (N rows), each so that higher is less sure.

    Columns named as in ``MEASURES`` are turned; nan stays nan. Raises ValueError where there are
    none.
    """
    frame = pd.DataFrame(table)
    columns = {
        name: measure.turn(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
        for name, measure in MEASURES.items()
        if name in frame.columns
    }
    if not columns:
        raise ValueError(f"expected columns among {', '.join(MEASURES)}, got {list(frame.columns)}")
    return pd.DataFrame(columns, index=frame.index)


def rank_correlations(uncertainty: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation of every two measures, over the rows where both are known.

    It is nan where there are fewer than three such rows, or where a measure never varies.
    """
    names = list(uncertainty.columns)
    matrix = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    for number, first in enumerate(names):
        for second in names[: number + 1]:
            pair = uncertainty[[first, second]].to_numpy()
            a, b = pair[~np.isnan(pair).any(axis=1)].T
            varies = len(a) > 2 and np.ptp(a) > 0 and np.ptp(b) > 0
            value = float(stats.spearmanr(a, b).statistic) if varies else math.nan
            matrix.loc[first, second] = matrix.loc[second, first] = value
    return matrix


def against_correctness(
    uncertainty: pd.DataFrame,
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    common: bool = False,
    n: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """AUROC and AURC of every measure against correctness (N,), with 95 % intervals.

    A measure is judged on the rows where it is known; with ``common``, on the rows where all
    measures are known, so that they can be compared. clusters: (N,) labels of rows that are
    resampled together. An entry is None where all rows are right, or all wrong; ``auroc_method``
    and ``aurc_method`` say how the bounds were made, or why there are none.
    """
    right = np.asarray(correct, dtype=bool)
    members = np.arange(len(right)) if clusters is None else np.asarray(clusters)
    known = ~np.isnan(uncertainty.to_numpy())
    if len(right) != len(uncertainty) or len(members) != len(right):
        raise ValueError(
            f"correct and clusters must be ({len(uncertainty)},), one per row, got {len(right)} "
            f"and {len(members)}"
        )
    rows = []
    for column, name in enumerate(uncertainty.columns):
        use = known.all(axis=1) if common else known[:, column]
        row: dict[str, Any] = {"measure": name, "label": label(name), "n": int(use.sum())}
        sureness = by_rank(uncertainty[name].to_numpy()[use])
        for metric in (metrics.auroc, metrics.aurc):
            try:
                interval = bootstrap(
                    metric, sureness, right[use], clusters=members[use], n=n, seed=seed
                )
            except ValueError as cause:
                row |= dict.fromkeys((metric.__name__, f"{metric.__name__}_low"))
                row |= {f"{metric.__name__}_high": None, f"{metric.__name__}_method": str(cause)}
                continue
            row[metric.__name__] = interval.value
            row[f"{metric.__name__}_low"] = interval.low
            row[f"{metric.__name__}_high"] = interval.high
            row[f"{metric.__name__}_method"] = interval.method
        rows.append(row)
    return rows


def paired_tests(
    uncertainty: pd.DataFrame,
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    n: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Does a measure tell right from wrong, and does the best one do so better than the others?

    ``best`` is the measure with the highest AUROC over the rows where all measures are known.
    ``against`` lists the tests, by paired bootstrap with p corrected for their number (Holm): each
    measure against "chance", whose AUROC is one half, and the best against every other measure. A
    measure that no row has is left out. Where nothing can be tested ``best`` is None, and
    ``reason`` says why.
    """
    right = np.asarray(correct, dtype=bool)
    uncertainty = uncertainty.dropna(axis="columns", how="all")
    known = ~np.isnan(uncertainty.to_numpy()).any(axis=1)
    members = np.arange(len(right)) if clusters is None else np.asarray(clusters)
    members, right = members[known], right[known]
    reason = None
    if len(right) == 0:
        reason = "of no question all of them are known"
    elif right.all() or not right.any():
        reason = f"the answers are all {'right' if right.all() else 'wrong'}"
    elif len(np.unique(members)) < 2:
        reason = "all questions are one cluster"
    if reason is not None:
        return {"best": None, "reason": reason, "n": len(right), "against": []}
    names = [str(name) for name in uncertainty.columns]
    sureness = {name: by_rank(uncertainty[name].to_numpy()[known]) for name in names}
    sureness[CHANCE] = np.full(len(right), 0.5)
    best = max(names, key=lambda name: metrics.auroc(sureness[name], right))
    pairs = [(name, CHANCE) for name in names]
    pairs += [(best, name) for name in names if name != best]
    tests: list[dict[str, Any]] = []
    for first, second in pairs:
        difference = paired_difference(
            metrics.auroc,
            (sureness[first], right),
            (sureness[second], right),
            clusters=members,
            n=n,
            seed=seed,
        )
        tests.append({"first": first, "second": second, **asdict(difference)})
    corrected = holm([1.0 if test["p"] is None else test["p"] for test in tests])
    for test, p in zip(tests, corrected, strict=True):
        test |= {"holm": p, "at_most": test["p"] is not None and test["p"] <= test["least_p"]}
    return {"best": best, "n": len(right), "against": tests}


def label(name: str) -> str:
    return MEASURES[name].label if name in MEASURES else name


def by_rank(uncertainty: Floats) -> Floats:
    """Sureness by rank: 1 for the lowest uncertainty, 0 for the highest; equal values tie."""
    values, place = np.unique(uncertainty, return_inverse=True)
    return 1 - place / max(1, len(values) - 1)
