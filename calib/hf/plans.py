"""What a Hugging Face model plans for a list of questions: forward passes, and decodings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from calib.hf.batching import plan
from calib.hf.encoding import Encoded
from calib.models.protocol import Answering, ScoredBatch, Scoring
from calib.records import Answer, Item

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
        encoded = model.encode(items, how.prompt, variants=how.variants, thinking=how.thinking)
        batches = plan(
            [e.length for e in encoded],
            [e.kind for e in encoded],
            how.batch_size,
            model.device.type,
            [e.pixels for e in encoded],
        )
        return cls(model, encoded, [item.answer for item in items], how, batches)

    @property
    def prompts(self) -> list[str]:
        return [e.text for e in self.encoded]

    def launch(self, number: int, **more: Any) -> Scores:
        """The scores of a batch, which its device may still be computing."""
        batch = self.batches[number]
        return self.model.score_batch(
            [self.encoded[i] for i in batch],
            [self.answers[i] for i in batch],
            confidence=self.how.confidence,
            temperature=self.how.temperature,
            normalize=self.how.normalize,
            **more,
        )

    def run(self, numbers: Iterable[int]) -> Iterator[ScoredBatch]:
        """The device computes a batch while the one before is copied and written."""
        before: tuple[int, Scores] | None = None
        for number in numbers:
            scores = self.launch(number)
            if before is not None:
                yield told(*before)
            before = number, scores
        if before is not None:
            yield told(*before)


def told(number: int, scores: Scores) -> ScoredBatch:
    return ScoredBatch(number, scores.rows())


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
