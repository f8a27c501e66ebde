"""A foreign file as a run: in memory, or written into a folder of its own."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calib.logs.formats import FORMATS
from calib.logs.log import LogFormat
from calib.records import CalibError, InputError, at_home
from calib.runs.batches import RECORDS
from calib.runs.begin import refuse_other
from calib.runs.circumstances import circumstances
from calib.runs.config import checked, kind_of
from calib.runs.durable import refuse_no_folder, replace
from calib.runs.folder import Run, finite, open_run
from calib.runs.kinds import CONFIG, IMPORTED, KINDS
from calib.runs.record_rows import Row


@dataclass
class ReadLog(Run):
    """A run that is not written down: ``path`` is the file that it was read from."""

    records: list[Row] = field(default_factory=list, repr=False)

    def rows(self) -> list[Row]:
        return copy.deepcopy(self.records)


def read_log(
    path: str | Path,
    format: str | None = None,
    *,
    out: str | Path | None = None,
    bins: int = 15,
    seed: int = 0,
    **arguments: str,
) -> Run:
    """A plain table or another tool's log as a run, for reports, comparisons and fits.

    ``format`` is one of ``calib.logs.formats.FORMATS`` (default: by the file's name and first
    line). ``arguments`` are the format's own: of tables, the column of a role, as
    ``confidence="score"`` (``docs/logs.md``); of lm-eval, ``metric`` and ``filter``. With ``out``
    the run is written into that folder, and the same call again writes the same. ``bins`` and
    ``seed`` are used by its report. No model is loaded.

    Raises InputError, naming the file and the row, for values that are wrong or ambiguous.
    """
    path = at_home(str(path))
    if path.is_dir():
        raise InputError(f"{path}: expected a file, got a folder; calib.open_run opens run folders")
    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    bins, seed = checked("bins", bins), checked("seed", seed)
    kind = format_of(path, format)
    refuse_arguments(kind, arguments)
    log = kind.read(path, arguments)
    config = {
        "kind": IMPORTED,
        "source": str(path),
        "digest": hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest(),
        "format": kind.name,
        "arguments": dict(arguments),
        "task": log.rows[0]["task"],
        "questions": len(log.rows),
        "bins": bins,
        "seed": seed,
        **log.facts,
    }
    records = [finite(row) for row in log.rows]
    if out is None:
        return ReadLog(path, config, records=records)
    return written(Path(out), config, records)


def format_of(path: Path, name: str | None) -> LogFormat:
    if name is not None and name not in FORMATS:
        raise InputError(f"format: expected one of {', '.join(FORMATS)}, got {name!r}")
    log_format = (
        FORMATS[name] if name else next((f for f in FORMATS.values() if f.fits(path)), None)
    )
    if log_format is None:
        raise InputError(
            f"{path}: expected a name that ends in .csv, .tsv, .jsonl, .parquet or .npz, got "
            f"{path.suffix or 'no ending'!r}; the format may be said: {', '.join(FORMATS)}"
        )
    return log_format


def refuse_arguments(kind: LogFormat, arguments: Mapping[str, str]) -> None:
    for name, value in arguments.items():
        if name not in kind.arguments:
            raise InputError(
                f"{kind.name} takes the arguments {', '.join(kind.arguments)}, got {name!r}"
            )
        if not isinstance(value, str):
            raise InputError(f"{name}: expected a name as text, got {value!r}")


def written(folder: Path, config: dict[str, Any], records: list[Row]) -> Run:
    """The run in ``folder``. InputError where that holds something else."""
    refuse_no_folder(folder)
    kind = kind_of(folder)
    if kind not in (None, IMPORTED):
        raise InputError(f"{folder}: it holds {KINDS[str(kind)].holds}; choose another folder")
    config = json.loads(json.dumps(config))
    if kind == IMPORTED:
        before = open_run(folder)
        if before.config.get("digest") != config["digest"]:
            held, now = before.config.get("source"), config["source"]
            other = "whose content was another" if held == now else f"not of {now}"
            raise InputError(
                f"{folder}: it holds an import of {held}, {other}; choose another folder"
            )
        refuse_other(before, config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole = {**config, **circumstances()} if kind is None else dict(open_run(folder).config)
        replace(folder / CONFIG, json.dumps(whole, indent=2) + "\n")
        replace(folder / RECORDS, (json.dumps(row) + "\n" for row in records))
    except OSError as error:
        raise CalibError(f"{folder}: the run cannot be written ({error.strerror})") from error
    return open_run(folder)
