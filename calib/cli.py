"""The ``calib`` command: flags in, progress and tables out. What it does is done elsewhere.

Exit codes: 0 done; 1 failed while running; 2 refused before a model was loaded.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from calib.arguments import batch, load, model_arguments, one_of, run_folders
from calib.records import CalibError, InputError

P = ParamSpec("P")
R = TypeVar("R")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
app = typer.Typer(
    name="calib",
    help="Measure how far a multimodal model's confidence can be trusted.",
    epilog="Start with: calib demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": lambda name: name.replace("-", "_")},
)

Out = Annotated[
    Path | None,
    typer.Option("--output_path", metavar="DIR", help="Run folder; an unfinished one goes on."),
]
Limit = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Score only so many questions.")
]
Seed = Annotated[int, typer.Option(metavar="N", help="Rules every random choice.")]
Batch = Annotated[
    str, typer.Option("--batch_size", metavar="N", help="Questions per forward pass, or auto.")
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="cpu, cuda, cuda:1 or mps; default: best here.")
]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]


def main() -> None:
    """Entry point of the ``calib`` command."""
    app()


def readable(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors a user can meet into one paragraph and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except InputError as error:
            complain(error)
            raise typer.Exit(2) from error
        except CalibError as error:
            complain(error)
            raise typer.Exit(1) from error
        except OSError as error:
            complain(f"{error.filename or 'a file'}: {error.strerror or error}")
            raise typer.Exit(1) from error
        except KeyboardInterrupt as stop:
            complain("stopped; the same command goes on from here")
            raise typer.Exit(130) from stop

    return wrapped


def complain(text: object) -> None:
    err.print(Text(f"calib: {text}"), style="red", soft_wrap=True)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from calib import __version__

        out.print(__version__)
        raise typer.Exit


@app.command(epilog="Example: calib demo --output_path runs/demo")
@readable
def demo(
    output_path: Out = Path("runs/demo"),
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Questions to score.")] = 800,
    batch_size: Batch = "auto",
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Measure the embedded model; write its report."""
    from calib.demo import demo as run_demo

    with progress() as tell:
        done = run_demo(
            output_path or Path("runs/demo"),
            limit=limit,
            seed=seed,
            batch_size=batch(batch_size),
            device=device,
            progress=tell,
        )
    out.print(f"\n{done.headline}\n")
    show(("on the judged half", "as it is", "after temperature"), done.rows)
    out.print(f"\n{done.report}", soft_wrap=True)


@app.command(epilog="Example: calib score --model my/llava --tasks easy-vqa --limit 500")
@readable
def score(
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
    limit: Limit = None,
    batch_size: Batch = "auto",
    seed: Seed = 0,
    device: Device = None,
    confidence: Annotated[
        str, typer.Option(metavar="MODE", help="Among the options, or vocab: among all tokens.")
    ] = "options",
    prompt: Annotated[
        str | None, typer.Option(metavar="FORM", help="options, letters, llava or paper.")
    ] = None,
    bins: Annotated[int, typer.Option(min=1, metavar="N", help="Bins of equal width.")] = 15,
    include_path: Annotated[
        Path | None, typer.Option("--include_path", metavar="DIR", help="Where task files lie.")
    ] = None,
) -> None:
    """Score a model on a task; write its report."""
    from calib.prompts import FORMS

    name, arguments = model_arguments(model, model_args)
    if device is not None:
        arguments["device"] = device
    size = batch(batch_size)
    one_of("--confidence", confidence, ("options", "vocab"))
    if prompt is not None:
        one_of("--prompt", prompt, FORMS)
    chosen = [entry.strip() for entry in tasks.split(",") if entry.strip()]
    folders = run_folders(name, chosen, output_path)
    loaded = [load(entry, include_path) for entry in chosen]

    from calib.hf.model import load_model
    from calib.report import headline, write_report
    from calib.score import score as run_score

    subject = load_model(name, **arguments)
    for task, folder in zip(loaded, folders, strict=True):
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
                bins=bins,
                progress=tell,
            )
        report = write_report(run)
        out.print(f"{headline(run.results['diagram']['rows'])}\n{report}", soft_wrap=True)


@app.command(epilog="Example: calib fit runs/demo --output_path temperature.json")
@readable
def fit(
    run: Folder,
    evaluate: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Judge on this run; default: half of the same run."),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="exact, or grid (0.01 to 9.99).")
    ] = "exact",
    output_path: Annotated[
        Path | None,
        typer.Option("--output_path", metavar="FILE", help="Default: RUN/temperature.json."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Fit a temperature and judge it on other questions."""
    from calib.report import temperature_rows
    from calib.summary.remedies import fit_runs

    fitted, judged = fit_runs(run, evaluate, method=method, seed=seed)
    path = fitted.save(output_path or run / "temperature.json", facts=judged["facts"])
    rows = [(row["name"], row["before"], row["after"]) for row in temperature_rows(judged)]
    show(
        (f"on {judged['n_judged']:,} questions", "as it is", f"T = {fitted.temperature_:.3f}"), rows
    )
    out.print(f"\n{path}", soft_wrap=True)


@app.command(epilog="Example: calib report runs/demo")
@readable
def report(run: Folder) -> None:
    """Write the report of a run again."""
    from calib.report import write_report
    from calib.runs import open_run

    out.print(str(write_report(open_run(run))), soft_wrap=True)


@app.command(epilog="Example: calib tasks")
@readable
def tasks() -> None:
    """List the tasks; say what your own file needs."""
    from calib.tasks import TASKS

    show(("task", "what it asks"), [(name, about) for name, about in TASKS.items()])
    out.print(
        "\nA file of your own (.jsonl, .csv, LLaVA .json) has the columns id, question,\n"
        "images, options, answer and, if you like, group. An answer is a letter, an\n"
        "option's text or a 0-based index."
    )


@app.command(epilog="Example: calib doctor")
@readable
def doctor() -> None:
    """Say what is installed and used; check the kernels."""
    from calib.doctor import examine

    marks = {"ok": ("ok", "green"), "note": ("–", "yellow"), "bad": ("BAD", "red")}
    bad = 0
    for fact in examine():
        mark, colour = marks[fact.verdict]
        bad += fact.verdict == "bad"
        line = Text.assemble((f"{mark:<4}", colour), f"{fact.name:<24}", fact.text)
        out.print(line, soft_wrap=True)
    if bad:
        raise typer.Exit(1)


@app.command(epilog="Example: calib crosscheck runs/demo")
@readable
def crosscheck(
    run: Folder,
    bins: Annotated[int, typer.Option(min=1, metavar="N", help="Bins of equal width.")] = 15,
) -> None:
    """Compare our numbers with other libraries'."""
    from calib.crosscheck import crosscheck_run

    found = crosscheck_run(run, bins)
    words = {True: "agrees", False: "DIFFERS", None: ""}
    show(
        ("metric", "convention", "library", "ours", "theirs", ""),
        [
            (
                line.metric,
                line.convention,
                line.library,
                f"{line.ours:.7f}",
                "–" if line.theirs is None else f"{line.theirs:.7f}",
                words[line.agrees] or line.note,
            )
            for line in found
        ],
    )
    if any(line.agrees is False for line in found):
        raise typer.Exit(1)


def show(head: tuple[str, ...], rows: Any) -> None:
    """A plain table: first column to the left, the rest to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, name in enumerate(head):
        table.add_column(name, justify="left" if index == 0 or len(head) != 3 else "right")
    for row in rows:
        table.add_row(*row)
    out.print(table)


class Rate(ProgressColumn):
    """Questions per second since the bar began."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s", style="progress.data.speed")


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
    """A callback for long work: bars on a terminal, a line every ten seconds elsewhere."""
    if not err.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=err, speed_estimate_period=60) as bars:
        known: dict[str, Any] = {}

        def tell(done: int, total: int, note: str) -> None:
            if note not in known:
                known[note] = bars.add_task(note, total=total, completed=done)
            bars.update(known[note], completed=done, total=total)

        yield tell


class Lines:
    """Progress for logs: what, how much, how fast, how long still."""

    EVERY = 10.0

    def __init__(self) -> None:
        self.begun: dict[str, tuple[float, int]] = {}
        self.said = -math.inf

    def __call__(self, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        start, first = self.begun.setdefault(note, (now, done))
        if done < total and now - self.said < self.EVERY:
            return
        self.said = now
        rate = (done - first) / (now - start) if now > start else 0.0
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 and done < total else ""
        err.print(f"{note}: {done:,} of {total:,}, {rate:.1f}/s{left}", soft_wrap=True)


if __name__ == "__main__":
    main()
