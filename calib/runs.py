"""A run folder: what was asked, one durable record per question, and what came of it.

``config.json``    every argument, versions, machine facts.
``prompts.jsonl``  what the model was given for each question, word for word; written once.
``records.jsonl``  one JSON object per question, appended batch by batch and synced to disk.
``results.json``, ``report.html``, ``report.md``  written by ``calib report``; may be deleted.

A batch is the unit of resuming: records after the last whole batch are cut off when the folder is
opened for writing, and that batch is run again, so records do not depend on where a run stopped.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from io import FileIO
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calib.fields import read_object
from calib.images import open_image, suffix_of
from calib.images.kept import FOLDER, kept_name
from calib.prompt_file import PROMPTS, prompt_lines, read_prompts
from calib.prompts import PASSAGES
from calib.record_rows import lines, whole_records
from calib.records import CalibError, EncodedImage, InputError, Item
from calib.run_config import CONFIG as CONFIG
from calib.run_config import read_config
from calib.shards import read_answers, read_items

if TYPE_CHECKING:
    import pandas as pd

RECORDS, RESULTS = "records.jsonl", "results.json"

Progress = Callable[[int, int, str], None]
"""Called with (questions done, questions in all, what is being done)."""

CIRCUMSTANCES = ("versions", "machine", "git", "started")
"""Facts in config.json that may differ when a run goes on; everything else must be the same."""


@dataclass
class Run:
    """An opened run folder. Writing starts with ``create`` and ends with ``close``."""

    path: Path
    config: dict[str, Any]
    _file: FileIO | None = field(default=None, repr=False)

    @property
    def results(self) -> Any:
        """results.json, None where it has not been written; InputError where it is damaged."""
        path = self.path / RESULTS
        return read_object(path) if path.exists() else None

    def rows(self) -> list[dict[str, Any]]:
        """Every whole record, checked, in the order of the task's questions.

        Pictures that the run keeps are named relative to its folder. Raises InputError, naming the
        line, where the file was damaged or its rows cannot be.
        """
        rows = whole_records(self.path / RECORDS, self.config.get("questions"))
        for row in rows:
            images = enumerate(map(str, row["images"] or ()))
            row["images"] = [kept_name(self.path, row["index"], k, n) or n for k, n in images]
        return sorted(rows, key=lambda row: int(row["index"]))

    def scores(self) -> pd.DataFrame:
        """One line per question: id, group, prediction, answer, confidence, correct, mass, ..."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def answers(self) -> pd.DataFrame:
        """One line per sampled answer: id, sample, text, tokens, logprob, entropy, finish, ..."""
        import pandas as pd

        rows = pd.DataFrame(read_answers(self.path, self.config))
        return rows.sort_values(["index", "sample"], ignore_index=True) if len(rows) else rows

    def items(self) -> list[Item]:
        """The questions of a sampled run."""
        return read_items(self.path)

    def prompts(self) -> dict[str, str]:
        """Every question's prompt, by its id: the exact text that the tokenizer or processor is
        given, from the chat template's first token to where the model answers.

        Raises CalibError for a run that was begun before prompts were kept.
        """
        return {row["id"]: row["text"] for row in read_prompts(self.path)}

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write one batch's records and wait until they are on disk.

        Raises CalibError where they cannot be written; the records before stay whole.
        """
        assert self._file is not None, "a run is written to between create() and close()"
        data = memoryview("".join(json.dumps(finite(row)) + "\n" for row in rows).encode())
        before = self._file.tell()
        try:
            while data:  # a full disk takes a part before it refuses
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(before)
            self._file.seek(before)
            raise CalibError(
                f"{self.path / RECORDS}: writing failed ({error.strerror}); everything scored "
                "before is kept, and the same command goes on from there"
            ) from error

    def cut(self, end: int) -> None:
        """Go on writing at byte ``end``: what stands behind it was torn."""
        assert self._file is not None, "a run is written to between begin() and close()"
        self._file.truncate(end)
        self._file.seek(end)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def open_run(path: str | Path) -> Run:
    """An existing run folder, to read. InputError where ``path`` is none."""
    return Run(Path(path), read_config(Path(path)))


def create(
    path: Path, config: Mapping[str, Any], batches: Sequence[Sequence[int]]
) -> tuple[Run, int]:
    """Open ``path`` for writing and say how many of its ``batches`` (of questions) are done.

    Raises as ``begin`` does.
    """
    run = begin(path, config)
    done, end = done_batches(path / RECORDS, batches)
    run.cut(end)
    return run, done


Growth = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
"""Of what config.json holds and what is asked for now: what it is to hold from now on instead."""


def begin(
    path: Path, config: Mapping[str, Any], records: str = RECORDS, growth: Growth | None = None
) -> Run:
    """Open ``path`` for writing into its file ``records``, behind what is there.

    A new folder gets ``config`` and the circumstances; an old one must have been begun with the
    same, but for what ``growth`` says. Raises InputError for a folder of another run or a file that
    is being written, CalibError where nothing can be written.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: expected a folder for the run, found a file")
    wanted = json.loads(json.dumps(dict(config), default=str))
    if (path / CONFIG).exists():
        agreed(open_run(path), wanted, growth)
    elif (path / records).is_file() and (path / records).stat().st_size:
        raise InputError(f"{path}: it holds records but no {CONFIG}; choose another folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Unbuffered, so that what could not be written is not tried again when the file is closed.
        file = (path / records).open("ab", buffering=0)
    except OSError as error:
        where = error.filename or path
        raise CalibError(f"{where}: the run cannot be begun there ({error.strerror})") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Looked at again: another process may have begun a run before this one had the lock.
        if (path / CONFIG).exists():
            before = open_run(path).config
            run = Run(path, agreed(Run(path, before), wanted, growth))
        else:
            before, run = {}, Run(path, {**wanted, **circumstances()})
        if run.config != before:
            replace(path / CONFIG, json.dumps(run.config, indent=2) + "\n")
    except BlockingIOError as error:
        file.close()
        raise InputError(f"{path}: {writer_of(path / records)} is writing this run") from error
    except OSError as error:
        file.close()
        raise CalibError(f"{path}: the run cannot be begun there ({error.strerror})") from error
    except CalibError:
        file.close()
        raise
    run._file = file
    return run


def keep_prompts(run: Run, items: Sequence[Item], texts: Sequence[str]) -> None:
    """Write the prompts of ``items`` down, once.

    A run that has records and no prompts was begun before they were kept, and goes on without.
    Raises InputError where the run was begun with other prompts, or before they could hold what
    ``items`` say.
    """
    path = run.path / PROMPTS
    try:
        if path.exists():
            kept = ((row["id"], row["text"]) for row in read_prompts(run.path))
            now = ((str(item.id), text) for item, text in zip(items, texts, strict=True))
            for before, after in zip_longest(kept, now, fillvalue=("", "")):
                if before != after:
                    raise InputError(
                        f"{run.path} belongs to a run with other prompts (item "
                        f"{before[0] or after[0]!r} is not asked as in {PROMPTS}); choose another "
                        "folder"
                    )
        elif any(file.stat().st_size for file in run.path.glob("records*.jsonl")):
            refuse_untold(run, items)
        else:
            replace(path, prompt_lines(items, texts))
    except OSError as error:
        run.close()
        raise CalibError(f"{path}: writing failed ({error.strerror})") from error
    except CalibError:
        run.close()
        raise


def refuse_untold(run: Run, items: Sequence[Item]) -> None:
    """InputError where items say what was not yet shown when runs kept no prompts."""
    untold = [*PASSAGES, "turns"]
    if run.config.get("prompt") in ("letters", "llava", "paper"):
        untold.append("instruction")
    for item in items:
        name = next((name for name in untold if item.meta.get(name)), None)
        if name is not None:
            raise InputError(
                f"{run.path}: an earlier version of calib began this run and did not show the "
                f"{name} of item {item.id!r}; choose another folder"
            )


def writer_of(file: Path) -> str:
    """The process that holds the lock of ``file``, by its number where the system tells."""
    try:
        inode = file.stat().st_ino
        told = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        held = [line.split() for line in told]
        numbers = [row[4] for row in held if len(row) > 5 and row[5].endswith(f":{inode}")]
    except (OSError, ValueError):
        numbers = []
    return f"process {numbers[0]}" if numbers else "another process"


def agreed(run: Run, wanted: Mapping[str, Any], growth: Growth | None) -> dict[str, Any]:
    """The configuration of a run that goes on; InputError where ``wanted`` is another's."""
    grown = {} if growth is None else growth(run.config, wanted)
    config = {**run.config, **grown}
    refuse_other(Run(run.path, config), {**wanted, **grown})
    return config


def refuse_other(run: Run, wanted: Mapping[str, Any]) -> None:
    old = {name: value for name, value in run.config.items() if name not in CIRCUMSTANCES}
    differ = sorted(name for name in {*old, *wanted} if old.get(name) != wanted.get(name))
    if differ:
        told = "; ".join(f"{n}: {old.get(n)!r} there, {wanted.get(n)!r} now" for n in differ)
        raise InputError(f"{run.path} belongs to another run ({told}); choose another folder")


def done_batches(path: Path, batches: Sequence[Sequence[int]]) -> tuple[int, int]:
    """How many batches stand whole at the start of the records, and the byte where they end.

    ``batches``: the numbers of each batch's questions, in the order of their records.
    """
    done, rows, end = 0, 0, 0
    for row, position in lines(path):
        if row is None or done == len(batches):
            break
        if row.get("batch") != done or row.get("index") != batches[done][rows]:
            break
        rows += 1
        if rows == len(batches[done]):
            done, rows, end = done + 1, 0, position
    return done, end


def saved(folder: Path, item: Item, index: int, number: int) -> str:
    """What a record calls an item's image: its path, or its place in the run folder.

    There one is put that has no file of its own, so that it is found wherever the folder lies.
    """
    image = item.images[number]
    if isinstance(image, Path):
        return str(image)
    suffix = suffix_of(image.data) if isinstance(image, EncodedImage) else ".png"
    path = folder / FOLDER / f"{index}-{number}{suffix}"
    try:
        path.parent.mkdir(exist_ok=True)
        if isinstance(image, EncodedImage):
            path.write_bytes(image.data)
        else:
            open_image(image).save(path)
    except OSError as error:
        raise CalibError(f"{path}: writing failed ({error})") from error
    return f"{FOLDER}/{path.name}"


def slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("_")


def finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """The record with null for what JSON cannot hold: NaN and infinities."""

    def clean(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return [clean(v) for v in value] if isinstance(value, list) else value

    return {name: clean(value) for name, value in row.items()}


def replace(path: Path, content: str | bytes | Iterable[str]) -> None:
    """Write a file so that it is there whole or not at all, and stays when power fails.

    A long text may come in pieces. What a process left behind that was killed here is removed.
    """
    for left in path.parent.glob(f".{path.name}.*.new"):
        if not is_alive(left.name.split(".")[-2]):
            left.unlink(missing_ok=True)
    staging = path.with_name(f".{path.name}.{os.getpid()}.new")
    pieces = [content] if isinstance(content, (str, bytes)) else content
    try:
        with staging.open("wb") as file:
            file.writelines(p if isinstance(p, bytes) else p.encode() for p in pieces)
        sync(staging)
        staging.replace(path)
    except OSError as error:
        error.filename = str(path)  # and not its draft's
        raise
    finally:
        with suppress(OSError):  # as where its folder is none
            staging.unlink(missing_ok=True)
    sync(path.parent)


def is_alive(number: str) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(int(number), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of them, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def circumstances() -> dict[str, Any]:
    """Versions, machine and git revision: what was there, not what was asked for."""
    names = ("mllm-calib", "torch", "transformers", "numpy", "triton")
    return {
        "versions": {"python": platform.python_version(), **{n: known(n) for n in names}},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "git": revision(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def known(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def revision() -> str | None:
    """The git revision this code was checked out at, if it was."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
