"""Commands that watch a model in use: drift."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from calib.cli.base import Seed, out
from calib.cli.logs import FormatArgs, FormatName, texts

ALARM = 3
"""The exit code of an alarm."""


def drift(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="New outcomes: a table with the columns confidence and correct and an id or "
            "cluster, or any other that calib import reads.",
            show_default=False,
        ),
    ],
    state: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Carries the evidence from one FILE to the next; made where there is none.",
        ),
    ] = Path("drift.json"),
    calibrator: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="As calib fit saves it; default: the confidence as it is."
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(metavar="X", help="How far the mean of correct - confidence may lie from 0."),
    ] = 0.02,
    alpha: Annotated[
        float, typer.Option(metavar="P", help="Probability of a false alarm, ever.")
    ] = 0.05,
    format: FormatName = None,
    format_args: FormatArgs = "",
    seed: Seed = 0,
) -> None:
    """See whether confidence still holds for new outcomes.

    Prints one line. Ends with 3 where there is an alarm, with 0 where there is none.
    """
    from calib.summary.drift import drift as seen

    found = seen(
        file,
        state=state,
        calibrator=calibrator,
        margin=margin,
        alpha=alpha,
        seed=seed,
        format=format,
        columns=texts("--format_args", format_args),
    )
    out.print(Text(str(found)), soft_wrap=True)
    if found.alarm is not None:
        raise typer.Exit(ALARM)
