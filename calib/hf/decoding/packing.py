"""A batch that stays full: where enough answers have ended, the next questions join the others.

Every row draws what its address says (seed, item, sample, step), so other rows of the batch change
an answer by rounding only. Some models keep state of their rows that cannot be put together
(``prefix.Rows.joinable``): there a group of questions is decoded to its end before the next begins.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import MaxLengthCriteria, StoppingCriteriaList

from calib.hf.batching import fitting
from calib.hf.decoding.draws import by_address
from calib.hf.decoding.loop import WORTH_CAPTURING, Drafts, Running, look_every
from calib.hf.decoding.prefix import Rows
from calib.hf.decoding.row_inputs import CannotRepeat
from calib.hf.decoding.sampling import address, as_answers, generated, stop_strings
from calib.hf.placement import input_device
from calib.models.protocol import Sampling
from calib.records import Answer

# Questions join when so large a share of the rows is free: each time is a prefill and a copy.
WORTH_JOINING = 0.25


class CannotPack(Exception):
    """Questions that do not decode together, or whose processors know their prompts by number."""


class Packing:
    """Questions of one kind on their way to being answered; their numbers are 0, 1, ..."""

    def __init__(
        self,
        hf: Any,
        tokenizer: Any,
        names: Sequence[str],
        inputs: Callable[[Sequence[int]], dict[str, Any]],
        how: Sampling,
        pads: bool = True,
        pixels: Sequence[int] | None = None,
    ) -> None:
        """``names`` are the items' ids, ``inputs`` a batch of those questions for the model, and
        ``pixels`` those of each question's pictures.

        ``pads`` says whether a prompt's logits are the same behind padding. Raises CannotPack where
        they are not, and where one question's samples are more than ``how.rows``.
        """
        if not pads:
            raise CannotPack("padding changes what the model says")
        if how.samples > how.rows:
            raise CannotPack(f"{how.samples} samples do not fit {how.rows} rows")
        self.hf, self.tokenizer, self.inputs, self.how = hf, tokenizer, inputs, how
        self.pixels = pixels or [0] * len(names)
        self.stop = stop_strings(tokenizer, how)
        self.device = input_device(hf)
        self.items = torch.tensor([address(name) for name in names], device=self.device)
        self.waiting = deque(range(len(names)))
        self.held: dict[int, dict[int, Answer]] = {}

    @torch.no_grad()
    def answers(self) -> Iterator[tuple[int, list[Answer]]]:
        """(question, its answers) as soon as the last of them has ended.

        Raises torch.OutOfMemoryError where a batch does not fit, and CannotPack.
        """
        while self.waiting:
            running = self.prefilled(self.how.rows)
            newest = 1  # tokens of the rows that came last
            left = running.left()
            while left:
                # Behind the newest rows' last token nothing is left, and there is room for nothing.
                steps = min(look_every(self.device), self.how.max_new_tokens - newest)
                for _ in range(steps):
                    advance(running)
                newest += steps
                left = running.left()
                free = self.how.rows - left
                if left and self.waiting and running.rows.joinable and self.worth(running, free):
                    yield from self.whole(running.leave())
                    running.join(self.prefilled(free))
                    newest, left = 1, running.left()
                elif left and running.worth_leaving(left):
                    yield from self.whole(running.leave())
            yield from self.whole(running.drafts)

    def worth(self, running: Running, free: int) -> bool:
        """Whether so many rows are free that questions should join."""
        worth = WORTH_JOINING if running.rows.replayed is None else WORTH_CAPTURING
        return free >= max(self.how.samples, worth * self.how.rows)

    def prefilled(self, free: int) -> Running:
        """The next questions, as many as ``free`` rows have room for, and their first tokens."""
        samples = self.how.samples
        count = fitting((self.pixels[number] for number in self.waiting), free // samples)
        group = [self.waiting.popleft() for _ in range(count)]
        first = torch.tensor(group, device=self.device)[:, None] * samples
        numbers = (first + torch.arange(samples, device=self.device)).flatten()

        def method(
            model: Any,
            input_ids: Tensor,
            logits_processor: Any,
            stopping_criteria: Any,
            generation_config: Any,
            **model_kwargs: Any,
        ) -> Running:
            draw = by_address(
                logits_processor, generation_config, self.how.seed, self.items, samples,
                self.how.first, False,
            )  # fmt: skip
            if draw.processors:
                raise CannotPack("logits are processed")
            # A row ends by its own length, not by that of the other rows.
            stopping = StoppingCriteriaList(
                one for one in stopping_criteria if not isinstance(one, MaxLengthCriteria)
            )
            rows = Rows(model, input_ids, generation_config, model_kwargs, samples)
            drafts = Drafts.of(input_ids, samples, numbers)
            running = Running(rows, drafts, draw, stopping, generation_config)
            running.append(0)
            return running

        inputs, how = self.inputs(group), self.how
        try:
            running: Running = generated(self.hf, inputs, self.tokenizer, how, self.stop, method)
        except CannotRepeat as error:
            raise CannotPack(str(error)) from error
        return running

    def whole(self, ended: Drafts) -> Iterator[tuple[int, list[Answer]]]:
        """Keep the answers that have ended; yield each question whose answers are now complete."""
        if not len(ended.numbers):
            return
        answers = as_answers(ended.answers(), ended, self.tokenizer, self.hf, self.how)
        for number, answer in zip(ended.numbers.tolist(), answers, strict=True):
            question, sample = divmod(number, self.how.samples)
            held = self.held.setdefault(question, {})
            held[sample] = answer
            if len(held) == self.how.samples:
                del self.held[question]
                yield question, [held[s] for s in range(self.how.samples)]


def advance(running: Running) -> None:
    """One step of all rows, each at its own token."""
    running.rows.step(running.drafts.ids)
    drafts = running.drafts
    running.append(drafts.ids.shape[1] - drafts.begun)
