"""The tables of a score report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.report.blocks import Card, Cards, Line, Table
from calib.report.formats import (
    UNKNOWN,
    count,
    fixed,
    gap,
    in_points,
    interval,
    percent,
    pvalue,
)
from calib.report.items import address_of
from calib.report.pictures import picture

OPTIONS_SHOWN = 5
GAP = in_points("gap")
UNNAMED = "(no group)"


def metric_table(metrics: Mapping[str, Mapping[str, Any]], note: str) -> Table:
    """Every metric with its interval, expectation, p and convention."""
    return Table(
        "metrics",
        ["metric", "value", "95 % interval", "expected if calibrated", "p", "n", "convention"],
        [metric_row(name, entry) for name, entry in metrics.items()],
        note,
        prose=(6,),
    )


def metric_row(name: str, entry: Mapping[str, Any]) -> list[str]:
    between = interval(entry.get("low"), entry.get("high"), digits=4)
    convention = entry["convention"]
    if entry.get("low") is not None and entry.get("method"):
        convention += f"; interval: {entry['method']}"
    return [
        entry.get("label", name),
        fixed(entry["value"], 4),
        between,
        fixed(entry.get("expected"), 4),
        pvalue(entry.get("holm"), at_most=entry.get("at_most", False)),
        count(entry["n"]),
        convention,
    ]


def group_table(first: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> Table:
    """Groups of questions, or the same questions in other forms, a line each."""
    columns: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("questions", lambda row: count(row["n"])),
        ("accuracy", lambda row: percent(row["accuracy"], 1)),
        ("confidence", lambda row: percent(row["confidence"], 1)),
        (GAP, lambda row: gap(row["gap"])),
        ("ECE", lambda row: fixed(row["ece"])),
        ("expected if calibrated", lambda row: fixed(row["expected"])),
        ("p", lambda row: pvalue(row["holm"], at_most=row["at_most"])),
    ]
    if all("mass" in row for row in rows):
        columns.append(("option mass", lambda row: fixed(row["mass"])))
    if all("parse_rate" in row for row in rows):
        columns.append(("parsed", lambda row: percent(row["parse_rate"], 1)))
    name = "task" if first == "form" else first
    return Table(
        f"{first}s",
        [first, *(head for head, _ in columns)],
        [[row[name] or UNNAMED, *(form(row) for _, form in columns)] for row in rows],
        note,
    )


def mistake_cards(
    name: str, items: Sequence[Mapping[str, Any]], folder: Path, browsed: bool = False
) -> Cards | Table:
    """Wrong answers with their pictures; where there are no options, their table.

    ``browsed``: items.html lies beside the page and shows each of them.
    """
    table = mistake_table(name, items)
    if not items or not items[0]["options"]:
        return table
    return Cards([mistake_card(item, folder, browsed) for item in items], table)


def mistake_table(name: str, items: Sequence[Mapping[str, Any]]) -> Table:
    """Wrong answers; of question, given answer and right one what any of them has."""
    columns: list[tuple[str, str]] = [("id", "id"), ("question", "question"), ("given", "given")]
    columns += [("confidence", "confidence"), ("right", "gold")]
    shown = [
        (head, key)
        for head, key in columns
        if any(item.get(key) not in (None, "") for item in items)
    ]

    def cell(item: Mapping[str, Any], key: str) -> str:
        return percent(item[key], 1) if key == "confidence" else str(item.get(key) or UNKNOWN)

    prose = tuple(k for k, (_, key) in enumerate(shown) if key in ("question", "given", "gold"))
    rows = [[cell(item, key) for _, key in shown] for item in items]
    return Table(name, [head for head, _ in shown], rows, prose=prose)


def mistake_card(item: Mapping[str, Any], folder: Path, browsed: bool) -> Card:
    """One mistake with its pictures embedded and its likeliest options first."""
    tags = {"given": "given", "gold": "right"}
    options = sorted(item["options"], key=lambda option: -option["prob"])
    shown = [o for i, o in enumerate(options) if i < OPTIONS_SHOWN or o["role"]]
    lines = [
        Line(
            o["text"],
            percent(o["prob"], 1),
            o["role"],
            tags.get(o["role"], ""),
            o["prob"],
        )
        for o in shown
    ]
    if hidden := [o for o in options if o not in shown]:
        rest = percent(sum(o["prob"] for o in hidden), 1)
        lines.append(Line(f"{len(hidden)} more", rest))
    return Card(
        item["id"],
        item["question"],
        [picture(folder, name) for name in item["images"]],
        lines,
        [item["group"]] if item["group"] else [],
        address_of(item["id"]) if browsed else "",
    )
