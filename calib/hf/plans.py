"""What a Hugging Face model plans for a list of questions: forward passes, and decodings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from calib_kernels import CalibrationHistogram

from calib.hf.batching import plan
from calib.hf.encoding import Encoded
from calib.hf.letters import Searched, search_letters
from calib.hf.orders import kind_of, score_orders
from calib.models.letters import PAPER, STEPS
from calib.models.orders import sets_of
from calib.models.protocol import Answering, ScoredBatch, Scoring
from calib.records import Answer, Item
from calib.runs.histogram import Histogram

if TYPE_CHECKING:
    from calib.hf.model import Model
    from calib.hf.scoring import Scores


@dataclass(frozen=True)
class Forwards:
    """One forward pass a batch, and a further one where options have several tokens."""

    model: Model
    encoded: Sequence[Encoded]
    answers: Sequence[int | None]
    how: Scoring
    batches: Sequence[Sequence[int]]

    @classmethod
    def of(cls, model: Model, items: Sequence[Item], how: Scoring) -> Self:
        searched = how.protocol == PAPER
        encoded = model.encode(
            items,
            how.prompt,
            variants=how.variants,
            new_tokens=STEPS if searched else 0,
            thinking=how.thinking,
        )
        if searched:
            model.alphabet.check(encoded)
        sets, size = sets_of(items, how.orders), how.batch_size
        batches = plan(
            [sum(encoded[i].length for i in own) for own in sets],
            [kind_of([encoded[i] for i in own]) for own in sets],
            size if size == "auto" else max(1, int(size) // how.orders),
            model.device.type,
            [sum(encoded[i].pixels for i in own) for own in sets],
        )
        batches = [[i for number in batch for i in sets[number]] for batch in batches]
        return cls(model, encoded, [item.answer for item in items], how, batches)

    @property
    def prompts(self) -> list[str]:
        return [e.text for e in self.encoded]

    def launch(self, number: int, **more: Any) -> Scores | Searched:
        """The scores of a batch, which its device may still be computing."""
        batch = self.batches[number]
        if self.how.protocol == PAPER:
            return search_letters(
                self.model,
                [self.encoded[i] for i in batch],
                [self.answers[i] for i in batch],
                alphabet=self.model.alphabet,
                temperature=self.how.temperature,
            )
        single = self.how.orders == 1
        score = self.model.score_batch if single else partial(score_orders, self.model)
        return score(
            [self.encoded[i] for i in batch],
            [self.answers[i] for i in batch],
            confidence=self.how.confidence,
            temperature=self.how.temperature,
            normalize=self.how.normalize,
            **more,
        )

    def run(self, numbers: Iterable[int], bins: int | None = None) -> Iterator[ScoredBatch]:
        """The device computes a batch while the one before is copied and written.

        The pass that scores options of one token fills the batch's histogram, too; where they have
        several tokens, a second step fills it from their scores, on the device as well. Where a
        letter is searched for, rows are counted on the host: some have no confidence.
        """
        before: tuple[int, Scores | Searched, CalibrationHistogram | None] | None = None
        counted = None if self.how.protocol == PAPER else bins
        for number in numbers:
            histogram = CalibrationHistogram(counted, self.model.device) if counted else None
            scores = self.launch(number, histogram=histogram)
            if before is not None:
                yield batch_of(*before)
            before = number, scores, histogram
        if before is not None:
            yield batch_of(*before)


def batch_of(
    number: int, scores: Scores | Searched, histogram: CalibrationHistogram | None
) -> ScoredBatch:
    """What has left the device: the rows in one copy, the histogram in another."""
    return ScoredBatch(number, scores.rows(), None if histogram is None else copied(histogram))


def copied(histogram: CalibrationHistogram) -> Histogram:
    state = histogram.state_dict()
    *sums, invalid = state["sums"].tolist()
    count, correct, confidence = np.array(sums, np.int64).reshape(3, state["bins"])
    return Histogram(count, correct, confidence / state["scale"], invalid)


@dataclass(frozen=True)
class Decodings:
    """Answers decoded question by question, or packed.

    With ``batching="plan"`` a question is prefilled without padding and decoded in shapes that it
    alone decides, so that even the rounding of its answers is its own.
    """

    model: Model
    items: Sequence[Item]
    how: Answering
    prompts: Sequence[str]

    @classmethod
    def of(cls, model: Model, items: Sequence[Item], how: Answering) -> Self:
        encoded = model.encode(
            items,
            how.prompt,
            options=False,
            new_tokens=how.sampling.max_new_tokens,
            thinking=how.thinking,
        )
        return cls(model, items, how, [e.text for e in encoded])

    def run(
        self, indices: Sequence[int], samples: int, first: int
    ) -> Iterator[tuple[int, list[Answer]]]:
        sampling = replace(self.how.sampling, samples=samples, first=first)
        form, thinking = self.how.prompt, self.how.thinking
        if self.how.batching == "packed":
            items = [self.items[i] for i in indices]
            packed = self.model.sample_packed(items, form, sampling, thinking=thinking)
            yield from ((indices[k], answers) for k, answers in packed)
            return
        for i in indices:
            (answers,) = self.model.sample_batch([self.items[i]], form, sampling, thinking=thinking)
            yield i, answers
