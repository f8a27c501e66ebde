"""The ``calib`` command: flags in, progress and tables out. Other modules do the work.

Exit codes: 0 done; 1 failed while running; 2 refused before a model was loaded; 130 and 143 stopped
by SIGINT and SIGTERM. ``calib drift`` ends with 3 where it raises the alarm.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import typer

from calib.cli import (
    about,
    fitting,
    idk,
    logs,
    measuring,
    modality,
    prompts,
    sampling,
    study,
    trajectory,
    transferring,
    twins,
    watching,
)
from calib.cli.base import Command, app, on_terminate, readable

# In the order of ``calib --help``, each with the example that its own help ends with.
COMMANDS: dict[Callable[..., None], str] = {
    measuring.demo: "calib demo --output_path runs/demo",
    measuring.score: "calib score --model my/llava --tasks easy-vqa --limit 500",
    sampling.sample: "calib sample --model my/llava --tasks easy-vqa --samples 20",
    sampling.p_true: "calib p_true runs/answers && calib report runs/answers",
    fitting.fit: "calib fit runs/demo --output_path temperature.json",
    prompts.prompts: "calib prompts --model my/llava --tasks questions.jsonl",
    modality.modality: "calib modality --model my/llava --tasks easy-vqa --limit 200",
    transferring.transfer: "calib transfer runs/a runs/b --output_path transfer",
    trajectory.trajectory: "calib trajectory --model my/outputs --tasks easy-vqa",
    measuring.compare: "calib compare runs/before runs/after",
    measuring.report: "calib report runs/demo; calib report answers.csv",
    watching.drift: "calib drift week.csv --calibrator temperature.json",
    logs.import_: "calib import answers.csv --format_args confidence=score,correct=ok",
    about.tasks: "calib tasks show questions.jsonl",
    about.doctor: "calib doctor",
    about.crosscheck: "calib crosscheck runs/demo",
}
for _command, _example in COMMANDS.items():
    # ``import_`` ends in an underscore because ``import`` is a keyword.
    _name = _command.__name__.rstrip("_")
    app.command(_name, cls=Command, epilog=f"Example: {_example}")(readable(_command))

idk_app = typer.Typer(
    help="Label what a model does not know; see whether it admits it.",
    epilog="Example: calib idk build --model embedded:base --tasks capitals\n"
    "         --output_path set && calib idk evaluate set",
    no_args_is_help=True,
    rich_markup_mode=None,
    subcommand_metavar="build|label|evaluate",
)
app.add_typer(idk_app, name="idk")
for _command, _example in idk.IDK.items():
    idk_app.command(cls=Command, epilog=f"Example: {_example}")(readable(_command))

twins_app = typer.Typer(
    help="Ask twins that nobody can answer; see whether it abstains.",
    epilog="Example: calib twins make --tasks easy-vqa-letters --output_path twins\n"
    "         && calib twins evaluate --model embedded:stage2 --tasks twins",
    no_args_is_help=True,
    rich_markup_mode=None,
    subcommand_metavar="make|evaluate",
)
app.add_typer(twins_app, name="twins")
for _command, _example in twins.TWINS.items():
    twins_app.command(cls=Command, epilog=f"Example: {_example}")(readable(_command))

study_app = typer.Typer(
    help="Run declared experiments; put the paper's claims to a test.",
    epilog="Example: calib study list && calib study run modality --quick",
    no_args_is_help=True,
    rich_markup_mode=None,
    subcommand_metavar="list|show|run|all",
)
app.add_typer(study_app, name="study")
for _command, _example in study.STUDY.items():
    _name = _command.__name__.rstrip("_")
    study_app.command(_name, cls=Command, epilog=f"Example: {_example}")(readable(_command))


def main() -> None:
    """Entry point of the ``calib`` command."""
    signal.signal(signal.SIGTERM, on_terminate)
    app()
