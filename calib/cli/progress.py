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
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.text import Text

from calib.cli.base import err
from calib.report.formats import beginning, duration, printable, speed
from calib.runs.prompts import first_prompt, title_of


class Done(ProgressColumn):
    """How much is done, of how much, by name."""

    def render(self, task: Task) -> Text:
        return Text(counted(int(task.completed), int(task.total or 0), task.fields["unit"]))


class Rate(ProgressColumn):
    """How many a second, a minute or an hour, since the bar began."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(speed(rate) if rate else "", style="progress.data.speed")


class Left(ProgressColumn):
    """The time left; where all is done, the time that it took."""

    max_refresh = 0.5  # no number that cannot be read for its changes

    def render(self, task: Task) -> Text:
        if task.finished:
            return Text(f"in {duration(task.finished_time or 0)}", style="progress.elapsed")
        left = task.time_remaining
        text = "" if left is None else f"{duration(left)} left"
        return Text(text, style="progress.remaining")


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
    """A callback for long work: bars on a terminal, a line every ten seconds elsewhere."""
    if not err.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(16),
        Done(),
        Rate(),
        Left(),
    )
    with Progress(*columns, console=err, speed_estimate_period=60) as bars:
        known: dict[tuple[str, str], Any] = {}

        def tell(done: int, total: int, note: str) -> None:
            unit = unit_of(note)
            if (note, unit) not in known:
                known[note, unit] = bars.add_task(note, total=total, completed=done, unit=unit)
            bars.update(known[note, unit], completed=done, total=total)

        yield tell


def unit_of(note: str) -> str:
    """The plural of what is counted; "" where the note does not say it."""
    return getattr(note, "unit", "")


def counted(done: int, total: int, unit: str) -> str:
    """ "1,200 of 8,000 answers", "0 of 1 question"."""
    name = unit.removesuffix("s") if total == 1 else unit
    return f"{done:,} of {total:,} {name}".rstrip()


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
        self.begun: dict[tuple[str, str], tuple[float, int]] = {}
        self.said = -math.inf

    def __call__(self, done: int, total: int, note: str) -> None:
        now, unit = time.monotonic(), unit_of(note)
        start, first = self.begun.setdefault((note, unit), (now, done))
        if done < total and now - self.said < self.EVERY:
            return
        self.said = now
        line = f"{note}: {counted(done, total, unit)}"
        if done > first and now > start:
            rate = (done - first) / (now - start)
            line += f", {speed(rate)}"
            if done < total:
                line += f", {duration((total - done) / rate)} left"
        err.print(line, soft_wrap=True)
