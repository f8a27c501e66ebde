"""Questions beside twins that nobody can answer: twins make, evaluate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from calib.cli.arguments import batch, load, model_arguments, one_task
from calib.cli.base import (
    Batch,
    Device,
    Include,
    ModelArgs,
    ModelName,
    Prompt,
    Seed,
    err,
    out,
    show,
)
from calib.cli.progress import progress


def make(
    tasks: Annotated[str, typer.Option(metavar="NAME", help="One built-in task or file.")],
    output_path: Annotated[
        Path,
        typer.Option("--output_path", metavar="DIR", help="Folder of the file and its pictures."),
    ],
    how: Annotated[
        str,
        typer.Option(
            metavar="WAYS",
            help="swap (another picture), mask (a grey one), remove (the right option) and noun "
            "(another noun in the question).",
        ),
    ] = "swap,mask,remove,noun",
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="At most N questions with a twin, drawn by the seed; default: all.",
        ),
    ] = None,
    seed: Seed = 0,
    include_path: Include = None,
) -> None:
    """Make twins of questions that nobody can answer."""
    from calib.twin_sets.file import FILE, make_twins
    from calib.twin_sets.make import first

    one_task(tasks)
    made = make_twins(load(tasks, include_path), output_path, how, seed=seed, limit=limit)
    show(("way", "twins"), [(way, f"{number:,}") for way, number in made["made"].items()])
    for way, reasons in made["without"].items():
        for reason, ids in reasons.items():
            err.print(
                f"{way}: {len(ids):,} of {made['questions']:,} questions have no twin: {reason} "
                f"({first(ids)})",
                soft_wrap=True,
            )
    out.print(f"\n{output_path / FILE}", soft_wrap=True)


def evaluate(
    model: ModelName,
    tasks: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="A folder of calib twins make, or a file with the column pair."
        ),
    ],
    model_args: ModelArgs = "",
    idk: Annotated[
        str, typer.Option(metavar="TEXT", help="The option that is added, where none says it.")
    ] = "I don't know",
    prompt: Prompt = None,
    batch_size: Batch = "auto",
    max_new_tokens: Annotated[
        int,
        typer.Option(
            "--max_new_tokens", min=1, metavar="N", help="Of an answer without options, in tokens."
        ),
    ] = 24,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="At most N pairs' questions, drawn by the seed; default: all."
        ),
    ] = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="Its folder; an unfinished one is continued. Default: runs/MODEL-TASK-twins.",
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = None,
    include_path: Include = None,
) -> None:
    """Ask each question and its twins; see whether it tells them apart."""
    from calib.models.load import load_model
    from calib.report.twins import write_twins_report
    from calib.twin_sets.evaluate import checked_pairs, evaluate_twins
    from calib.twin_sets.file import file_in

    one_task(tasks)
    name, arguments = model_arguments(model, model_args, device)
    source = tasks if include_path is None else str(include_path / tasks)
    task = load(str(file_in(source if Path(source).exists() else tasks)), None)
    size = batch(batch_size)
    checked_pairs(task, idk, prompt)  # before a model is loaded
    with progress() as tell:
        done = evaluate_twins(
            load_model(name, **arguments),
            task,
            out=output_path,
            idk=idk,
            prompt=prompt,
            limit=limit,
            batch_size=size,
            max_new_tokens=max_new_tokens,
            seed=seed,
            progress=tell,
        )
    said(done.path, write_twins_report(done.path))


def said(folder: Path, page: Path) -> None:
    """What the page says first, for a terminal."""
    from calib.fields import read_object
    from calib.report.twins_tables import printed_rates, printed_tests
    from calib.report.twins_words import headline
    from calib.runs.kinds import RESULTS

    results = read_object(folder / RESULTS)
    out.print(f"\n{headline(results)}\n")
    show(*printed_rates(results))
    out.print()
    show(*printed_tests(results))
    for entry in results["left_out"]:
        err.print(
            f"{entry['number']:,} left out: {entry['reason']} ({', '.join(entry['first'])})",
            soft_wrap=True,
        )
    out.print(f"\n{page}", soft_wrap=True)


TWINS: dict[Callable[..., None], str] = {
    make: "calib twins make --tasks q.jsonl --how mask,remove --output_path twins",
    evaluate: "calib twins evaluate --model my/llava --tasks twins",
}
