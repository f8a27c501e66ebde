"""Do measures of uncertainty agree, and which is most reliable (Q3)? For text, image and both.

Each table of measures is one of ``calib report`` on samples, in which p is already corrected over
its measures; a conclusion is drawn of the best measure against chance, and corrected again over the
tables (Holm).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calib.report.formats import fixed
from calib.studies.findings.found import OPEN, SHOWN, Column, Conclusion, Figure, Found, Table
from calib.studies.findings.outcome import Outcome, of_kind
from calib.studies.findings.tests import corrected, said, sign
from calib.uncertainty.measures import CHANCE, label

Side = tuple[str, Mapping[str, Any]]


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    sides = list(sides_of(outcomes))
    return Found(
        conclusions(sides),
        [reliability(sides), agreement(sides)],
        [correlations(name, results) for name, results in sides],
        [f"{each.job.name}: {each.refused}" for each in outcomes if each.refused is not None],
    )


def sides_of(outcomes: Sequence[Outcome]) -> Iterator[Side]:
    """Every table of measures: of sampled runs, and of each arm of a modality study."""
    for each in of_kind(outcomes, "measures"):
        yield each.name, each.results
    for each in of_kind(outcomes, "arms"):
        for arm, results in each.results["arms"].items():
            yield f"{each.name}: {arm}", results


def best_of(results: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The test of the best measure against chance; None where nothing could be tested."""
    best = results["tests"]["best"]
    return next(
        (
            test
            for test in results["tests"]["against"]
            if test["first"] == best and test["second"] == CHANCE
        ),
        None,
    )


def conclusions(sides: Sequence[Side]) -> list[Conclusion]:
    known = [(name, test) for name, results in sides if (test := best_of(results)) is not None]
    # Bonferroni over a table's measures, the best of which was looked for, then Holm over tables.
    family = corrected(
        {**test, "p": None if test["p"] is None else test["holm"]} for _, test in known
    )
    found = []
    for (name, test), again in zip(known, family, strict=True):
        tells = sign(again) > 0
        told = (
            f"{name}: {label(test['first'])} tells right from wrong best, AUROC "
            f"{fixed(0.5 + test['value'])} ({said(again)})."
            if tells
            else f"{name}: no measure is shown to tell right from wrong."
        )
        about = f"{name}: {test['first'] if tells else OPEN}"
        found.append(Conclusion(about, SHOWN if tells else OPEN, told))
    return found


def reliability(sides: Sequence[Side]) -> Table:
    return Table(
        "reliability",
        "How well each measure tells right from wrong",
        [
            Column("of"),
            Column("measure"),
            Column("n", "count"),
            Column("AUROC", "interval"),
            Column("AURC", "interval"),
        ],
        [
            [
                name,
                row["label"],
                row["n"],
                *(
                    [row.get(metric), row.get(f"{metric}_low"), row.get(f"{metric}_high")]
                    for metric in ("auroc", "aurc")
                ),
            ]
            for name, results in sides
            for row in results["measures"]
        ],
        "AUROC .5 is chance; AURC is the mean risk over all coverages, lower is better.",
    )


def agreement(sides: Sequence[Side]) -> Table:
    return Table(
        "agreement",
        "Which measures say the same",
        [Column("of"), Column("order the questions alike"), Column("are the same for all")],
        [
            [
                name,
                "; ".join(" = ".join(map(label, group)) for group in results["agreement"]["alike"]),
                ", ".join(map(label, results["agreement"]["constant"])),
            ]
            for name, results in sides
        ],
    )


def correlations(name: str, results: Mapping[str, Any]) -> Figure:
    return Figure(
        "matrix",
        f"Rank correlations: {name}",
        "Spearman's, of every two measures; 1 where they order the questions alike.",
        {
            "rows": results["labels"],
            "columns": results["labels"],
            "values": results["correlations"],
            "digits": 2,
            "signed": True,
        },
    )
