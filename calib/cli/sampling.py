"""Commands that draw answers and ask about them: sample, p_true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    Samples,
    Seed,
    Tasks,
    Thinking,
    Wording,
    out,
)
from calib.cli.progress import announcing, progress


def sample(
    model: ModelName,
    tasks: Tasks,
    model_args: ModelArgs = "",
    output_path: Out = None,
    samples: Samples = 20,
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

    from calib.drive.engine import device_of_rank
    from calib.drive.sample import sample as run_sample
    from calib.models.load import load_model
    from calib.models.protocol import Sampling

    Sampling(samples=samples, seed=seed, **settings)  # refused before a model is loaded
    arguments.setdefault("device", device_of_rank())
    subject = load_model(name, **arguments)
    for task, folder in selected:
        with progress() as tell:
            run = run_sample(
                subject,
                task,
                out=folder,
                limit=limit,
                samples=samples,
                seed=seed,
                prompt=prompt,
                batching=batching,
                thinking=thinking,
                progress=announcing(tell, folder),
                **settings,
            )
        out.print(f"{run.path}", soft_wrap=True)


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
