"""``calib transfer``: calibrators judged on runs that they were not fitted on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from calib.cli.arguments import one_of
from calib.cli.base import Seed, out, show


def transfer(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Run folders; each is fitted to and judged."),
    ],
    calibrator: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="temperature, grouped, platt, isotonic, histogram, venn_abers or vector.",
        ),
    ] = "temperature",
    judge: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN", help="A run that is judged alone; may be given again. Default: none."
        ),
    ] = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="Where to write; default: transfer/ in the last RUN.",
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Judge what is fitted on one run on others."""
    from calib.calibrators.registry import CALIBRATORS
    from calib.report.transfer import called, refuse_folder, transfer_lines, write_transfer
    from calib.report.transfer_words import headline, lead, unjudged
    from calib.runs import open_run
    from calib.summary.transfer import transfer_runs

    one_of("--calibrator", calibrator, CALIBRATORS)
    folder = output_path or runs[-1] / "transfer"
    refuse_folder(folder)
    opened = [open_run(run, "calib transfer") for run in runs]
    others = [open_run(run, "calib transfer") for run in judge or ()]
    results = transfer_runs(opened, others, calibrator=calibrator, seed=seed)
    report = write_transfer(results, folder)
    shown = called(results)
    out.print(f"{headline(shown)}.\n")
    head, rows = transfer_lines(results)
    if rows:
        show(head, rows)
        out.print("\n" + "\n".join(lead(shown)))
    for line in unjudged(shown):
        out.print(Text(line))
    out.print(f"\n{report}", soft_wrap=True)
