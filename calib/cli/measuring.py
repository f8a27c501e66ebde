"""Commands that measure: demo, score, compare, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib.cli.arguments import batch, chosen, model_arguments, one_of
from calib.cli.base import (
    Batch,
    Bins,
    Device,
    Equivalence,
    Include,
    Limit,
    ModelArgs,
    ModelName,
    Out,
    Prompt,
    Seed,
    Tasks,
    Thinking,
    Wording,
    out,
    show,
)
from calib.cli.logs import FormatArgs, imported
from calib.cli.progress import announcing, progress
from calib.records import InputError

METRIC_NAMES = 25
"""Columns of a terminal that the names of metrics take, with what is beside them."""
GUTTER = 2
LEAST_NAME = 8


def demo(
    output_path: Annotated[
        Path,
        typer.Option(
            "--output_path", metavar="DIR", help="Run folder; an unfinished run is continued."
        ),
    ] = Path("runs/demo"),
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Questions to score.")] = 800,
    batch_size: Batch = "auto",
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Measure the embedded model; write its report."""
    from calib.demo import demo as run_demo

    with progress() as tell:
        done = run_demo(
            output_path,
            limit=limit,
            seed=seed,
            batch_size=batch(batch_size),
            device=device,
            progress=tell,
        )
    for finding in done.findings:
        out.print(f"\n{finding}")
    out.print()
    show(("letters, on the judged half", "as it is", "after temperature", "p"), done.rows)
    out.print(f"\n{done.report}", soft_wrap=True)


def score(
    model: ModelName,
    tasks: Tasks,
    model_args: ModelArgs = "",
    output_path: Out = None,
    limit: Limit = None,
    batch_size: Batch = "auto",
    seed: Seed = 0,
    device: Device = None,
    confidence: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="Of an option among the options, or vocab: among all tokens. Default: options, "
            "or vocab with --protocol paper.",
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="position reads the options where the answer begins; paper takes the likeliest "
            "token until one is a letter.",
        ),
    ] = "position",
    prompt: Prompt = None,
    wording: Wording = None,
    normalize: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="Rank options of several tokens by the sum or the mean of log-probabilities.",
        ),
    ] = "sum",
    orders: Annotated[
        int,
        typer.Option(min=1, metavar="K", help="Average over K cyclic orders of lettered options."),
    ] = 1,
    thinking: Thinking = "off",
    thinking_tokens: Annotated[
        int,
        typer.Option(
            "--thinking_tokens", min=1, metavar="N", help="Longest thoughts of --thinking on."
        ),
    ] = 1024,
    bins: Bins = 15,
    reason: Annotated[
        bool,
        typer.Option("--reason", help="Sample reasoning first, then score. Default: no."),
    ] = False,
    log_samples: Annotated[
        str,
        typer.Option(
            "--log_samples", metavar="WHICH", help="all; none keeps a histogram and no records."
        ),
    ] = "all",
    include_path: Include = None,
) -> None:
    """Score a model on a task; write its report."""
    from calib.models.letters import PAPER, PROTOCOLS, confidence_of, form_of
    from calib.models.protocol import THINKING
    from calib.tasks.prompts import FORMS

    name, arguments = model_arguments(model, model_args, device)
    size = batch(batch_size)
    one_of("--protocol", protocol, PROTOCOLS)
    confidence = confidence_of(confidence, protocol)
    one_of("--confidence", confidence, ("options", "vocab"))
    one_of("--normalize", normalize, ("sum", "mean"))
    one_of("--thinking", thinking, THINKING)
    one_of("--log_samples", log_samples, ("all", "none"))
    if prompt is not None:
        one_of("--prompt", prompt, FORMS)
    prompt = form_of(prompt, "", protocol) or None
    selected = chosen(name, tasks, output_path, include_path, wording or (), prompt)

    from calib.drive.engine import device_of_rank, here
    from calib.drive.score import check_asked
    from calib.drive.score import score as run_score
    from calib.models.load import load_model
    from calib.models.orders import check_orders
    from calib.models.protocol import Scoring
    from calib.report.histogram import write_histogram_report
    from calib.report.scores import write_report
    from calib.report.words import headline
    from calib.runs.ledger import whole

    if reason and orders > 1:
        raise InputError(
            f"--reason: reasoning is about one order of the options; expected none with {orders} "
            "orders"
        )
    if reason and protocol == PAPER:
        raise InputError(
            f"--reason: expected none with --protocol {PAPER}, whose model is asked for the letter "
            "directly"
        )
    for task, _ in selected:  # before a model is loaded
        items, form = task.selection(limit, seed), prompt or task.prompt
        how = Scoring(
            form,
            confidence=confidence,
            normalize=normalize,
            thinking=thinking,
            orders=orders,
            protocol=protocol,
        )
        check_asked(items, how, log_samples)
        check_orders(items, how)

    arguments.setdefault("device", device_of_rank())
    subject = load_model(name, **arguments)
    for task, folder in selected:
        if reason:
            from calib.drive.reason import reasoned

            with progress() as tell:
                task = reasoned(subject, task, folder, limit=limit, seed=seed, progress=tell)
        with progress() as tell:
            run = run_score(
                subject,
                task,
                out=folder,
                limit=limit,
                batch_size=size,
                seed=seed,
                prompt=prompt,
                confidence=confidence,
                normalize=normalize,
                orders=orders,
                protocol=protocol,
                thinking=thinking,
                thinking_tokens=thinking_tokens,
                bins=bins,
                log_samples=log_samples,
                progress=announcing(tell, folder),
            )
        if here().world > 1 and not whole(run):  # the last process to end writes the report
            out.print(str(run.path), soft_wrap=True)
            continue
        if log_samples == "none":
            out.print(str(write_histogram_report(run)), soft_wrap=True)
            continue
        with progress() as tell:
            report = write_report(run, progress=tell)
        out.print(f"{headline(run.results)}\n{report}", soft_wrap=True)


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Run folders; all are compared with the first."),
    ],
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="Where to write; default: compare/ in the last run.",
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="D",
            help="Differences below it are called equivalent: above 0, below 1. Default: 0.02.",
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Compare runs of the same questions with the first of them."""
    from calib.cli.idk import compared, of_idk
    from calib.intervals.equivalence import MARGIN

    if of_idk(runs):
        if margin is not None:
            raise InputError("--margin: rates of IDK sets are not tested for equivalence")
        compared(runs, output_path, seed)
        return
    from calib.report.comparison import headline, write_comparison
    from calib.report.comparison_equivalence import printed
    from calib.report.comparison_names import called, cut_names
    from calib.report.comparison_tables import printed_metrics
    from calib.runs import open_run
    from calib.runs.durable import refuse_no_folder
    from calib.summary.compare import compare as compare_runs
    from calib.summary.equivalence import checked_margin

    margin = checked_margin(MARGIN if margin is None else margin)
    opened = [open_run(run, "calib compare") for run in runs]
    folder = output_path or runs[-1] / "compare"
    refuse_no_folder(folder)
    results = compare_runs(opened, margin=margin, seed=seed)
    report = write_comparison(results, folder)
    shown = called(results)
    out.print(f"{headline(shown['pairs'][-1], shown['runs'])}\n")
    names = [run["name"] for run in shown["runs"]]
    room = max(LEAST_NAME, (out.width - METRIC_NAMES) // len(names) - GUTTER)
    show(
        (f"on {results['n']:,} questions", *cut_names(names, room)),
        printed_metrics(results["runs"]),
    )
    for pair in shown["pairs"]:
        sides = cut_names([pair["second"], pair["first"]], out.width // 2 - GUTTER)
        out.print(f"\n{' − '.join(sides)}")
        show(("quantity", "what is shown", "questions"), printed(pair))
    out.print(
        f"Equivalent: within {margin:g}. Questions: about as many as would show it if there were "
        "no difference."
    )
    out.print(f"\n{report}", soft_wrap=True)


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="The folder of a run, a comparison or an evaluation, or the file of a table.",
            show_default=False,
        ),
    ],
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="With a sampled RUN: the run whose answers are judged; default: RUN's first.",
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="With a sampled RUN: a scored run of the same questions; default: none.",
        ),
    ] = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="With a table: its run folder; default: runs/NAME of the file.",
        ),
    ] = None,
    equivalence: Equivalence = None,
    pictures: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Kept for items.html, at most; default: 2000."),
    ] = None,
    format_args: FormatArgs = "",
) -> None:
    """Write a report again: of a run, a table or a checkpoint."""
    from calib.report.kinds import Sources, write_again
    from calib.uncertainty.meaning import check_equivalence

    if equivalence is not None:
        check_equivalence(equivalence)
    if run.is_file():
        run = imported(run, output_path, format_args).path
    elif not run.exists():
        raise InputError(f"{run}: there is no such file or folder")
    elif output_path is not None or format_args:
        raise InputError(f"{run}: --output_path and --format_args go with the file of a table")
    with progress() as tell:
        page = write_again(Sources(run, answers, scores, tell, pictures, equivalence))
    out.print(str(page), soft_wrap=True)
