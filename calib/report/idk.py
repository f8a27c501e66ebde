"""The report of an IDK evaluation: what it admits not to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.fields import read_object
from calib.idk.build import need
from calib.idk.evaluate import FORMAT as EVALUATED
from calib.idk.evaluate import QUADRANTS
from calib.intervals import holm
from calib.records import InputError
from calib.report import plots
from calib.report.blocks import Card, Cards, Figure, Figures, Line, Page, Section, Table, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import count, interval, percent, points, pvalue
from calib.report.page import write_page
from calib.report.pictures import picture
from calib.runs.folder import RESULTS

SHOWN = ("truthful", "admit_rate", "over_refusal", "refusal_precision", "answered_accuracy")
TITLES = {
    "truthful": "truthful",
    "admit_rate": "admits not knowing",
    "over_refusal": "refuses known",
    "refusal_precision": "unknown among refused",
    "answered_accuracy": "right among answered",
}


def write_idk_report(folder: str | Path) -> Path:
    """Write the page of the evaluation in ``folder`` from its results.json; return its path."""
    folder = Path(folder)
    if not (folder / RESULTS).is_file():
        raise InputError(f"{folder}: there is no {RESULTS}; calib idk evaluate writes one")
    results = read_object(folder / RESULTS)
    if results.get("format") != EVALUATED:
        raise InputError(f"{folder / RESULTS}: expected a file with format {EVALUATED!r}")
    return write_page(folder, idk_page(results, folder))


def idk_page(results: Mapping[str, Any], folder: Path) -> Page:
    counts, arms = results["counts"], results["arms"]
    best = max(arms, key=lambda arm: arm["rates"]["truthful"]["value"])
    admits = max(arms, key=lambda arm: arm["rates"]["admit_rate"]["value"] or 0.0)
    rate = admits["rates"]["admit_rate"]["value"]
    return Page(
        title=f"{results['model']} on {results['task']}: does it say what it does not know?",
        headline=headline(results, admits),
        lead=[
            Text(labels_note(results), "lead"),
            *(Text(line, "caveat") for line in caveats(arms)),
        ],
        tiles=[
            tile("known", counts["known"] / counts["questions"], f"tau = {results['tau']:g}"),
            tile("sampled answers right", counts["sample_accuracy"], "over all questions"),
            tile("truthful at best", best["rates"]["truthful"]["value"], best["name"]),
            tile("admits at best", rate, admits["name"]),
        ],
        sections=list(sections(results, folder)),
        footer="The numbers are in results.json, the answers in arms.",
    )


def headline(results: Mapping[str, Any], admits: Mapping[str, Any]) -> str:
    counts, rate = results["counts"], admits["rates"]["admit_rate"]["value"]
    if rate is None:
        said = "it knows all of them, so there is nothing to admit"
    else:
        said = f"of the rest it admits not knowing {percent(rate)} at best ({admits['name']})"
    return f"It knows {count(counts['known'])} of {count(counts['questions'])} questions; {said}."


def labels_note(results: Mapping[str, Any]) -> str:
    counts, nobody = results["counts"], results["counts"]["unanswerable"]
    told = (
        f"A question is known where at least {need(results['tau'], results['n'])} of "
        f"{results['n']} sampled answers are right."
    )
    if nobody:
        told += (
            f" {count(nobody)} of the {count(counts['unknown'])} unknown ones nobody can answer: "
            "no sample of them can be right, and only a refusal is."
        )
    return told


def caveats(arms: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"In the arm {arm['name']}, {count(arm['unparsed'])} of {count(arm['n'])} answers could "
        "not be read; they count as wrong."
        for arm in arms
        if arm["unparsed"] > 0.1 * arm["n"]
    ]


def sections(results: Mapping[str, Any], folder: Path) -> Iterator[Section]:
    """The page's sections, in reading order."""
    arms, shown = results["arms"], idk_tables(results)
    yield Section(
        "arms",
        "What it does with what it knows, and with what it does not",
        [
            Text(
                "Every question was asked once more in each arm, at a low temperature and with new "
                "draws. A model that knows what it knows answers the known and refuses the unknown."
            ),
            Figures([arms_figure(arms)]),
            shown["rates"],
        ],
    )
    yield Section("quadrants", "Quadrants", [shown["quadrants"]])
    if shown["comparisons"].rows:
        yield Section("comparisons", "Does the way of asking matter?", [shown["comparisons"]])
    yield Section(
        "labels",
        "Where the labels come from",
        [Text("A label is an estimate from its samples."), shown["groups"], shown["sweep"]],
    )
    if results["examples"]:
        told = "From every quadrant of the arm that refuses most; what each arm answered."
        yield Section("examples", "Examples", [Text(told), examples(results, folder)])
    yield facts_section(
        [
            *run_facts(results["provenance"]),
            *run_facts(results["evaluation"], "evaluation, "),
            *((f"arm {arm['name']}", f"{arm['prompt']}: {arm['wording']}") for arm in arms),
        ]
    )


def idk_tables(results: Mapping[str, Any]) -> dict[str, Table]:
    arms = results["arms"]
    compared = [row for row in results["comparisons"] if row["rate"] in SHOWN]
    return {
        "rates": Table(
            "rates",
            ["arm", *(TITLES[name] for name in SHOWN)],
            [[a["name"], *(with_bounds(a["rates"][name]) for name in SHOWN)] for a in arms],
            "In brackets 95 % intervals: Wilson, or by resampling images where questions "
            "share them; then hits of how many. Truthful: answered right, or refused and unknown.",
        ),
        "quadrants": Table(
            "quadrants",
            ["arm", *QUADRANTS, "could not be read"],
            [
                [a["name"], *(with_bounds(a["rates"][q]) for q in QUADRANTS), count(a["unparsed"])]
                for a in arms
            ],
            "Ik-Ik: answered right, whatever the label. Ik-Idk: refused and unknown. "
            "Idk-Ik: refused though known. Idk-Idk: answered wrongly.",
        ),
        "comparisons": Table(
            "comparisons",
            ["arm", "rate", "difference", "95 % interval", "p, Holm"],
            [
                [
                    row["first"],
                    TITLES[row["rate"]],
                    points(row["value"]),
                    interval(row["low"], row["high"], "points"),
                    pvalue(corrected, at_most=row["p"] is not None and row["p"] <= row["least_p"]),
                ]
                for row, corrected in zip(compared, holm_of(compared), strict=True)
            ],
            f"Points, arm minus {arms[0]['name']}, on the same questions; intervals by "
            "resampling them in pairs, p by exchanging the arms' answers, exactly (McNemar) or "
            "10,000 times by image, and corrected for the number of rows (Holm). The option arm "
            "lists lettered options, so it may differ in more than the option that says “I don't "
            "know”.",
            prose=(1,),
        ),
        "groups": Table(
            "groups",
            ["group", "questions", "known", "unknown", "samples right", "refused"],
            [
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
        ),
        "sweep": Table(
            "sweep",
            ["tau", "known", "unknown", "uncertain"],
            [
                [f"{r['tau']:g}", count(r["known"]), count(r["unknown"]), count(r["uncertain"])]
                for r in results["sweep"]
            ],
            "The same samples at other thresholds; uncertain are questions whose "
            "Clopper-Pearson interval holds the threshold, so that new samples might label them "
            "differently.",
        ),
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


def arms_figure(arms: Sequence[Mapping[str, Any]]) -> Figure:
    drawing = plots.arms({arm["name"]: arm["shown"] for arm in arms})
    title = "Answers by arm"
    return Figure(
        title,
        plots.svg(drawing, name="arms", label=title),
        "What each arm does with the questions it knows and with the others. Refusing an unknown "
        "question is truthful.",
    )


def examples(results: Mapping[str, Any], folder: Path) -> Cards:
    """Questions with their pictures embedded and their answers in every arm."""
    items = results["examples"]
    names = [arm["name"] for arm in results["arms"]]
    table = Table(
        "examples",
        ["id", "question", "label", *names, "quadrant"],
        [
            [
                item["id"],
                item["question"],
                label_of(item),
                *(f"{shown_answer(a)} ({a['role']})" for a in item["answers"]),
                item["quadrant"],
            ]
            for item in items
        ],
        prose=tuple(range(1, 4 + len(names))),
    )
    return Cards([example(item, folder) for item in items], table)


def example(item: Mapping[str, Any], folder: Path) -> Card:
    roles = {"wrong": "given", "right": "gold", "refused": "refused"}
    return Card(
        item["id"],
        item["question"],
        [picture(folder, name) for name in item["images"]],
        [
            Line(shown_answer(a), a["role"], roles.get(a["role"], ""), a["arm"])
            for a in item["answers"]
        ],
        [label_of(item), item["quadrant"], *([item["group"]] if item["group"] else [])],
    )


def label_of(item: Mapping[str, Any]) -> str:
    label = "known" if item["known"] else "unknown"
    if item["gold"] is None:
        return f"nobody can know: {label}"
    return f"{item['gold'][0]}: {item['correct']} of {item['n']} samples right, {label}"


def shown_answer(answer: Mapping[str, Any]) -> str:
    """The answer, and the option's text where a reader needs that to understand it."""
    said = answer["said"]
    text = str(answer["text"])
    return text if said is None or said.lower() in text.lower() else f"{text} ({said})"


def tile(name: str, share: float | None, note: str) -> Tile:
    return Tile(name, percent(share, 1), note)
