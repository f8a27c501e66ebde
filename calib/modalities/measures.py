"""What one cell comes to, and what of each question is compared with the other cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.intervals import bootstrap
from calib.records import Answer, CalibError
from calib.runs import Run
from calib.summary.rows import Scored, collect
from calib.summary.table import RESAMPLES, Spec, mean, measure, specs
from calib.uncertainty.meaning import Meaning
from calib.uncertainty.semantic.estimators import discrete

Floats = NDArray[np.float64]

SHOWN = ("accuracy", "confidence", "gap", "mass", "ece", "brier")


@dataclass(frozen=True)
class Answers:
    """(N,) each, in the order of the study's questions: the confidence of the answer, whether it is
    right, the entropy over the options in nats, and of which cluster the question is."""

    confidence: Floats
    correct: NDArray[np.bool_]
    entropy: Floats
    cluster: NDArray[np.int64]


def entropies(scored: Scored) -> Floats:
    """-sum of p ln p over each question's options (N,), in nats."""
    p = scored.probabilities()
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p), 0.0)
    return np.asarray(-terms.sum(axis=1), np.float64)


def own_specs() -> list[Spec]:
    """What the table of a run does not have: each is a mean over questions."""

    def entropy(r: Scored) -> tuple[Floats, Floats]:
        return entropies(r), r.correct.astype(float)

    def in_vocabulary(r: Scored) -> tuple[Floats, Floats]:
        return r.confidence * r.mass, r.correct.astype(float)

    return [
        Spec("entropy", "option entropy", "mean of −Σ p ln p over options, nats", mean, entropy),
        Spec(
            "confidence_vocab",
            "confidence, vocabulary",
            "mean probability of the answer among all tokens",
            mean,
            in_vocabulary,
            needs="mass",
        ),
    ]


def measured(run: Run, bins: int, seed: int) -> tuple[dict[str, Any], Answers]:
    """A cell's metrics, as in results.json of a run, and its answers.

    Raises CalibError where a question has no finite score: then cells would not hold the same ones.
    """
    rows = run.rows()
    scored, judgeable, _ = collect(rows, vocabulary=False, of=run.path)
    if len(judgeable) < len(rows):
        whole = {row["id"] for row in judgeable}
        lost = next(row["id"] for row in rows if row["id"] not in whole)
        raise CalibError(
            f"{run.path}: item {lost!r} has no finite score, and every cell must hold the same "
            "questions; take the item out of the task"
        )
    chosen = [spec for spec in specs(bins, scored.has) if spec.name in SHOWN] + own_specs()
    answers = Answers(scored.confidence, scored.correct, entropies(scored), scored.cluster)
    return measure(scored, chosen, seed), answers


def semantic(run: Run, clusters: NDArray[np.int64], seed: int, meaning: Meaning) -> dict[str, Any]:
    """The mean discrete semantic entropy of a run's samples, in nats: that of the shares of those
    that mean the same. clusters: (N,), of the questions in their order."""
    answers = run.answers()
    texts: dict[int, list[Answer]] = {}
    for index, text in zip(answers["index"], answers["text"], strict=True):
        texts.setdefault(int(index), []).append(Answer(str(text)))
    own = [texts[i] for i in range(len(clusters))]
    together = meaning.of_all(own, [item.question for item in run.items()])
    values = np.array([discrete(places) for places in together])
    found = bootstrap(
        mean, values, np.zeros(len(values)), clusters=clusters, n=RESAMPLES, seed=seed
    )
    return {
        **asdict(found),
        "label": "semantic entropy",
        "convention": f"discrete, {run.config['samples']} samples, the same where {meaning.rule}, "
        "nats",
        "n": len(values),
    }
