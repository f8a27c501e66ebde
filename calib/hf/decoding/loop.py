"""The decode loop: S answers to each of B prompts, token by token.

Rows that have ended leave the batch. They stay where their draws must go on, so that torch's
generator stands where plain sampling would leave it, and where the caller wants scores or logits of
every row. The loop stores no logits otherwise. ``packing`` takes the same steps and lets rows of
other prompts join later.

Axis legend: B prompts, S samples, R = B S rows ordered prompt by prompt, P prompt tokens, L answer
tokens, C columns of prompt and answer, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor
from transformers.generation.stopping_criteria import (
    EosTokenCriteria,
    MaxLengthCriteria,
    MaxTimeCriteria,
    StopStringCriteria,
)

from calib.hf.decoding.draws import ByAddress, Drawn, FromGenerator, for_rows
from calib.hf.decoding.prefix import Rows

# Rows leave when the ended ones are this share of all: leaving copies what the others have.
WORTH_LEAVING = 0.125
# The same where steps are replayed, for a new number of rows is captured anew.
WORTH_CAPTURING = 0.5
# Steps from one look at which rows have ended to the next: on a GPU a look waits for the device.
LOOK_EVERY = {"cpu": 1}
LOOK_SELDOM = 8
# Criteria that keep nothing of a row from one call to the next.
FORGETFUL = {EosTokenCriteria, MaxLengthCriteria, MaxTimeCriteria, StopStringCriteria}


@dataclass
class Decoded:
    """R rows, finished; tensors are on the model's device."""

    ids: Tensor  # (R, P + L) prompt and answer, padding behind an answer's end
    prompt: int  # P
    lengths: Tensor  # (R,) tokens of each answer, its end token counted
    logprob: Tensor  # (R,) summed over tokens, nats; 0 where the draw knows none
    entropy: Tensor  # (R,) likewise
    way: str  # one of ``calib.hf.decoding.prefix.WAYS``
    replayed: int = 0  # steps that a graph repeated (``calib.hf.decoding.graphs``)
    scores: list[Tensor] = field(default_factory=list)  # (R, V) a step
    logits: list[Tensor] = field(default_factory=list)

    def put(self, drafts: Drafts) -> None:
        """Write down rows that go no further, by their numbers."""
        self.ids[drafts.numbers, : drafts.ids.shape[1]] = drafts.ids
        self.lengths[drafts.numbers] = drafts.lengths
        self.logprob[drafts.numbers] = drafts.logprob
        self.entropy[drafts.numbers] = drafts.entropy


@dataclass(frozen=True)
class Drafts:
    """The beginnings of R answers, as far as they are drawn; their last tokens share a column."""

    ids: Tensor  # (R, C) prompts and answers
    numbers: Tensor  # (R,) which answers they are
    first: Tensor  # (R,) column where the prompt begins, its own padding counted
    begun: Tensor  # (R,) column where the answer begins
    going: Tensor  # (R,) bool: has not ended
    lengths: Tensor  # these and the following as in ``Decoded``
    logprob: Tensor
    entropy: Tensor

    @classmethod
    def of(cls, prompts: Tensor, samples: int, numbers: Tensor) -> Drafts:
        """Nothing yet, behind ``prompts`` (B, P)."""
        ids = prompts.repeat_interleave(samples, dim=0)
        count = ids.new_zeros(len(ids))
        total = torch.zeros(len(ids), device=ids.device)
        going = torch.ones_like(count, dtype=torch.bool)
        return cls(ids, numbers, count, count + ids.shape[1], going, count, total, total)

    def take(self, rows: Tensor) -> Drafts:
        """Those of ``rows``: their indices, ascending, or (R,) bool."""
        return Drafts(*(getattr(self, part.name)[rows] for part in fields(self)))

    def joined(self, others: Drafts, fill: int) -> Drafts:
        """These rows, then ``others``, in the fewest columns that hold every prompt and answer."""
        width = max(part.ids.shape[1] - int(part.first.min()) for part in (self, others))
        parts = [part.in_columns(width, fill) for part in (self, others)]
        return Drafts(
            *(torch.cat([getattr(part, of.name) for part in parts]) for of in fields(self))
        )

    def in_columns(self, width: int, fill: int) -> Drafts:
        """The same, with columns of ``fill`` before them, or with fewer columns."""
        more = width - self.ids.shape[1]
        ids = torch.nn.functional.pad(self.ids, (more, 0), value=fill)
        return replace(self, ids=ids, first=self.first + more, begun=self.begun + more)

    def answers(self) -> Tensor:
        """(R, L) the answers' tokens; what stands behind a shorter one's end is not said."""
        longest = torch.arange(int(self.lengths.max()), device=self.ids.device)
        columns = (self.begun[:, None] + longest).clamp(max=self.ids.shape[1] - 1)
        return self.ids.gather(1, columns)


class Running:
    """R rows that decode together, and how their tokens are drawn and end."""

    def __init__(
        self,
        rows: Rows,
        drafts: Drafts,
        draw: FromGenerator | ByAddress,
        stopping: Any,
        generation_config: Any,
    ) -> None:
        self.rows, self.drafts, self.draw, self.stopping = rows, drafts, draw, stopping
        pad = generation_config._pad_token_tensor
        self.fill = 0 if pad is None else pad.to(drafts.ids.device)
        # Plain sampling goes on behind ends that are no end tokens until every row has ended.
        self.filling = draw.addressed or any(hasattr(end, "eos_token_id") for end in stopping)
        self.may_leave = (
            draw.addressed
            and not draw.processors
            and {type(criterion) for criterion in stopping} <= FORGETFUL
        )
        # Tokens of an answer. Where all prompts are as long, ``stopping`` sees to it as well.
        self.limit = generation_config.max_length - drafts.ids.shape[1]

    def append(self, step: int | Tensor, scores: list[Tensor] | None = None) -> None:
        """Draw every row's token ``step`` from ``rows.logits``; ended rows get padding.

        ``scores`` are those of the steps so far, where criteria are to see them.
        """
        old = self.drafts
        drawn = self.draw(old.ids, self.rows.logits, old.numbers, step)
        if scores is not None:
            scores.append(scores_of(drawn, self.rows.logits, len(old.ids)))
        token = torch.where(old.going, drawn.token, self.fill) if self.filling else drawn.token
        ids = torch.cat([old.ids, token[:, None]], dim=1)
        shown = None if scores is None else tuple(scores)
        lengths = old.lengths + old.going
        self.drafts = replace(
            old,
            ids=ids,
            lengths=lengths,
            logprob=added(old.logprob, drawn.logprob, old.going),
            entropy=added(old.entropy, drawn.entropy, old.going),
            going=old.going & ~self.stopping(ids, shown) & (lengths < self.limit),
        )

    def left(self) -> int:
        """How many rows have not ended. Waits for the device."""
        return int(self.drafts.going.sum())

    def worth_leaving(self, left: int) -> bool:
        """Whether so many rows have ended that the ``left`` ones should go on without them."""
        if not (self.may_leave and self.rows.may_leave):
            return False
        count = len(self.drafts.going)
        worth = WORTH_LEAVING if self.rows.replayed is None else WORTH_CAPTURING
        return count - left >= worth * count

    def leave(self) -> Drafts:
        """The rows that have ended, which are no more among these. Not before the first step."""
        ended = self.drafts.take(~self.drafts.going)
        stay = self.drafts.going.nonzero()[:, 0]
        self.rows.keep(stay)
        self.drafts = self.drafts.take(stay)
        return ended

    def join(self, others: Running) -> None:
        """Take in rows that have drawn their first token and have taken no step yet."""
        self.rows.join(others.rows)
        self.drafts = self.drafts.joined(others.drafts, int(self.fill))


def added(total: Tensor, value: Tensor | None, going: Tensor) -> Tensor:
    if value is None:
        return total
    return (total + torch.where(going, value, 0.0)).to(total.dtype)


def look_every(device: torch.device) -> int:
    return LOOK_EVERY.get(device.type, LOOK_SELDOM)


@torch.no_grad()
def decode(
    model: Any,
    input_ids: Tensor,
    draw: FromGenerator | ByAddress,
    stopping_criteria: Any,
    generation_config: Any,
    kwargs: dict[str, Any],
    *,
    samples: int,
    way: str | None = None,
    keep_scores: bool = False,
    keep_logits: bool = False,
) -> Decoded:
    """Decode until every row has ended; arguments as ``generate`` gives a decoding method."""
    rows = Rows(model, input_ids, generation_config, kwargs, samples, way)
    device, prompt, count = input_ids.device, input_ids.shape[1], len(input_ids) * samples
    drafts = Drafts.of(input_ids, samples, torch.arange(count, device=device))
    running = Running(rows, drafts, draw, stopping_criteria, generation_config)
    done = Decoded(
        ids=drafts.ids.new_empty(count, generation_config.max_length),
        prompt=prompt,
        lengths=torch.zeros_like(drafts.lengths),
        logprob=torch.zeros_like(drafts.logprob),
        entropy=torch.zeros_like(drafts.entropy),
        way=rows.way,
    )
    done.ids[:, prompt:] = running.fill
    keeps = keep_scores or keep_logits
    for step in range(running.limit):
        if step:
            rows.step(running.drafts.ids)
        if keep_logits:
            done.logits.append(for_rows(rows.logits, count).float())
        running.append(step, done.scores if keep_scores else None)
        if (step + 1) % look_every(device):
            continue
        left = running.left()
        if left == 0:
            break
        if step and not keeps and running.worth_leaving(left):
            done.put(running.leave())
    done.put(running.drafts)
    done.way, done.replayed = rows.way, rows.replayed_steps
    done.ids = done.ids[:, : prompt + int(done.lengths.max())]
    return done


def scores_of(drawn: Drawn, logits: Tensor, rows: int) -> Tensor:
    return drawn.scores if drawn.scores is not None else for_rows(logits, rows).float()
