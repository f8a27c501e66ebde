"""A run folder: what was asked, one durable record per question, and what came of it.

``config.json``    every argument, versions, machine facts.
``prompts.jsonl``  what the model was given for each question, word for word; written once.
``records.jsonl``  one JSON object per question, appended batch by batch and synced to disk; under
                   ``torchrun`` every process has a file of its own (``calib.runs.batches``).
``results.json``, ``report.html``, ``report.md``, ``items.html`` with ``items/``  written by ``calib
                   report``; may be deleted.

A batch is the unit of resuming: records after the last whole batch are cut off when the folder is
opened for writing, and that batch is run again, so records do not depend on where a run stopped.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calib.fields import read_object
from calib.images.kept import own_name
from calib.records import CalibError, Item
from calib.runs.batches import all_records
from calib.runs.config import CONFIG as CONFIG
from calib.runs.config import read_config
from calib.runs.kinds import RESULTS as RESULTS
from calib.runs.kinds import kind_in, need
from calib.runs.prompts import read_prompts
from calib.runs.shards import read_answers, read_items

if TYPE_CHECKING:
    import pandas as pd


Progress = Callable[[int, int, str], None]
"""Called with (done, in all, what is being done), which is a ``Work`` where it names its unit."""


class Work(str):
    """What is being done, a text, and ``unit``, the plural of what is counted: "questions"."""

    unit: str

    def __new__(cls, what: str, unit: str) -> Work:
        work = super().__new__(cls, what)
        work.unit = unit
        return work


def counting(progress: Progress | None, unit: str) -> Progress | None:
    """``progress``, told of another unit."""
    if progress is None:
        return None
    return lambda done, total, what: progress(done, total, Work(what, unit))


@dataclass
class Run:
    """An opened run folder. Writing starts with ``calib.runs.begin`` and ends with ``close``."""

    path: Path
    config: dict[str, Any]
    _file: FileIO | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """What the run holds: a key of ``calib.runs.kinds.KINDS``, as "score" or "sample"."""
        return kind_in(self.config)

    @property
    def results(self) -> Any:
        """results.json, None where it has not been written; InputError where it is damaged."""
        path = self.path / RESULTS
        return read_object(path) if path.exists() else None

    def rows(self) -> list[dict[str, Any]]:
        """Every record there is, checked, in the order of the task's questions.

        Pictures that the run keeps are named relative to its folder. Raises InputError, naming the
        line, where the file was damaged or its rows cannot be, and for a run that holds no records
        of questions.
        """
        need(self, "Run.rows()")
        rows = all_records(self.path, self.config)
        for row in rows:
            images = enumerate(map(str, row.get("images") or ()))
            row["images"] = [own_name(self.path, row["index"], k, n) or n for k, n in images]
        return sorted(rows, key=lambda row: int(row["index"]))

    def scores(self) -> pd.DataFrame:
        """One line per question: id, group, prediction, answer, confidence, correct, mass, ...

        Raises InputError for a run that holds something else, as ``answers`` and ``items`` do.
        """
        import pandas as pd

        need(self, "Run.scores()")
        return pd.DataFrame(self.rows())

    def answers(self) -> pd.DataFrame:
        """One line per sampled answer: id, sample, text, tokens, logprob, entropy, finish, ..."""
        import pandas as pd

        need(self, "Run.answers()")
        rows = pd.DataFrame(read_answers(self.path, self.config))
        return rows.sort_values(["index", "sample"], ignore_index=True) if len(rows) else rows

    def items(self) -> list[Item]:
        """The questions of a sampled run."""
        need(self, "Run.items()")
        return read_items(self.path)

    def prompts(self) -> dict[str, str]:
        """Every question's prompt, by its id: the exact text that the tokenizer or processor is
        given, from the chat template's first token to where the model answers.

        Raises CalibError for a run that was begun before prompts were kept, and InputError for one
        that holds something else.
        """
        need(self, "Run.prompts()")
        return {row["id"]: row["text"] for row in read_prompts(self.path)}

    @property
    def file(self) -> Path:
        """The file of records that this process writes."""
        assert self._file is not None, "a run is written to between begin() and close()"
        return Path(os.fsdecode(self._file.name))

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write one batch's records and wait until they are on disk.

        Raises CalibError where they cannot be written; the records before stay whole.
        """
        assert self._file is not None, "a run is written to between begin() and close()"
        append_lines(self._file, rows)

    def cut(self, end: int) -> None:
        """Go on writing at byte ``end``: what stands behind it was torn."""
        assert self._file is not None, "a run is written to between begin() and close()"
        self._file.truncate(end)
        self._file.seek(end)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def append_lines(file: FileIO, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows behind what a file holds and wait until they are on disk; raises as
    ``Run.append``."""
    data = memoryview("".join(json.dumps(finite(row)) + "\n" for row in rows).encode())
    before = file.seek(0, os.SEEK_END)
    try:
        while data:  # a full disk takes a part before it refuses
            data = data[file.write(data) :]
        os.fsync(file.fileno())
    except OSError as error:
        file.truncate(before)
        file.seek(before)
        raise CalibError(
            f"{os.fsdecode(file.name)}: writing failed ({error.strerror}); everything scored "
            "before is kept, and the same command continues from there"
        ) from error


def open_run(path: str | Path, reader: str = "calib.open_run") -> Run:
    """An existing run folder, to read.

    Raises InputError where ``path`` is none, and where it holds what ``reader``, a key of
    ``calib.runs.kinds.READERS``, does not take.
    """
    return need(Run(Path(path), read_config(Path(path), reader)), reader)


def finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """The record with null for what JSON cannot hold: NaN and infinities."""

    def clean(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, dict):
            return finite(value)
        return [clean(v) for v in value] if isinstance(value, list) else value

    return {name: clean(value) for name, value in row.items()}


def slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("_")
