"""Commands that say what is there and whether it agrees: tasks, doctor, crosscheck."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from calib.cli.base import Folder, out, show


def tasks() -> None:
    """List the tasks; say what your own file needs."""
    from calib.tasks import TASKS

    show(("task", "what it asks"), [(name, about) for name, about in TASKS.items()])
    out.print(
        "\nA file of your own (.jsonl, .csv, LLaVA .json) has the columns id, question,\n"
        "images, options, answer and, if you like, group. An answer is a letter, an\n"
        "option's text or a 0-based index."
    )


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
