"""Questions about easy-VQA's pictures, with and without an answer."""

from __future__ import annotations

from dataclasses import replace

from calib.records import Item
from calib.tasks.builtin import easy_vqa


def easy_vqa_items() -> tuple[Item, ...]:
    """easy-VQA's test questions; a picture's questions form a cluster."""
    items = []
    for picture in easy_vqa.load("test"):
        for number, (question, answer) in enumerate(picture.questions):
            kind = easy_vqa.kind_of(answer)
            options = easy_vqa.OPTIONS[kind]
            items.append(
                Item(
                    id=f"{picture.id}-{number}",
                    question=question,
                    images=(picture.path,),
                    options=options,
                    answer=options.index(answer),
                    group=kind,
                    meta={"cluster": str(picture.id), "ask_for_text": "Answer with one word."},
                )
            )
    return tuple(items)


def easy_vqa_descriptions() -> dict[str, tuple[str, ...]]:
    """What is in the picture of each of ``easy_vqa_items``, by its id: its shape, then its colour.

    What a picture's questions do not give away (120 of 1,000 pictures) is not said.
    """
    return {
        f"{picture.id}-{number}": (
            f"The picture shows one {picture.shape or 'shape'}.",
            *((f"It is {picture.colour}.",) if picture.colour else ()),
        )
        for picture in easy_vqa.load("test")
        for number in range(len(picture.questions))
    }


UNANSWERABLE = (
    ("what color is the second shape?", "colour"),
    ("what shape is the second object?", "shape"),
    ("what is the color of the smaller shape behind it?", "colour"),
    ("which shape is next to the first one?", "shape"),
)
"""What cannot be known of a picture that holds one shape, and the options it seems to have."""


def easy_vqa_idk_items() -> tuple[Item, ...]:
    """Two questions about each test picture, and one that supposes a second shape.

    The two are its first about a colour or shape and its first of yes or no, where it has such. The
    third has no answer: its ``meta["answerable"]`` is False, and only to refuse is right.
    """
    own: dict[str, list[Item]] = {}
    for item in easy_vqa_items():
        own.setdefault(str(item.meta["cluster"]), []).append(item)
    items: list[Item] = []
    for number, (picture, questions) in enumerate(own.items()):
        first = next((item for item in questions if item.group != "yes/no"), questions[0])
        others = [item for item in questions if item is not first]
        other = next((item for item in others if item.group == "yes/no"), others[0])
        question, kind = UNANSWERABLE[number % len(UNANSWERABLE)]
        unanswerable = replace(
            first,
            id=f"{picture}-none",
            question=question,
            options=easy_vqa.OPTIONS[kind],
            answer=None,
            group="unanswerable",
            meta={**first.meta, "answerable": False},
        )
        items += [first, other, unanswerable]
    return tuple(items)
