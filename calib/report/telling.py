"""Questions of a sampled run as cards: pictures, answers in their clusters, verdicts, measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.report.blocks import Block, Card, Cards, Key, Line, Link, Section, Table, Text
from calib.report.formats import count, fixed
from calib.report.items import PAGE, address_of
from calib.report.pictures import picture
from calib.uncertainty.measures import label
from calib.uncertainty.telling import REFUSED, RIGHT, WRONG

ROLES = {RIGHT: "gold", WRONG: "given", REFUSED: "refused"}
"""The colour of each outcome: blue, vermilion and grey, as on every page."""
CLUSTERS_SHOWN = 6

Item = Mapping[str, Any]


def examples_section(results: Mapping[str, Any], folder: Path) -> Section:
    """The questions of ``results["examples"]``, by what became of them."""
    told, outcomes = results["examples"], results["outcomes"]
    items = told["items"]
    sampled = any(item["clusters"] for item in items)
    blocks: list[Block] = [Text(how_chosen(told))]
    blocks.append(
        Key(
            (("over", "Wrong"), ("under", "right"), ("muted", "refused")),
            "The bars count the other samples: those that mean the same are one line, shown by "
            "the first of them."
            if sampled
            else "Below an answer stands the right one.",
        )
    )
    for name, rank in ((WRONG, "surest"), (RIGHT, "least sure"), (REFUSED, "surest")):
        shown = [item for item in items if item["outcome"] == name]
        if shown:
            ranked = "" if told["measure"] is None else f", the {rank} first"
            blocks.append(
                Text(f"{name.capitalize()}: {len(shown)} of {count(outcomes[name])}{ranked}.")
            )
            blocks.append(
                Cards([card(item, folder) for item in shown], examples_table(name, shown))
            )
    blocks.append(Link(PAGE, "Every question, with filters by right, wrong and refused"))
    return Section("examples", "What was said", blocks)


def how_chosen(told: Mapping[str, Any]) -> str:
    n = len(told["items"])
    if told["measure"] is None:
        return (
            f"{n} questions, the first of each outcome: no measure of sureness is known of all "
            "questions."
        )
    return (
        f"{n} questions, chosen by {told['label']}: the wrong answers that it calls surest, the "
        "right ones that it calls least sure, and the refusals that it calls surest. They show "
        "what can go wrong, not what is usual."
    )


def card(item: Item, folder: Path) -> Card:
    """One question: the judged answer, the right one, the samples by what they mean, measures."""
    outcome = item["outcome"]
    lines = [Line(said(item), outcome, ROLES[outcome], "judged")]
    if outcome != RIGHT:
        gold = "nobody can know" if item["gold"] is None else item["gold"]
        lines.append(Line(gold, "", ROLES[RIGHT], "right answer"))
    for cluster in item["clusters"][:CLUSTERS_SHOWN]:
        share = cluster["n"] / item["samples"]
        of = f"{count(cluster['n'])} of {count(item['samples'])}"
        lines.append(Line(said(cluster), of, ROLES[cluster["outcome"]], cluster["outcome"], share))
    if rest := item["clusters"][CLUSTERS_SHOWN:]:
        n = sum(cluster["n"] for cluster in rest)
        text = f"{len(rest)} other meanings" if len(rest) > 1 else "1 other meaning"
        lines.append(
            Line(text, f"{count(n)} of {count(item['samples'])}", "", "", n / item["samples"])
        )
    known = [(name, v) for name, v in item["measures"].items() if v is not None]
    if known:
        lines.append(Line("Measures: higher is less sure"))
    lines += [Line(label(name), fixed(value)) for name, value in known]
    return Card(
        item["id"],
        item["question"],
        [picture(folder, name) for name in item["images"]],
        lines,
        [item["group"]] if item["group"] else [],
        address_of(item["id"]),
    )


def examples_table(outcome: str, items: Sequence[Item]) -> Table:
    """The cards as a table: each measure is a column."""
    names = list(items[0]["measures"])
    sampled = any(item["clusters"] for item in items)
    return Table(
        f"examples_{outcome}",
        [
            *("id", "question", "answer", "judged", "right answer"),
            *(["samples by meaning"] if sampled else []),
            *map(label, names),
        ],
        [
            [
                item["id"],
                item["question"],
                said(item),
                item["outcome"],
                "nobody can know" if item["gold"] is None else item["gold"],
                *([meanings(item)] if sampled else []),
                *(fixed(item["measures"][name]) for name in names),
            ]
            for item in items
        ],
        prose=(1, 2, 3, 4, 5) if sampled else (1, 2, 3, 4),
    )


def meanings(item: Item) -> str:
    """The clusters of a question in one line, the largest first."""
    return "; ".join(f"{count(c['n'])} x {said(c)} ({c['outcome']})" for c in item["clusters"])


def said(answer: Item) -> str:
    """An answer, and the text of the option that its letter means."""
    text = str(answer.get("text", answer.get("answer")))
    option = answer["said"]
    shown = text.strip() or "(nothing)"
    return shown if option is None or option.lower() in text.lower() else f"{shown} ({option})"
