"""Answers to clusters, and who says that two answers mean the same.

A clustering is a generator: it yields the pairs of texts it needs to know about and is sent one
bool for each. So the questions of a whole run can ask side by side, in full batches.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from typing import TypeVar

from calib.judge.folding import normalized_text
from calib.judge.said import said

T = TypeVar("T")
Pair = tuple[str, str]
Entails = Callable[[Sequence[Pair]], Sequence[str]]
"""(premise, hypothesis) pairs to "entailment", "neutral" or "contradiction", one each."""
Asking = Generator[list[Pair], list[bool], T]


def said_or_all(text: str) -> str:
    """What a text says as its answer; the whole text where its thoughts do not end."""
    return (said(text) or text).strip()


FOLDS: dict[str, Callable[[str], str]] = {
    "exact": said_or_all,
    # A text is compared with many others.
    "normalized": lru_cache(1 << 16)(lambda text: normalized_text(said_or_all(text))),
}
BY_NLI = ("bidirectional", "either", "non_contradiction")
EQUIVALENCES = (*FOLDS, *BY_NLI)
NLI_BATCH = 64
LABELS = ("entailment", "neutral", "contradiction")


def first_match(texts: Sequence[str]) -> Asking[list[int]]:
    """An answer joins the first cluster whose first member it matches, else begins one."""
    clusters: list[int] = []
    heads: list[str] = []
    for text in texts:
        same = yield [(head, text) for head in heads]
        if True not in same:
            heads.append(text)
        clusters.append(same.index(True) if True in same else len(heads) - 1)
    return clusters


def last_match(texts: Sequence[str]) -> Asking[list[int]]:
    """An answer in no cluster begins one and takes every later answer that matches it."""
    clusters = [-1] * len(texts)
    count = 0
    for number, text in enumerate(texts):
        if clusters[number] >= 0:
            continue
        clusters[number] = count
        later = range(number + 1, len(texts))
        same = yield [(text, texts[other]) for other in later]
        for other, is_same in zip(later, same, strict=True):
            if is_same:
                clusters[other] = count
        count += 1
    return clusters


CLUSTERINGS: dict[str, Callable[[Sequence[str]], Asking[list[int]]]] = {
    "first": first_match,
    "last": last_match,
}


def place(text: str, texts: Sequence[str], clusters: Sequence[int]) -> Asking[int | None]:
    """The cluster that one more answer would join, without changing any."""
    heads = {cluster: texts[clusters.index(cluster)] for cluster in dict.fromkeys(clusters)}
    same = yield [(head, text) for head in heads.values()]
    return next((c for c, is_same in zip(heads, same, strict=True) if is_same), None)


def lockstep(steps: Sequence[Asking[T]], ask: Callable[[list[Pair]], list[bool]]) -> list[T]:
    """Run the steps of all questions side by side, so that each round is asked at once."""
    results: dict[int, T] = {}
    waiting = {number: next(step) for number, step in enumerate(steps)}
    while waiting:
        told = ask([pair for pairs in waiting.values() for pair in pairs])
        start, still = 0, {}
        for number, pairs in waiting.items():
            reply = told[start : start + len(pairs)]
            start += len(pairs)
            try:
                still[number] = steps[number].send(reply)
            except StopIteration as end:
                results[number] = end.value
        waiting = still
    return [results[number] for number in range(len(steps))]


class Equivalence:
    """Which pairs mean the same; a pair of equal texts is not asked, nor any pair twice."""

    def __init__(
        self,
        by: str | Callable[[str, str], bool],
        nli: Entails | None = None,
        nli_batch_size: int = NLI_BATCH,
    ) -> None:
        if by in BY_NLI and nli is None:
            raise ValueError(f"equivalence {by!r} needs nli, a function of pairs of texts")
        if by == "non_contradiction" and "contradiction" not in getattr(nli, "labels", LABELS):
            raise ValueError(f"equivalence {by!r} needs a model with a class for contradiction")
        self.by = by
        self.nli = nli
        self.nli_batch_size = nli_batch_size
        self.told: dict[Pair, str] = {}

    def __call__(self, pairs: list[Pair]) -> list[bool]:
        if callable(self.by):
            return [a == b or bool(self.by(a, b)) for a, b in pairs]
        if self.by in FOLDS:
            fold = FOLDS[self.by]
            return [fold(a) == fold(b) for a, b in pairs]
        self.ask([p for a, b in pairs if a != b for p in ((a, b), (b, a))])
        return [a == b or self.judged(self.told[a, b], self.told[b, a]) for a, b in pairs]

    def judged(self, there: str, back: str) -> bool:
        if self.by == "bidirectional":
            return there == back == "entailment"
        if self.by == "either":
            return "entailment" in (there, back)
        return "contradiction" not in (there, back)

    def ask(self, pairs: list[Pair]) -> None:
        """Have ``nli`` judge what it has not judged before; texts of like length together."""
        assert self.nli is not None
        new = sorted({p for p in pairs if p not in self.told}, key=lambda p: (len(p[0] + p[1]), p))
        for start in range(0, len(new), self.nli_batch_size):
            batch = new[start : start + self.nli_batch_size]
            labels = list(self.nli(batch))
            if len(labels) != len(batch) or not set(labels) <= set(LABELS):
                raise ValueError(
                    f"nli must give one of {', '.join(LABELS)} per pair, got {labels[:3]} "
                    f"({len(labels)} for {len(batch)} pairs)"
                )
            self.told.update(zip(batch, labels, strict=True))
