"""Runs are killed at random moments, then the same call goes on: ``python -m tests.kills``.

Each kind of run is begun in a process of its own, which is killed (SIGKILL) after a random part of
the time that a whole run takes. Another process finishes it. Its records, or its pages, must then
be those of a run that nobody stopped, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

import calib
import calib.models.load
from calib.hf.model import Model
from calib.idk.folder import build_set
from calib.records import Item
from calib.report.scores import write_report
from calib.studies.run import run_study
from calib.tasks import Task
from tests.fake_model import Fake
from tests.hf.conftest import make_llama, make_tokenizer
from tests.studies.declared import declared

KINDS = (
    *("score", "letters", "sample", "idk", "report", "prompts", "study"),
    *("fake score", "fake sample"),
)
QUESTIONS = 60
TIMED = (
    *("config.json", "results.json", "report.html", "report.md", "README.md", "done.json"),
    *("facts.csv", "steps.csv"),
)
"""Files that tell when a run was begun, or how long it took."""


def task() -> Task:
    words = ("red", "green", "blue", "one or two", "none of them")
    items = [
        Item(f"q{k}", f"Which is number {k}?", (), words[: 2 + k % 4], k % 2, f"g{k % 3}")
        for k in range(QUESTIONS)
    ]
    return Task("kills", tuple(items), "options")


def act(kind: str, model: Model | Fake, folder: Path) -> None:
    """The whole job of a kind, in ``folder``."""
    if kind.startswith("fake "):
        act(kind.removeprefix("fake "), Fake(), folder)
    elif kind == "score":
        calib.score(model, task(), out=folder, batch_size=4)
    elif kind == "letters":
        calib.score(model, task(), out=folder, batch_size=4, protocol="paper")
    elif kind == "sample":
        calib.sample(model, task(), out=folder, samples=4, max_new_tokens=6)
    elif kind == "prompts":
        letters = replace(task(), prompt="letters")
        how = {"rounds": 2, "search": 26, "held_out": 26, "patience": 0}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*options are several tokens")
            calib.optimize_prompts(model, letters, out=folder, **how)
    elif kind == "study":
        study(model, folder)
    elif kind == "idk":
        build_set(model, task(), folder, samples=4, max_new_tokens=4, limit=None)
    else:
        if not (folder / "records.jsonl").exists():
            calib.score(model, task(), out=folder, batch_size=4)
        write_report(calib.open_run(folder))


def study(model: Model | Fake, folder: Path) -> None:
    """A study whose every model is ``model``; its jobs lie in the folder, too."""
    calib.models.load.load_model = lambda *_, **__: model  # of this process, which ends with it
    calib.models.load.foresee = lambda *_, **__: None
    folder.mkdir(exist_ok=True)
    run_study(declared(folder), out=folder / "study", quick=True)


def forked(job: Callable[[], None], kill_after: float | None = None) -> bool:
    """Run ``job`` in a process of its own; whether it came to its end."""
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  (it ends with it)
        code = 1
        try:
            job()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder but for ``TIMED``."""
    own = str(folder).encode()
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(own, b"FOLDER")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in TIMED
    }


@dataclass(frozen=True)
class Outcome:
    kills: int
    before_end: int  # of these, before the job's end
    differ: int  # when finished, from a whole run
    files: tuple[str, ...]  # in which they differ


def survive(kind: str, kills: int, seed: int) -> Outcome:
    """Kill ``kills`` runs of a kind, finish each, and count those that differ from a whole one."""
    torch.set_num_threads(1)
    model = Model("tiny", make_llama(), make_tokenizer(), None)
    rng = random.Random(f"{kind} {seed}")
    differ = before_end = 0
    files: set[str] = set()
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        start = time.perf_counter()
        assert forked(lambda: act(kind, model, whole))
        took = time.perf_counter() - start
        expected = contents(whole)
        for number in range(kills):
            folder = Path(place) / f"run{number}"
            if kind == "report":
                shutil.copytree(whole, folder)
                for name in ("report.html", "report.md", "results.json"):
                    (folder / name).unlink()
            ended = forked(lambda f=folder: act(kind, model, f), rng.uniform(0, took))
            before_end += not ended
            finished = forked(lambda f=folder: act(kind, model, f))
            made = contents(folder)
            unlike = {name for name in {*made, *expected} if made.get(name) != expected.get(name)}
            if not finished:
                unlike.add("(not finished)")
            if kind == "report" and (folder / "report.html").stat().st_size < 10_000:
                unlike.add("report.html")
            differ += bool(unlike)
            files |= unlike
            shutil.rmtree(folder)
    return Outcome(kills, before_end, differ, tuple(sorted(files)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for kind in KINDS:
        outcome = survive(kind, given.kills, given.seed)
        print(
            f"{kind}: {outcome.kills} killed, {outcome.before_end} of them before their end; "
            f"{outcome.differ} differ when finished {', '.join(outcome.files)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
