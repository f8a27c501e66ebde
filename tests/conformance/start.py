"""The process that runs families: `python -m tests.conformance.start FOLDER WORKERS FAMILY ...`.

What takes long, the imports, is done once; each family then runs in a fork of this process, which
is ended when its time is over. Its records go to FOLDER/<number>.jsonl, what it says to
FOLDER/<number>.txt; a line "<number> <status>" is printed when it has ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

LIMIT = 120.0  # seconds for one family
LATE = "late"


def declare_torchvision() -> Any:
    """Make a torchvision that was built for another torch importable; what must be kept alive.

    Its own library cannot be loaded then, and its import asks for the schemas of two ops, which no
    processor of pictures calls.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    try:
        torch.ops.load_library(str(next(Path(spec.origin).parent.glob("_C*.so"))))
    except (OSError, StopIteration):
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


def forked(work: Callable[[], None], said: Path) -> int:
    """A process that does ``work``, and nothing else; its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        file = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, sys.stdout.fileno())
        os.dup2(file, sys.stderr.fileno())
        work()
        status = 0
    except BaseException:  # noqa: BLE001  (a fork must not go on with what its parent does)
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run_all(names: Sequence[str], folder: Path, workers: int, run: Callable[..., None]) -> None:
    """``workers`` families at a time."""
    waiting = list(enumerate(names))
    running: dict[int, tuple[int, float]] = {}  # process: (number, when it is late)
    late: set[int] = set()
    while waiting or running:
        while waiting and len(running) < workers:
            number, name = waiting.pop(0)
            records = folder / f"{number}.jsonl"
            work = lambda name=name, records=records: run(name, records)  # noqa: E731
            child = forked(work, records.with_suffix(".txt"))
            running[child] = number, time.monotonic() + LIMIT
        child, status = os.waitpid(-1, os.WNOHANG)
        if child:
            number, _ = running.pop(child)
            code = os.waitstatus_to_exitcode(status)
            sys.stdout.write(f"{number} {LATE if child in late else code}\n")
            sys.stdout.flush()
            continue
        for child, (_, end) in running.items():
            if time.monotonic() > end and child not in late:
                os.kill(child, signal.SIGKILL)
                late.add(child)
        time.sleep(0.05)


if __name__ == "__main__":
    library = declare_torchvision()
    torch.set_num_threads(1)
    from tests.conformance.worker import run

    run_all(sys.argv[3:], Path(sys.argv[1]), int(sys.argv[2]), run)
