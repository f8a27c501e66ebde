"""Commands that draw answers: sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib.arguments import generation, load, model_arguments, one_of, run_folders
from calib.cli.base import Device, Limit, Out, Seed, out
from calib.cli.progress import progress


def sample(
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Path, hub name, embedded:stage2, or hf.")
    ],
    tasks: Annotated[
        str, typer.Option(metavar="NAMES", help="Names or files, comma-separated (calib tasks).")
    ],
    model_args: Annotated[
        str, typer.Option("--model_args", metavar="K=V,..", help="As dtype=bfloat16,revision=main.")
    ] = "",
    output_path: Out = None,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Answers to a question.")] = 20,
    gen_kwargs: Annotated[
        str,
        typer.Option(
            "--gen_kwargs", metavar="K=V,..", help="As temperature=0.7,top_p=0.9,max_new_tokens=32."
        ),
    ] = "",
    limit: Limit = None,
    seed: Seed = 0,
    device: Device = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="FORM", help="options, letters, llava or paper.")
    ] = None,
    batching: Annotated[
        str,
        typer.Option(metavar="MODE", help="plan: the same bits on every run; packed: fuller."),
    ] = "plan",
    include_path: Annotated[
        Path | None, typer.Option("--include_path", metavar="DIR", help="Where task files lie.")
    ] = None,
) -> None:
    """Draw several answers to each question of a task."""
    from calib.prompts import FORMS

    name, arguments = model_arguments(model, model_args)
    if device is not None:
        arguments["device"] = device
    settings = generation(gen_kwargs)
    one_of("--batching", batching, ("plan", "packed"))
    if prompt is not None:
        one_of("--prompt", prompt, FORMS)
    chosen = [entry.strip() for entry in tasks.split(",") if entry.strip()]
    folders = run_folders(name, chosen, output_path)
    loaded = [load(entry, include_path) for entry in chosen]

    from calib.hf.model import load_model
    from calib.hf.sampling import Sampling
    from calib.sample import device_of_rank
    from calib.sample import sample as run_sample

    Sampling(samples=samples, seed=seed, **settings)  # refused before a model is loaded
    arguments.setdefault("device", device_of_rank())
    subject = load_model(name, **arguments)
    for task, folder in zip(loaded, folders, strict=True):
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
                progress=tell,
                **settings,
            )
        out.print(f"{run.path}", soft_wrap=True)
