"""The report of sampled answers: measures of uncertainty side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.report import plots
from calib.report.blocks import Figure, Figures, Page, Section, Table, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import UNKNOWN, count, fixed, interval, percent, pvalue
from calib.report.page import write_file, write_page
from calib.report.scores import prompt_section
from calib.report.significance import LEVEL, p_of
from calib.runs import Run
from calib.runs.folder import RESULTS
from calib.uncertainty.measures import CHANCE
from calib.uncertainty.side_by_side import side_by_side

TESTS = ("p, chance", "p, best")


def write_measures_report(run: Run, **sources: Any) -> Path:
    """Write results.json and the page of a sampled run: its measures side by side.

    ``sources`` goes to ``calib.uncertainty.side_by_side.side_by_side``: answers, scores, judge.
    """
    results = side_by_side(run, **sources)
    write_file(run.path / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return write_page(run.path, measures_page(results, run.path))


def measures_page(results: Mapping[str, Any], folder: Path) -> Page:
    left_out = results["questions"] - results["n"]
    said = f"{count(left_out)} questions without a known answer are left out."
    judged = count(results["n"])
    return Page(
        title=f"{results['model']} on {results['task']}: measures of uncertainty side by side",
        headline=best_measure(results),
        lead=[Text(results["judged"], "lead"), *([Text(said, "caveat")] if left_out else [])],
        tiles=[
            Tile("right", percent(results["accuracy"], 1), f"of {judged} judged answers"),
            Tile("samples", count(results["samples"]), "of each question"),
            Tile("measures", str(len(results["measures"])), "of uncertainty"),
        ],
        sections=list(sections(results, folder)),
        footer="The numbers are in results.json.",
    )


def sections(results: Mapping[str, Any], folder: Path) -> Iterator[Section]:
    """The page's sections, in reading order."""
    if (shown := prompt_section(folder)) is not None:
        yield shown
    yield Section(
        "measures",
        "Which tells right from wrong?",
        [
            Text(
                "AUROC: how often a wrong answer is less sure than a right one; 0.5 is chance. "
                "AURC: the error rate among the surest answers, averaged over their share; lower "
                "is better, and the error rate itself is chance."
            ),
            measure_table(results),
        ],
    )
    labels, matrix = results["labels"], results["correlations"]
    drawing = plots.correlations(labels, matrix)
    figure = Figure(
        "Rank correlation",
        plots.svg(drawing, name="ranks", label="Rank correlation of measures"),
        "Spearman's, over the questions where both are known. Blue: the two call the "
        "same questions unsure; orange: opposite ones. Empty: one of them never varies.",
        wide=True,
    )
    yield Section(
        "correlations",
        "Do they agree?",
        [
            Text("Measures are compared by the order in which they put the questions."),
            Figures([figure]),
            correlation_table(labels, matrix),
        ],
    )
    yield facts_section(run_facts(results["facts"]))


def best_measure(results: Mapping[str, Any]) -> str:
    """Which measure tells right from wrong best, as far as that is shown."""
    tests, rows = results["tests"], {row["measure"]: row for row in results["measures"]}
    if tests["best"] is None:
        return f"No measure can be shown to tell right from wrong: {tests['reason']}."
    best = rows[tests["best"]]
    over_chance = {test["first"]: test for test in tests["against"] if test["second"] == CHANCE}
    reached = f"AUROC {fixed(best['auroc'])}, chance 0.5"
    if not beats(over_chance[tests["best"]]):
        test = over_chance[tests["best"]]
        p = "too few to test" if test["p"] is None else f"p {p_of(test)}"
        return (
            f"No measure is shown to tell right from wrong: {best['label']} comes first "
            f"({reached}; {p})."
        )
    equal = [
        rows[test["second"]]["label"]
        for test in tests["against"]
        if test["second"] != CHANCE and not beats(test)
    ]
    if not equal:
        return f"Of {len(rows)} measures, {best['label']} tells right from wrong best ({reached})."
    others = f"{equal[0]} and {len(equal) - 1} others" if len(equal) > 2 else " and ".join(equal)
    return (
        f"{best['label'][0].upper()}{best['label'][1:]} tells right from wrong ({reached}); no "
        f"difference from {others} is shown."
    )


def beats(test: Mapping[str, Any]) -> bool:
    return bool(test["p"] is not None and test["holm"] < LEVEL and test["value"] > 0)


def measure_table(results: Mapping[str, Any]) -> Table:
    tests = results["tests"]
    return Table(
        "measures",
        ["measure", "n", "AUROC", "95 % interval", *TESTS, "AURC", "95 % interval of AURC"],
        [
            [
                row["label"],
                count(row["n"]),
                fixed(row["auroc"]),
                interval(row["auroc_low"], row["auroc_high"]),
                test_cell(tests, row["measure"], CHANCE),
                test_cell(tests, tests["best"], row["measure"]),
                fixed(row["aurc"]),
                interval(row["aurc_low"], row["aurc_high"]),
            ]
            for row in results["measures"]
        ],
        "95 % intervals by resampling clusters of questions (images). Each measure is "
        "judged on the questions where it is known (n). The two p, of no difference from chance "
        f"and from the best measure, are of pairs on the {count(tests['n'])} questions "
        "where all are known, and corrected for their number (Holm).",
    )


def correlation_table(labels: Sequence[str], matrix: Sequence[Sequence[float | None]]) -> Table:
    return Table(
        "correlations",
        ["measure", *labels],
        [
            [name, *(fixed(value, 2) for value in row)]
            for name, row in zip(labels, matrix, strict=True)
        ],
    )


def test_cell(tests: Mapping[str, Any], first: str | None, second: str) -> str:
    """The corrected p of a pair of measures; a dash where the pair was not tested."""
    for test in tests["against"]:
        if (test["first"], test["second"]) == (first, second):
            return pvalue(None if test["p"] is None else test["holm"], at_most=test["at_most"])
    return UNKNOWN
