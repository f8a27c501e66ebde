"""The report of a comparison: checkpoints on the same questions, in one page.

HTML and Markdown from the numbers in results.json, as self-contained as ``calib.report``'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.records import CalibError, InputError
from calib.report.blocks import Figure, Figures, Page, Section, Table, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import count, fixed, percent, points, pvalue
from calib.report.page import write_file, write_page
from calib.report.scores import reliability_figure
from calib.report.significance import LEVEL
from calib.report.tables import mistake_cards
from calib.report.words import LEAST_MASS, forced_choice
from calib.runs import open_run
from calib.runs.config import kind_of, read_config
from calib.runs.durable import refuse_no_folder
from calib.runs.kinds import COMPARISON, CONFIG, KINDS, RESULTS, fields_of
from calib.summary.compare import FORMAT, SHOWN, compare

SHARES = ("accuracy", "parse_rate", "mass", "confidence")


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CalibError(f"{folder}: it cannot be made ({error.strerror})") from error
    config = {
        "kind": COMPARISON,
        "runs": [os.path.relpath(run["path"], folder) for run in results["runs"]],
        "seed": results["facts"]["seed"],
    }
    write_file(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    write_file(folder / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return write_page(folder, comparison_page(results, folder))


def rewrite_comparison(folder: Path) -> Path:
    """Write the page again from results.json, or where that is gone from the runs it was made of.

    Raises InputError where a run is not there any more.
    """
    results = fields_of(folder / RESULTS)
    if results.get("format") == FORMAT:
        return write_page(folder, comparison_page(results, folder))
    config = read_config(folder)
    runs = [open_run(os.path.normpath(folder / name)) for name in config.get("runs") or ()]
    return write_comparison(compare(runs, seed=int(config.get("seed") or 0)), folder)


def comparison_page(results: Mapping[str, Any], folder: Path) -> Page:
    runs, pairs = results["runs"], results["pairs"]
    task = ", ".join(dict.fromkeys(str(run["task"]) for run in runs))
    lead = [Text(verdict(each, runs), "lead") for each in pairs]
    return Page(
        title=f"{' against '.join(run['name'] for run in reversed(runs))} on {task}",
        headline=headline(pairs[-1], runs),
        lead=[*lead, *(Text(line, "caveat") for line in caveats(results))],
        tiles=[
            Tile(
                run["name"],
                percent(run["metrics"]["accuracy"]["value"], 1),
                f"right; {percent(run['metrics']['confidence']['value'], 1)} sure, ECE "
                f"{fixed(run['metrics']['ece']['value'], 3)}",
            )
            for run in runs
        ],
        sections=list(sections(results, folder)),
        footer="The numbers are in results.json.",
    )


def caveats(results: Mapping[str, Any]) -> list[str]:
    masses = {
        run["name"]: run["metrics"]["mass"]["value"]
        for run in results["runs"]
        if "mass" in run["metrics"]
    }
    said = [forced_choice(f"{k}'s", mass) for k, mass in masses.items() if mass < LEAST_MASS]
    if more := ", ".join(f"{name} {count(n)}" for name, n in results["left_out"].items() if n):
        said.append(f"Judged only in some runs, and not compared: {more}.")
    return said


def sections(results: Mapping[str, Any], folder: Path) -> Iterator[Section]:
    """The page's sections, in reading order."""
    runs, shown = results["runs"], tables(results)
    yield Section(
        "reliability",
        "Do they keep their word?",
        [
            Figures([figure(k, run, results["n"]) for k, run in enumerate(runs)]),
            shown["metrics"],
            Text(
                f"All on the same {count(results['n'])} questions. In brackets what the error "
                "would be if every confidence were true: binned errors are above zero even then.",
                "note",
            ),
        ],
    )
    yield Section(
        "differences",
        "What is different?",
        [
            *shown["differences"],
            Text(
                "Questions in pairs, resampled by image; shares in points. The last p is corrected "
                f"for the {results['tests']} tests of this page (Holm). Calibration is tested by "
                "the debiased squared error: a sharper model has a smaller ECE without being "
                "better calibrated, so a difference of ECEs has neither interval nor p. Where p is "
                "large, no difference is shown, which does not show that there is none.",
                "note",
            ),
        ],
    )
    yield Section("changed", "What became of the answers?", [shown["changed"]])
    told = (
        "Each temperature was fitted on one half of the questions. On the other "
        f"half: the {errors_of(runs)} of each run as it is, at the temperature of the first run, "
        "and at its own."
    )
    yield Section(
        "temperature", "Does the temperature carry over?", [Text(told), shown["temperature"]]
    )
    if shown["parsed"]:
        told = (
            f"On the {count(results['parsed']['n'])} questions to which the likeliest token of "
            "every run was an option. A run that seldom answers in the asked form is judged on a "
            "choice that it was forced to make."
        )
        yield Section("parsed", "Where all answer in the asked form", [Text(told), shown["parsed"]])
    for place, each in enumerate(results["pairs"]):
        if each["forgotten"]:
            yield forgotten(place, each, runs)
    yield facts_section([("questions compared", count(results["n"])), *run_facts(results["facts"])])


def sides(
    pair: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The two runs of a pair."""
    by_name = {run["name"]: run for run in runs}
    return by_name[pair["first"]], by_name[pair["second"]]


def headline(pair: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """Which of two runs deserves more of the confidence it has, if that is known."""
    first, second = (metric_cell("ece", run["metrics"]["ece"]) for run in sides(pair, runs))
    ece = f"ECE {first}, then {second}; in brackets what it would be if calibrated"
    test = pair["differences"]["debiased_rmsce"]
    if test["p"] is None or test["holm"] >= LEVEL:
        return f"No difference in calibration is shown: {ece}."
    # The test is of squared errors without their bias, whose order decides.
    better = test["value"] < 0
    return f"{pair['second']} is calibrated {'better' if better else 'worse'}: {ece}."


def verdict(pair: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """What one run has gained and lost against the first."""
    first, second = (run["metrics"] for run in sides(pair, runs))
    test, gap = pair["differences"]["accuracy"], pair["differences"]["gap"]
    shown = "" if test["holm"] is not None and test["holm"] < LEVEL else ", no difference shown"
    return (
        f"{pair['second']} is right {percent(second['accuracy']['value'], 1)} of the time, "
        f"{pair['first']} {percent(first['accuracy']['value'], 1)} (p "
        f"{pvalue(test['holm'], relation=True)}{shown}): {count(pair['gained'])} answers gained, "
        f"{count(pair['lost'])} lost. Its confidence minus its accuracy is "
        f"{points(second['gap']['value'])} points, that of {pair['first']} "
        f"{points(first['gap']['value'])} (p {pvalue(gap['holm'], relation=True)})."
    )


def tables(results: Mapping[str, Any]) -> dict[str, Any]:
    runs, pairs = results["runs"], results["pairs"]
    parsed = results["parsed"]["runs"]
    same = ["same option"] if all("same_answer" in each for each in pairs) else []
    return {
        "metrics": metric_table("metrics", runs, [run["metrics"] for run in runs]),
        "parsed": None if parsed is None else metric_table("parsed", runs, parsed),
        "differences": [
            Table(
                f"differences-{place}",
                [difference_name(each), "difference", "95 % interval", "p", "p, Holm"],
                [difference_row(name, test) for name, test in each["differences"].items()],
            )
            for place, each in enumerate(pairs, 1)
        ],
        "changed": Table(
            "changed",
            ["run", "both right", "gained", "lost", "both wrong", *same],
            [
                [
                    difference_name(each),
                    *(count(each[name]) for name in ("both_right", "gained", "lost", "both_wrong")),
                    *(percent(each["same_answer"], 1) for _ in same),
                ]
                for each in pairs
            ],
            "Gained: wrong in the first run and right in the second; lost: the reverse.",
        ),
        "temperature": Table(
            "temperature",
            ["run", "T", "as it is", f"at the T of {runs[0]['name']}", "at its own T"],
            [
                [run["name"], fixed(run["temperature"], 3), *map(errors_cell, run["judged"])]
                for run in runs
            ],
        ),
    }


def metric_table(
    name: str, runs: Sequence[Mapping[str, Any]], metrics: Sequence[Mapping[str, Any]]
) -> Table:
    return Table(
        name,
        ["metric", *(run["name"] for run in runs)],
        [
            [metrics[0][key]["label"], *(metric_cell(key, each[key]) for each in metrics)]
            for key in SHOWN
            if key in metrics[0]
        ],
    )


def metric_cell(name: str, entry: Mapping[str, Any]) -> str:
    if name in SHARES:
        return percent(entry["value"], 1)
    if name == "gap":
        return points(entry["value"])
    expected = f" ({fixed(entry['expected'], 3)})" if entry.get("expected") is not None else ""
    return f"{fixed(entry['value'], 3)}{expected}"


def difference_name(pair: Mapping[str, Any]) -> str:
    return f"{pair['second']} − {pair['first']}"


def difference_row(name: str, test: Mapping[str, Any]) -> list[str]:
    if test["value"] is None:
        return [test["label"], "–", "–", "–", "–"]
    shown = points if name in SHARES or name == "gap" else signed
    between = "–" if test["low"] is None else f"{shown(test['low'])} … {shown(test['high'])}"
    return [
        test["label"],
        shown(test["value"]),
        between,
        pvalue(test["p"], at_most=test["p"] is not None and test["p"] <= test["least_p"]),
        pvalue(test["holm"], at_most=test["p"] is not None and test["p"] <= test["least_p"]),
    ]


def signed(value: float) -> str:
    """A difference to three places, of squared errors to two significant ones."""
    return fixed(value) if abs(value) >= 0.001 or value == 0 else f"{value:.1e}".replace("-", "−")


def errors_of(runs: Sequence[Mapping[str, Any]]) -> str:
    """The errors that the table of temperatures shows."""
    return "ECE and NLL" if "nll" in runs[0]["metrics"] else "ECE"


def errors_cell(errors: Mapping[str, float] | None) -> str:
    return "–" if errors is None else ", ".join(map(fixed, errors.values()))


def figure(place: int, run: Mapping[str, Any], n: int) -> Figure:
    ece = run["metrics"]["ece"]
    return reliability_figure(
        f"run{place}",
        run["name"],
        run["diagram"],
        {**ece, "ece": ece["value"]},
        f"{run['task']}, {count(n)} questions.",
    )


def forgotten(place: int, pair: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> Section:
    """The answers that the second run lost, with their pictures."""
    folder = Path(sides(pair, runs)[1]["path"])
    return Section(
        f"lost-{place + 1}",
        f"Right with {pair['first']}, wrong with {pair['second']}",
        [
            Text("The surest of them, with the probability of each answer."),
            mistake_cards(f"lost-{place + 1}", pair["forgotten"], folder),
        ],
    )
