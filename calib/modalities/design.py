"""Which questions are asked in which cells, and all of it that is refused without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.drive.score import check_items
from calib.modalities.cells import (
    BOTH,
    TEXT,
    cell_of,
    checked_arms,
    checked_levels,
    checked_sentences,
)
from calib.modalities.descriptions import Sentences, checked, from_data, from_file, sentences_of
from calib.modalities.pictures import Shown
from calib.models.protocol import is_whole
from calib.records import InputError, Item
from calib.runs.config import checked as checked_setting
from calib.runs.kinds import MODALITY
from calib.tasks import Task, load_task
from calib.tasks.load import checked as checked_task
from calib.tasks.prompts import FORMS
from calib.tasks.task import digest


@dataclass(frozen=True)
class Design:
    """Which questions are asked in which cells."""

    task: Task
    form: str
    items: tuple[Item, ...]
    arms: Sequence[str]
    levels: Sequence[Shown]
    seed: int
    bins: int
    side: int


def designed(
    task: Task | str,
    arms: Iterable[str] | None,
    noise: Iterable[Shown] | None,
    limit: int | None,
    prompt: str | None,
    seed: int,
    bins: int,
    side: int,
) -> Design:
    """Raises InputError, naming the item, for what the cells cannot be asked of."""
    chosen, levels = checked_arms(arms), checked_levels(noise)
    seed, bins = checked_setting("seed", seed), checked_setting("bins", bins)
    if not is_whole(side, 1):
        raise InputError(f"side: expected a positive whole number of pixels, got {side!r}")
    own = checked_task(task) if isinstance(task, Task) else load_task(task)
    form = prompt or own.prompt
    if form not in FORMS or FORMS[form].typed:
        names = ", ".join(name for name, each in FORMS.items() if not each.typed)
        raise InputError(f"prompt: expected one of {names}, which show a description, got {form!r}")
    items = own.selection(limit, seed)
    check_items(items, form)
    unanswered = next((item.id for item in items if item.answer is None), None)
    if unanswered is not None:
        raise InputError(f"item {unanswered!r}: it has no answer, and every cell needs an accuracy")
    if not chosen and not levels:
        raise InputError("arms, noise: expected at least one arm or level, got none")
    design = Design(own, form, items, chosen, levels, seed, bins, side)
    pictured = [arm for arm in chosen if cell_of(arm, 1).pictured]
    bare = next((item.id for item in items if not item.images), None)
    if bare is not None and (pictured or levels):
        where = f"arm {pictured[0]}" if pictured else "a level of noise"
        raise InputError(f"item {bare!r}: it has no picture, which {where} shows")
    if len({str(item.meta.get("cluster", item.id)) for item in items}) < 2:
        raise InputError("the study compares questions of two clusters or more, got one cluster")
    return design


def described(
    task: Task, descriptions: str | Path | Mapping[str, Any] | None, describe: bool
) -> tuple[dict[str, Sentences], str]:
    """Descriptions by id, as far as they are known without the model, and where they come from."""
    if describe and descriptions is not None:
        raise InputError("descriptions, describe: expected one of the two, got both")
    if describe:
        return {}, "the model"
    if isinstance(descriptions, Mapping):
        return from_mapping(descriptions), "the caller"
    if descriptions is not None:
        return from_file(Path(descriptions)), Path(descriptions).name
    return from_data(task), "the data"


def from_mapping(descriptions: Mapping[str, Any]) -> dict[str, Sentences]:
    return {
        str(n): sentences_of(value, f"descriptions, id {n!r}") for n, value in descriptions.items()
    }


def fitted(
    design: Design, sentences: int | None, found: Mapping[str, Sentences]
) -> tuple[int, dict[str, Sentences]]:
    """How many sentences the study shows at most, and the descriptions that it shows."""
    saying = [arm for arm in design.arms if arm in (TEXT, BOTH)]
    if sentences == 0 and saying:
        raise InputError(f"sentences: expected 1 or more, as arm {saying[0]} shows some, got 0")
    if not saying and (sentences == 0 or (sentences is None and not found)):
        return 0, {}
    of_items = checked(found, design.items)
    return checked_sentences(sentences, max(map(len, of_items.values()))), of_items


def checked_samples(samples: int) -> int:
    if samples != 0 and not is_whole(samples, 2):
        raise InputError(f"samples: expected 0, or 2 or more answers, got {samples!r}")
    return samples


def config_of(design: Design, source: str, limit: int | None) -> dict[str, Any]:
    return {
        "kind": MODALITY,
        "task": design.task.name,
        "source": design.task.source,
        "questions": len(design.items),
        "items": digest(design.items),
        "prompt": design.form,
        "descriptions": source,
        "side": design.side,
        "limit": limit,
        "seed": design.seed,
        "bins": design.bins,
    }


def regrown(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """A study goes on with other cells: those that it had keep their runs."""
    return {name: now[name] for name in ("arms", "levels", "sentences", "samples")}
