"""What a model does not know, and whether it says so: idk build, label, evaluate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from calib.cli.arguments import load, model_arguments, one_of
from calib.cli.base import (
    Device,
    Include,
    ModelArgs,
    ModelName,
    Prompt,
    Samples,
    Seed,
    err,
    out,
    show,
)
from calib.cli.progress import announcing, progress

Set = Annotated[
    Path, typer.Argument(metavar="SET", help="A set that calib idk build made.", show_default=False)
]
Judging = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="How an answer is judged: auto, letter, exact, normalized, contains or numeric.",
    ),
]


def build(
    model: ModelName,
    tasks: Annotated[str, typer.Option(metavar="NAME", help="One built-in task or file.")],
    output_path: Annotated[
        Path,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="Folder of the set; an unfinished one is continued.",
        ),
    ],
    model_args: ModelArgs = "",
    samples: Samples = 10,
    temperature: Annotated[
        float, typer.Option(metavar="T", help="Temperature to sample at.")
    ] = 1.0,
    top_p: Annotated[
        float,
        typer.Option(
            "--top_p", metavar="P", help="Sample from the likeliest tokens that make up P."
        ),
    ] = 0.9,
    max_new_tokens: Annotated[
        int, typer.Option("--max_new_tokens", min=1, metavar="N", help="Longest answer, in tokens.")
    ] = 24,
    tau: Annotated[
        float,
        typer.Option(
            metavar="SHARE", help="A question is known if at least this share of answers is right."
        ),
    ] = 1.0,
    judge: Judging = "auto",
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="At most N questions, drawn by the seed.")
    ] = 100,
    copy_images: Annotated[
        bool,
        typer.Option(
            "--copy_images/--no_copy_images",
            help="Whether the set holds its pictures, so that it can be moved. Default: it does.",
            show_default=False,
        ),
    ] = True,
    seed: Seed = 0,
    device: Device = None,
    prompt: Prompt = None,
    include_path: Include = None,
) -> None:
    """Sample every question; label it known or unknown; export.

    Given again with another --tau or --judge, it labels again and samples nothing.
    """
    from calib.tasks.prompts import FORMS, check

    if prompt is not None:
        one_of("--prompt", prompt, FORMS)
    name, arguments = model_arguments(model, model_args, device)
    task = load(tasks, include_path)
    check(task.selection(limit, seed), prompt or task.prompt)

    from calib.idk.draw import Subject
    from calib.idk.folder import SAMPLES, build_set

    with progress() as tell:
        made = build_set(
            Subject(name, arguments),
            task,
            output_path,
            tau=tau,
            judge=judge,
            samples=samples,
            temperature=temperature,
            top_p=top_p,
            max_new_tokens=max_new_tokens,
            seed=seed,
            limit=limit,
            copy_images=copy_images,
            prompt=prompt,
            progress=announcing(tell, output_path / SAMPLES),
        )
    show_labels(made, output_path)


def label(
    folder: Set,
    tau: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="A question is known if at least this share of answers is right; default: as "
            "before.",
        ),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another judge; default: as before.")
    ] = None,
    copy_images: Annotated[
        bool,
        typer.Option(
            "--copy_images", help="Copy the pictures into the set, too. Default: as before."
        ),
    ] = False,
) -> None:
    """Label the same samples again, at another threshold."""
    from calib.idk.folder import label_set

    show_labels(label_set(folder, tau=tau, judge=judge, copy_images=copy_images), folder)


def evaluate(
    folder: Set,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="How to ask: plain, permission, option, a text with {question}, or a file of "
            "one; give it once for each. Default: the first three.",
        ),
    ] = None,
    model_args: ModelArgs = "",
    temperature: Annotated[
        float, typer.Option(metavar="T", help="Temperature of the one answer; 0: greedy.")
    ] = 0.1,
    tau: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Threshold of known; default: the set's own."),
    ] = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path", metavar="DIR", help="Where to write; default: SET/evaluation."
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Ask again in several ways; report what it refuses to answer."""
    from calib.idk.ask import EVALUATION, ask_set
    from calib.idk.draw import Subject
    from calib.idk.folder import labels_of
    from calib.report.formats import percent
    from calib.report.idk import write_idk_report

    model = str(labels_of(folder).run.config["model"])
    name, arguments = model_arguments(model, model_args, device)
    where = output_path or folder / EVALUATION
    with progress() as tell:
        evaluation = ask_set(
            Subject(name, arguments),
            folder,
            arms=arm or (),
            out=where,
            temperature=temperature or 1.0,
            greedy=temperature == 0,
            tau=tau,
            seed=seed,
            progress=tell,
        )
    rates = ("truthful", "admit_rate", "over_refusal", "answered_accuracy")
    show(
        ("arm", "truthful", "admits not knowing", "refuses known", "right if answered"),
        [
            (entry["name"], *(percent(entry["rates"][rate]["value"], 1) for rate in rates))
            for entry in evaluation["arms"]
        ],
    )
    out.print(f"\n{write_idk_report(where)}", soft_wrap=True)


def of_idk(folders: list[Path]) -> bool:
    """Whether all are IDK sets or evaluations, which calib compare compares by their answers."""
    from calib.runs.config import kind_of
    from calib.runs.kinds import IDK_EVALUATION, IDK_SET

    return all(kind_of(folder) in (IDK_SET, IDK_EVALUATION) for folder in folders)


def compared(folders: list[Path], output_path: Path | None, seed: int) -> None:
    """Compare IDK sets or evaluations on their common questions; write the page."""
    from calib.idk.comparison import compare_idk
    from calib.report.idk_comparison import headline, printed, write_idk_comparison
    from calib.runs.durable import refuse_no_folder

    where = output_path or folders[-1] / "compare"
    refuse_no_folder(where)
    results = compare_idk(folders, seed=seed)
    page = write_idk_comparison(results, where)
    out.print(f"{headline(results)}\n")
    more = ", ".join(f"{side['name']} {side['left_out']:,}" for side in results["sides"])
    out.print(f"On {results['n']:,} questions that all share; not shared: {more}.\n")
    for pair in results["pairs"]:
        show(*printed(pair))
        out.print()
    out.print(str(page), soft_wrap=True)


def show_labels(made: dict[str, Any], folder: Path) -> None:
    counts = made["counts"]
    rows = [
        (f"{row['tau']:g}", f"{row['known']:,}", f"{row['unknown']:,}", f"{row['uncertain']:,}")
        for row in made["sweep"]
    ]
    show(("tau", "known", "unknown", "uncertain"), rows)
    out.print(
        f"\nAt tau = {made['tau']:g}: {counts['known']:,} known and {counts['unknown']:,} unknown"
    )
    if counts["known"] == 0 or counts["unknown"] == 0:
        even = max(made["sweep"], key=lambda row: min(row["known"], row["unknown"]))
        said = "All questions are alike at this tau"
        if min(even["known"], even["unknown"]):
            said += (
                f"; calib idk label {folder} --tau {even['tau']:g} parts them into "
                f"{even['known']:,} known and {even['unknown']:,} unknown"
            )
        err.print(f"{said}.", soft_wrap=True)
    if made["unread_pictures"]:
        err.print(
            f"{made['unread_pictures']:,} pictures are gone and were never compared by their "
            "bytes: questions of one cluster are in one part, but another name's equal picture may "
            "be in the other.",
            soft_wrap=True,
        )
    empty = [name for name, questions in made["parts"].items() if not questions]
    if empty:
        err.print(
            f"No question is in {' or '.join(empty)}: those that share a cluster or a picture are "
            "in one part.",
            soft_wrap=True,
        )
    out.print(f"{folder}", soft_wrap=True)


IDK: dict[Callable[..., None], str] = {
    build: "calib idk build --model my/llava --tasks q.jsonl --output_path set",
    label: "calib idk label set --tau 0.5",
    evaluate: "calib idk evaluate set --arm plain --arm permission",
}
