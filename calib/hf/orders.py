"""One question in several prompts, as orders of its options or wordings of its cue: what the
prompts have in common is read once.

A question's pictures, text and whatever else stands before the first token in which its prompts
differ are one prefix; each prompt's rest is a short text behind it, read on a copy of the prefix's
cache. The first batch of a kind decides whether that gives what the whole prompt gives. Where it
does not, as with caches of which rows cannot be repeated, each prompt is read whole.

Axis legend: R prompts, those of one question beside each other, L tokens of the longest rest, V
vocabulary.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from calib.hf.decoding.prefix import rope_deltas, way_of
from calib.hf.encoding import Encoded, common_prefix
from calib.hf.memory import Prefix
from calib.hf.reader import Part, Reader
from calib.hf.reading import ReadPrompts, Source, close, tried
from calib.hf.scoring import Scores, joined, of_single_tokens

if TYPE_CHECKING:
    from calib.hf.model import Model

SPARED = 32
"""Tokens of padding that a second pass over the model's weights has to spare."""
RIGHT = ("kept prefixes",)
"""The question in ``Reader.learned`` whether a prefix that was kept is as good as one read."""


@dataclass(frozen=True)
class Shared:
    """The prompts of a question: ``prefix`` is the first one's up to where they part, of the tokens
    ``ids``, ``rest`` the tokens of each from there on, ``rows`` which of the batch they are;
    ``kept`` is what was read of the prefix before."""

    prefix: Encoded
    ids: tuple[int, ...]
    rest: tuple[tuple[int, ...], ...]
    rows: tuple[int, ...]
    kept: Prefix | None = None


def kind_of(orders: Sequence[Encoded]) -> Hashable:
    """What questions must have in common to share a batch."""
    first, *others = orders
    if not others:
        return first.kind
    return bool(first.images), all(one.single for one in orders)


@torch.inference_mode()
def score_orders(
    model: Model,
    batch: Sequence[Encoded],
    answers: Sequence[int | None],
    *,
    temperature: float,
    **scoring: Any,
) -> Scores:
    """The scores of R prompts, as ``Model.score_batch`` gives them; prompts of one name that follow
    each other are one question. Options of several tokens are scored behind whole prompts."""
    parts: list[Scores] = []
    numbers: list[list[int]] = []
    whole = list(range(len(batch)))
    if all(one.single for one in batch):
        questions = [shared(own, batch, model.reader) for own in named_alike(batch)]
        for part in model.reader.parts([question.prefix for question in questions]):
            own = [questions[n] for n in part.rows]
            logits = logits_of(model.reader, part, own, batch)
            if logits is None:
                continue
            rows = [n for question in own for n in question.rows]
            labels = [-100 if answers[n] is None else answers[n] for n in rows]
            on_device = torch.tensor(labels, device=logits.device)
            options = [batch[n].options for n in rows]
            parts.append(of_single_tokens(logits, options, on_device, temperature=temperature))
            numbers.append(rows)
            whole = [n for n in whole if n not in rows]
    else:
        tell_once(model.reader, "longer", "options are several tokens to this model's tokenizer")
    if whole:
        scoring["temperature"] = temperature
        these = [batch[n] for n in whole]
        parts.append(model.score_batch(these, [answers[n] for n in whole], **scoring))
        numbers.append(whole)
    return joined(parts, numbers)


def named_alike(batch: Sequence[Encoded]) -> list[list[int]]:
    """The numbers of each question's prompts."""
    return [list(own) for _, own in groupby(range(len(batch)), key=lambda n: batch[n].name)]


def shared(rows: Sequence[int], batch: Sequence[Encoded], reader: Reader) -> Shared:
    """What the prompts ``rows`` of a batch share; each keeps a token to be read behind it.

    While somebody remembers, it ends with the last line that they share: so it is the same whatever
    further prompts of the question stand beside these, and so are the numbers behind it.
    """
    ids = []
    for one in (batch[n] for n in rows):
        whole = reader.speakers.ids(one.text + one.tail, one.special)
        ids.append(tuple(whole[: one.length - one.cut]))
    length = min(min(common_prefix(ids[0], own) for own in ids), min(map(len, ids)) - 1)
    first, kept = batch[rows[0]], None
    if reader.memory is not None:
        end = min(common_prefix(first.text, batch[n].text) for n in rows)
        lines = first.text[:end].rpartition("\n")[0]
        stem = reader.speakers.ids(f"{lines}\n", first.special) if lines else []
        length = min(length, common_prefix(ids[0], stem)) or length
        kept = reader.memory.prefix(first.name, ids[0][:length], first.images)
    prefix = replace(first, cut=first.length - length)
    return Shared(prefix, ids[0][:length], tuple(own[length:] for own in ids), tuple(rows), kept)


def logits_of(
    reader: Reader, part: Part, questions: Sequence[Shared], batch: Sequence[Encoded]
) -> Tensor | None:
    """Logits (R, V) behind every order's prompt; None where the model cannot share what it has
    read, which is said once."""
    key = ("orders", part.condition.pictures, part.condition.padded)
    if reader.learned.get(key) is False:
        return None
    logits = tried(behind, reader, part, questions)
    if key not in reader.learned:
        # Of the question with most padding the order that is furthest from the one read first.
        place = min(range(len(questions)), key=lambda q: length_of(questions[q]))
        row = sum(len(question.rows) for question in questions[: place + 1]) - 1
        alone = reader.inputs([batch[questions[place].rows[-1]]])
        source = Source(positions=part.source.positions)
        expected = ReadPrompts(reader.hf, alone, source, keep=False).logits[0]
        right = logits is not None and close(logits[row], expected, reader.hf.dtype)
        reader.learned[key] = right
        if not right:
            name = type(reader.hf).__name__
            tell_once(reader, "whole", f"{name} cannot go on from what a question's prompts share")
    return logits if reader.learned[key] else None


def tell_once(reader: Reader, what: str, why: str) -> None:
    """Warn, once a model, that a question's prompts cost as much as so many questions."""
    if ("orders", what) not in reader.learned:
        reader.learned[("orders", what)] = True
        warnings.warn(
            f"{why}: each prompt of a question is read whole, which takes as long as so many "
            "questions",
            stacklevel=2,
        )


def length_of(question: Shared) -> int:
    return question.prefix.length - question.prefix.cut


def behind(reader: Reader, part: Part, questions: Sequence[Shared]) -> Tensor | None:
    """Logits (R, V): the prefixes in one pass, the rest of all orders in another.

    The first prefix that was read before decides whether such a one gives what reading it gives.
    """
    if (kept := remembered(reader, questions)) is not None:
        cached = ReadPrompts(reader.hf, part.inputs, part.source, keep=True, cache=kept)
        logits = tried(ends, cached, questions)
        if reader.learned.get(RIGHT) and logits is not None:
            return torch.as_tensor(logits)
        read = ends(ReadPrompts(reader.hf, part.inputs, part.source, keep=True), questions)
        right = logits is not None and read is not None and close(logits, read, reader.hf.dtype)
        reader.learned[RIGHT] = right
        return read
    prompts = ReadPrompts(reader.hf, part.inputs, part.source, keep=True)
    remember(reader, questions, getattr(prompts.outputs, "past_key_values", None))
    return ends(prompts, questions)


def ends(prompts: ReadPrompts, questions: Sequence[Shared]) -> Tensor | None:
    """Logits (R, V) behind the rest of every prompt, the short ones apart from the long."""
    numbers = [q for q, question in enumerate(questions) for _ in question.rest]
    rest = [ids for question in questions for ids in question.rest]
    found, rows = [], []
    parts = by_length(list(map(len, rest)))
    for place, part in enumerate(parts):
        lengths = [len(rest[row]) for row in part]
        fed = torch.zeros(len(part), max(lengths), dtype=torch.long)
        for line, row in enumerate(part):
            fed[line, : lengths[line]] = torch.tensor(rest[row])
        own = prompts if place == len(parts) - 1 else prompts.branch()
        logits = own.ends([numbers[row] for row in part], fed.to(prompts.ids.device), lengths)
        if logits is None:
            return None
        found.append(logits)
        rows += part
    order = torch.tensor(rows).argsort()
    return torch.cat(found)[order.to(prompts.ids.device)]


def by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Rows in one part, or in a shorter and a longer one where that spares much padding."""
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    whole = len(order) * lengths[order[-1]]

    def cost(cut: int) -> int:
        return cut * lengths[order[cut - 1]] + (len(order) - cut) * lengths[order[-1]]

    cut = min(range(1, len(order) + 1), key=cost)
    if whole - cost(cut) < SPARED:
        return [sorted(order)]
    return [sorted(order[:cut]), sorted(order[cut:])]


def remembered(reader: Reader, questions: Sequence[Shared]) -> Any:
    """A copy of what was kept of a question's prefix, which reading on adds to; None for more
    questions than one."""
    alone = len(questions) == 1 and reader.learned.get(RIGHT) is not False
    kept = questions[0].kept if alone else None
    return None if kept is None else deepcopy(kept.cache)


def remember(reader: Reader, questions: Sequence[Shared], cache: Any) -> None:
    """Keep a question's prefix where somebody asks for it and its cache is all of its state."""
    first, *others = questions
    if reader.memory is None or others or reader.learned.get(RIGHT) is False:
        return
    if cache is not None and way_of(cache, True) == "shared" and rope_deltas(reader.hf) is None:
        kept = Prefix(first.ids, deepcopy(cache))
        reader.memory.keep(first.prefix.name, first.prefix.images, kept)
