"""``calib trajectory``: calibration over the checkpoints of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from calib.cli.arguments import batch, load, model_arguments, one_of, one_task
from calib.cli.base import Batch, Device, Include, Limit, ModelArgs, Prompt, Seed, out, show
from calib.cli.progress import progress
from calib.records import InputError
from calib.runs.config import MOST_BINS


def trajectory(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN", help="Run folders, one a checkpoint, on the same questions."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Instead of runs: a folder of checkpoint-N folders to score. Default: none.",
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="With --model: a built-in task or a file. Default: none."
        ),
    ] = None,
    model_args: ModelArgs = "",
    order: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="Of runs: step (the number at the end of their names), or given.",
        ),
    ] = "step",
    limit: Limit = None,
    prompt: Prompt = None,
    batch_size: Batch = "auto",
    bins: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_BINS, metavar="N", help="Confidence bins; default: the first run's, 15."
        ),
    ] = None,
    include_path: Include = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="Where to write, and where scoring goes on. Default: trajectory/ in the last RUN, "
            "or runs/DIR-TASK-trajectory.",
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """See when calibration changes over checkpoints."""
    from calib.report.trajectory import write_trajectory_report
    from calib.trajectories.steps import ORDERS
    from calib.trajectories.study import trajectory as follow

    one_of("--order", order, ORDERS)
    asked: dict[str, Any] = {"bins": bins, "seed": seed, "order": order}
    if model is None:
        given = {"--tasks": tasks, "--limit": limit, "--prompt": prompt, "--device": device}
        given["--model_args"] = model_args or None
        if (flag := next((name for name, v in given.items() if v is not None), None)) is not None:
            raise InputError(f"{flag} goes with --model, a folder of checkpoints")
        if not runs:
            raise InputError("RUN: expected two or more run folders, or --model and --tasks")
        done = follow(runs, out=output_path or runs[-1] / "trajectory", **asked)
    else:
        if runs:
            raise InputError(f"RUN: expected run folders or --model, got both ({runs[0]})")
        if tasks is None:
            raise InputError("--tasks: expected the questions to ask the checkpoints, got none")
        one_task(tasks)
        _, arguments = model_arguments(str(model), model_args, device)
        task = load(tasks, include_path)
        with progress() as tell:
            done = follow(
                model=model,
                task=task,
                limit=limit,
                prompt=prompt,
                batch_size=batch(batch_size),
                out=output_path,
                progress=tell,
                **asked,
                **arguments,
            )
    assert done.path is not None
    page = write_trajectory_report(done.path)
    said(done.results)
    out.print(f"\n{page}", soft_wrap=True)


def said(results: dict[str, Any]) -> None:
    """What the page says first, and a line for each checkpoint."""
    from calib.report.formats import fixed, gap, percent
    from calib.report.trajectory_tables import temperature
    from calib.report.trajectory_words import headline, lead

    out.print(f"\n{headline(results)}.\n")
    brier = next(
        n for n in ("brier", "brier_confidence") if n in results["checkpoints"][0]["metrics"]
    )
    head = ("checkpoint", "right", "gap", "ECE", "if calibrated", "Brier", "T")
    rows = []
    for each in results["checkpoints"]:
        m = each["metrics"]
        rows.append(
            (
                each["name"],
                percent(m["accuracy"]["value"], 1),
                gap(m["gap"]["value"]),
                fixed(m["ece"]["value"]),
                fixed(m["ece"].get("expected")),
                fixed(m[brier]["value"]),
                temperature(each),
            )
        )
    show(head, rows)
    for line in lead(results):
        out.print(f"\n{line}")
