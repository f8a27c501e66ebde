"""The page of a matrix of transfer, and ``calib.transfer``, which makes both."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.report import plots
from calib.report.blocks import Figure, Figures, Key, Page, Section, Text, Tile
from calib.report.comparison_names import Name, cut_names, label_of, short_names
from calib.report.formats import count, fixed, percent
from calib.report.page import make_folder, write_file, write_page
from calib.report.plots.transfer import LESS_RIGHT, Square
from calib.report.transfer_tables import (
    cell_table,
    fact_table,
    fit_table,
    loss_table,
    matrix_table,
    printed_cells,
    unjudged_table,
)
from calib.report.transfer_words import carried, headline, lead, measures, verdict_of
from calib.runs import Run, open_run
from calib.runs.config import kind_of
from calib.runs.durable import refuse_no_folder
from calib.runs.kinds import KINDS, RESULTS, TRANSFER, fields_of
from calib.summary.transfer import transfer_runs

Results = Mapping[str, Any]
Runs = Sequence[Run | str | Path]
ROOM = 28
"""Characters of a run's name that a page has room for."""
PRINTED = 16
"""And a line of a terminal, twice."""


def transfer(
    runs: Runs,
    *,
    judge: Runs | None = None,
    calibrator: str = "temperature",
    out: str | Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Judge a calibrator fitted on each run on all of them: what holds where it was not fitted?

    runs: those to fit to and to judge, opened or their folders. judge: more to judge alone.
    calibrator: a name in ``calib.calibrators.CALIBRATORS``. out: a folder for results.json and the
    page. Returns the numbers: ``fitted``, ``judged`` and ``cells``, each of which has the error
    ``before`` and ``after``, its ``tests`` and its ``loss`` against the judged run's own fit. No
    question is on both sides (``calib.summary.transfer``).

    Raises InputError for runs that cannot be judged so and a folder that holds something else,
    CalibError for runs of too few questions.
    """
    if out is not None:
        refuse_folder(Path(out))
    opened = [opened_run(run) for run in runs]
    found = transfer_runs(
        opened, [opened_run(run) for run in judge or ()], calibrator=calibrator, seed=seed
    )
    if out is not None:
        write_transfer(found, out)
    return found


def opened_run(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else open_run(run, "calib transfer")


def write_transfer(results: Results, folder: str | Path) -> Path:
    """Write a matrix of transfer as results.json, report.md and report.html there.

    Returns the page. Raises InputError for a folder that holds something else and what is no
    folder, CalibError where nothing can be written.
    """
    folder = Path(folder)
    refuse_folder(folder)
    make_folder(folder)
    write_file(folder / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return write_page(folder, transfer_page(results))


def refuse_folder(folder: Path) -> None:
    """InputError where the folder is none, or holds something else."""
    refuse_no_folder(folder)
    if (kind := kind_of(folder)) not in (None, TRANSFER):
        raise InputError(f"{folder}: it holds {KINDS[str(kind)].holds}; choose another folder")


def rewrite_transfer(folder: Path) -> Path:
    """Write the page again from results.json."""
    return write_page(folder, transfer_page(fields_of(folder / RESULTS)))


def called(results: Results) -> dict[str, Any]:
    """The results with a ``Name`` wherever a run is named."""
    entries = [*results["fitted"], *results["judged"]]
    whole = list(dict.fromkeys(each["name"] for each in entries))
    short = short_names(whole)
    each = zip(short, whole, cut_names(short, ROOM), strict=True)
    names = dict(zip(whole, (Name(*name) for name in each), strict=True))
    return {
        **results,
        "fitted": [{**one, "name": names[one["name"]]} for one in results["fitted"]],
        "judged": [{**one, "name": names[one["name"]]} for one in results["judged"]],
        "cells": [
            {**cell, "fitted": names[cell["fitted"]], "judged": names[cell["judged"]]}
            for cell in results["cells"]
        ],
    }


def transfer_page(results: Results) -> Page:
    results = called(results)
    return Page(
        title=f"Transfer of a {results['what']}, {count(len(results['judged']))} runs judged",
        headline=headline(results),
        lead=[Text(line, "lead") for line in lead(results)],
        tiles=[
            Tile(
                label_of(each["name"]),
                percent(each["accuracy"], 1),
                f"right; {percent(each['confidence'], 1)} sure as it is, ECE "
                f"{fixed(each['ece'], 3)}",
            )
            for each in results["judged"]
        ],
        sections=list(sections(results)),
        footer="The numbers are in results.json.",
    )


def sections(results: Results) -> Iterator[Section]:
    """The page's sections, in reading order."""
    what, made = results["what"], results["made"]
    yield Section(
        "matrix",
        "Does it carry over?",
        [
            Figures([figure(results)]),
            Key(
                marks_of(results),
                f"Rows: {made}; columns: judged on. Outlined: the run's own. Grey: neither is "
                "shown, which is no evidence of no difference.",
            ),
            matrix_table(results),
        ],
    )
    yield Section(
        "cells",
        "Each pair, before and after",
        [
            Text(
                f"{measures(results['judged'])} It needs no bins, and is lower for confidences "
                "that come true."
            ),
            cell_table(results),
            Text(note(results), "note"),
        ],
    )
    if any(cell["loss"] is not None for cell in results["cells"]):
        told = (
            f"The error with the {what} {made} another run minus that with the judged run's own, "
            "on the same questions. Above 0, the other is worse."
        )
        yield Section("loss", "What does transfer lose?", [Text(told), loss_table(results)])
    if (fits := fit_table(results)) is not None:
        yield Section("fits", "What was fitted", [Text("To all questions of each run."), fits])
    if (unjudged := unjudged_table(results)) is not None:
        yield Section("unjudged", "What could not be judged", [unjudged])
    if (facts := fact_table(results)) is not None:
        told = "What differs between the runs, from which a difference may come."
        yield Section("facts", "Run facts", [Text(told), facts])


def marks_of(results: Results) -> tuple[tuple[str, str], ...]:
    """What the marks of the matrix mean; of accuracy where it is there."""
    marks = (("under", "↓ blue: shown to lower the error"), ("over", "↑ red: to raise it"))
    if not any(verdict_of(cell) == LESS_RIGHT for cell in results["cells"]):
        return marks
    return *marks, ("over", f"{LESS_RIGHT} red: to lower accuracy without raising it")


def note(results: Results) -> str:
    """How cells are judged and tested."""
    said = []
    if "folds" in results:
        said.append(
            f"No question is on both sides. A run's own fit: in {results['folds']} parts of its "
            "clusters, each by a fit to the others. Of runs that share questions, each part by a "
            "fit to all of the other run but the clusters that share a question with that part."
        )
    said.append(
        f"p is that of no difference, question by question, by exchanging clusters, corrected for "
        f"the {count(results['tests'])} tests of this page (Holm); the interval is a bootstrap's, "
        "uncorrected. Where few answers carry a difference the two may disagree: a difference is "
        "said to be shown where p is below 0.05 and the interval leaves out 0; one that is the "
        "same for every question has no interval and needs none. Tests take the fits as they are. "
        "ECE has no test: it may fall because confidences grow sharper."
    )
    return " ".join(said)


def figure(results: Results) -> Figure:
    """The matrix drawn, its columns numbered as its rows are."""
    columns = [each["name"] for each in results["judged"]]
    rows = list(dict.fromkeys(cell["fitted"] for cell in results["cells"]))
    numbers = {name: str(place) for place, name in enumerate(columns, 1)}
    by_pair = {(cell["fitted"], cell["judged"]): cell for cell in results["cells"]}
    squares = [[square(by_pair.get((row, column))) for column in columns] for row in rows]
    named = [f"{numbers[row]} {label_of(row)}" if row in numbers else label_of(row) for row in rows]
    only = [f"{numbers[name]} {label_of(name)}" for name in columns if name not in rows]
    caption = "The change of the error against as it is."
    if only:
        caption += f" Judged alone: {', '.join(only)}."
    drawing = plots.transfer(named, list(numbers.values()), squares, said=headline(results))
    title = f"{results['made'].capitalize()} a run, judged on each"
    return Figure(title, plots.svg(drawing, name="transfer", label=title), caption)


def square(cell: Mapping[str, Any] | None) -> Square | None:
    if cell is None:
        return None
    value = cell["tests"]["measure"]["value"] if cell["tests"] else None
    return Square(value, verdict_of(cell), cell["own"])


def transfer_lines(results: Results) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A head and rows for a terminal of 80 columns: a line for each pair of two runs."""
    results = called(results)
    names = list(
        dict.fromkeys(n for cell in results["cells"] for n in (cell["fitted"], cell["judged"]))
    )
    cut = dict(zip(names, cut_names(names, PRINTED), strict=True))
    head = (results["made"], "judged on", "− as it is, 95 %", "p")
    return head, printed_cells(carried(results), cut)
