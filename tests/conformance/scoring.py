"""Checks of scores: `Model.option_scores` and `calib.score` against the forward by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from calib_kernels import option_scores

import calib
from calib import Item
from calib.hf.model import Model
from calib.tasks import Task
from tests.conformance.hand import Hand, apart, picked
from tests.conformance.questions import (
    ONE,
    ONE_TOKEN,
    OPTIONS,
    TEXTS,
    TWO,
    WIDE,
    groups,
)
from tests.conformance.records import BOUND, Check, Unsettled, checked, told

BATCHES = (1, 8)
# A logit that is rounded to bfloat16 is off by 2^-9 of it at most; what a few layers round comes
# on top of that.
ROUNDING = 2**-8


def score_checks(model: Model, hand: Hand, images: bool) -> Iterator[Check]:
    """Every group of questions with every kind of options, alone and in a left-padded batch."""
    for group, questions in groups(images).items():
        for kind, options in OPTIONS.items():
            items = [replace(item, options=options, answer=0) for item in questions]
            for size in BATCHES:
                name = f"score: {group}, {kind}, batch {size}"
                yield checked(name, scored, model, hand, items, size)


def scored(model: Model, hand: Hand, items: Sequence[Item], size: int) -> tuple[float, float, str]:
    expected = [by_hand(hand, item) for item in items]
    rows = model.option_scores(items, batch_size=size, prompt="options")
    return worst([row["logprob"] for row in rows], expected), BOUND, ""


def by_hand(hand: Hand, item: Item) -> list[float]:
    return [hand.logprob(item, tokens) for tokens in hand.options(item)]


def worst(rows: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> float:
    if [len(row) for row in rows] != [len(row) for row in expected]:
        return float("inf")
    return apart(torch.tensor(rows).flatten().double(), torch.tensor(expected).flatten().double())


def bfloat16_checks(model: Model, hand: Hand, exact: Hand, images: bool) -> Iterator[Check]:
    """One question at a time. ``model`` and ``hand`` are loaded in bfloat16, ``exact`` is not."""
    for item in (TEXTS[1], *((WIDE, TWO) if images else ())):
        for kind, options in OPTIONS.items():
            asked = replace(item, options=options, answer=0)
            name = f"bfloat16: {item.id}, {kind}"
            compare = same_forward if kind == ONE_TOKEN else same_within_rounding
            yield checked(name, compare, model, hand, exact, asked)


@torch.no_grad()
def same_forward(model: Model, hand: Hand, exact: Hand, item: Item) -> tuple[float, float, str]:
    """Options of one token are read from the prompt's last position: bit for bit the same."""
    by_hand(exact, item)  # raises where even float32 is not settled
    inputs = hand.inputs([item])
    try:
        last = hand.accepted({**inputs, "logits_to_keep": 1, "use_cache": False})
        logits = hand.model(**last).logits[:, -1]
    except Exception as error:
        raise Unsettled(f"the forward by hand in bfloat16: {told(error)}") from error
    ids = torch.tensor([token for (token,) in hand.options(item)])
    expected = option_scores(logits, ids).logprob[0]
    (row,) = model.option_scores([item], batch_size=1, prompt="options")
    return apart(torch.tensor(row["logprob"]), expected), 0.0, "bit-equal is asked for"


def same_within_rounding(
    model: Model, hand: Hand, exact: Hand, item: Item
) -> tuple[float, float, str]:
    """Longer options go on from a cache, several in one batch: those shapes round differently.

    The nearer of the two ways by hand counts; what they differ by themselves is allowed twice.
    """
    by_hand(exact, item)
    inputs, options = hand.inputs([item]), hand.options(item)
    try:
        read = [[way(inputs, ids[:-1]) for way in (hand.whole, hand.stepped)] for ids in options]
    except Exception as failure:
        raise Unsettled(f"the forward by hand in bfloat16: {told(failure)}") from failure
    (row,) = model.option_scores([item], batch_size=1, prompt="options")
    error = bound = 0.0
    for tokens, ways, logprob in zip(options, read, row["logprob"], strict=True):
        whole, stepped = (picked(logits, tokens) for logits in ways)
        error = max(error, min(abs(logprob - whole), abs(logprob - stepped)))
        size = max(float(logits.abs().max()) for logits in ways)
        bound = max(bound, 2 * abs(whole - stepped), len(tokens) * size * ROUNDING)
    return error, bound, f"within {bound:.2g} is asked for"


class Stop(Exception):
    """The run is stopped after a batch."""


def run_folder_check(model: Model, hand: Hand, items: Sequence[Item], folder: Path) -> Check:
    """`calib.score` of four questions, stopped after its first batch and called again."""

    def measure() -> tuple[float, float, str]:
        asked = [replace(item, options=OPTIONS["several tokens"], answer=1) for item in items]
        expected = [by_hand(hand, item) for item in asked]
        task = Task("items", tuple(asked))

        def stop(done: int, total: int, note: str) -> None:
            if done:
                raise Stop

        with suppress(Stop):
            calib.score(model, task, out=folder, batch_size=2, progress=stop)
        begun = len(calib.open_run(folder).rows())
        rows = calib.score(model, task, out=folder, batch_size=2).rows()
        if not 0 < begun < len(rows) or [row["id"] for row in rows] != [i.id for i in asked]:
            return float("inf"), BOUND, f"{begun} rows at first, then {[r['id'] for r in rows]}"
        best = [max(range(len(row)), key=row.__getitem__) for row in expected]
        if [row["prediction"] for row in rows] != best:
            return float("inf"), BOUND, "another option is predicted"
        return worst([row["logprob"] for row in rows], expected), BOUND, ""

    return checked("run folder", measure)


def four_settled(hand: Hand, images: bool) -> list[Item]:
    """Four questions of which the forward by hand can be had; more pictures than texts."""
    candidates = [*((WIDE, TWO, ONE) if images else ()), *TEXTS]
    settled: list[Item] = []
    why: list[str] = []
    for item in [*candidates, *(replace(item, id=f"{item.id}-again") for item in candidates)]:
        try:
            hand.logits(item, ())
        except Unsettled as reason:
            why.append(str(reason))
        else:
            settled.append(item)
    if len(settled) < 4:
        raise Unsettled(why[0])
    return settled[:4]
