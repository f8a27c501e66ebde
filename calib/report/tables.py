"""The tables of a score report, and its facts, as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from calib.report.formats import count, fixed, percent, points, pvalue
from calib.runs.kinds import SCORE


def has_model(results: Mapping[str, Any]) -> bool:
    """Whether the numbers are known to be a model's: of a table no model need be named."""
    facts = results.get("facts", {})
    return "model" in facts or facts.get("kind", SCORE) == SCORE


def metric_row(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """One line of the metric table, as text."""
    low, high = entry.get("low"), entry.get("high")
    known = low is not None and high is not None
    convention = entry["convention"]
    if known and entry.get("method"):
        convention += f"; interval: {entry['method']}"
    return {
        "label": entry.get("label", name),
        "value": fixed(entry["value"], 4),
        "interval": f"{fixed(low, 4)} … {fixed(high, 4)}" if known else "–",
        "expected": fixed(entry.get("expected"), 4),
        "p": pvalue(entry.get("holm"), at_most=entry.get("at_most", False)),
        "n": count(entry["n"]),
        "convention": convention,
    }


def mistake_table(mistakes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mistakes as text; where there are options, with the given answer and the right one."""
    full = all("given" in item for item in mistakes)
    head = ["id", "question", "given", "confidence", "right"] if full else ["id", "confidence"]

    def row(item: Mapping[str, Any]) -> list[str]:
        sure = percent(item["confidence"], 1)
        if not full:
            return [item["id"], sure]
        return [item["id"], item["question"], item["given"], sure, item["gold"]]

    return {"head": head, "rows": [row(item) for item in mistakes]}


def group_table(first: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Groups of questions, or the same questions in other forms, a line each, as text."""
    columns: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("questions", lambda row: count(row["n"])),
        ("accuracy", lambda row: percent(row["accuracy"], 1)),
        ("confidence", lambda row: percent(row["confidence"], 1)),
        ("gap, points", lambda row: points(row["gap"])),
        ("ECE", lambda row: fixed(row["ece"])),
        ("expected if calibrated", lambda row: fixed(row["expected"])),
        ("p", lambda row: pvalue(row["holm"], at_most=row["at_most"])),
    ]
    if all("mass" in row for row in rows):
        columns.append(("option mass", lambda row: fixed(row["mass"])))
    if all("parse_rate" in row for row in rows):
        columns.append(("parsed", lambda row: percent(row["parse_rate"], 1)))
    name = "task" if first == "form" else first
    return {
        "head": [first, *(head for head, _ in columns)],
        "rows": [[row[name], *(cell(row) for _, cell in columns)] for row in rows],
        "gap": 1 + [head for head, _ in columns].index("gap, points"),
    }


def count_facts(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """What became of every row, in words."""
    ended = counts.get("ended", 0)
    read = []
    if "parsed" in counts:
        read.append(("top token was an option", count(counts["parsed"])))
    if "ties" in counts:
        read.append(
            ("ties for the best option", f"{count(counts['ties'])} (the first option was taken)")
        )
    closed = ("scored to the answer's end", f"{count(ended)} (one option begins another)")
    return [
        ("questions", count(counts["total"])),
        ("scored", count(counts["scored"])),
        ("without an answer", count(counts["without_answer"])),
        ("invalid (NaN)", count(counts["invalid"])),
        *read,
        *([closed] if ended else []),
        ("independent clusters", count(counts["clusters"])),
    ]


def histogram_facts(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The ECE of the histogram that was counted while scoring, and that of the records."""
    counted = results.get("histogram")
    if counted is None:
        return []
    records = results["metrics"]["ece"]
    text = f"{fixed(counted['ece'], 6)}; of the records {fixed(records['value'], 6)}"
    return [(f"ECE counted while scoring, {counted['bins']} bins", text)]


def flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as (name, text) lines."""
    lines: list[tuple[str, str]] = []
    for name, value in facts.items():
        label = f"{prefix}{str(name).replace('_', ' ')}"
        if isinstance(value, Mapping):
            lines += flat(value, f"{label}: ")
        elif value is not None:
            lines.append((label, str(value)))
    return lines
