"""One question in several orders of its options: what their prompts have in common is read once.

A question's pictures, text and whatever else stands before the first option that moves are one
prefix; each order's rest is a short text behind it, read on a copy of the prefix's cache. The first
batch of a kind decides whether that gives what the whole prompt gives. Where it does not, as with
caches of which rows cannot be repeated, each order's prompt is read whole.

Axis legend: R prompts, those of one question beside each other, L tokens of the longest rest, V
vocabulary.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from calib.hf.encoding import Encoded, common_prefix
from calib.hf.reader import Part, Reader
from calib.hf.reading import ReadPrompts, Source, close, tried
from calib.hf.scoring import Scores, joined, of_single_tokens
from calib.hf.speakers import Speakers

if TYPE_CHECKING:
    from calib.hf.model import Model


@dataclass(frozen=True)
class Shared:
    """The orders of a question: ``prefix`` is the first one's prompt up to where they part,
    ``rest`` the tokens of each from there on, ``rows`` which of the batch they are."""

    prefix: Encoded
    rest: tuple[tuple[int, ...], ...]
    rows: tuple[int, ...]


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
        questions = [shared(own, batch, model.speakers) for own in named_alike(batch)]
        for part in model.reader.parts([question.prefix for question in questions]):
            own = [questions[n] for n in part.rows]
            logits = logits_of(model.hf, model.reader, part, own, batch)
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
        tell_once(model.reader, "longer", "letters are several tokens to this model's tokenizer")
    if whole:
        scoring["temperature"] = temperature
        these = [batch[n] for n in whole]
        parts.append(model.score_batch(these, [answers[n] for n in whole], **scoring))
        numbers.append(whole)
    return joined(parts, numbers)


def named_alike(batch: Sequence[Encoded]) -> list[list[int]]:
    """The numbers of each question's prompts."""
    return [list(own) for _, own in groupby(range(len(batch)), key=lambda n: batch[n].name)]


def shared(rows: Sequence[int], batch: Sequence[Encoded], speakers: Speakers) -> Shared:
    """What the prompts ``rows`` of a batch share; each keeps a token to be read behind it."""
    ids = []
    for one in (batch[n] for n in rows):
        ids.append(speakers.ids(one.text + one.tail, one.special)[: one.length - one.cut])
    length = min(min(common_prefix(ids[0], own) for own in ids), min(map(len, ids)) - 1)
    first = batch[rows[0]]
    prefix = replace(first, cut=first.length - length)
    return Shared(prefix, tuple(tuple(own[length:]) for own in ids), tuple(rows))


def logits_of(
    hf: Any, reader: Reader, part: Part, questions: Sequence[Shared], batch: Sequence[Encoded]
) -> Tensor | None:
    """Logits (R, V) behind every order's prompt; None where the model cannot share what it has
    read, which is said once."""
    key = ("orders", part.condition.pictures, part.condition.padded)
    if reader.learned.get(key) is False:
        return None
    logits = tried(behind, hf, part, questions)
    if key not in reader.learned:
        # Of the question with most padding the order that is furthest from the one read first.
        place = min(range(len(questions)), key=lambda q: length_of(questions[q]))
        row = sum(len(question.rows) for question in questions[: place + 1]) - 1
        alone = reader.inputs([batch[questions[place].rows[-1]]])
        source = Source(positions=part.source.positions)
        expected = ReadPrompts(hf, alone, source, keep=False).logits[0]
        right = logits is not None and close(logits[row], expected, hf.dtype)
        reader.learned[key] = right
        if not right:
            name = type(hf).__name__
            tell_once(reader, "whole", f"{name} cannot go on from what a question's orders share")
    return logits if reader.learned[key] else None


def tell_once(reader: Reader, what: str, why: str) -> None:
    """Warn, once a model, that orders cost as much as so many questions."""
    if ("orders", what) not in reader.learned:
        reader.learned[("orders", what)] = True
        warnings.warn(
            f"{why}: every order is read whole, which takes as long as so many questions",
            stacklevel=2,
        )


def length_of(question: Shared) -> int:
    return question.prefix.length - question.prefix.cut


def behind(hf: Any, part: Part, questions: Sequence[Shared]) -> Tensor | None:
    """Logits (R, V): the prefixes in one pass, the rest of all orders in another."""
    prompts = ReadPrompts(hf, part.inputs, part.source, keep=True)
    numbers = [q for q, question in enumerate(questions) for _ in question.rest]
    rest = [ids for question in questions for ids in question.rest]
    lengths = list(map(len, rest))
    fed = torch.zeros(len(rest), max(lengths), dtype=torch.long)
    for row, ids in enumerate(rest):
        fed[row, : len(ids)] = torch.tensor(ids)
    return prompts.ends(numbers, fed.to(prompts.ids.device), lengths)
