"""Countries and their capitals: questions with one known answer and no options.

``capitals.csv`` is this project's own list: the members of the United Nations, less those whose
capital has a name that stands in the country's, since an answer that only repeats the question
would count as right (Djibouti, Guinea-Bissau, Luxembourg, Monaco, San Marino, Sao Tome and
Principe, Singapore), and less Israel, whose capital is disputed. Where a country has several
capitals, a seat of government elsewhere or other spellings, each counts.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from calib.records import Item

LIST = Path(__file__).with_name("capitals.csv")


@dataclass(frozen=True, slots=True)
class Country:
    """A country as it stands in a sentence, its part of the world, every name of its capital."""

    name: str
    region: str
    capitals: tuple[str, ...]


def load() -> list[Country]:
    """All countries of the list, in its order."""
    with LIST.open(encoding="utf-8", newline="") as file:
        return [
            Country(row["country"], row["region"], tuple(row["capitals"].split("|")))
            for row in csv.DictReader(file)
        ]


def capital_items() -> tuple[Item, ...]:
    """A question for each country, in the list's order; its group is the part of the world."""
    return tuple(
        Item(
            id=country.name.removeprefix("the "),
            question=f"What is the capital of {country.name}?",
            group=country.region,
            meta={
                "aliases": list(country.capitals),
                "instruction": "Answer with the name of the city.",
            },
        )
        for country in load()
    )
