"""Commands that draw answers and ask about them: sample, p_true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from calib.cli.arguments import batch, chosen, generation, model_arguments, one_of
from calib.cli.base import (
    Batch,
    Device,
    Folder,
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
)
from calib.cli.progress import announcing, progress
from calib.records import InputError


def sample(
    model: ModelName,
    tasks: Tasks,
    model_args: ModelArgs = "",
    output_path: Out = None,
    samples: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Answers per question; default: 20."),
    ] = None,
    gen_kwargs: Annotated[
        str,
        typer.Option(
            "--gen_kwargs",
            metavar="K=V,..",
            help="How to sample, such as top_p=0.9,stop=X|Y; default: "
            "temperature=1.0,max_new_tokens=64.",
        ),
    ] = "",
    limit: Limit = None,
    seed: Seed = 0,
    device: Device = None,
    prompt: Prompt = None,
    wording: Wording = None,
    batching: Annotated[
        str,
        typer.Option(
            metavar="MODE", help="plan: the same bits on every run; packed: fuller batches."
        ),
    ] = "plan",
    thinking: Thinking = "own",
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="semantic-entropy draws as its publication does, and writes the report; default: "
            "none.",
        ),
    ] = None,
    equivalence: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Write the report, with samples that mean the same by exact, normalized or "
            "nli:NAME. Default: no report, or the recipe's.",
        ),
    ] = None,
    include_path: Include = None,
) -> None:
    """Draw several answers to each question of a task."""
    from calib.models.protocol import BATCHING, THINKING
    from calib.tasks.prompts import FORMS, check

    name, arguments = model_arguments(model, model_args, device)
    settings = generation(gen_kwargs)
    one_of("--batching", batching, BATCHING)
    one_of("--thinking", thinking, THINKING)
    if prompt is not None:
        one_of("--prompt", prompt, FORMS)
    selected = chosen(name, tasks, output_path, include_path, wording or (), prompt)
    for task, _ in selected:
        check(task.selection(limit, seed), prompt or task.prompt)

    from calib.drive.engine import await_answers, device_of_rank, here
    from calib.drive.sample import sample as run_sample
    from calib.models.load import load_model
    from calib.models.protocol import Sampling
    from calib.report.measures import write_measures_report
    from calib.uncertainty.meaning import check_equivalence, meaning_of
    from calib.uncertainty.recipes import follow, recipe_of

    # Refused before a model is loaded.
    asked = settings if samples is None else {**settings, "samples": samples}
    if recipe is not None:
        own = recipe_of(recipe, asked)
        equivalence = equivalence or own.equivalence
    Sampling(**{"samples": 20, "seed": seed, **asked})
    if equivalence is not None:
        check_equivalence(equivalence)
        meaning_of(equivalence, device)  # it is loaded again, when there is room for it
        refuse_single(samples, recipe, equivalence)
    how = {
        "limit": limit,
        "seed": seed,
        "prompt": prompt,
        "batching": batching,
        "thinking": thinking,
        **asked,
    }
    arguments.setdefault("device", device_of_rank())
    subject = load_model(name, **arguments)
    drawn: list[tuple[Any, Any]] = []
    for task, folder in selected:
        with progress() as tell:
            told = announcing(tell, folder)
            if recipe is not None:
                drawn.append(follow(recipe, subject, task, out=folder, progress=told, **how))
            else:
                drawn.append((run_sample(subject, task, out=folder, progress=told, **how), None))
        if equivalence is None:
            out.print(f"{folder}", soft_wrap=True)
    if equivalence is None or here().rank > 0:
        return
    del subject
    meaning = meaning_of(equivalence, device)
    for run, answers in drawn:
        for one in filter(None, (run, answers)):
            await_answers(one, int(one.config["questions"]))
        with progress() as tell:
            page = write_measures_report(run, answers=answers, equivalence=meaning, progress=tell)
        out.print(f"{page}", soft_wrap=True)


def refuse_single(samples: int | None, recipe: str | None, equivalence: str) -> None:
    """InputError where there are no two samples whose meanings could be compared."""
    if recipe is None and samples is not None and samples < 2:
        raise InputError(
            f"--equivalence: expected two or more --samples, whose meanings {equivalence} "
            f"compares, got {samples}"
        )


def p_true(
    run: Folder,
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="Ask about this run's answers; default: RUN's first samples."
        ),
    ] = None,
    shown: Annotated[
        int, typer.Option(min=0, metavar="N", help="Other samples to show beside.")
    ] = 5,
    prompt: Annotated[
        str,
        typer.Option(
            metavar="FORM", help="letters: (A) True, (B) False; options: the words themselves."
        ),
    ] = "letters",
    confidence: Annotated[
        str,
        typer.Option(
            metavar="MODE", help="Of an option among the options, or vocab: among all tokens."
        ),
    ] = "options",
    model_args: ModelArgs = "",
    batch_size: Batch = "auto",
    device: Device = None,
) -> None:
    """Ask a model whether its sampled answers are true."""
    from calib.runs import open_run
    from calib.tasks.prompts import FORMS

    size = batch(batch_size)
    one_of("--prompt", prompt, FORMS)
    one_of("--confidence", confidence, ("options", "vocab"))
    sampled, separate = (
        open_run(run, "calib p_true"),
        None if answers is None else open_run(answers),
    )
    name, arguments = model_arguments(str(sampled.config.get("model")), model_args, device)

    from calib.models.load import load_model
    from calib.uncertainty.p_true import p_true as run_p_true
    from calib.uncertainty.p_true import questions

    questions(sampled, separate, shown=shown)  # refused before a model is loaded
    with progress() as tell:
        scored = run_p_true(
            load_model(name, **arguments),
            sampled,
            answers=separate,
            shown=shown,
            prompt=prompt,
            confidence=confidence,
            batch_size=size,
            progress=tell,
        )
    out.print(f"{scored.path}", soft_wrap=True)
