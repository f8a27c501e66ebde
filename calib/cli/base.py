"""What every command shares: the application, common flags, errors, tables."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
import typer.core
from rich.console import Console
from rich.table import Table

from calib.records import CalibError, InputError
from calib.runs.config import MOST_BINS

P = ParamSpec("P")
R = TypeVar("R")

# Names and paths may hold brackets, which are text.
out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False, markup=False)
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
    str,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A folder, a hub name, embedded:stage2 (comes with calib), or hf with "
        "--model_args pretrained=NAME.",
    ),
]
ModelArgs = Annotated[
    str,
    typer.Option(
        "--model_args",
        metavar="K=V,..",
        help="How to load it, such as dtype=bfloat16,revision=main; default: none.",
    ),
]
Tasks = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Built-in tasks (calib tasks lists them) or files, separated by commas.",
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        metavar="FORM",
        help="What a question looks like: letters, llava, paper, listed, reason, verbalized, "
        "decision or options (calib tasks describes them). Default: a built-in task's own; for a "
        "file letters, or listed where options have spellings or number more than 26, or options "
        "where there are none.",
    ),
]
Wording = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PART=TEXT",
        help="Word a part of the prompt (cue, instruction, system, permission), or take the winner "
        "of the calib prompts in this folder; may be repeated. Default: the form's own words.",
    ),
]
Thinking = Annotated[
    str,
    typer.Option(metavar="MODE", help="Whether it thinks first: off, on, or own (the template's)."),
]
Samples = Annotated[int, typer.Option(min=1, metavar="N", help="Answers per question.")]
Equivalence = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Which samples mean the same: exact, normalized, or nli:NAME, a model of entailment "
        "(a folder or a hub name). Default: normalized.",
    ),
]
Include = Annotated[
    Path | None,
    typer.Option(
        "--include_path", metavar="DIR", help="Folder to look for task files in; default: this one."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--output_path",
        metavar="DIR",
        help="Run folder; an unfinished run is continued. Default: runs/MODEL/TASK.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="At most N questions, drawn by the seed; default: all."),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Seed of every random choice.")]
Bins = Annotated[
    int, typer.Option(min=1, max=MOST_BINS, metavar="N", help="Confidence bins, all of one width.")
]
Batch = Annotated[
    str, typer.Option("--batch_size", metavar="N", help="Questions per forward pass, or auto.")
]
CacheGb = Annotated[
    float,
    typer.Option("--cache_gb", min=0, metavar="GB", help="Keep pictures and prompts as read."),
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="cpu, cuda, cuda:1 or mps; default: a CUDA GPU, else the CPU."
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]


class Command(typer.core.TyperCommand):
    """A command whose help and usage call an argument by its name alone, not by Python's type."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            if isinstance(parameter, typer.core.TyperArgument):
                parameter.__class__ = Named  # typer makes its own class and takes no other


class Named(typer.core.TyperArgument):
    def display_type_rich(self, ctx: Any) -> None:
        """No ``<list[Path]>`` behind the name."""

    def get_usage_pieces(self, ctx: Any) -> list[str]:
        name = self.metavar or self.name
        return [(name if self.required else f"[{name}]") + ("" if self.nargs == 1 else "...")]


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
            complain("stopped; what was done is kept, and the same command continues from there")
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
            err.print(f"calib: note: {text}", style="yellow", soft_wrap=True)


def complain(text: object) -> None:
    err.print(f"calib: {text}", style="red", soft_wrap=True)


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
