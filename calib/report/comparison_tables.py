"""The tables of a comparison: no cell holds two numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.report.blocks import Table
from calib.report.comparison_names import about, label_of, whole_of
from calib.report.facts import run_facts
from calib.report.formats import UNKNOWN, Label, Shown, count, fixed, gap, percent, points, pvalue
from calib.report.tables import GAP, UNNAMED
from calib.summary.compare import SHOWN

Entry = Mapping[str, Any]
Entries = Sequence[Entry]
SHARES = ("accuracy", "parse_rate", "mass", "confidence")


def metric_table(name: str, runs: Entries, metrics: Entries) -> Table:
    """The runs' values beside each other, then what binned errors would be if calibrated."""
    names = [run["name"] for run in runs]
    return Table(
        name,
        ["metric", *map(label_of, names), *(about("{}, if calibrated", run) for run in names)],
        [
            [
                metrics[0][key]["label"],
                *(value_cell(key, each[key]["value"]) for each in metrics),
                *(fixed(each[key].get("expected")) for each in metrics),
            ]
            for key in SHOWN
            if key in metrics[0]
        ],
    )


def printed_metrics(runs: Entries) -> list[list[str]]:
    """The same for a terminal: a column a run, what an error would be in the row below it."""
    rows: list[list[str]] = []
    for key in SHOWN:
        if key not in runs[0]["metrics"]:
            continue
        each = [run["metrics"][key] for run in runs]
        rows.append([each[0]["label"], *(value_cell(key, entry["value"]) for entry in each)])
        if any(entry.get("expected") is not None for entry in each):
            rows.append(["  if calibrated", *(fixed(entry.get("expected")) for entry in each)])
    return rows


def value_cell(name: str, value: float | None) -> str:
    if name in SHARES:
        return percent(value, 1)
    return gap(value) if name == "gap" else fixed(value)


def difference_name(pair: Entry) -> Label:
    first, second = label_of(pair["first"]), label_of(pair["second"])
    hint = f"{whole_of(pair['second'])} − {whole_of(pair['first'])}"
    text = f"{second} − {first}"
    return Label(text, f"{second.in_csv} − {first.in_csv}", "" if hint == text else hint)


TESTED = ("difference", "p, Holm", "95 % interval", "p")
"""The columns of a test: where a page is narrow, the p that decides comes before the bounds."""


def difference_table(place: int, pair: Entry) -> Table:
    return Table(
        f"differences-{place}",
        [difference_name(pair), *TESTED],
        [[test["label"], *tested(name, test)] for name, test in pair["differences"].items()],
    )


def tested(name: str, test: Entry) -> list[str]:
    """The cells of ``TESTED``."""
    if test["value"] is None:
        return [UNKNOWN] * len(TESTED)
    shown = points if name in SHARES or name == "gap" else signed
    between = UNKNOWN
    if test["low"] is not None:
        low, high = test["low"], test["high"]
        between = Shown(f"{shown(low)} … {shown(high)}", (low, high))
    at_most = test["p"] is not None and test["p"] <= test["least_p"]
    return [
        shown(test["value"]),
        pvalue(test["holm"], at_most=at_most),
        between,
        pvalue(test["p"], at_most=at_most),
    ]


def signed(value: float) -> str:
    """A difference to three places, of squared errors to two significant ones."""
    if abs(value) >= 0.001 or value == 0:
        return fixed(value)
    return Shown(f"{value:.1e}".replace("-", "−"), value)


def group_tables(results: Mapping[str, Any]) -> list[Table]:
    """Accuracy and its difference by group, a table for each pair; then the calibration of each."""
    groups, runs = results.get("groups", []), results["runs"]
    if not groups:
        return []
    names = [label_of(run["name"]) for run in runs]
    return [
        *(
            Table(
                f"group-differences-{place}",
                ["group", "questions", *map(label_of, (pair["first"], pair["second"])), *TESTED],
                [
                    [
                        group["group"] or UNNAMED,
                        count(group["runs"][0]["n"]),
                        percent(group["runs"][0]["accuracy"], 1),
                        percent(group["runs"][place]["accuracy"], 1),
                        *tested("accuracy", test),
                    ]
                    for group, test in zip(groups, pair["groups"], strict=True)
                ],
                f"Accuracy of each, and {difference_name(pair)} in points.",
            )
            for place, pair in enumerate(results["pairs"], 1)
        ),
        Table(
            "groups",
            ["group", "run", "accuracy", "confidence", GAP, "ECE", "if calibrated"],
            [
                [
                    group["group"] or UNNAMED,
                    name,
                    percent(of["accuracy"], 1),
                    percent(of["confidence"], 1),
                    gap(of["gap"]),
                    fixed(of["ece"]),
                    fixed(of["expected"]),
                ]
                for group in groups
                for name, of in zip(names, group["runs"], strict=True)
            ],
            "The gap is confidence minus accuracy. The ECE of few questions is far above zero "
            "even if every confidence is true: see its last column.",
        ),
    ]


def changed_table(pairs: Entries) -> Table:
    same = ["same option"] if all("same_answer" in each for each in pairs) else []
    return Table(
        "changed",
        ["run", "gained", "lost", "both right", "both wrong", *same],
        [
            [
                difference_name(each),
                *(count(each[name]) for name in ("gained", "lost", "both_right", "both_wrong")),
                *(percent(each["same_answer"], 1) for _ in same),
            ]
            for each in pairs
        ],
        "Gained: wrong in the first run and right in the second; lost: the reverse.",
    )


def temperature_table(runs: Entries) -> Table:
    """The errors of each run at each temperature, a row each."""
    errors = error_names(runs)
    first = runs[0]
    of_first = about("at the T of {}", first["name"])
    rows: list[list[str]] = []
    for place, run in enumerate(runs):
        at = [Label(told, told) for told in ("as it is", "at its own T")]
        at.insert(1, of_first)
        chosen = zip(
            at, (1.0, first["temperature"], run["temperature"]), run["judged"], strict=True
        )
        for k, (what, temperature, judged) in enumerate(chosen):
            if place == 0 and k == 1:
                continue  # the first run's own, which follows
            cells = [UNKNOWN if judged is None else fixed(judged[name]) for name in errors]
            name = label_of(run["name"])
            told = Label(f"{name}, {what}", f"{name.in_csv}, {what.in_csv}", name.hint)
            rows.append([told, fixed(temperature), *cells])
    return Table("temperature", ["run", "T", *errors.values()], rows)


def error_names(runs: Entries) -> dict[str, str]:
    """The errors that a temperature is judged by, and their labels."""
    return {"ece": "ECE", **({"nll": "NLL"} if "nll" in runs[0]["metrics"] else {})}


def fact_tables(results: Mapping[str, Any]) -> list[Table]:
    """What differs between the runs, a column a run, then what is the same in all of them."""
    names = [whole_of(run["name"]) for run in results["runs"]]
    told = [label_of(run["name"]) for run in results["runs"]]
    facts = [
        {"folder": run["path"], **results["facts"][name]}
        for run, name in zip(results["runs"], names, strict=True)
    ]
    differing = differing_table(told, facts)
    first = dict(run_facts(facts[0]))
    own = {k: v for k, v in results["facts"].items() if k not in names}
    return [
        differing,
        Table(
            "facts-same",
            ["the same in all runs", "value"],
            [
                ["questions compared", count(results["n"])],
                *(["of this comparison, " + name, text] for name, text in run_facts(own)),
                *(
                    [label, text]
                    for label, text in first.items()
                    if label not in {row[0] for row in differing.rows}
                ),
            ],
            prose=(1,),
        ),
    ]


def differing_table(names: Sequence[Label], facts: Entries) -> Table:
    """The facts that are not the same in all runs, a column a run."""
    told = [dict(run_facts(each)) for each in facts]
    labels = dict.fromkeys(label for each in told for label in each)
    return Table(
        "facts",
        ["fact", *names],
        [
            [label, *(marked(each.get(label), told[0].get(label)) for each in told)]
            for label in labels
            if any(each.get(label) != told[0].get(label) for each in told)
        ],
        "What differs from the first run is marked.",
        prose=tuple(range(1, 1 + len(names))),
    )


def marked(text: str | None, first: str | None) -> str:
    """A fact, marked where it is not the first run's."""
    shown = UNKNOWN if text is None else text
    if text == first:
        return shown
    return Shown(shown, text.value if isinstance(text, Shown) else None, "differs")
