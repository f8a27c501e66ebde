"""The questions that a run gained or lost: the answers of both runs beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from calib.report.blocks import Card, Cards, Line, Table
from calib.report.comparison_names import about, label_of
from calib.report.formats import UNKNOWN, percent
from calib.report.pictures import picture

Item = Mapping[str, Any]
Run = Mapping[str, Any]


def changed_cards(name: str, items: Sequence[Item], first: Run, second: Run) -> Cards | Table:
    """Questions with their pictures; a table where one of the runs did not record options.

    A comparison of an earlier version holds only the second run's answers.
    """
    table = changed_table(name, items, first, second)
    if not all(item["options"] for item in items):
        return table
    return Cards([changed_card(item, first, second) for item in items], table)


def changed_table(name: str, items: Sequence[Item], first: Run, second: Run) -> Table:
    runs = (first["name"], second["name"])
    asked = all("given" in item for item in items)

    def row(item: Item) -> list[str]:
        both = (item.get("first", {}), item)
        sure = [percent(each.get("confidence"), 1) for each in both]
        if not asked:
            return [item["id"], *sure]
        given = [each.get("given", UNKNOWN) for each in both]
        return [item["id"], item["question"], item["gold"], given[0], sure[0], given[1], sure[1]]

    head = ["id", *(about("confidence of {}", run) for run in runs)]
    if asked:
        head = ["id", "question", "right"]
        head += [about(told, run) for run in runs for told in ("given by {}", "confidence of {}")]
    return Table(name, head, [row(item) for item in items], prose=(1, 2, 3, 5) if asked else ())


def changed_card(item: Item, first: Run, second: Run) -> Card:
    """The right option and those that were given, each with its probability in both runs."""
    before = item.get("first")
    runs = [(first, before), (second, item)] if before and before["options"] else [(second, item)]
    concerned = {item["gold"], *(each["given"] for _, each in runs)}
    lines = [line for run, each in runs for line in answer_lines(run, each, concerned)]
    shown, of = (item, second) if item["images"] or not before else (before, first)
    pictures = [picture(Path(of["path"]), name) for name in shown["images"]]
    return Card(item["id"], item["question"], pictures, lines, list(notes(item, first, second)))


def answer_lines(run: Run, item: Item, concerned: Set[str]) -> Iterator[Line]:
    """A run's name, then its probability of each option that is right or that a run gave."""
    yield Line(label_of(run["name"]))
    for option in item["options"]:
        text = option["text"]
        if text not in concerned:
            continue
        given, right = text == item["given"], text == item["gold"]
        role = "gold" if right else "given" if given else ""
        tags = [name for name, is_so in (("given", given), ("right", right)) if is_so]
        yield Line(text, percent(option["prob"], 1), role, ", ".join(tags), option["prob"])


def notes(item: Item, first: Run, second: Run) -> Iterator[str]:
    """The group, and where the two runs were not asked the same."""
    if item["group"]:
        yield item["group"]
    before = item.get("first")
    if before is None:
        return
    if before["question"] != item["question"]:
        yield f"{label_of(first['name'])} was asked: {before['question']}"
    for run, own, other in ((first, before, item), (second, item, before)):
        if other["images"] and not own["images"]:
            yield f"{label_of(run['name'])} saw no picture"
