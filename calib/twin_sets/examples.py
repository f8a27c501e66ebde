"""Some pairs of every way, with their pictures, kept for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from calib.idk.pictures import Copies
from calib.records import Item
from calib.twin_sets.measures import Outcome
from calib.twin_sets.pairs import Pair

EXAMPLES = 3
"""Pairs of each way."""


class Answer(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def right(self) -> bool: ...
    @property
    def abstains(self) -> bool: ...
    @property
    def mass(self) -> float | None: ...


def examples(
    pairs: Sequence[Pair],
    outcomes: Sequence[Outcome],
    asked: Mapping[str, Item],
    said: Mapping[str, Answer],
    out: Path,
) -> list[dict[str, Any]]:
    """Pairs of each way, spread over the set, with both answers.

    Pictures are copied below ``out``.
    """
    copies, rows = Copies(out), []
    for way in dict.fromkeys(pair.how for pair in pairs):
        places = [k for k, pair in enumerate(pairs) if pair.how == way]
        for place in places[:: max(1, -(-len(places) // EXAMPLES))][:EXAMPLES]:
            pair = pairs[place]
            sides = {"question": pair.answerable, "twin": pair.unanswerable}
            rows.append(
                {
                    "pair": pair.name,
                    "how": way,
                    "group": pair.answerable.group,
                    "dual": outcomes[place].dual,
                    **{
                        side: shown(item, asked[item.id], said[item.id], copies)
                        for side, item in sides.items()
                    },
                }
            )
    return rows


def shown(item: Item, asked: Item, said: Answer, copies: Copies) -> dict[str, Any]:
    """One side of a pair, its question as it stands in the file."""
    return {
        "question": item.question,
        "options": list(asked.options),
        "gold": None if item.answer is None else item.options[item.answer],
        "images": [copies(image) for image in item.images],
        "said": said.text,
        "role": "refused" if said.abstains else "right" if said.right else "wrong",
        "mass": said.mass,
    }
