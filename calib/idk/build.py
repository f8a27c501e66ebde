"""Samples to counts, counts to labels: known where enough of n samples are right."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from calib.images import key_of
from calib.intervals import LEVEL, Interval
from calib.judge import answerable
from calib.records import Answer, CalibError, ImageRef, Item, Verdict
from calib.tasks.task import image_name

TAUS = tuple(tenth / 10 for tenth in range(1, 11))


@dataclass(frozen=True, slots=True)
class Draws:
    """What n samples of one item came to; a sample that could not be read is not right."""

    item: Item
    n: int
    correct: int
    refused: int
    unparsed: int
    right: str | None = None  # the first right sample's text
    wrong: str | None = None  # the first wrong sample's text; a refusal is no wrong answer

    @property
    def accuracy(self) -> float:
        return self.correct / self.n

    def known(self, tau: float) -> bool:
        """Whether at least the share ``tau`` of the samples is right."""
        return self.correct >= need(tau, self.n)

    @property
    def bounds(self) -> tuple[float, float]:
        """The 95 % Clopper-Pearson bounds of the item's true accuracy."""
        k, n, tail = self.correct, self.n, (1 - LEVEL) / 2
        low = float(stats.beta.ppf(tail, k, n - k + 1)) if k else 0.0
        high = float(stats.beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
        return low, high

    @property
    def interval(self) -> Interval:
        return Interval(self.accuracy, *self.bounds, f"Clopper-Pearson, {self.n} draws")

    @property
    def cluster(self) -> str:
        return cluster_of(self.item)


def cluster_of(item: Item) -> str:
    """What an item must not be separated from: ``meta["cluster"]``, its image, or nothing."""
    if item.meta.get("cluster") is not None:
        return str(item.meta["cluster"])
    return pictures_of(item)[0] if item.images else item.id


def pictures_of(item: Item) -> tuple[str, ...]:
    """A name for each of its images, the same for the same image."""
    return tuple(str(i) if isinstance(i, Path) else image_name(i) for i in item.images)


def need(tau: float, n: int) -> int:
    """How many of n samples must be right: the least k with k >= tau n.

    Of the decimal that is written, not of the float: 0.28 of 100 needs 28, though the float
    product is above 28.
    """
    if not 0 < tau <= 1:
        raise ValueError(f"tau: expected a share in (0, 1], got {tau}")
    return math.ceil(Fraction(str(tau)) * n)


def count(item: Item, answers: Sequence[Answer | str], verdicts: Sequence[Verdict]) -> Draws:
    """The counts of one item's samples. Raises ValueError where nothing can be counted."""
    if len(answers) != len(verdicts) or not verdicts:
        raise ValueError(
            f"item {item.id!r}: expected a verdict for each of one or more answers, got "
            f"{len(verdicts)} for {len(answers)}"
        )
    if any(verdict.correct is None for verdict in verdicts):
        raise ValueError(f"item {item.id!r}: a sample was not judged, so it cannot be counted")
    pairs = [
        (answer.text if isinstance(answer, Answer) else answer, verdict)
        for answer, verdict in zip(answers, verdicts, strict=True)
    ]
    wrong = (t for t, v in pairs if not v.correct and not v.refused and v.parsed is not None)
    return Draws(
        item=item,
        n=len(verdicts),
        correct=sum(bool(v.correct) for v in verdicts),
        refused=sum(v.refused for v in verdicts),
        unparsed=sum(v.parsed is None and not v.refused for v in verdicts),
        right=next((text for text, verdict in pairs if verdict.correct), None),
        wrong=next(wrong, None),
    )


def sweep(draws: Sequence[Draws], taus: Iterable[float] = TAUS) -> list[dict[str, float | int]]:
    """Known and unknown items at each threshold, from the same samples.

    ``uncertain`` counts the items whose interval holds the threshold: a repetition might label
    them differently. What nobody can answer is unknown without doubt.
    """
    bounds = [drawn.bounds for drawn in draws if answerable(drawn.item)]
    rows: list[dict[str, float | int]] = []
    for tau in taus:
        known = sum(drawn.known(tau) for drawn in draws)
        uncertain = sum(low < tau <= high for low, high in bounds)
        rows.append(
            {
                "tau": tau,
                "known": known,
                "unknown": len(draws) - known,
                "share_known": known / len(draws),
                "uncertain": uncertain,
            }
        )
    return rows


def parts(
    draws: Sequence[Draws],
    shares: Mapping[str, float],
    seed: int = 0,
    content: Callable[[ImageRef], str] = image_name,
) -> list[str]:
    """The part (of ``shares``, as {"train": 0.8, "test": 0.2}) of each item.

    Questions of one cluster are in one part. So are questions that show the same picture, whatever
    its name: ``content``, called once for each picture, is the same. Shares are shares of the
    groups that this makes. Raises CalibError where a picture cannot be read.
    """
    total = math.fsum(shares.values())
    if not shares or min(shares.values()) < 0 or not math.isclose(total, 1.0):
        raise ValueError(f"shares: expected positive numbers that sum to 1, got {dict(shares)}")
    group = groups(draws, content)
    names = sorted(set(group))
    order = np.random.default_rng(seed).permutation(len(names))
    ends = np.rint(np.cumsum(list(shares.values())) * len(names)).astype(int)
    part = np.searchsorted(ends, np.arange(len(names)), side="right")
    labels = list(shares)
    of = {names[place]: labels[part[rank]] for rank, place in enumerate(order)}
    return [of[name] for name in group]


def groups(draws: Sequence[Draws], content: Callable[[ImageRef], str]) -> list[str]:
    """What joins each item to others through clusters and pictures: its least cluster's name."""
    names = sorted({drawn.cluster for drawn in draws})
    node = {name: number for number, name in enumerate(names)}
    contents: dict[object, str] = {}
    pictures: dict[str, int] = {}
    joined: list[tuple[int, int]] = []
    for drawn in draws:
        for image in drawn.item.images:
            key = key_of(image)
            if key not in contents:
                try:
                    contents[key] = content(image)
                except OSError as error:
                    raise CalibError(
                        f"item {drawn.item.id!r}: {image} cannot be read ({error.strerror}), so it "
                        "cannot be told whether others show the same"
                    ) from error
            picture = pictures.setdefault(contents[key], len(names) + len(pictures))
            joined.append((node[drawn.cluster], picture))
    ends = np.array(joined, dtype=np.intp).reshape(-1, 2).T
    nodes = len(names) + len(pictures)
    graph = coo_array((np.ones(len(joined)), (ends[0], ends[1])), shape=(nodes, nodes))
    component = connected_components(graph, directed=False)[1]
    least: dict[int, str] = {}
    for name in names:
        least.setdefault(int(component[node[name]]), name)
    return [least[int(component[node[drawn.cluster]])] for drawn in draws]
