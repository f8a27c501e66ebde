"""The estimators: cluster ids (R,) and log-probabilities (R,) of R samples in, nats out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from calib.records import Answer

Floats = NDArray[np.float64]
LogProbs = Sequence[float] | Sequence[Sequence[float]]


def discrete(clusters: Sequence[int]) -> float:
    """Entropy of the clusters' shares of the samples."""
    return entropy_of([math.log(n / len(clusters)) for n in Counter(clusters).values()])


def rao(clusters: Sequence[int], logprob: Floats) -> float:
    """Entropy of the clusters' shares of the samples' probability."""
    total = log_sum_exp(logprob)
    return entropy_of([value - total for value in of_clusters(clusters, logprob).values()])


def monte_carlo(clusters: Sequence[int], logprob: Floats) -> float:
    """The mean over samples of minus the log-probability of the sample's cluster."""
    own = of_clusters(clusters, logprob)
    return -sum(own[cluster] for cluster in clusters) / len(clusters)


ESTIMATORS: dict[str, Callable[[Sequence[int], Floats], float]] = {"rao": rao, "mc": monte_carlo}
"""Those that need log-probabilities."""


def of_clusters(clusters: Sequence[int], logprob: Floats) -> dict[int, float]:
    ids = np.asarray(clusters)
    return {cluster: log_sum_exp(logprob[ids == cluster]) for cluster in dict.fromkeys(clusters)}


def log_sum_exp(values: Floats) -> float:
    top = float(values.max())
    return top + math.log(float(np.exp(values - top).sum())) if math.isfinite(top) else top


def entropy_of(log_shares: Iterable[float]) -> float:
    # Adding 0.0 makes the -0.0 of a single cluster 0.0.
    return -sum(math.exp(log) * log for log in log_shares if log > -math.inf) + 0.0


def lengths(answers: Sequence[str | Answer], logprobs: LogProbs | None, mean: bool) -> Floats:
    """l of each sample (R,): the mean or the sum of its tokens' log-probabilities."""
    if logprobs is not None and len(logprobs) != len(answers):
        raise ValueError(f"expected {len(answers)} logprobs, one per answer, got {len(logprobs)}")
    found = []
    for number, answer in enumerate(answers):
        given = logprob_of(answer) if logprobs is None else logprobs[number]
        if given is None:
            raise ValueError(
                f"answer {number} has no log-probability; estimator 'discrete' needs none"
            )
        if np.ndim(given):
            of_tokens = [float(value) for value in given]  # type: ignore[union-attr]
            total, tokens = math.fsum(of_tokens), len(of_tokens)
        else:
            total = float(given)  # type: ignore[arg-type]
            tokens = answer.tokens if isinstance(answer, Answer) else 0
        if mean and tokens == 0 and total != 0:
            raise ValueError(
                f"answer {number}: a mean log-probability needs the log-probabilities of its "
                "tokens or their number; length_normalize=False takes the sum"
            )
        found.append(total / tokens if mean and tokens else total)
    values = np.array(found, dtype=np.float64)
    if np.isnan(values).any() or (values > 1e-6).any() or not np.isfinite(values).any():
        raise ValueError(f"log-probabilities must be at most 0 and not all -inf, got {found}")
    return values


def logprob_of(answer: str | Answer) -> float | None:
    return answer.logprob if isinstance(answer, Answer) else None


def predictive_entropy(
    answers: Sequence[Answer] | None = None,
    *,
    logprobs: LogProbs | None = None,
    length_normalize: bool = True,
) -> float:
    """The mean over samples of -l: entropy of the answers as strings, in nats."""
    given: Sequence[str | Answer] = answers or [""] * len(logprobs or ())
    return -float(lengths(given, logprobs, length_normalize).mean())
