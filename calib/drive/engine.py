"""What a drive runs on: this process among those of ``torchrun``, its device, its threads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from calib.models.letters import POSITION
from calib.models.load import load_model
from calib.models.protocol import Model, ScorePlan
from calib.records import InputError, Item
from calib.runs.folder import Progress, Run, Work, open_run
from calib.runs.ledger import Ledger, open_ledger
from calib.runs.sampled import Part, begin_shard
from calib.runs.shards import whole_items

T = TypeVar("T")


@dataclass(frozen=True)
class Here:
    """Process ``rank`` of ``world`` that divide a run's work."""

    rank: int
    world: int

    def share(self, work: Sequence[T]) -> Sequence[T]:
        """What this process does of it: every ``world``-th, from its own number on."""
        return work[self.rank :: self.world]


def here() -> Here:
    """Where this is: alone, or as the environment of ``torchrun`` says."""
    return Here(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))


def open_here(
    folder: Path, config: Mapping[str, Any], items: Sequence[Item], plan: ScorePlan, logs: str
) -> Ledger:
    """This process's files of a scored run in ``folder``; see ``calib.runs.ledger``."""
    place = here()
    return open_ledger(
        folder,
        config,
        items,
        plan.prompts,
        plan.batches,
        rank=place.rank,
        world=place.world,
        log_samples=logs,
        growth=as_begun,
    )


def left(
    batches: Sequence[Sequence[int]], done: set[int], progress: Progress | None, what: str
) -> tuple[list[int], Telling]:
    """The batches that are left to this process, and who tells of its questions."""
    mine = share(range(len(batches)))
    counts = {number: len(batches[number]) for number in mine}
    finished = sum(count for number, count in counts.items() if number in done)
    tell = Telling(progress, finished, sum(counts.values()), Work(what, "questions"))
    return [number for number in mine if number not in done], tell


def open_answers(folder: Path, config: Mapping[str, Any]) -> tuple[Run, list[Part]]:
    """This process's file of a sampled run in ``folder``; see ``calib.runs.sampled``."""
    return begin_shard(folder, config, here().rank)


def share(work: Sequence[T]) -> Sequence[T]:
    """What this process does of the work."""
    return here().share(work)


def await_answers(run: Run, questions: int) -> None:
    """Wait until the other processes have answered their questions, too.

    Where one of them fails, ``torchrun`` ends the others.
    """
    while len(whole_items(run.path, run.config)) < questions:
        time.sleep(0.2)


def device_of_rank() -> str | None:
    """Under torchrun each process has a GPU of its own, where there are any."""
    if "LOCAL_RANK" not in os.environ or not torch.cuda.is_available():
        return None
    return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"


def loaded(model: Model | str) -> Model:
    """The model itself; one that is named is loaded on this process's device."""
    if not isinstance(model, str):
        return model
    device = device_of_rank()
    return load_model(model) if device is None else load_model(model, device=device)


def facts_of(model: Model, folder: Path | None = None) -> dict[str, Any]:
    """The model's facts, its device by kind: another GPU of the machine goes on with a run.

    With the ``folder`` of a run also the number of threads, where they decide its bits.
    """
    facts = dict(model.facts)
    if "device" in facts:
        facts["device"] = kind_of(facts["device"])
    return facts if folder is None else {**facts, **threads_of(facts, folder)}


def as_begun(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier version wrote otherwise: a scored run's device by number, which stays, and
    neither ``orders`` nor ``protocol``, of which there was one."""
    grown: dict[str, Any] = {}
    if "device" in now and kind_of(before.get("device")) == now["device"]:
        grown["device"] = before["device"]
    for name, only in (("orders", 1), ("protocol", POSITION)):
        if name not in before and now.get(name) == only:
            grown[name] = only
    return grown


def kind_of(device: Any) -> str:
    return str(device).partition(":")[0]


def threads_of(facts: Mapping[str, Any], path: Path) -> dict[str, int]:
    """The number of threads of a run on a CPU: those that the run in ``path`` was begun with.

    They decide how a product is summed, so they are part of what config.json says.
    """
    if facts.get("device") != "cpu":
        return {}
    return {"threads": begun_with(path) or torch.get_num_threads()}


def begun_with(path: Path) -> int | None:
    """The threads of the run in folder ``path``, if there is one."""
    try:
        threads = open_run(path).config.get("threads")
    except InputError:
        return None
    return threads if isinstance(threads, int) and threads > 0 else None


@contextmanager
def running(config: Mapping[str, Any]) -> Iterator[None]:
    """With as many threads as ``config`` says, where it does; as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(config.get("threads", before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Telling:
    """Tells ``progress`` how much of ``total`` is done."""

    def __init__(self, progress: Progress | None, done: int, total: int, work: Work) -> None:
        self.progress, self.done, self.total, self.work = progress, done, total, work
        self.more(0)

    def more(self, count: int) -> None:
        self.done += count
        if self.progress is not None:
            self.progress(self.done, self.total, self.work)
