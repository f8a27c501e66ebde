"""How the next token of every row is drawn from its logits.

Axis legend: B prompts, S samples, R rows (B S of them, fewer when some have ended), V vocabulary.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from calib_kernels import sample
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

# What some processors hold of each prompt: its padding, its ids.
OF_PROMPTS = ("prompt_ignore_length", "encoder_input_ids")
# What the fused op does itself, in this order.
FUSED = (TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper)


@dataclass(frozen=True)
class Drawn:
    """One token for each row (R,), and what is known of it; scores (R, V) as the processors left
    them, where there was a call for them."""

    token: Tensor
    logprob: Tensor | None = None
    entropy: Tensor | None = None
    scores: Tensor | None = None


@dataclass(frozen=True)
class FromGenerator:
    """As plain sampling draws: processors, softmax, ``torch.multinomial``; or the likeliest."""

    processors: Any
    greedy: bool
    samples: int
    addressed = False

    def __call__(self, ids: Tensor, logits: Tensor, rows: Tensor, step: int | Tensor) -> Drawn:
        """ids (R, P + L); logits (B, V) or (R, V); rows (R,) numbers of the rows."""
        scores = processed(self.processors, ids, logits, rows // self.samples)
        if self.greedy:
            return Drawn(scores.argmax(-1), scores=scores)
        probability = scores.softmax(-1)
        return Drawn(torch.multinomial(probability, num_samples=1)[:, 0], scores=scores)


@dataclass(frozen=True)
class ByAddress:
    """A draw that (seed, item, sample, step) and the logits decide, whatever else is in the batch.

    ``processors`` come first; temperature and filters are the op's own, so that S samples of a
    prompt read its logits once.
    """

    processors: Any
    settings: dict[str, Any]  # temperature, top_k, top_p, min_p or greedy
    seed: int
    items: Tensor  # (B,) int64
    samples: int
    first_sample: int | Tensor  # of every prompt, or (B,) of each
    addressed = True

    def __call__(self, ids: Tensor, logits: Tensor, rows: Tensor, step: int | Tensor) -> Drawn:
        """As ``FromGenerator``; ``step`` may be (R,), one for each row of logits."""
        scores = None
        if self.processors:
            scores = logits = processed(self.processors, ids, logits, rows // self.samples)
        prompt = rows // self.samples
        first = self.first_sample
        number = rows % self.samples + (first if isinstance(first, int) else first[prompt])
        item = self.items[prompt]
        if len(logits) < len(rows):  # one row of logits for all samples of a prompt
            item, number = item[:: self.samples], number.view(-1, self.samples)
        draws = sample(logits, seed=self.seed, item=item, sample=number, step=step, **self.settings)
        token, logprob, entropy = (
            field.flatten() for field in (draws.token, draws.logprob, draws.entropy)
        )
        return Drawn(token, logprob, entropy, scores)


def processed(processors: Any, ids: Any, logits: Tensor, prompts: Tensor) -> Tensor:
    """Scores (R, V) of rows behind ``prompts`` (R,), by processors that were made for B prompts."""
    scores: Any = for_rows(logits, len(ids)).float()
    for processor in processors:
        for name in OF_PROMPTS:
            if isinstance(held := getattr(processor, name, None), Tensor):
                processor = copy(processor)
                setattr(processor, name, held[prompts])
        scores = LogitsProcessorList([processor])(ids, scores)
    result: Tensor = scores
    return result


def for_rows(logits: Tensor, rows: int) -> Tensor:
    """(R, V) from (R, V), or from (B, V) by repeating each prompt's; a copy that may be changed."""
    if len(logits) == rows:
        return logits.clone()
    return logits.repeat_interleave(rows // len(logits), dim=0)


def by_address(
    processors: Any,
    config: Any,
    seed: int,
    items: Tensor,
    samples: int,
    first_sample: int | Tensor,
    keep_scores: bool,
) -> ByAddress:
    """The draw of a generation config: its temperature and filters go into the op.

    They stay processors where another processor follows the first of them, or where the caller
    wants the scores that they leave.
    """
    kinds = [isinstance(processor, FUSED) for processor in processors]
    first = kinds.index(True) if True in kinds else len(kinds)
    settings: dict[str, Any] = {"greedy": not config.do_sample}
    if config.do_sample and all(kinds[first:]) and not keep_scores:
        processors = LogitsProcessorList(processors[:first])
        settings = {
            "temperature": 1.0 if config.temperature is None else float(config.temperature),
            "top_k": config.top_k or 0,
            "top_p": 1.0 if config.top_p is None else config.top_p,
            "min_p": config.min_p or 0.0,
        }
    return ByAddress(processors, settings, seed, items, samples, first_sample)
