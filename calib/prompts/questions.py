"""The questions of a search: those that wordings are ranked on, and those that judge the winner.

No cluster, such as the questions about one picture, is on both sides.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from calib.idk.build import cluster_of
from calib.prompts.objectives import OBJECTIVES, How
from calib.records import InputError, Item
from calib.tasks import Task, load_task
from calib.tasks.load import checked

USUAL = 200
LEAST = 20
"""Questions of each side: by default, and the fewest."""


@dataclass(frozen=True)
class Questions:
    """``items`` (Q): the first ``search`` of them are searched on, the rest judge."""

    task: Task
    how: How
    search: int
    facts: Mapping[str, Any]  # what config.json says of how they are asked

    @property
    def items(self) -> tuple[Item, ...]:
        return self.task.items

    @property
    def searched(self) -> range:
        return range(self.search)

    @property
    def held_out(self) -> range:
        return range(self.search, len(self.items))


def questions_of(
    task: Task | str,
    name: str,
    *,
    prompt: str | None,
    bins: int,
    search: int | None,
    held_out: int | None,
    seed: int,
) -> Questions:
    """The questions of ``task`` for the objective ``name``, or of the IDK set in that folder where
    answers are judged.

    Raises InputError where there are too few, or they cannot be asked so.
    """
    objective = OBJECTIVES[name]
    known: dict[str, bool] | None = None
    facts: dict[str, Any] = {}
    if objective.answers:
        task, known, facts = of_idk_set(task)
        prompt = prompt or str(facts["prompt"])
    else:
        task = checked(task) if isinstance(task, Task) else load_task(task)
    form = prompt or task.prompt
    objective.check(task.items, form)
    items = [item for item in task.items if objective.answers or item.answer is not None]
    first, second = split(items, sides(len(items), search, held_out), seed)
    for side, own, asked in (("search", first, search), ("held_out", second, held_out)):
        if len(own) < (asked or LEAST):
            raise InputError(
                f"{side}: {asked or LEAST} questions cannot be had for it of {len(items)} in "
                f"{len(set(map(cluster_of, items)))} clusters, which stay whole; expected fewer"
            )
    limits = {name: facts[name] for name in ("max_new_tokens", "judge") if name in facts}
    stop = tuple(facts.get("stop") or ())
    how = How(form, bins, known, stop=stop, **limits)
    chosen = Task(task.name, (*first, *second), form, task.source)
    return Questions(
        chosen, how, len(first), {**facts, "objective": name, "prompt": form, "bins": bins}
    )


def of_idk_set(folder: Task | str) -> tuple[Task, dict[str, bool], dict[str, Any]]:
    from calib.idk.folder import labels_of

    if isinstance(folder, Task):
        raise InputError(
            "objective truthful: expected the folder of an IDK set (calib idk build), got the task "
            f"{folder.name!r}"
        )
    labelled = labels_of(Path(folder))
    config, items = labelled.run.config, tuple(drawn.item for drawn in labelled.draws)
    known = {item.id: label for item, label in zip(items, labelled.known, strict=True)}
    names = ("prompt", "max_new_tokens", "stop")
    facts = {**{name: config[name] for name in names}, "judge": labelled.judge}
    facts |= {"tau": labelled.tau, "labels_of": config["model"]}
    return Task(str(config["task"]), items, str(config["prompt"]), str(folder)), known, facts


def sides(number: int, search: int | None, held_out: int | None) -> tuple[int, int]:
    """How many questions each side has; a side that is not said has ``USUAL``, or its half."""
    for name, value in (("search", search), ("held_out", held_out)):
        if value is not None and (isinstance(value, bool) or value < LEAST):
            raise InputError(f"{name}: expected {LEAST} questions or more, got {value!r}")
    if search is None and held_out is None:
        search = held_out = min(USUAL, number // 2)
    elif search is None:
        search = min(USUAL, number - (held_out or 0))
    elif held_out is None:
        held_out = min(USUAL, number - search)
    assert search is not None and held_out is not None
    if min(search, held_out) < LEAST or search + held_out > number:
        raise InputError(
            f"search, held_out: {number} questions have a known answer, of which each side needs "
            f"{LEAST} or more; got {search} and {held_out}"
        )
    return search, held_out


def split(
    items: Sequence[Item], sizes: tuple[int, int], seed: int
) -> tuple[list[Item], list[Item]]:
    """So many items for each side, clusters whole on one side and as many of them as there are.

    Clusters are dealt in an order drawn by ``seed``, each to the side that has less of what it
    needs; then a side takes a question of every cluster, a second of every one, and so on. It gets
    fewer where its clusters have fewer.
    """
    chance = random.Random(seed)
    by_cluster: dict[str, list[Item]] = {}
    for item in items:
        by_cluster.setdefault(cluster_of(item), []).append(item)
    names = sorted(by_cluster)
    chance.shuffle(names)
    dealt: tuple[list[list[Item]], list[list[Item]]] = [], []
    held = [0, 0]
    for name in names:
        own = by_cluster[name]
        side = min((0, 1), key=lambda s: held[s] / sizes[s])
        dealt[side].append(chance.sample(own, len(own)))
        held[side] += len(own)
    first, second = (in_turn(own)[:size] for own, size in zip(dealt, sizes, strict=True))
    return first, second


def in_turn(clusters: Sequence[Sequence[Item]]) -> list[Item]:
    """The first of each cluster, then the second of each, and so on."""
    return [item for row in zip_longest(*clusters) for item in row if item is not None]
