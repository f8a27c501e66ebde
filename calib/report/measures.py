"""The report of sampled answers: measures of uncertainty side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.report import plots
from calib.report.blocks import Block, Figure, Figures, Page, Section, Table, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import UNKNOWN, count, fixed, interval, listed, percent, pvalue
from calib.report.items import PICTURES, write_items
from calib.report.page import write_file, write_page
from calib.report.scores import EVERY_QUESTION, lost_pictures, prompt_section
from calib.report.significance import LEVEL, p_of
from calib.report.telling import examples_section
from calib.runs import Run
from calib.runs.folder import RESULTS, Progress
from calib.uncertainty.meaning import DEFAULT, meaning_of
from calib.uncertainty.measures import CHANCE, MEASURES, label
from calib.uncertainty.side_by_side import side_by_side

TESTS = ("p, chance", "p, best")


def write_measures_report(
    run: Run, *, progress: Progress | None = None, pictures: int = PICTURES, **sources: Any
) -> Path:
    """Write results.json and the page of a sampled run, its measures side by side; and items.html
    with its data, in which at most so many ``pictures`` are kept.

    ``sources`` goes to ``calib.uncertainty.side_by_side.side_by_side``: answers, scores, judge,
    equivalence.
    """
    # Read once: it may be a model, and knows what it was asked.
    sources["equivalence"] = meaning_of(sources.get("equivalence") or DEFAULT)
    results = side_by_side(run, **sources)
    write_file(run.path / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write_items(run, pictures=pictures, progress=progress, **sources)
    return write_page(run.path, measures_page(results, run.path))


def measures_page(results: Mapping[str, Any], folder: Path) -> Page:
    left_out = results["questions"] - results["n"]
    said = f"{count(left_out)} questions without a known answer are left out."
    judged = count(results["n"])
    return Page(
        title=f"{results['model']} on {results['task']}: measures of uncertainty side by side",
        headline=best_measure(results),
        lead=[
            Text(results["judged"], "lead"),
            *([Text(said, "caveat")] if left_out else []),
            *lost_pictures(folder),
        ],
        tiles=[
            Tile("right", percent(results["accuracy"], 1), f"of {judged} judged answers"),
            Tile("refused", count(results["outcomes"]["refused"]), f"of {judged} judged answers"),
            Tile("samples", count(results["samples"]), "of each question"),
            Tile("measures", str(len(results["measures"])), "of uncertainty"),
        ],
        links=[EVERY_QUESTION],
        sections=list(sections(results, folder)),
        footer="The numbers are in results.json.",
    )


def sections(results: Mapping[str, Any], folder: Path) -> Iterator[Section]:
    """The page's sections, in reading order."""
    if (shown := prompt_section(folder, results["first"])) is not None:
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
            *same_words(results),
            measure_table(results),
            meaning_table(results),
            Figures([curves_figure(results["curves"])]),
        ],
    )
    yield examples_section(results, folder)
    yield agreement_section(results)
    # In these facts "samples" is a path; in config.json it is a number.
    facts = {{"samples": "sampled run"}.get(k, k): v for k, v in results["facts"].items()}
    yield facts_section(run_facts(facts))


def same_words(results: Mapping[str, Any]) -> list[Text]:
    """Which samples mean the same; results of earlier versions do not say."""
    equivalence = results.get("equivalence")
    if equivalence is None:
        return []
    return [
        Text(
            f"Two samples mean the same where {equivalence['rule']}; a sample joins the first "
            "cluster whose first member it matches."
        )
    ]


def curves_figure(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Risk and coverage of every measure with its band."""
    title = "Risk and coverage by measure"
    said = (
        "the band is a 95\N{NO-BREAK SPACE}% interval at each share, by resampling clusters of "
        "questions (images)"
        if any(map(plots.has_band, curves))
        else "no band, since there are too few clusters of questions or all are equally sure"
    )
    return Figure(
        title,
        plots.svg(plots.risk_coverage_by_measure(curves), name="curves", label=title),
        "Answer only the share of questions that a measure calls surest: how many of those answers "
        f"are wrong? A panel a measure; {said}. Bands that overlap are no test: the table's p are.",
    )


def agreement_section(results: Mapping[str, Any]) -> Section:
    """How alike the measures order the questions; one stands for all that order them alike."""
    labels, matrix = distinct(results)
    blocks: list[Block] = [
        Text("Measures are compared by the order in which they put the questions."),
        *map(Text, alike_words(results)),
    ]
    if len(labels) > 1:
        title = "Rank correlation"
        drawing = plots.svg(plots.correlations(labels, matrix), name="ranks", label=title)
        caption = (
            "Spearman's, over the questions where both are known. Blue: the two call the same "
            "questions unsure; vermilion: opposite ones. Empty: not defined."
        )
        blocks += [
            Figures([Figure(title, drawing, caption)]),
            correlation_table(labels, matrix),
        ]
    return Section("correlations", "Do they agree?", blocks)


def distinct(results: Mapping[str, Any]) -> tuple[list[str], list[list[float | None]]]:
    """Labels and correlations of the measures that do not order the questions as another does."""
    names = [row["measure"] for row in results["measures"]]
    kept = [names.index(name) for name in results["agreement"]["distinct"]]
    labels = [results["labels"][k] for k in kept]
    return labels, [[results["correlations"][a][b] for b in kept] for a in kept]


def alike_words(results: Mapping[str, Any]) -> Iterator[str]:
    """Which measures are told in words and left out of the matrix."""
    agreement = results["agreement"]
    for group in agreement["alike"]:
        first, *others = map(label, group)
        yield (
            f"{named(others)} {'orders' if len(others) == 1 else 'order'} the questions as "
            f"{first} does (rank correlation {agreement['threshold']:g} or more), which stands for "
            f"{'both' if len(others) == 1 else 'all of them'} here."
        )
    if constant := agreement["constant"]:
        verb = "is" if len(constant) == 1 else "are"
        yield f"{named(list(map(label, constant)))} {verb} the same for all questions."
    if len(agreement["distinct"]) == 1 and agreement["alike"]:
        yield "No two measures differ in their order, so there is nothing to draw."


def named(measures: Sequence[str]) -> str:
    """Their names in a sentence; in quotes where one holds a comma, which would part it."""
    if len(measures) > 1 and any("," in name for name in measures):
        measures = [f"“{name}”" for name in measures]
    return listed(measures)


def best_measure(results: Mapping[str, Any]) -> str:
    """Which measure tells right from wrong best, as far as that is shown."""
    tests, rows = results["tests"], {row["measure"]: row for row in results["measures"]}
    if tests["best"] is None:
        return f"No measure can be shown to tell right from wrong: {tests['reason']}."
    best = rows[tests["best"]]
    over_chance = {test["first"]: test for test in tests["against"] if test["second"] == CHANCE}
    others = [test for test in tests["against"] if test["second"] != CHANCE]
    first = [tests["best"], *(test["second"] for test in others if is_tie(test))]
    able = [name for name in over_chance if beats(over_chance[name])]
    reached = f"AUROC {fixed(best['auroc'])}{' each' if len(first) > 1 else ''}, chance 0.5"
    if tests["best"] not in able:
        test = over_chance[tests["best"]]
        p = "too few to test" if test["p"] is None else f"p {p_of(test)}"
        came = (
            f"{named(list(map(label, first)))} "
            f"{'come first together' if len(first) > 1 else 'comes first'} ({reached}; {p})"
        )
        if not able:
            return f"No measure is shown to tell right from wrong: {came}."
        return f"{capital(named(list(map(label, able))))} {tell(able)} right from wrong; {came}."
    leading = [name for name in first if name in able]
    equal = [
        rows[test["second"]]["label"]
        for test in others
        if not beats(test) and test["second"] not in leading
    ]
    subject = named(list(map(label, leading)))
    if not equal and len(leading) == 1:
        return f"Of {len(rows)} measures, {subject} tells right from wrong best ({reached})."
    said = f"{capital(subject)} {tell(leading)} right from wrong ({reached})"
    if not equal:
        return f"{said}, better than the other measures."
    many = f"{equal[0]} and {len(equal) - 1} others" if len(equal) > 2 else " and ".join(equal)
    return f"{said}; no difference from {many} is shown."


def is_tie(test: Mapping[str, Any]) -> bool:
    """Whether the best measure and this one have the same AUROC, as far as a page shows it."""
    return fixed(abs(test["value"])) == fixed(0.0)


def tell(names: Sequence[str]) -> str:
    return "tells" if len(names) == 1 else "tell"


def capital(text: str) -> str:
    return text[0].upper() + text[1:]


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
        f"where all are known, and corrected for their number (Holm).{dashes(results)}",
    )


def dashes(results: Mapping[str, Any]) -> str:
    """Why intervals and p are missing from the table."""
    rows, tests = results["measures"], results["tests"]
    found = [
        row[f"{name}_method"]
        for row in rows
        for name in ("auroc", "aurc")
        if row[f"{name}_low"] is None
    ]
    found += [test["method"] for test in tests["against"] if test["p"] is None]
    found += [tests["reason"]] if tests["best"] is None else []
    found += [] if tests["best"] is None else ["the best measure is not compared with itself"]
    reasons = dict.fromkeys(reason.removeprefix("none: ") for reason in found)
    return f" A dash: {'; '.join(reasons)}."


def meaning_table(results: Mapping[str, Any]) -> Table:
    """What each measure of the page is, in a sentence."""
    return Table(
        "meanings",
        ["measure", "what it is"],
        [
            [row["label"], MEASURES[row["measure"]].meaning]
            for row in results["measures"]
            if row["measure"] in MEASURES
        ],
        "Of all of them higher is less sure.",
        prose=(1,),
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
