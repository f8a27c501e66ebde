"""A task in, a task of pairs out: each question, and twins of it that nobody can answer."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from calib.models.protocol import one_of
from calib.records import InputError, Item
from calib.runs.config import checked as checked_setting
from calib.tasks import Task, load_task
from calib.tasks.load import checked
from calib.twin_sets.pairs import HOW, PAIR
from calib.twin_sets.ways import WAYS, Known, Reason, twin_of


@dataclass(frozen=True)
class Made:
    """The task of pairs, made of so many ``questions``; by way, how many twins are in it, and the
    ids of all questions that have none, by the reason."""

    task: Task
    questions: int
    made: dict[str, int]
    without: dict[str, dict[str, list[str]]]


def twins(
    task: Task | str,
    how: str | Iterable[str] = tuple(WAYS),
    *,
    seed: int = 0,
    limit: int | None = None,
) -> Task:
    """Each question of ``task``, and twins of it that nobody can answer, as one task.

    ``how``: names of ``calib.twin_sets.ways.WAYS`` (swap, mask, remove, noun), as a list or with
    commas. A twin's ``meta["pair"]`` is its question's id, ``meta["how"]`` the way and
    ``meta["answerable"]`` False; its question has the same ``meta["pair"]``. ``limit``
    of the questions that have a twin are drawn by the seed. A warning says how many questions have
    none and why; a question without any is left out. Raises InputError where
    no question has one.
    """
    found = make(task, how, seed=seed, limit=limit)
    if found.without:
        warnings.warn(f"{found.task.name}: {told(found)}", stacklevel=2)
    return found.task


def make(
    task: Task | str,
    how: str | Iterable[str] = tuple(WAYS),
    *,
    seed: int = 0,
    limit: int | None = None,
) -> Made:
    """The pairs as ``twins`` makes them, with what could not be made; nothing is warned of."""
    ways, seed = checked_ways(how), checked_setting("seed", seed)
    own = checked(task) if isinstance(task, Task) else load_task(task)
    known, pairs = Known(own.items), dict[str, list[Item]]()
    without: dict[str, dict[str, list[str]]] = {}
    for item in own.items:
        pair: list[Item] = []
        for way in ways:
            twin = twin_of(item, way, known, seed)
            if isinstance(twin, Reason):
                without.setdefault(way, {}).setdefault(twin.text, []).append(item.id)
            else:
                pair.append(unanswerable(twin, item, way, known))
        if pair:
            pairs[item.id] = [replace(item, meta=in_pair(item, item, known)), *pair]
    questions = tuple(item for item in own.items if item.id in pairs)
    chosen = Task(own.name, questions).selection(limit, seed)
    items = tuple(each for item in chosen for each in pairs[item.id])
    made = {way: sum(each.meta.get(HOW) == way for each in items) for way in ways}
    task = Task(f"{own.name}-twins", items, own.prompt, own.source)
    found = Made(task, len(own.items), made, without)
    if not items:
        raise InputError(f"task {own.name}: no question has a twin; {told(found)}")
    checked(task)
    return found


def unanswerable(twin: Item, item: Item, way: str, known: Known) -> Item:
    meta = {**in_pair(twin, item, known), HOW: way, "answerable": False}
    meta.pop("aliases", None)
    return replace(twin, id=f"{item.id}#{way}", answer=None, meta=meta)


def in_pair(twin: Item, item: Item, known: Known) -> dict[str, Any]:
    """The meta of one of a pair: both are of the cluster that the question is of."""
    cluster = item.meta.get("cluster")
    if cluster is None:
        cluster = known.content(item)[0] if item.images else item.id
    return {**twin.meta, PAIR: item.id, "cluster": str(cluster)}


def checked_ways(how: str | Iterable[str]) -> list[str]:
    """Names of ``WAYS``, each once, in their order there. InputError for others, and for none."""
    chosen = [part.strip() for part in how.split(",")] if isinstance(how, str) else list(how)
    for way in chosen:
        one_of("how", way, WAYS)
    if not chosen:
        raise InputError(f"how: expected one or more of {', '.join(WAYS)}, got none")
    return [way for way in WAYS if way in chosen]


def told(found: Made) -> str:
    """How many questions have no twin, by way and reason, and the first of them."""
    return "; ".join(
        f"{way}: {len(ids)} of {found.questions} have none, as {reason} ({first(ids)})"
        for way, reasons in found.without.items()
        for reason, ids in reasons.items()
    )


def first(ids: Sequence[str], most: int = 3) -> str:
    return ", ".join(ids[:most]) + (", ..." if len(ids) > most else "")
