"""The report of an IDK evaluation: what it admits not to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.fields import read_object
from calib.idk.build import need
from calib.idk.evaluate import FORMAT as EVALUATED
from calib.records import InputError
from calib.report import plots
from calib.report.blocks import (
    Block,
    Card,
    Cards,
    Figure,
    Figures,
    Line,
    Page,
    Quote,
    Section,
    Table,
    Text,
    Tile,
)
from calib.report.facts import facts_section, run_facts
from calib.report.formats import beginning, count, percent, share
from calib.report.idk_tables import difference_tables, idk_tables, interval_tables
from calib.report.page import write_page
from calib.report.pictures import picture
from calib.report.significance import FEW_DIFFER, resampled
from calib.runs.folder import RESULTS
from calib.runs.prompts import first_prompt

FOUR_WAYS = (
    "A question counts as known or unknown by the model's own samples. Asked once more, it can "
    "answer right, answer wrongly, or refuse: say that it does not know. What comes of both is one "
    "of four quadrants, and an answer is truthful in two of them."
)
TESTS_NOTE = (
    "On the same questions; intervals by resampling them in pairs, {by}, p by exchanging the arms' "
    "answers, exactly (McNemar) or 10,000 times, and corrected for the number of rows of these "
    f"tables (Holm). {FEW_DIFFER} The option arm lists lettered options, so it may differ in more "
    "than the option that says “I don't know”."
)
BOUNDS_NOTE = (
    "Intervals are Wilson's{shared}. “Answers” are those that the rate counts, “of” those among "
    "which it counts."
)


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
    truthful, most_truthful = highest(arms, "truthful")
    rate, admits = highest(arms, "admit_rate")
    return Page(
        title=f"{results['model']} on {results['task']}: does it say what it does not know?",
        headline=headline(results),
        lead=[
            Text(labels_note(results), "lead"),
            *(Text(line, "caveat") for line in caveats(results)),
        ],
        tiles=[
            tile("known", counts["known"] / counts["questions"], f"tau = {results['tau']:g}"),
            tile("sampled answers right", counts["sample_accuracy"], "over all questions"),
            tile("truthful at best", truthful, arms_named(most_truthful, arms)),
            tile("admits at best", rate, arms_named(admits, arms)),
        ],
        sections=list(sections(results, folder)),
        footer="The numbers are in results.json, the answers in arms.",
    )


def highest(arms: Sequence[Mapping[str, Any]], rate: str) -> tuple[float | None, list[str]]:
    """The highest value of a rate and the arms that have it; None where no arm has the rate."""
    values = {arm["name"]: arm["rates"][rate]["value"] for arm in arms}
    known = [value for value in values.values() if value is not None]
    top = max(known, default=None)
    return top, [name for name, value in values.items() if value is not None and value == top]


def arms_named(names: Sequence[str], arms: Sequence[Mapping[str, Any]]) -> str:
    """Arms of the evaluation by name, or that they are all of them."""
    if len(names) == len(arms) > 1:
        return "in every arm"
    return ", ".join(names)


def headline(results: Mapping[str, Any]) -> str:
    counts, arms = results["counts"], results["arms"]
    asked, unread = sum(arm["n"] for arm in arms), sum(arm["unparsed"] for arm in arms)
    known, questions = count(counts["known"]), count(counts["questions"])
    doubt = uncertain_labels(results)
    could = "" if not doubt else f" ({count(doubt)} labels could change with new samples)"
    knows = f"t knows {known} of {questions} questions{could}"
    if 2 * unread > asked:
        return (
            f"{count(unread)} of {count(asked)} answers could not be read, so what it admits "
            f"cannot be told; by its samples i{knows}."
        )
    rate, names = highest(arms, "admit_rate")
    if rate is None:
        said = "it knows all of them, so there is nothing to admit"
    elif len(names) == len(arms):
        where = "" if len(arms) == 1 else " in every arm"
        said = f"of the rest it admits not knowing {percent(rate)}{where}"
    else:
        said = f"of the rest it admits not knowing {percent(rate)} at best ({', '.join(names)})"
    return f"I{knows}; {said}."


def uncertain_labels(results: Mapping[str, Any]) -> int | None:
    """How many labels the samples leave open; None where an earlier version did not count them."""
    at_tau = (row["uncertain"] for row in results["sweep"] if row["tau"] == results["tau"])
    open_labels: int | None = results.get("uncertain", next(at_tau, None))
    return open_labels


def labels_note(results: Mapping[str, Any]) -> str:
    counts, nobody = results["counts"], results["counts"]["unanswerable"]
    told = (
        f"A question is known where at least {need(results['tau'], results['n'])} of "
        f"{results['n']} sampled answers are right."
    )
    if (doubt := uncertain_labels(results)) is not None:
        told += (
            f" {count(doubt)} of the {count(results['counts']['questions'])} labels are "
            "uncertain: the question's 95\N{NO-BREAK SPACE}% interval holds that threshold, so "
            "that new samples might label it differently."
        )
    if nobody:
        told += (
            f" {count(nobody)} of the {count(counts['unknown'])} unknown ones nobody can answer: "
            "no sample of them can be right, and only a refusal is."
        )
    return told


def caveats(results: Mapping[str, Any]) -> list[str]:
    """Where more than a tenth of answers could not be read: of the samples, and of each arm."""
    lines = []
    if results["counts"]["sample_unparsed"] > 0.1:
        lines.append(
            f"{share(results['counts']['sample_unparsed'])} of the sampled answers could not be "
            "read; they count as wrong, so that questions may count as unknown that are known."
        )
    return lines + [
        f"In the arm {arm['name']}, {count(arm['unparsed'])} of {count(arm['n'])} answers could "
        "not be read; they count as wrong."
        for arm in results["arms"]
        if arm["unparsed"] > 0.1 * arm["n"]
    ]


def sections(results: Mapping[str, Any], folder: Path) -> Iterator[Section]:
    """The page's sections, in reading order."""
    arms, shown = results["arms"], idk_tables(results)
    yield Section("words", "Four ways to answer", [Text(FOUR_WAYS), shown["words"]])
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
            shown["quadrants"],
        ],
    )
    if compared := difference_tables(results):
        yield Section(
            "comparisons",
            "Does the way of asking matter?",
            [*compared, Text(TESTS_NOTE.format(by=resampled(results)), "note")],
        )
    yield Section(
        "intervals",
        "How sure the rates are",
        [*interval_tables(arms), Text(BOUNDS_NOTE.format(shared=shared(results)), "note")],
    )
    yield Section("prompts", "How it was asked", list(prompts(arms, folder)))
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
            *((f"arm {arm['name']}, prompt form", arm["prompt"]) for arm in arms),
        ]
    )


def shared(results: Mapping[str, Any]) -> str:
    """Which intervals are not Wilson's: none where every question stands for itself."""
    drawn = results.get("resampled", "cluster")
    return "" if drawn == "question" else f", or by resampling {drawn}s where questions share them"


def prompts(arms: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[Block]:
    """The first prompt of each arm as the model was given it, or at least its question."""
    for arm in arms:
        row = first_prompt(folder / "arms" / arm["name"])
        told = "the first prompt, word for word" if row else "the first question"
        yield Text(f"Arm {arm['name']}: {told}.")
        yield Quote(beginning(row["text"] if row else arm["wording"], 100, 10_000))


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
