"""Questions about one drawing, as items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from PIL import Image

from calib.records import Item

YES_NO = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; ``group`` is what it is about, of which a drawing has one question at most."""

    group: str
    text: str
    options: tuple[str, ...]
    answer: str


def items_of(name: str, picture: Image.Image, questions: Iterable[Question]) -> Iterator[Item]:
    """The items of the drawing ``name``, which form a cluster."""
    for question in questions:
        yield Item(
            id=f"{name}-{question.group}",
            question=question.text,
            images=(picture,),
            options=question.options,
            answer=question.options.index(question.answer),
            group=question.group,
            meta={"cluster": name, "ask_for_text": "Answer with one word."},
        )
