"""The page of calibrators that were ranked, beside calibrators.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.report import plots
from calib.report.blocks import Figure, Figures, Page, Section, Table, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import UNKNOWN, count, fixed, interval, percent, plural
from calib.report.page import make_folder, write_file, write_page
from calib.report.ranking import ranking_words, signed
from calib.report.significance import p_of
from calib.runs.config import kind_of
from calib.runs.durable import refuse_no_folder
from calib.runs.kinds import KINDS, RANKING, RESULTS, fields_of
from calib.summary.ranking import NONE

Results = Mapping[str, Any]
Row = Mapping[str, Any]


def folder_beside(path: Path) -> Path:
    """Where the page of a ranking saved as ``path`` goes: calibrators.json, calibrators/.

    Raises InputError where something else than a ranking's page is there.
    """
    folder = path.with_suffix("") if path.suffix else path.with_name(f"{path.name}-report")
    refuse_no_folder(folder)
    if (kind := kind_of(folder)) not in (None, RANKING):
        raise InputError(f"{folder}: it holds {KINDS[str(kind)].holds}; choose another file")
    return folder


def write_ranking(ranking: Results, folder: Path) -> Path:
    """Write a ranking with its facts as results.json, report.md and report.html there.

    Returns the page. Raises CalibError where nothing can be written.
    """
    make_folder(folder)
    write_file(folder / RESULTS, json.dumps(ranking, indent=1, ensure_ascii=False) + "\n")
    return write_page(folder, ranking_page(ranking))


def rewrite_ranking(folder: Path) -> Path:
    """Write the page again from results.json."""
    return write_page(folder, ranking_page(fields_of(folder / RESULTS)))


def ranking_page(ranking: Results) -> Page:
    none = row_of(ranking, NONE)
    return Page(
        title="Calibrators ranked",
        headline=headline(ranking),
        asked=f"Judged on {count(ranking['n'])} questions ({ranking['judged on']}).",
        lead=[Text(line, "lead") for line in ranking_words(ranking)],
        tiles=[
            Tile("as it is", fixed(none["ece"]), f"ECE, {ranking['bins']} bins"),
            Tile("right", percent(none["accuracy"], 1), "of the answers"),
            Tile("sure", percent(none["confidence"], 1), "on average, as it is"),
        ],
        sections=list(sections(ranking)),
        footer="The numbers are in results.json.",
    )


def headline(ranking: Results) -> str:
    """How many are shown to help."""
    better, fitted = len(ranking["better"]), len(ranking["rows"]) - 1
    if not better:
        return "No calibrator is shown to be better than none"
    return f"{count(better)} of {plural(fitted, 'calibrator')} shown to be better than none"


def row_of(ranking: Results, name: str) -> Row:
    found: Row = next(row for row in ranking["rows"] if row["calibrator"] == name)
    return found


def sections(ranking: Results) -> Iterator[Section]:
    """The page's sections, in reading order."""
    told = (
        f"By the {ranking['measure']}: how likely each made it that the answer was right or wrong, "
        "as it then was. It needs no bins."
    )
    yield Section("ranking", "Which is shown to help?", [Text(told), ranking_table(ranking)])
    yield Section(
        "reliability",
        "What it does to the confidences",
        [
            Figures([figure(ranking, name) for name in ranking["diagrams"]]),
            Text(
                "As it is, and the first of the ranking. The first of several looks better than it "
                "is: that it is better than the second is not tested.",
                "note",
            ),
        ],
    )
    if ranking["not_fitted"]:
        rows = list(map(list, ranking["not_fitted"].items()))
        table = Table("not-fitted", ["calibrator", "why not"], rows, prose=(1,))
        yield Section("not-fitted", "What could not be fitted", [table])
    yield facts_section(run_facts(ranking["facts"]))


def ranking_table(ranking: Results) -> Table:
    measure = str(ranking["measure"]).partition(" of ")[0]
    return Table(
        "calibrators",
        [
            "calibrator",
            measure,
            "− none",
            "p, Holm",
            "95 % interval",
            "ECE",
            "accuracy",
            "confidence",
            "NLL of the right option",
        ],
        [ranking_cells(row) for row in ranking["rows"]],
        "p is that of no difference to none, question by question, by exchanging clusters, "
        "corrected for the tests of this table (Holm). ECE has no test: it may fall because "
        "confidences grow sharper.",
    )


def ranking_cells(row: Row) -> list[str]:
    test = row["tests"].get("measure")
    tested = [UNKNOWN] * 3
    if test is not None:
        tested = [
            signed(test["value"]),
            p_of(test, relation=False),
            interval(test["low"], test["high"], digits=4),
        ]
    return [
        row["calibrator"],
        fixed(row["measure"], 4),
        *tested,
        fixed(row["ece"], 4),
        percent(row["accuracy"], 1),
        percent(row["confidence"], 1),
        fixed(row["nll_options"], 4),
    ]


def figure(ranking: Results, name: str) -> Figure:
    row = row_of(ranking, name)
    title = "As it is" if name == NONE else name
    note = f"ECE {fixed(row['ece'])}"
    drawing = plots.reliability(ranking["diagrams"][name], note=note)
    caption = f"{count(ranking['n'])} questions, none of them fitted to."
    if "in sample" in ranking["judged on"]:
        caption = f"{count(ranking['n'])} questions, which may be those fitted to."
    return Figure(title, plots.svg(drawing, name=name, label=f"{title}: {note}"), caption)
