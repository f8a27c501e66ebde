"""The facts of a run as lines of a table: each once, numbers with separators and units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from calib.report.blocks import Section, Table
from calib.report.formats import count, fixed

NAMES = {
    "git": "calib's commit",
    "items": "fingerprint of the questions",
    "class": "model class",
    "prompt": "prompt form",
    "revision": "revision of the model",
    "template": "fingerprint of the chat template",
    "variants": "more spellings tried",
    "limit": "questions at most",
    "normalize": "option score",
    "orders": "orders of the options",
    "protocol": "protocol of asking",
    "confidence": "confidence among",
    "temperature": "temperature of the run",
    "report seed": "seed of the report",
    "max_new_tokens": "new tokens at most",
    "samples": "samples of each question",
}
"""What config.json calls a fact, and what a reader does."""
REPEATED = frozenset({"questions", "kind"})
"""Entries of config.json that the page says elsewhere."""
NO_COUNTS = frozenset({"seed", "report seed"})
"""Whole numbers that count nothing, and have no separators."""


def facts_section(lines: Iterable[tuple[str, str]], title: str = "Run facts") -> Section:
    return Section("facts", title, [Table("facts", ["fact", "value"], list(lines), prose=(1,))])


def run_facts(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """config.json as (name, text) lines, nested entries flat; what is None is left out."""
    lines: list[tuple[str, str]] = []
    for name, value in facts.items():
        label = f"{prefix}{NAMES.get(name, str(name).replace('_', ' '))}"
        if name in REPEATED and not prefix:
            continue
        if isinstance(value, Mapping):
            lines += run_facts(value, f"{label}, ")
        elif value is not None:
            lines.append((label, fact(name, value)))
    return lines


def fact(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name not in NO_COUNTS:
        return count(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(fact(name, entry) for entry in value)
    return str(value)


def count_facts(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """What became of every row, in words."""
    ended, unparsed = counts.get("ended", 0), counts.get("unparsed")
    read = []
    if "parsed" in counts:
        read.append(("likeliest token was an option", count(counts["parsed"])))
    if "ties" in counts:
        ties = counts["ties"]
        taken = f"{count(ties)} (the first option was taken)" if ties else count(ties)
        read.append(("ties for the best option", taken))
    closed = ("scored to the answer's end", f"{count(ended)} (one option begins another)")
    return [
        ("questions", count(counts["total"])),
        ("questions scored", count(counts["scored"])),
        ("questions without an answer", count(counts["without_answer"])),
        ("questions with invalid scores (NaN)", count(counts["invalid"])),
        *([("questions without a letter", count(unparsed))] if unparsed is not None else []),
        *read,
        *([closed] if ended else []),
        ("independent clusters of questions", count(counts["clusters"])),
    ]


def histogram_facts(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The ECE of the histogram that was counted while scoring, and that of the records."""
    counted = results.get("histogram")
    if counted is None:
        return []
    records = results["metrics"]["ece"]
    text = f"{fixed(counted['ece'], 6)}; of the records {fixed(records['value'], 6)}"
    return [(f"ECE counted while scoring, {counted['bins']} bins", text)]
