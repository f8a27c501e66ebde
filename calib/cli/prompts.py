"""``calib prompts``: a search for a prompt's wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib.cli.arguments import load, model_arguments, one_of, one_task
from calib.cli.base import (
    Bins,
    CacheGb,
    Device,
    Include,
    ModelArgs,
    ModelName,
    Prompt,
    Seed,
    out,
    show,
)
from calib.cli.progress import progress


def prompts(
    model: ModelName,
    tasks: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="A built-in task, a file, or with truthful an IDK set's folder."
        ),
    ],
    model_args: ModelArgs = "",
    part: Annotated[
        str,
        typer.Option(metavar="NAME", help="What is worded: cue, instruction, system, permission."),
    ] = "cue",
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT|..", help="Wordings to begin with, separated by |; default: usual ones."
        ),
    ] = None,
    rewriter: Annotated[
        str, typer.Option(metavar="NAME", help="Who rewrites: synonyms, or model (itself).")
    ] = "synonyms",
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Rounds.")] = 10,
    keep: Annotated[int, typer.Option(min=1, metavar="K", help="Wordings kept in a round.")] = 5,
    rewrites: Annotated[
        int, typer.Option(min=1, metavar="M", help="New wordings of each kept one.")
    ] = 5,
    objective: Annotated[
        str, typer.Option(metavar="NAME", help="What wordings are ranked by: ece, brier, truthful.")
    ] = "ece",
    search: Annotated[
        int | None,
        typer.Option(metavar="N", help="Questions that choose; default: 200, or half of them."),
    ] = None,
    held_out: Annotated[
        int | None,
        typer.Option(
            "--held_out", metavar="N", help="Questions that judge; default: 200, or half of them."
        ),
    ] = None,
    judged: Annotated[
        str, typer.Option(metavar="WHICH", help="Who is judged: winner, or kept.")
    ] = "winner",
    elsewhere: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Other tasks that judge the winner; default: none."),
    ] = "",
    prompt: Prompt = None,
    bins: Bins = 15,
    patience: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="End after N rounds that brought nothing; 0: never."),
    ] = 3,
    cache_gb: CacheGb = 4.0,
    include_path: Include = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="Its folder; an unfinished search is continued. Default: runs/MODEL-TASK-PART.",
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Search for a wording that a model is honest with."""
    from calib.models.load import load_model
    from calib.prompts.objectives import OBJECTIVES
    from calib.prompts.parts import PARTS
    from calib.prompts.search import optimize_prompts
    from calib.prompts.settings import JUDGED
    from calib.report.prompts import write_prompts_report

    one_of("--part", part, PARTS)
    one_of("--objective", objective, OBJECTIVES)
    one_of("--rewriter", rewriter, ("synonyms", "model"))
    one_of("--judged", judged, JUDGED)
    one_task(tasks)
    name, arguments = model_arguments(model, model_args, device)
    answers = OBJECTIVES[objective].answers
    others = [entry.strip() for entry in elsewhere.split(",") if entry.strip()]
    task = tasks if answers else load(tasks, include_path)
    loaded = [load(entry, include_path) for entry in others]
    with progress() as tell:
        done = optimize_prompts(
            load_model(name, **arguments),
            task,
            part=part,
            seeds=None if seeds is None else [text.strip() for text in seeds.split("|")],
            rewriter=rewriter,
            rounds=rounds,
            keep=keep,
            rewrites=rewrites,
            objective=objective,
            search=search,
            held_out=held_out,
            judged=judged,
            elsewhere=loaded,
            prompt=prompt,
            bins=bins,
            patience=patience,
            cache_gb=cache_gb,
            seed=seed,
            out=output_path,
            progress=tell,
        )
    write_prompts_report(done.path)
    said(done.path)


def said(folder: Path) -> None:
    """What the page says first, for a terminal."""
    from calib.fields import read_object
    from calib.report.comparison_tables import TESTED, tested
    from calib.report.prompts import (
        ELSEWHERE_HEAD,
        caveats,
        differences,
        elsewhere_rows,
        headline,
        lead,
    )
    from calib.runs.kinds import RESULTS

    results = read_object(folder / RESULTS)
    out.print(f"\n{headline(results)}\n")
    for line in lead(results):
        out.print(f"{line}\n")
    tests = differences(results)
    if tests:
        head = ("held out, winner − seed", *TESTED)
        show(head, [(test["label"], *tested(name, test)) for name, test in tests.items()])
    if results["elsewhere"]:
        out.print()
        show(ELSEWHERE_HEAD, elsewhere_rows(results))
    for line in caveats(results):
        out.print(f"\n{line}")
    out.print(
        f"\n{results['read']:,} prompts were read; every wording on every question of each round "
        f"would have been {results['whole_pool']:,}."
    )
    out.print(f"\ncalib score --wording {folder} asks in the winner's wording")
    out.print(str(folder / "report.html"), soft_wrap=True)
