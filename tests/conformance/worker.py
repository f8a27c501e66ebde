"""One family in a process of its own: built, loaded, checked; a line of JSON for each record."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import torch

import calib
from tests.conformance.answers import answer_checks
from tests.conformance.families import FAMILIES
from tests.conformance.family import Family
from tests.conformance.hand import Hand, apart
from tests.conformance.questions import ONE, REPAINTED
from tests.conformance.records import FAILED, REFUSED, UNSETTLED, Check, Unsettled, told
from tests.conformance.sampling import ends_of, shared_prefix_checks
from tests.conformance.scoring import (
    bfloat16_checks,
    four_settled,
    run_folder_check,
    score_checks,
)

# Of a model whose logits hardly differ, nothing is learnt from logits that agree.
SPREAD = 0.5
# The least by which another picture must move a logit, far above any bound of the checks.
MOVED = 0.05


def run(name: str, out: Path) -> None:
    """Check family ``name``; what is known is in ``out`` at any time."""
    torch.set_num_threads(1)
    family = FAMILIES[name]
    began = time.monotonic()
    with out.open("w") as lines, tempfile.TemporaryDirectory() as folder:

        def tell(kind: str, **fields: object) -> None:
            lines.write(json.dumps({"kind": kind, **fields}) + "\n")
            lines.flush()

        for record in records(family, Path(folder)):
            if isinstance(record, Check):
                tell("check", **asdict(record))
            else:
                tell("built", what=record)
        tell("done", seconds=round(time.monotonic() - began, 1))


def records(family: Family, folder: Path) -> Iterator[Check | str]:
    """What was built, and each check."""
    lacking = [package for package in family.needs if find_spec(package) is None]
    if lacking:
        yield Check("needs", UNSETTLED, reason=f"{', '.join(lacking)} is not installed")
        return
    place = folder / "model"
    place.mkdir()
    torch.manual_seed(0)
    try:
        family.build(place)
        hand = Hand(place, family.images)
    except Exception as error:  # noqa: BLE001  (a family that cannot be built is a record too)
        yield Check("build", UNSETTLED, reason=told(error))
        return
    count = sum(p.numel() for p in hand.model.parameters())
    speaker = type(hand.speaker).__name__
    yield f"{type(hand.model).__name__}, {count // 1000}k parameters" + (
        f", {speaker}" if family.images else ""
    )
    try:
        model = calib.load_model(place, device="cpu")
    except calib.CalibError as refusal:
        yield Check("load", REFUSED, reason=str(refusal).splitlines()[0])
        return
    except Exception as error:  # noqa: BLE001
        yield Check("load", FAILED, reason=told(error))
        return
    try:
        items = four_settled(hand, family.images)
    except Unsettled as reason:
        yield Check("by hand", UNSETTLED, reason=str(reason))
        return
    first = hand.logits(items[0], ())[-1]
    finite = first[first.isfinite() & (first > torch.finfo(first.dtype).min / 2)]
    if finite.std() < SPREAD:
        yield Check("by hand", UNSETTLED, float(finite.std()), "the logits hardly differ")
        return
    if family.images:
        try:
            moved = apart(hand.logits(ONE, ())[-1], hand.logits(REPAINTED, ())[-1])
        except Unsettled as reason:
            yield Check("pictures", UNSETTLED, reason=str(reason))
            return
        if moved < MOVED:
            yield Check("pictures", UNSETTLED, moved, "another picture hardly moves the logits")
            return
    yield from score_checks(model, hand, family.images)
    yield run_folder_check(model, hand, items, folder / "scores")
    ends = ends_of(hand, len(first))
    yield from shared_prefix_checks(model, hand, family.images, ends)
    yield from answer_checks(model, hand, items, ends, folder)
    half = {"device": "cpu", "dtype": "bfloat16"}
    try:
        halved = calib.load_model(place, **half), Hand(place, family.images, torch.bfloat16)
    except Exception as error:  # noqa: BLE001
        yield Check("bfloat16", FAILED, reason=told(error))
        return
    yield from bfloat16_checks(*halved, hand, family.images)
