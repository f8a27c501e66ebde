"""The decode loop: S answers to each of B prompts, token by token.

Rows that have ended leave the batch, unless their draws must go on to keep torch's generator where
plain sampling would have it. No logits are kept that nobody asked for.

Axis legend: B prompts, S samples, R = B S rows ordered prompt by prompt, P prompt tokens, L answer
tokens, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from calib.hf.draws import ByAddress, Drawn, FromGenerator, for_rows
from calib.hf.prefix import Rows

# Rows leave when the ended ones are this share of all: leaving copies what the others have.
WORTH_LEAVING = 0.125
# The same where steps are replayed, for a new number of rows is captured anew.
WORTH_CAPTURING = 0.5
# Steps from one look at which rows have ended to the next: on a GPU a look waits for the device.
LOOK_EVERY = {"cpu": 1}
LOOK_SELDOM = 8


@dataclass
class Decoded:
    """R rows, finished; tensors are on the model's device."""

    ids: Tensor  # (R, P + L) prompt and answer, padding behind an answer's end
    prompt: int  # P
    lengths: Tensor  # (R,) tokens of each answer, its end token counted
    logprob: Tensor  # (R,) summed over tokens, nats; 0 where the draw knows none
    entropy: Tensor  # (R,) likewise
    way: str  # one of ``calib.hf.prefix.WAYS``
    replayed: int = 0  # steps that a graph repeated (``calib.hf.graphs``)
    scores: list[Tensor] = field(default_factory=list)  # (R, V) a step
    logits: list[Tensor] = field(default_factory=list)


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
    device, prompt = input_ids.device, input_ids.shape[1]
    pad = generation_config._pad_token_tensor
    fill = 0 if pad is None else pad.to(device)
    ids = input_ids.repeat_interleave(samples, dim=0)
    count = len(ids)
    done = Decoded(
        ids=torch.cat([ids, ids.new_empty(count, generation_config.max_length - prompt)], dim=1),
        prompt=prompt,
        lengths=torch.zeros(count, dtype=torch.long, device=device),
        logprob=torch.zeros(count, device=device),
        entropy=torch.zeros(count, device=device),
        way=rows.way,
    )
    done.ids[:, prompt:] = fill
    numbers = torch.arange(count, device=device)  # which of the R rows are still here
    going = torch.ones(count, dtype=torch.bool, device=device)
    may_leave = draw.addressed and not (keep_scores or keep_logits)
    look_every = LOOK_EVERY.get(device.type, LOOK_SELDOM)
    for step in range(generation_config.max_length - prompt):
        if step:
            rows.step(ids)
        if keep_logits:
            done.logits.append(for_rows(rows.logits, count).float())
        drawn = draw(ids, rows.logits, numbers, step)
        if keep_scores:
            done.scores.append(scores_of(drawn, rows.logits, count))
        tokens = torch.where(going, drawn.token, fill)
        ids = torch.cat([ids, tokens[:, None]], dim=1)
        done.ids[numbers, prompt + step] = tokens
        done.lengths[numbers] += going
        for total, value in ((done.logprob, drawn.logprob), (done.entropy, drawn.entropy)):
            if value is not None:
                total[numbers] += torch.where(going, value, 0.0)
        going = going & ~stopping_criteria(ids, None)
        if (step + 1) % look_every:
            continue
        left = int(going.sum())
        if left == 0:
            break
        worth = WORTH_LEAVING if rows.replayed is None else WORTH_CAPTURING
        if may_leave and step and len(going) - left >= worth * len(going):
            stay = going.nonzero()[:, 0]
            rows.keep(stay)
            ids, numbers, going = ids[stay], numbers[stay], going[stay]
    done.way, done.replayed = rows.way, rows.replayed_steps
    done.ids = done.ids[:, : prompt + int(done.lengths.max())]
    return done


def scores_of(drawn: Drawn, logits: Tensor, rows: int) -> Tensor:
    return drawn.scores if drawn.scores is not None else for_rows(logits, rows).float()
