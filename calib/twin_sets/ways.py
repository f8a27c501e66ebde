"""How a question is made one that nobody can answer: its twin, or why it has none.

A way takes a question and all questions of its task, and gives the twin's item or a reason. Nothing
is guessed: what may have an answer after all, as far as the task can tell, has no twin.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from calib.idk.arms import plainly
from calib.judge import answerable
from calib.judge.refusal import idk_options
from calib.judge.text import gold_texts
from calib.modalities.pictures import blank
from calib.records import ImageRef, Item, MadeImage
from calib.tasks.files.answers import is_truth
from calib.tasks.task import ImageNames
from calib.twin_sets.nouns import alike, forms, nouns_in, replaced, words_in

LEANING = re.compile(
    r"\b(?:above|below|none|neither|both|either|other|others|all of|any of|not listed|no answer)\b",
    re.I,
)
"""Options that speak of the others: right, or senseless, where one of those is gone."""
COUNTING = re.compile(r"\s*how many\b", re.I)
POLAR = ("yes", "no", "true", "false")
OF_ANYTHING = "it is one of yes or no or of a number, which may have an answer of any picture"


@dataclass(frozen=True)
class Reason:
    """Why a question has no twin, in words that are the same for all such questions."""

    text: str


@dataclass(frozen=True)
class Sheet:
    """The pictures of a question in their order, and which they are by content."""

    images: tuple[ImageRef, ...]
    shown: set[str]


class Known:
    """What the questions of a task tell of each other: pictures, questions about them, nouns."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.name = ImageNames()
        self.pictures: dict[str | None, dict[tuple[str, ...], Sheet]] = {}
        self.asked: dict[str, set[str]] = {}  # what is asked, by picture
        self.said: dict[str, set[str]] = {}  # which words are said, by picture and by passage
        self.nouns: dict[str, set[str | None]] = {}
        for item in items:
            sheet = Sheet(item.images, self.shown(item))
            self.pictures.setdefault(item.group, {}).setdefault(self.content(item), sheet)
            for picture in sheet.shown:
                self.asked.setdefault(picture, set()).add(plainly(item.question))
            words = words_in(" ".join([item.question, *gold_texts(item), *told(item)]))
            for thing in self.about(item):
                self.said.setdefault(thing, set()).update(words)
            for noun in nouns_in(item.question):
                self.nouns.setdefault(noun.text, set()).add(item.group)
        self.grouped = len(self.pictures) > 1

    def content(self, item: Item) -> tuple[str, ...]:
        """What tells the pictures of one question from another's, whatever their files' names."""
        return tuple(self.name(image) for image in item.images)

    def shown(self, item: Item) -> set[str]:
        """Its pictures by content, in no order; what is made of a picture counts as that one."""
        return {self.name(i.source if isinstance(i, MadeImage) else i) for i in item.images}

    def about(self, item: Item) -> set[str]:
        """What the question is about: each of its pictures, and its passage."""
        passage = plainly(str(item.meta.get("context") or ""))
        return self.shown(item) | ({f"passage {passage}"} if passage else set())

    def others(self, item: Item) -> list[tuple[ImageRef, ...]]:
        """Pictures of its group, as many, none of which is its own or is asked the same."""
        own, question = self.shown(item), plainly(item.question)
        return [
            sheet.images
            for content, sheet in sorted(self.pictures[item.group].items(), key=lambda e: e[0])
            if len(content) == len(item.images)
            and not sheet.shown & own
            and not any(question in self.asked[picture] for picture in sheet.shown)
        ]

    def nouns_for(self, item: Item, noun: str) -> list[str]:
        """Nouns of questions of other groups, of which nothing about its pictures speaks."""
        own = words_in(" ".join([item.question, *item.options, *told(item)]))
        own = own.union(*(self.said[thing] for thing in self.about(item)))
        return sorted(
            word
            for word, groups in self.nouns.items()
            if alike(word, noun)
            and (not self.grouped or groups - {item.group})
            and not forms(word) & own
        )


def told(item: Item) -> list[str]:
    """The texts that stand before the question."""
    return [str(item.meta[name]) for name in ("hint", "context", "lecture") if item.meta.get(name)]


Way = Callable[[Item, Known, random.Random], Item | Reason]


def swap(item: Item, known: Known, rng: random.Random) -> Item | Reason:
    """Another question's pictures, of its group."""
    if not item.images:
        return Reason("it has no picture")
    if is_of_anything(item):
        return Reason(OF_ANYTHING)
    others = known.others(item)
    if not others:
        return Reason("every other picture of its group shows the same, or is asked the same")
    return replace(item, images=rng.choice(others))


def mask(item: Item, known: Known, rng: random.Random) -> Item | Reason:
    """Grey in place of its pictures, in their sizes."""
    if not item.images:
        return Reason("it has no picture")
    if is_of_anything(item):
        return Reason(OF_ANYTHING)
    if any(isinstance(image, MadeImage) for image in item.images):
        return Reason("its picture is made of another")
    return replace(item, images=tuple(MadeImage(i, "blank", blank) for i in item.images))  # type: ignore[arg-type]


def remove(item: Item, known: Known, rng: random.Random) -> Item | Reason:
    """Its options without the right one."""
    gold, idk = item.answer, idk_options(item)
    if not item.options or gold is None:
        return Reason("it has no options")
    left = [k for k in range(len(item.options)) if k != gold]
    if len([k for k in left if k not in idk]) < 2:
        return Reason("fewer than two wrong options would be left")
    texts = [plainly(option) for option in item.options]
    if texts.count(texts[gold]) > 1:
        return Reason("its right option is there twice")
    if any(LEANING.search(item.options[k]) for k in range(len(item.options)) if k not in idk):
        return Reason('an option is about the others, as "none of the above" is')
    meta = dict(item.meta)
    if meta.get("spellings"):
        meta["spellings"] = tuple(tuple(meta["spellings"][k]) for k in left)
    if meta.get("idk") is not None:
        meta["idk"] = left.index(meta["idk"])
    return replace(item, options=tuple(item.options[k] for k in left), meta=meta)


def noun(item: Item, known: Known, rng: random.Random) -> Item | Reason:
    """A noun of its question replaced by one that other questions ask about."""
    if not item.images and not item.meta.get("context"):
        return Reason("it has neither picture nor context, so that another question has an answer")
    if is_of_anything(item):
        return Reason(OF_ANYTHING)
    found = next(nouns_in(item.question), None)
    if found is None:
        return Reason("no noun was found in it")
    words = known.nouns_for(item, found.text)
    if not words:
        return Reason("no noun of another group's questions fits")
    return replace(item, question=replaced(item.question, found, rng.choice(words)))


WAYS: dict[str, Way] = {"swap": swap, "mask": mask, "remove": remove, "noun": noun}
ABOUT = {
    "swap": "another picture of its group",
    "mask": "a grey picture",
    "remove": "its options without the right one",
    "noun": "another noun in its question",
}
LIMITS = {
    "swap": "the other picture is not asked the same in the file, but it may have an answer to it",
    "mask": "what can be answered without the picture, from knowledge or habit, still can",
    "remove": "one option fewer is listed, which by itself changes what each gets",
    "noun": "the picture may show what the new noun names, unmentioned in the file",
}
"""What each way does not make sure of."""


def twin_of(item: Item, how: str, known: Known, seed: int) -> Item | Reason:
    """The twin of ``item`` by the way ``how``, drawn by the seed and its id alone."""
    if not answerable(item):
        return Reason("nobody can answer it as it is")
    if not gold_texts(item):
        return Reason("it has no answer")
    if item.answer in idk_options(item):
        return Reason("its right answer is not to know")
    return WAYS[how](item, known, random.Random(f"{seed} {how} {item.id}"))


def is_of_anything(item: Item) -> bool:
    """Whether the question may have an answer whatever is shown: no, or none."""
    if COUNTING.match(item.question):
        return True
    if not item.options:
        return any(plainly(text) in POLAR for text in gold_texts(item))
    return any(map(is_truth, combinations(item.options, 2)))
