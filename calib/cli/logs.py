"""Other tools' files: import, and what ``report`` does with a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calib.cli.base import Bins, Seed, out
from calib.records import InputError

if TYPE_CHECKING:
    from calib.runs import Run

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="lm-eval's samples_*.jsonl, or a CSV, TSV, JSONL, Parquet or npz file with the "
        "columns confidence and correct (or acc, exact_match, is_correct), or logits (or "
        "probabilities, logit_0, logit_1) and label (or target, y_true). The columns id, group, "
        "cluster and question are read, too.",
        show_default=False,
    ),
]
FormatArgs = Annotated[
    str,
    typer.Option(
        "--format_args",
        metavar="K=V,..",
        help="For a table, which columns to read, such as confidence=score,correct=is_right; for "
        "lm-eval, metric=acc_norm,filter=none. Default: by their names.",
    ),
]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="csv, tsv, jsonl, parquet, npz or lm-eval; default: by its name and first line.",
    ),
]
TableOut = Annotated[
    Path | None,
    typer.Option(
        "--output_path", metavar="DIR", help="Run folder; default: runs/NAME of the file."
    ),
]


def import_(
    file: File,
    output_path: TableOut = None,
    format: FormatName = None,
    format_args: FormatArgs = "",
    bins: Bins = 15,
    seed: Seed = 0,
) -> None:
    """Make a run folder from a table or another tool's log."""
    run = imported(file, output_path, format_args, format=format, bins=bins, seed=seed)
    columns = run.config.get("columns", {})
    for role, name in columns.items():
        out.print(f"{role}: {name}", soft_wrap=True)
    out.print(f"{run.config['questions']:,} rows\n{run.path}", soft_wrap=True)


def imported(
    file: Path,
    output_path: Path | None,
    format_args: str,
    *,
    format: str | None = None,
    bins: int = 15,
    seed: int = 0,
) -> Run:
    """The run of a file, in its folder."""
    from calib.logs import read_log
    from calib.runs.folder import slug

    arguments = texts("--format_args", format_args)
    folder = output_path or Path("runs") / (slug(file.stem) or "table")
    return read_log(file, format, out=folder, bins=bins, seed=seed, **arguments)


def texts(flag: str, value: str) -> dict[str, str]:
    """``name=text,name=text`` as a dict; values stay texts, as a column may be called 3 or true."""
    values: dict[str, str] = {}
    for part in filter(None, (entry.strip() for entry in value.split(","))):
        name, equals, text = part.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise InputError(f"{flag}: expected name=value,name=value, got {part!r}")
        if name.strip() in ("format", "out", "bins", "seed", "path"):
            raise InputError(f"{flag}: {name.strip()} is a flag of its own")
        if name.strip() in values:
            raise InputError(f"{flag}: {name.strip()} appears twice")
        values[name.strip()] = text.strip()
    return values
