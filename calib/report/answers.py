"""Reports of sampled answers: an IDK evaluation, and measures of uncertainty side by side.

HTML and Markdown from the numbers in results.json, as self-contained as ``calib.report``'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from calib.fields import read_object
from calib.idk.build import need
from calib.idk.evaluate import FORMAT as EVALUATED
from calib.idk.evaluate import QUADRANTS
from calib.intervals import holm
from calib.records import InputError
from calib.report import plots, plots_answers
from calib.report.formats import count, fixed, percent, points, pvalue
from calib.report.items import PICTURES, write_items
from calib.report.page import picture, prompt_shown, write_file, write_pages
from calib.report.significance import LEVEL, p_of
from calib.report.tables import flat
from calib.runs import Run
from calib.runs.folder import RESULTS, Progress
from calib.uncertainty.measures import CHANCE
from calib.uncertainty.side_by_side import side_by_side

Table = dict[str, Any]
TESTS = ("p, chance", "p, best")
SHOWN = ("truthful", "admit_rate", "over_refusal", "refusal_precision", "answered_accuracy")
TITLES = {
    "truthful": "truthful",
    "admit_rate": "admits not knowing",
    "over_refusal": "refuses known",
    "refusal_precision": "unknown among refused",
    "answered_accuracy": "right among answered",
}


def write_idk_report(folder: str | Path) -> Path:
    """Write report.html and report.md of the evaluation in ``folder`` from its results.json."""
    folder = Path(folder)
    if not (folder / RESULTS).is_file():
        raise InputError(f"{folder}: there is no {RESULTS}; calib idk evaluate writes one")
    results = read_object(folder / RESULTS)
    if results.get("format") != EVALUATED:
        raise InputError(f"{folder / RESULTS}: expected a file with format {EVALUATED!r}")
    context = {
        "results": results,
        "words": idk_words(results),
        "tables": idk_tables(results),
        "figures": [arm_figure(arm) for arm in results["arms"]],
        "examples": [example(item, folder) for item in results["examples"]],
    }
    return write_pages(folder, "idk", context)


def write_measures_report(
    run: Run, *, progress: Progress | None = None, pictures: int = PICTURES, **sources: Any
) -> Path:
    """Write results.json, report.html and report.md of a sampled run: its measures side by side;
    and items.html with its data, in which at most so many ``pictures`` are kept.

    ``sources`` goes to ``calib.uncertainty.side_by_side.side_by_side``: answers, scores, judge.
    """
    results = side_by_side(run, **sources)
    write_file(run.path / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write_items(run, pictures=pictures, progress=progress, **sources)
    labels, matrix = results["labels"], results["correlations"]
    drawing = plots_answers.correlations(labels, matrix)
    figure = {
        "title": "Rank correlation",
        "svg": Markup(plots.svg(drawing, name="ranks", label="Rank correlation of measures")),
        "caption": "Spearman's, over the questions where both are known. Blue: the two call the "
        "same questions unsure; orange: opposite ones. Empty: one of them never varies.",
    }
    context = {
        "results": results,
        "words": measure_words(results),
        "tables": measure_tables(results),
        "figures": [figure],
        "prompt": prompt_shown(run.path),
    }
    return write_pages(run.path, "measures", context)


def idk_words(results: Mapping[str, Any]) -> dict[str, Any]:
    """The sentences of an IDK report."""
    counts, arms = results["counts"], results["arms"]
    best = max(arms, key=lambda arm: arm["rates"]["truthful"]["value"])
    admits = max(arms, key=lambda arm: arm["rates"]["admit_rate"]["value"] or 0.0)
    rate = admits["rates"]["admit_rate"]["value"]
    nobody = counts["unanswerable"]
    caveats = [
        f"In the arm {arm['name']}, {count(arm['unparsed'])} of {count(arm['n'])} answers could "
        "not be read; they count as wrong."
        for arm in arms
        if arm["unparsed"] > 0.1 * arm["n"]
    ]
    if rate is None:
        said = "it knows all of them, so there is nothing to admit"
    else:
        said = f"of the rest it admits not knowing {percent(rate)} at best ({admits['name']})"
    return {
        "title": f"{results['model']} on {results['task']}: does it say what it does not know?",
        "headline": f"It knows {count(counts['known'])} of {count(counts['questions'])} questions; "
        f"{said}.",
        "lead": [
            f"A question is known where at least {need(results['tau'], results['n'])} of "
            f"{results['n']} sampled answers are right."
            + (
                f" {count(nobody)} of the {count(counts['unknown'])} unknown ones nobody can "
                "answer: no sample of them can be right, and only a refusal is."
                if nobody
                else ""
            )
        ],
        "caveats": caveats,
        "tiles": [
            tile("known", counts["known"] / counts["questions"], f"tau = {results['tau']:g}"),
            tile("sampled answers right", counts["sample_accuracy"], "over all questions"),
            tile("truthful at best", best["rates"]["truthful"]["value"], best["name"]),
            tile("admits at best", rate, admits["name"]),
        ],
        "known": "Every question was asked once more in each arm, at a low temperature and with "
        "new draws. A model that knows what it knows answers the known and refuses the unknown.",
        "rates": "In brackets 95 % intervals: Wilson, or by resampling images where questions "
        "share them; then hits of how many. Truthful: answered right, or refused and unknown.",
        "quadrants": "Ik-Ik: answered right, whatever the label. Ik-Idk: refused and unknown. "
        "Idk-Ik: refused though known. Idk-Idk: answered wrongly.",
        "comparisons": f"Points, arm minus {arms[0]['name']}, on the same questions; intervals by "
        "resampling them in pairs, p by exchanging the arms' answers, exactly (McNemar) or 10,000 "
        "times by image, and corrected for the number of rows (Holm). The option arm lists "
        "lettered options, so it may differ in more than the option that says “I don't know”.",
        "labels": "A label is an estimate from its samples.",
        "sweep": "The same samples at other thresholds; uncertain are questions whose "
        "Clopper-Pearson interval holds the threshold, so that new samples might label them "
        "otherwise.",
        "examples": "From every quadrant of the arm that refuses most; what each arm answered.",
        "facts": [
            *flat(results["provenance"]),
            *flat(results["evaluation"], "evaluation: "),
            *((f"arm {arm['name']}", f"{arm['prompt']}: {arm['wording']}") for arm in arms),
        ],
        "footer": "The numbers are in results.json, the answers in arms.",
    }


def idk_tables(results: Mapping[str, Any]) -> dict[str, Table]:
    arms = results["arms"]
    compared = [row for row in results["comparisons"] if row["rate"] in SHOWN]
    return {
        "rates": {
            "head": ["arm", *(TITLES[name] for name in SHOWN)],
            "rows": [[a["name"], *(with_bounds(a["rates"][name]) for name in SHOWN)] for a in arms],
        },
        "quadrants": {
            "head": ["arm", *QUADRANTS, "could not be read"],
            "rows": [
                [a["name"], *(with_bounds(a["rates"][q]) for q in QUADRANTS), count(a["unparsed"])]
                for a in arms
            ],
        },
        "comparisons": {
            "head": ["arm", "rate", "difference", "95 % interval", "p, Holm"],
            "rows": [
                [
                    row["first"],
                    TITLES[row["rate"]],
                    points(row["value"]),
                    "–" if row["low"] is None else f"{points(row['low'])} … {points(row['high'])}",
                    pvalue(corrected, at_most=row["p"] is not None and row["p"] <= row["least_p"]),
                ]
                for row, corrected in zip(compared, holm_of(compared), strict=True)
            ],
        },
        "groups": {
            "head": ["group", "questions", "known", "unknown", "samples right", "refused"],
            "rows": [
                [
                    row.get("group", "all"),
                    count(row["questions"]),
                    count(row["known"]),
                    count(row["unknown"]),
                    percent(row["sample_accuracy"], 1),
                    percent(row["sample_refusals"], 1),
                ]
                for row in [*results["groups"], results["counts"]]
            ],
        },
        "sweep": {
            "head": ["tau", "known", "unknown", "uncertain"],
            "rows": [
                [f"{r['tau']:g}", count(r["known"]), count(r["unknown"]), count(r["uncertain"])]
                for r in results["sweep"]
            ],
        },
    }


def holm_of(compared: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """p corrected for the number of comparisons; None where there was no test."""
    corrected = iter(holm([row["p"] for row in compared if row["p"] is not None]))
    return [None if row["p"] is None else next(corrected) for row in compared]


def with_bounds(rate: Mapping[str, Any]) -> str:
    if rate["value"] is None:
        return "–"
    hits, items = rate["of"]
    bounds = f"{100 * rate['low']:.0f}–{100 * rate['high']:.0f}"
    return f"{percent(rate['value'], 1)} [{bounds}] {count(hits)}/{count(items)}"


def arm_figure(arm: Mapping[str, Any]) -> dict[str, Any]:
    drawing = plots.svg(
        plots_answers.arm(arm["shown"]), name=f"arm-{arm['name']}", label=f"Arm {arm['name']}"
    )
    rates = arm["rates"]
    return {
        "title": arm["name"],
        "svg": Markup(drawing),
        "caption": f"Truthful {percent(rates['truthful']['value'], 1)}. Admits not knowing "
        f"{percent(rates['admit_rate']['value'], 1)} of the unknown, refuses "
        f"{percent(rates['over_refusal']['value'], 1)} of the known.",
    }


def example(item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """One question with its pictures embedded and its answers in every arm."""
    label = "known" if item["known"] else "unknown"
    if item["gold"] is None:
        caption = f"nobody can know: {label}"
    else:
        caption = f"{item['gold'][0]}: {item['correct']} of {item['n']} samples right, {label}"
    answers = [
        {**a, "shown": f"{a['text']} ({a['said']})" if is_letter(a) else a["text"]}
        for a in item["answers"]
    ]
    return {
        **item,
        "label": caption,
        "answers": answers,
        "pictures": [picture(folder, name) for name in item["images"]],
    }


def is_letter(answer: Mapping[str, Any]) -> bool:
    """Whether a reader needs the option's text to understand the answer."""
    return answer["said"] is not None and answer["said"].lower() not in answer["text"].lower()


def tile(name: str, share: float | None, note: str) -> dict[str, str]:
    return {"name": name, "value": percent(share, 1), "note": note}


def measure_words(results: Mapping[str, Any]) -> dict[str, Any]:
    """The sentences of a report on measures."""
    left_out = results["questions"] - results["n"]
    return {
        "title": f"{results['model']} on {results['task']}: measures of uncertainty side by side",
        "headline": best_measure(results),
        "lead": [results["judged"]],
        "caveats": [f"{count(left_out)} questions without a known answer are left out."]
        if left_out
        else [],
        "tiles": [
            tile("right", results["accuracy"], f"of {count(results['n'])} judged answers"),
            {"name": "samples", "value": count(results["samples"]), "note": "of each question"},
            {"name": "measures", "value": str(len(results["measures"])), "note": "of uncertainty"},
        ],
        "measures": "AUROC: how often a wrong answer is less sure than a right one; 0.5 is chance. "
        "AURC: the error rate among the surest answers, averaged over their share; lower is "
        "better, and the error rate itself is chance.",
        "intervals": "95 % intervals by resampling clusters of questions (images). Each measure is "
        "judged on the questions where it is known (n). The two p, of no difference from chance "
        f"and from the best measure, are of pairs on the {count(results['tests']['n'])} questions "
        "where all are known, and corrected for their number (Holm).",
        "agree": "Measures are compared by the order in which they put the questions.",
        "facts": flat(results["facts"]),
        "footer": "The numbers are in results.json.",
    }


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


def measure_tables(results: Mapping[str, Any]) -> dict[str, Table]:
    def bounded(row: Mapping[str, Any], name: str) -> list[str]:
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        interval = "–" if low is None else f"{fixed(low)} … {fixed(high)}"
        return [fixed(row[name]), interval]

    labels: Sequence[str] = results["labels"]
    return {
        "measures": {
            "head": ["measure", "n", "AUROC", "95 % interval", *TESTS, "AURC", "95 % interval"],
            "rows": [
                [
                    row["label"],
                    count(row["n"]),
                    *bounded(row, "auroc"),
                    test_cell(results["tests"], row["measure"], CHANCE),
                    test_cell(results["tests"], results["tests"]["best"], row["measure"]),
                    *bounded(row, "aurc"),
                ]
                for row in results["measures"]
            ],
        },
        "correlations": {
            "head": ["measure", *labels],
            "rows": [
                [name, *(fixed(value, 2) for value in row)]
                for name, row in zip(labels, results["correlations"], strict=True)
            ],
        },
    }


def test_cell(tests: Mapping[str, Any], first: str | None, second: str) -> str:
    """The corrected p of a pair of measures; a dash where the pair was not tested."""
    for test in tests["against"]:
        if (test["first"], test["second"]) == (first, second):
            return pvalue(None if test["p"] is None else test["holm"], at_most=test["at_most"])
    return "–"
