"""Semantic entropy: how many different things a model says when asked again and again.

Answers that mean the same form a cluster; the entropy is that of the clusters, in nats. With l_i
the log-probability of sample i (its mean over tokens, or its sum), C(i) its cluster, R samples:

``rao``       p_C = sum over C of exp(l_i) / sum over all of exp(l_i);  -sum of p_C log p_C
``discrete``  p_C = |C| / R;                                            -sum of p_C log p_C
``mc``        -(1/R) sum over i of log( sum over j in C(i) of exp(l_j) )

``rao`` takes the mean (Farquhar et al. 2024) and ``mc`` the sum (lm-polygraph) unless told
otherwise. ``mc`` counts a text drawn twice twice, so it may fall below 0. ``discrete`` needs no
log-probabilities and serves answers of any origin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from calib.records import Answer
from calib.uncertainty.semantic.clustering import (
    BY_NLI,
    CLUSTERINGS,
    EQUIVALENCES,
    NLI_BATCH,
    Entails,
    Equivalence,
    lockstep,
    place,
)
from calib.uncertainty.semantic.estimators import (
    ESTIMATORS,
    LogProbs,
    discrete,
    lengths,
    logprob_of,
    predictive_entropy,
)

__all__ = [
    "LogProbs",
    "SemanticEntropy",
    "Settings",
    "predictive_entropy",
    "semantic_entropies",
    "semantic_entropy",
]


@dataclass(frozen=True)
class Settings:
    """How semantic entropies are made; ``semantic_entropy`` says what each setting means."""

    estimator: str | None = None
    equivalence: str | Callable[[str, str], bool] = "normalized"
    match: str = "first"
    length_normalize: bool | None = None
    normalize: str | None = None
    condition_on_question: bool = False
    include_greedy: bool = False
    temperature: float | None = None
    nli_batch_size: int = NLI_BATCH

    def __post_init__(self) -> None:
        one_of("estimator", self.estimator, (None, *ESTIMATORS, "discrete"))
        one_of("match", self.match, tuple(CLUSTERINGS))
        one_of("normalize", self.normalize, (None, "log"))
        if not callable(self.equivalence):
            one_of("equivalence", self.equivalence, EQUIVALENCES)
        if self.nli_batch_size < 1:
            raise ValueError(f"nli_batch_size must be positive, got {self.nli_batch_size}")

    @property
    def facts(self) -> dict[str, object]:
        """The settings as they are printed: a function by its name."""
        by = self.equivalence
        name = by if isinstance(by, str) else getattr(by, "__name__", "function")
        batch = self.nli_batch_size if by in BY_NLI else None
        return {**asdict(self), "equivalence": name, "nli_batch_size": batch}


@dataclass(frozen=True, slots=True)
class SemanticEntropy:
    """The entropy (nats, or a share of log R), the cluster of each answer, and how it was made."""

    entropy: float
    clusters: tuple[int, ...]  # of the counted answers, numbered by first appearance
    n_clusters: int
    n_samples: int
    greedy_cluster: int | None  # of the greedy answer, where it belongs to one
    estimator: str
    equivalence: str
    match: str
    length_normalize: bool | None  # None: no log-probabilities were used
    normalize: str | None
    condition_on_question: bool
    include_greedy: bool
    temperature: float | None
    nli_batch_size: int | None  # None: no NLI model was used


def semantic_entropy(
    answers: Sequence[str] | Sequence[Answer],
    *,
    logprobs: LogProbs | None = None,
    estimator: str | None = None,
    equivalence: str | Callable[[str, str], bool] = "normalized",
    match: str = "first",
    length_normalize: bool | None = None,
    normalize: str | None = None,
    nli: Entails | None = None,
    nli_batch_size: int = NLI_BATCH,
    question: str | None = None,
    condition_on_question: bool = False,
    greedy: str | Answer | None = None,
    include_greedy: bool = False,
    temperature: float | None = None,
) -> SemanticEntropy:
    """The semantic entropy of R answers to one question.

    logprobs: per answer the log-probabilities of its tokens, or their sum (a mean then needs
    ``Answer.tokens``); by default those of the Answers. estimator: ``rao``, ``mc`` or
    ``discrete``; by default ``rao`` where log-probabilities are known, else ``discrete``.

    equivalence: ``exact``, ``normalized`` (see ``calib.judge.normalized_text``), a function of two
    texts, or by ``nli``: ``bidirectional`` (each entails the other), ``either`` (one does),
    ``non_contradiction`` (neither contradicts). With ``condition_on_question`` the question is put
    before both texts. ``nli`` (as ``calib.hf.nli.load_nli`` gives) gets pairs it was not asked
    before, ``nli_batch_size`` at a time.

    match: ``first`` compares an answer with the first member of each cluster and joins the first
    that matches; ``last`` lets a later cluster take members over, as the code of Farquhar et al.
    does. normalize: ``log`` divides by log R. greedy: the low-temperature answer; it is counted as
    the first sample with ``include_greedy``, else only placed. temperature: recorded, not used.

    Raises ValueError on what does not fit together, and on no answers at all.
    """
    settings = Settings(
        estimator=estimator,
        equivalence=equivalence,
        match=match,
        length_normalize=length_normalize,
        normalize=normalize,
        condition_on_question=condition_on_question,
        include_greedy=include_greedy,
        temperature=temperature,
        nli_batch_size=nli_batch_size,
    )
    return semantic_entropies(
        [answers],
        settings,
        logprobs=None if logprobs is None else [logprobs],
        nli=nli,
        questions=None if question is None else [question],
        greedy=None if greedy is None else [greedy],
    )[0]


def semantic_entropies(
    answers: Sequence[Sequence[str] | Sequence[Answer]],
    settings: Settings | None = None,
    *,
    logprobs: Sequence[LogProbs] | None = None,
    nli: Entails | None = None,
    questions: Sequence[str] | None = None,
    greedy: Sequence[str | Answer] | None = None,
) -> list[SemanticEntropy]:
    """``semantic_entropy`` of many questions, whose pairs share the batches of ``nli``."""
    settings = settings or Settings()
    samples: list[list[str | Answer]] = [list(given) for given in answers]
    if not all(samples):
        raise ValueError("expected at least one answer to every question")
    if settings.condition_on_question and questions is None:
        raise ValueError("condition_on_question needs the question")
    if settings.include_greedy:
        if greedy is None or logprobs is not None:
            raise ValueError("include_greedy needs the greedy answer, and no logprobs apart")
        samples = [[first, *given] for first, given in zip(greedy, samples, strict=True)]
    asked = questions if questions and settings.condition_on_question else [""] * len(samples)
    same = Equivalence(settings.equivalence, nli, settings.nli_batch_size)

    texts = [
        [conditioned(answer, question) for answer in given]
        for given, question in zip(samples, asked, strict=True)
    ]
    clusters = lockstep([CLUSTERINGS[settings.match](given) for given in texts], same)
    places: list[int | None] = [None] * len(samples)
    if greedy is not None:
        answered = [conditioned(answer, q) for answer, q in zip(greedy, asked, strict=True)]
        rows = zip(answered, texts, clusters, strict=True)
        places = lockstep([place(*row) for row in rows], same)

    own = [None] * len(samples) if logprobs is None else logprobs
    rows_of = zip(samples, own, clusters, places, strict=True)
    return [measured(settings, *row) for row in rows_of]


def measured(
    settings: Settings,
    answers: Sequence[str | Answer],
    logprobs: LogProbs | None,
    clusters: Sequence[int],
    greedy_cluster: int | None,
) -> SemanticEntropy:
    """The entropy of one question's clusters."""
    estimator, mean = settings.estimator, settings.length_normalize
    if estimator is None:
        known = logprobs is not None or None not in map(logprob_of, answers)
        estimator = "rao" if known else "discrete"
    if estimator == "discrete":
        entropy, mean = discrete(clusters), None
    else:
        mean = estimator == "rao" if mean is None else mean
        entropy = ESTIMATORS[estimator](clusters, lengths(answers, logprobs, mean))
    if settings.normalize == "log":
        entropy = entropy / math.log(len(clusters)) if len(clusters) > 1 else 0.0
    facts = {**settings.facts, "estimator": estimator, "length_normalize": mean}
    return SemanticEntropy(
        entropy=entropy,
        clusters=tuple(clusters),
        n_clusters=len(set(clusters)),
        n_samples=len(clusters),
        greedy_cluster=greedy_cluster,
        **facts,  # type: ignore[arg-type]
    )


def conditioned(answer: str | Answer, question: str) -> str:
    text = answer.text if isinstance(answer, Answer) else answer
    return f"{question} {text}" if question else text


def one_of(name: str, value: object, allowed: Sequence[object]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(map(str, allowed))}, got {value!r}")
