"""Open a run folder for writing: a new one, or one that goes on."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from calib.fields import refuse_irregular
from calib.records import CalibError, InputError, Item
from calib.runs.batches import RECORDS
from calib.runs.circumstances import CIRCUMSTANCES, LATER, circumstances
from calib.runs.config import CONFIG as CONFIG
from calib.runs.durable import refuse_no_folder, replace
from calib.runs.folder import Run, open_run
from calib.runs.kinds import kind_in
from calib.runs.prompts import PROMPTS, prompt_lines, read_prompts
from calib.tasks.prompts import PASSAGES

Growth = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
"""Takes what config.json holds and the configuration requested now, gives the entries to change."""


def begin(
    path: Path, config: Mapping[str, Any], records: str = RECORDS, growth: Growth | None = None
) -> Run:
    """Open ``path`` for writing into its file ``records``, behind what is there.

    A new folder gets ``config`` and the circumstances; an old one must have been begun with the
    same, but for what ``growth`` says. Raises InputError for a folder of another run or a file that
    is being written, CalibError where nothing can be written.
    """
    refuse_no_folder(path)
    refuse_irregular(path / records)
    requested = json.loads(json.dumps({"kind": kind_in(config), **config}, default=str))
    if (path / CONFIG).exists():
        agreed(open_run(path), requested, growth)
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
            run = Run(path, agreed(Run(path, before), requested, growth))
        else:
            before, run = {}, Run(path, {**requested, **circumstances()})
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


def agreed(run: Run, requested: Mapping[str, Any], growth: Growth | None) -> dict[str, Any]:
    """The configuration of a run that goes on; InputError where ``requested`` is another's."""
    grown = {} if growth is None else growth(run.config, requested)
    config = {**run.config, **grown}
    refuse_other(Run(run.path, config), {**requested, **grown})
    return config


def refuse_other(run: Run, requested: Mapping[str, Any]) -> None:
    old, names = run.config, {*run.config, *requested} - {*CIRCUMSTANCES}
    names -= {n for n in LATER if old.get(n) is None or requested.get(n) is None}
    differ = sorted(name for name in names if old.get(name) != requested.get(name))
    if differ:
        differences = "; ".join(
            f"{n}: {old.get(n)!r} there, {requested.get(n)!r} now" for n in differ
        )
        raise InputError(
            f"{run.path} belongs to another run ({differences}); choose another folder"
        )


def writer_of(file: Path) -> str:
    """The process that holds the lock of ``file``, by its number where the system tells."""
    try:
        inode = file.stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        held = [line.split() for line in locks]
        numbers = [row[4] for row in held if len(row) > 5 and row[5].endswith(f":{inode}")]
    except (OSError, ValueError):
        numbers = []
    return f"process {numbers[0]}" if numbers else "another process"


def keep_prompts(run: Run, items: Sequence[Item], texts: Sequence[str]) -> None:
    """Write the prompts of ``items`` down, once.

    A run that has records and no prompts is older than prompts.jsonl, and goes on without it.
    Raises InputError where the run was begun with other prompts, or is so old that its prompts
    could not hold what ``items`` say.
    """
    path = run.path / PROMPTS
    try:
        if path.exists():
            earlier = ((row["id"], row["text"]) for row in read_prompts(run.path))
            now = ((str(item.id), text) for item, text in zip(items, texts, strict=True))
            for before, after in zip_longest(earlier, now, fillvalue=("", "")):
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
