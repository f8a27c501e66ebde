"""The progress of long work, on a terminal or in a log."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from calib.cli.base import err
from calib.report.formats import beginning, printable
from calib.runs.prompts import first_prompt, title_of


class Rate(ProgressColumn):
    """Questions per second since the bar began."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s", style="progress.data.speed")


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
    """A callback for long work: bars on a terminal, a line every ten seconds elsewhere."""
    if not err.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=err, speed_estimate_period=60) as bars:
        known: dict[str, Any] = {}

        def tell(done: int, total: int, note: str) -> None:
            if note not in known:
                known[note] = bars.add_task(note, total=total, completed=done)
            bars.update(known[note], completed=done, total=total)

        yield tell


def announcing(
    tell: Callable[[int, int, str], None], folder: Path
) -> Callable[[int, int, str], None]:
    """``tell``, which also shows the first prompt of the run in ``folder`` as soon as there is one.

    Of several processes only the first shows it.
    """
    shown = os.environ.get("RANK", "0") != "0"

    def announce(done: int, total: int, note: str) -> None:
        nonlocal shown
        if not shown and (row := first_prompt(folder)) is not None:
            shown = True
            title = Text(f"the first prompt: {printable(title_of(row))}")
            text = Text(beginning(row["text"]))
            err.print(Panel(text, title=title, title_align="left", expand=False))
        tell(done, total, note)

    return announce


class Lines:
    """Progress for logs: the work, how much is done, its speed and the time left."""

    EVERY = 10.0

    def __init__(self) -> None:
        self.begun: dict[str, tuple[float, int]] = {}
        self.said = -math.inf

    def __call__(self, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        start, first = self.begun.setdefault(note, (now, done))
        if done < total and now - self.said < self.EVERY:
            return
        self.said = now
        rate = (done - first) / (now - start) if now > start else 0.0
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 and done < total else ""
        err.print(f"{note}: {done:,} of {total:,}, {rate:.1f}/s{left}", soft_wrap=True)
