"""The report of a comparison: checkpoints on the same questions, in one page.

HTML and Markdown from the numbers in results.json, as self-contained as ``calib.report``'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.report import plots
from calib.report.blocks import Figure, Figures, Page, Section, Table, Text, Tile
from calib.report.comparison_cards import changed_cards
from calib.report.comparison_equivalence import sections as equivalence_sections
from calib.report.comparison_names import called, label_of, whole_of
from calib.report.comparison_tables import (
    changed_table,
    difference_table,
    error_names,
    fact_tables,
    group_tables,
    metric_table,
    temperature_table,
)
from calib.report.formats import count, fixed, percent, points
from calib.report.page import make_folder, write_file, write_page
from calib.report.scores import reliability_figure
from calib.report.significance import FEW_DIFFER, p_of, resampled, shown
from calib.report.words import LEAST_MASS, forced_choice
from calib.runs import open_run
from calib.runs.config import kind_of, read_config
from calib.runs.durable import refuse_no_folder
from calib.runs.kinds import COMPARISON, CONFIG, KINDS, RESULTS, fields_of
from calib.summary.compare import FORMAT, compare

BESIDE_FIRST = 3
"""Runs that are drawn over the first in one diagram."""


def write_comparison(results: Mapping[str, Any], folder: str | Path) -> Path:
    """Write what ``compare`` returned as results.json, report.md and report.html there.

    config.json names the runs, so that all three can be deleted and written again. Returns the
    page. Raises InputError for the folder of a run and what is no folder, CalibError where nothing
    can be written.
    """
    folder = Path(folder)
    refuse_no_folder(folder)
    if (kind := kind_of(folder)) not in (None, COMPARISON):
        raise InputError(f"{folder}: it holds {KINDS[str(kind)].holds}; choose another folder")
    make_folder(folder)
    config = {
        "kind": COMPARISON,
        "runs": [os.path.relpath(run["path"], folder) for run in results["runs"]],
        "seed": results["facts"]["seed"],
    }
    write_file(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    write_file(folder / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return write_page(folder, comparison_page(results))


def rewrite_comparison(folder: Path) -> Path:
    """Write the page again from results.json, or where that is gone from the runs it was made of.

    Raises InputError where a run is not there any more.
    """
    results = fields_of(folder / RESULTS)
    if results.get("format") == FORMAT:
        return write_page(folder, comparison_page(results))
    config = read_config(folder)
    runs = [open_run(os.path.normpath(folder / name)) for name in config.get("runs") or ()]
    return write_comparison(compare(runs, seed=int(config.get("seed") or 0)), folder)


def comparison_page(results: Mapping[str, Any]) -> Page:
    results = called(results)
    runs, pairs = results["runs"], results["pairs"]
    lead = [Text(verdict(each, runs), "lead") for each in pairs]
    return Page(
        title=title(runs),
        headline=headline(pairs[-1], runs),
        lead=[*lead, *(Text(line, "caveat") for line in caveats(results))],
        tiles=[
            Tile(
                label_of(run["name"]),
                percent(run["metrics"]["accuracy"]["value"], 1),
                f"right; {percent(run['metrics']['confidence']['value'], 1)} sure, ECE "
                f"{fixed(run['metrics']['ece']['value'], 3)}",
            )
            for run in runs
        ],
        sections=list(sections(results)),
        footer="The numbers are in results.json.",
    )


def title(runs: Sequence[Mapping[str, Any]]) -> str:
    """The runs and their task, where that is not what they are named by."""
    against = " against ".join(run["name"] for run in reversed(runs))
    tasks = dict.fromkeys(str(run["task"]) for run in runs)
    named = all(whole_of(run["name"]) == str(run["task"]) for run in runs)
    return against if named else f"{against} on {', '.join(tasks)}"


def caveats(results: Mapping[str, Any]) -> list[str]:
    masses = {
        run["name"]: run["metrics"]["mass"]["value"]
        for run in results["runs"]
        if "mass" in run["metrics"]
    }
    said = [forced_choice(f"{k}'s", mass) for k, mass in masses.items() if mass < LEAST_MASS]
    names = {whole_of(run["name"]): run["name"] for run in results["runs"]}
    left_out = ((names.get(name, name), n) for name, n in results["left_out"].items() if n)
    if more := ", ".join(f"{name} {count(n)}" for name, n in left_out):
        said.append(f"Judged only in some runs, and not compared: {more}.")
    return said


def tables(results: Mapping[str, Any]) -> dict[str, Table]:
    """The tables of all runs together; ``parsed`` is there where not every answer has the form."""
    runs, parsed = results["runs"], results["parsed"]["runs"]
    shown = {
        "metrics": metric_table("metrics", runs, [run["metrics"] for run in runs]),
        "changed": changed_table(results["pairs"]),
        "temperature": temperature_table(runs),
    }
    if parsed is not None:
        shown["parsed"] = metric_table("parsed", runs, parsed)
    return shown


def sections(results: Mapping[str, Any]) -> Iterator[Section]:
    """The page's sections, in reading order."""
    runs, pairs, shown = results["runs"], results["pairs"], tables(results)
    yield Section(
        "reliability",
        "Do they keep their word?",
        [
            *overlaid(runs),
            shown["metrics"],
            Text(
                f"All on the same {count(results['n'])} questions. “If calibrated” is what the "
                "error would be if every confidence were true: binned errors are above zero even "
                "then.",
                "note",
            ),
        ],
    )
    yield Section(
        "differences",
        "What is different?",
        [
            *(difference_table(place, each) for place, each in enumerate(pairs, 1)),
            Text(
                f"Questions in pairs, resampled {resampled(results)}; shares in points. “p, Holm” "
                f"is corrected for the {count(results['tests'])} tests of this section. "
                f"{FEW_DIFFER} Calibration is tested by the debiased squared error: a sharper "
                "model has a smaller ECE without being better calibrated, so a difference of ECEs "
                "has neither interval nor p. Where p is large, no difference is shown, which is "
                "not evidence that there is none.",
                "note",
            ),
        ],
    )
    yield from equivalence_sections(results)
    if by_group := group_tables(results):
        told = f"Here p is corrected for the tests of this section. {FEW_DIFFER}"
        if left_out := results["groups_left_out"]:
            told = (
                f"The {count(len(results['groups']))} largest groups; {count(left_out)} smaller "
                f"ones are left out. {told}"
            )
        yield Section("groups", "Where is it different?", [Text(told), *by_group])
    yield Section("changed", "What became of the answers?", [shown["changed"]])
    for place, each in enumerate(pairs, 1):
        yield from gained_and_lost(place, each, runs)
    told = (
        "Each temperature was fitted on one half of the questions. On the other half: the "
        f"{' and '.join(error_names(runs).values())} of each run as it is, at the temperature of "
        "the first run, and at its own."
    )
    yield Section(
        "temperature", "Does the temperature carry over?", [Text(told), shown["temperature"]]
    )
    if "parsed" in shown:
        told = (
            f"On the {count(results['parsed']['n'])} questions to which the likeliest token of "
            "every run was an option. A run that seldom answers in the asked form is judged on a "
            "choice that it was forced to make."
        )
        yield Section("parsed", "Where all answer in the asked form", [Text(told), shown["parsed"]])
    yield Section(
        "diagrams",
        "Each run's diagram",
        [Figures([figure(k, run, results["n"]) for k, run in enumerate(runs)])],
    )
    yield Section("facts", "Run facts", fact_tables(results))


def overlaid(runs: Sequence[Mapping[str, Any]]) -> list[Figures]:
    """All runs in one diagram; of more than it can show, the first with some others in each."""
    if not all("quantiles" in run for run in runs):  # a comparison of an earlier version
        return []
    first, *others = ((label_of(run["name"]), run["quantiles"]) for run in runs)
    some = [others[k : k + BESIDE_FIRST] for k in range(0, len(others), BESIDE_FIRST)]
    title = "Confidence and accuracy of the runs"
    return [
        Figures(
            [
                Figure(
                    title,
                    plots.svg(plots.overlay([first, *part]), name=f"overlay{k}", label=title),
                    "Equally full bins of confidence; the axes show where they lie. On the "
                    "dashed line a model is as sure as it is right, below it surer. Thin lines "
                    "are 95\N{NO-BREAK SPACE}% intervals.",
                )
                for k, part in enumerate(some)
            ]
        )
    ]


def gained_and_lost(
    place: int, pair: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]
) -> Iterator[Section]:
    """The questions that the second run gained, lost, or moved most, with their pictures."""
    first, second = sides(pair, runs)
    one, other = label_of(first["name"]), label_of(second["name"])
    gained = ("gained", f"Wrong with {one}, right with {other}", "gained_items")
    lost = ("lost", f"Right with {one}, wrong with {other}", "forgotten")
    for name, title, key in (gained, lost):
        if items := pair.get(key):
            told = (
                f"{count(len(items))} of {count(pair[name])}: those of which {second['name']} is "
                "surest, with the probability that each run gives to the answers."
            )
            anchor = f"{name}-{place}"
            cards = changed_cards(anchor, items, first, second)
            yield Section(anchor, title, [Text(told), cards])
    if items := pair.get("moved_items"):
        told = (
            f"The {count(len(items))} questions that both have right, or both wrong, whose right "
            f"answer's probability moved most from {first['name']} to {second['name']}."
        )
        anchor = f"moved-{place}"
        cards = changed_cards(anchor, items, first, second)
        yield Section(anchor, "As right or wrong as before, and most moved", [Text(told), cards])


def sides(
    pair: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The two runs of a pair."""
    by_name = {run["name"]: run for run in runs}
    return by_name[pair["first"]], by_name[pair["second"]]


def headline(pair: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """Which of two runs deserves more of the confidence it has, if that is known."""
    first, second = (ece_of(run["metrics"]["ece"]) for run in sides(pair, runs))
    ece = f"ECE {first}, then {second}; in brackets what it would be if calibrated"
    test = pair["differences"]["debiased_rmsce"]
    same = pair.get("equivalences", {}).get("debiased_rmsce")
    if not shown(test):
        moved = gap_change(pair)
        if same is not None and shown(same):
            return (
                f"The debiased calibration error of {pair['second']} is shown to be within "
                f"{same['margin']} of that of {pair['first']}{moved}: {ece}."
            )
        return f"No difference in debiased calibration error is shown{moved}: {ece}."
    # The test is of squared errors without their bias, whose order decides.
    better = test["value"] < 0
    return f"{pair['second']} is calibrated {'better' if better else 'worse'}: {ece}."


def gap_change(pair: Mapping[str, Any]) -> str:
    """How much more or less than right one run is sure, where that has changed."""
    gap = pair["differences"]["gap"]
    if not shown(gap):
        return ""
    return (
        f", but {pair['second']}'s confidence minus accuracy is {100 * abs(gap['value']):.1f} "
        f"points {'higher' if gap['value'] > 0 else 'lower'} (p {p_of(gap)})"
    )


def ece_of(entry: Mapping[str, Any]) -> str:
    expected = entry.get("expected")
    return fixed(entry["value"]) + ("" if expected is None else f" ({fixed(expected)})")


def verdict(pair: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """What one run has gained and lost against the first."""
    first, second = (run["metrics"] for run in sides(pair, runs))
    test, gap = pair["differences"]["accuracy"], pair["differences"]["gap"]
    none = "" if shown(test) else ", no difference shown"
    return (
        f"{pair['second']} is right {percent(second['accuracy']['value'], 1)} of the time, "
        f"{pair['first']} {percent(first['accuracy']['value'], 1)} (p "
        f"{p_of(test)}{none}): {count(pair['gained'])} answers gained, "
        f"{count(pair['lost'])} lost. Its confidence minus its accuracy is "
        f"{points(second['gap']['value'])} points, that of {pair['first']} "
        f"{points(first['gap']['value'])} (p {p_of(gap)})."
    )


def figure(place: int, run: Mapping[str, Any], n: int) -> Figure:
    ece = run["metrics"]["ece"]
    return reliability_figure(
        f"run{place}",
        label_of(run["name"]),
        run["diagram"],
        {**ece, "ece": ece["value"]},
        f"{run['task']}, {count(n)} questions.",
    )
