"""``calib modality``: images against text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib.cli.arguments import batch, load, model_arguments, one_task, typed
from calib.cli.base import (
    Batch,
    Bins,
    CacheGb,
    Device,
    Equivalence,
    Include,
    Limit,
    ModelArgs,
    ModelName,
    Prompt,
    Seed,
    out,
    show,
)
from calib.cli.progress import progress
from calib.records import InputError


def modality(
    model: ModelName,
    tasks: Annotated[
        str, typer.Option(metavar="NAME", help="A built-in task or a file, of pictures.")
    ],
    model_args: ModelArgs = "",
    arms: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Of neither, text, image, both, blank, shuffled, mean; default: all.",
        ),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="LEVELS",
            help='none, and steps of noise from 0 to 999; "": no grid. Default: '
            "none,100,300,500,700,900.",
        ),
    ] = None,
    sentences: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="K",
            help="The first 0 to K sentences are shown; default: all, at most 4.",
        ),
    ] = None,
    descriptions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON or CSV by id; default: those of the data."),
    ] = None,
    describe: Annotated[
        bool, typer.Option("--describe", help="The model describes them itself; default: no.")
    ] = False,
    samples: Annotated[
        int, typer.Option(min=0, metavar="N", help="Answers a cell, for semantic entropy; 0: none.")
    ] = 0,
    equivalence: Equivalence = None,
    side: Annotated[
        int,
        typer.Option(min=1, metavar="PIXELS", help="A picture has at most so many under noise."),
    ] = 448,
    prompt: Prompt = None,
    batch_size: Batch = "auto",
    bins: Bins = 15,
    cache_gb: CacheGb = 4.0,
    limit: Limit = None,
    include_path: Include = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="Its folder; an unfinished study is continued. Default: runs/MODEL-TASK-modality.",
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """See how sure a model is of pictures, of text, of both."""
    from calib.modalities.cells import checked_arms, checked_levels
    from calib.modalities.study import modality as study
    from calib.models.load import load_model
    from calib.report.modality import write_modality_report
    from calib.uncertainty.meaning import DEFAULT, check_equivalence

    one_task(tasks)
    name, arguments = model_arguments(model, model_args, device)
    chosen = checked_arms(None if arms is None else parts(arms))
    steps = checked_levels(None if levels is None else [level_in(part) for part in parts(levels)])
    if equivalence is not None:
        check_equivalence(equivalence)
        if samples == 0:
            raise InputError(
                "--equivalence: it says which samples mean the same, and --samples is 0"
            )
    task = load(tasks, include_path)
    with progress() as tell:
        done = study(
            load_model(name, **arguments),
            task,
            arms=chosen,
            noise=steps,
            sentences=sentences,
            descriptions=descriptions,
            describe=describe,
            samples=samples,
            equivalence=equivalence or DEFAULT,
            limit=limit,
            prompt=prompt,
            batch_size=batch(batch_size),
            bins=bins,
            side=side,
            cache_gb=cache_gb,
            seed=seed,
            out=output_path,
            progress=tell,
        )
    write_modality_report(done.path)
    said(done.path)


def parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def level_in(text: str) -> str | int:
    """A step as a number; "none" stays a word, and what is no level is refused as it stands."""
    value = typed(text)
    return value if isinstance(value, int) and not isinstance(value, bool) else text


def said(folder: Path) -> None:
    """What the page says first, for a terminal."""
    from calib.fields import read_object
    from calib.report.modality_tables import arm_lines, test_lines
    from calib.report.modality_words import headline
    from calib.runs.kinds import RESULTS

    results = read_object(folder / RESULTS)
    out.print(f"\n{headline(results)}\n")
    if results["arms"]:
        show(*arm_lines(results))
    if results["tests"]:
        out.print()
        show(*test_lines(results))
        tests = len(results["tests"])
        out.print(f"\nConfidence in points, entropy in nats; p corrected for {tests} tests.")
    out.print()
    out.print(str(folder / "report.html"), soft_wrap=True)
