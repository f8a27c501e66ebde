"""Commands that say what is there and whether it agrees: tasks, doctor, crosscheck."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from calib.cli.arguments import load, one_of
from calib.cli.base import Bins, Folder, Include, Prompt, out, show
from calib.records import InputError


def tasks(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="show NAME|FILE",
            help="A task or file to show; default: list tasks and prompt forms.",
        ),
    ] = None,
    prompt: Prompt = None,
    n: Annotated[int, typer.Option("-n", min=1, metavar="N", help="Questions to show.")] = 3,
    include_path: Include = None,
) -> None:
    """List tasks and prompt forms; show questions as asked."""
    from calib.tasks.builtin import BUILTIN
    from calib.tasks.files import SUFFIXES
    from calib.tasks.prompts import FORMS

    if prompt is not None:
        one_of("--prompt", prompt, FORMS)
    shown = list(names or ())
    if shown[:1] == ["show"]:
        del shown[0]
        if not shown:
            raise InputError("calib tasks show: expected the name of a task or a file")
    for name in shown:
        from calib.cli.preview import preview

        task = load(name, include_path)
        for left, text in preview(task, prompt or task.prompt, n):
            for row in Text(text).wrap(out, out.width - left):
                out.print(Text(" " * left) + row)
    if shown:
        return
    listed = [(name, f"{task.about} ({task.licence})") for name, task in BUILTIN.items()]
    show(("task", "what it asks (licence)"), listed)
    out.print(
        f"\nA file of your own ({', '.join(SUFFIXES)}) has the columns id, question, images, "
        "options, answer and, if you like, group. An answer is a letter, an option's text or a "
        "0-based index. calib tasks show FILE shows how it is asked.\n"
    )
    show(("--prompt", "how a question is asked"), [(f, form.about) for f, form in FORMS.items()])


def doctor() -> None:
    """Say what is installed and used; check the kernels."""
    from calib.checks.doctor import examine

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
    bins: Bins = 15,
) -> None:
    """Compare a run's numbers with those of other libraries."""
    from calib.checks.crosscheck import crosscheck_run

    comparisons = crosscheck_run(run, bins)
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
            for line in comparisons
        ],
    )
    if any(line.agrees is False for line in comparisons):
        raise typer.Exit(1)
