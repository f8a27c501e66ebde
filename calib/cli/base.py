"""What every command shares: the application, common flags, errors, tables."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from calib.records import CalibError, InputError
from calib.runs.config import MOST_BINS

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

ModelName = Annotated[
    str, typer.Option("--model", metavar="NAME", help="Path, hub name, embedded:stage2, or hf.")
]
ModelArgs = Annotated[
    str,
    typer.Option(
        "--model_args", metavar="K=V,..", help="As dtype=bfloat16,revision=main; default: none."
    ),
]
Tasks = Annotated[
    str, typer.Option(metavar="NAMES", help="Names or files, comma-separated (calib tasks).")
]
Prompt = Annotated[
    str | None,
    typer.Option(
        metavar="FORM",
        help="letters, llava, paper, listed, reason or verbalized list the options; options does "
        "not. Default: a built-in task's own; of a file letters, or listed where options have "
        "spellings or are more than 26, or options where there are none (calib tasks show).",
    ),
]
Thinking = Annotated[
    str,
    typer.Option(metavar="MODE", help="off, on, or own: as the chat template has it unasked."),
]
Samples = Annotated[int, typer.Option(min=1, metavar="N", help="Answers to a question.")]
Include = Annotated[
    Path | None,
    typer.Option("--include_path", metavar="DIR", help="Where task files lie; default: here."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--output_path",
        metavar="DIR",
        help="Run folder; an unfinished one goes on. Default: runs/MODEL/TASK.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Only so many questions, drawn by seed; default: all."),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Rules every random choice.")]
Bins = Annotated[int, typer.Option(min=1, max=MOST_BINS, metavar="N", help="Bins of equal width.")]
Batch = Annotated[
    str, typer.Option("--batch_size", metavar="N", help="Questions per forward pass, or auto.")
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="cpu, cuda, cuda:1 or mps; default: best here.")
]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the command ends as at an interrupt, with an exit code of its own."""


def on_terminate(number: int, frame: object) -> None:
    raise Terminated


def readable(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors a user can meet into one paragraph and an exit code, warnings into notes."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = Notes().tell
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
            complain("stopped; what was done is kept, and the same command goes on from there")
            raise typer.Exit(143 if isinstance(stop, Terminated) else 130) from stop

    return wrapped


class Notes:
    """Print each warning once, as a note of one line."""

    def __init__(self) -> None:
        self.shown: set[str] = set()

    def tell(self, message: Warning | str, *where: object, **more: object) -> None:
        """Replaces ``warnings.showwarning``, which also shows source code and its path."""
        text = " ".join(str(message).split())
        if text not in self.shown:
            self.shown.add(text)
            err.print(Text(f"calib: note: {text}"), style="yellow", soft_wrap=True)


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


def show(head: tuple[str, ...], rows: Any) -> None:
    """A plain table: first column to the left, the rest to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, name in enumerate(head):
        table.add_column(name, justify="left" if index == 0 or len(head) != 3 else "right")
    for row in rows:
        table.add_row(*row)
    out.print(table)
