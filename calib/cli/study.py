"""``calib study``: list, show and run declared studies, and all of them into one book."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from calib.cli.base import err, out, show
from calib.cli.progress import progress

if TYPE_CHECKING:
    from calib.studies.dry import Line

Named = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE",
        help="One that comes with calib, or a file of one's own.",
        show_default=False,
    ),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Few questions, one seed: an illustration. Default: no.")
]
Dry = Annotated[
    bool, typer.Option("--dry_run", help="Print what would be asked; ask nothing. Default: no.")
]
Seeds = Annotated[
    str | None,
    typer.Option(metavar="NUMBERS", help="As 0,1: all is run for each; default: the file's."),
]
Cache = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where jobs lie; default: cache/ beside the study's folder."),
]


def list_() -> None:
    """List the studies that come with calib, and what a file may ask for."""
    from calib.studies.findings import FINDINGS
    from calib.studies.kinds import KINDS
    from calib.studies.read import read_study, shipped

    rows = []
    for name, path in shipped().items():
        study = read_study(path)
        claims = f" ({', '.join(study.claims)})" if study.claims else ""
        rows.append((name, f"{study.title}{claims}"))
    show(("study", "what it asks"), rows)
    out.print()
    show(("step", "what it is"), [(name, kind.about) for name, kind in KINDS.items()])
    out.print()
    show(("finding", "what it asks"), [(name, each.about) for name, each in FINDINGS.items()])
    out.print(
        "\ncalib study show NAME prints a study's file, to be copied and edited; calib study run "
        "NAME --dry_run says what it would ask."
    )


def show_(name: Named) -> None:
    """Print a study's file."""
    from calib.studies.read import find_study, read_study

    path = find_study(name)
    read_study(path)  # what cannot be run is refused by its line
    out.print(Text(path.read_text(encoding="utf-8-sig").rstrip()), soft_wrap=True)


def run(
    name: Named,
    quick: Quick = False,
    dry_run: Dry = False,
    seeds: Seeds = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="Its folder; default: runs/studies/full/NAME, with --quick runs/studies/quick/"
            "NAME.",
        ),
    ] = None,
    cache: Cache = None,
) -> None:
    """Run a study; given again, it goes on."""
    from calib.studies.read import find_study, read_study
    from calib.studies.run import run_study

    study = read_study(find_study(name))
    numbers = None if seeds is None else seeds_in(seeds)
    if dry_run:
        from calib.studies.dry import dry_run as would

        told(would(study, out=output_path, cache=cache, quick=quick, seeds=numbers))
        return
    with progress() as tell:
        page = run_study(
            study,
            out=output_path,
            cache=cache,
            quick=quick,
            seeds=numbers,
            progress=tell,
            announce=announced,
        )
    say(page)


def all_(
    quick: Quick = False,
    dry_run: Dry = False,
    seeds: Seeds = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="Folder of the book; default: runs/studies/full, with --quick runs/studies/quick.",
        ),
    ] = None,
) -> None:
    """Run every study that comes with calib, into one book."""
    from calib.studies.book import run_all
    from calib.studies.read import missing, read_study, shipped
    from calib.studies.run import ROOT

    root = output_path or ROOT / ("quick" if quick else "full")
    numbers = None if seeds is None else seeds_in(seeds)
    if dry_run:
        from calib.studies.dry import dry_run as would

        by_key: dict[str, tuple[str, Line]] = {}  # a job that two studies share is done once
        left_out = []
        for study in map(read_study, shipped().values()):
            if why := missing(study):
                left_out.append(f"{study.name} is left out: {why}")
                continue
            for line in would(study, out=root / study.name, quick=quick, seeds=numbers):
                by_key.setdefault(line.key, (study.name, line))
        told([line for _, line in by_key.values()], [name for name, _ in by_key.values()])
        for text in left_out:
            out.print(Text(text))
        return
    with progress() as tell:
        page = run_all(root, quick=quick, seeds=numbers, progress=tell, announce=announced)
    out.print(f"\n{page}", soft_wrap=True)


def seeds_in(text: str) -> list[int]:
    from calib.records import InputError

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise InputError(f"--seeds: expected different whole numbers, as 0,1, got {text!r}")
    return list(map(int, parts))


def announced(text: str) -> None:
    err.print(Text(text, style="dim"))


def told(lines: Sequence[Line], studies: Sequence[str] = ()) -> None:
    """A dry run: each job, what it asks, how long it may take; then the sum. ``studies``: that of
    each line, where they are several."""
    from calib.report.formats import count, duration
    from calib.studies.cost import Cost

    rows = [
        (
            *([studies[k]] if studies else []),
            line.job.name,
            str(line.seed),
            asked(line.cost.prompts, line.cost.at_most),
            asked(line.cost.answers, line.cost.at_most),
            time_told(line),
        )
        for k, line in enumerate(lines)
    ]
    show((*(["study"] if studies else []), "job", "seed", "prompts", "answers", "time"), rows)
    left = [line for line in lines if not line.done]
    cost = sum((line.cost for line in left), Cost())
    known = sum(line.seconds for line in left if line.seconds is not None)
    unknown = sum(line.seconds is None for line in left)
    tests = sum(not asks(line) for line in left)
    out.print(
        f"\n{count(len(lines) - len(left))} of {count(len(lines))} jobs are done. To do: "
        f"{'at most ' if cost.at_most else ''}{count(cost.prompts)} prompts, "
        f"{count(cost.answers)} answers; about {duration(known)}"
        + (f", and {jobs(unknown)} of models whose time is not known" if unknown else "")
        + (f"; the time of {jobs(tests)} that ask no model is not counted." if tests else ".")
    )


def asks(line: Line) -> bool:
    """Whether the job asks its model anything."""
    return bool(line.cost.prompts + line.cost.answers)


def time_told(line: Line) -> str:
    """How long a job may take; nothing of one that asks no model, as tests are not counted."""
    from calib.report.formats import duration

    if line.done:
        return "done"
    if line.seconds is None:
        return "?"
    return duration(line.seconds) if asks(line) else ""


def jobs(number: int) -> str:
    from calib.report.formats import plural

    return plural(number, "job")


def asked(number: int, at_most: bool) -> str:
    return "" if not number else f"{'≤ ' if at_most else ''}{number:,}"


def say(page: Path) -> None:
    """What the page says first, for a terminal."""
    from calib.fields import read_object
    from calib.runs.kinds import RESULTS

    run: dict[str, Any] = read_object(page.parent / RESULTS)["runs"][0]
    found = run["found"]
    out.print()
    reasons = [f"{step['name']}: {step['refused']}" for step in run["steps"] if step["refused"]]
    for line in dict.fromkeys([*reasons, *found["cautions"]]):
        err.print(Text(line))
    if not found["conclusions"]:
        out.print("No statement is decided by a test.")
    for conclusion in found["conclusions"]:
        out.print(Text(conclusion["said"]))
    out.print(f"\n{page}", soft_wrap=True)


STUDY: dict[Callable[..., None], str] = {
    list_: "calib study list",
    show_: "calib study show modality",
    run: "calib study run mine.yaml --dry_run",
    all_: "calib study all --quick",
}
