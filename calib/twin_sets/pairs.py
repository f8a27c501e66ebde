"""Which questions of a task are pairs: by ``meta["pair"]``, whoever made them.

A pair is one question that can be answered and one or more that nobody can answer
(``meta["answerable"]`` is False), each made in another way (``meta["how"]``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from calib.idk.arms import IDK, option, permission
from calib.judge import answerable
from calib.judge.refusal import idk_option, idk_options
from calib.judge.text import gold_texts
from calib.records import InputError, Item
from calib.tasks.files.checks import is_blank

PAIR, HOW = "pair", "how"
GIVEN = "given"
"""The way of twins whose file says none."""

LeftOut = dict[str, list[str]]
"""Reason -> the pairs, or of questions without one the ids."""


@dataclass(frozen=True)
class Pair:
    """A question and one twin of it, as they stand in their task."""

    name: str
    how: str
    answerable: Item
    unanswerable: Item

    @property
    def cluster(self) -> str:
        return str(self.answerable.meta.get("cluster", self.answerable.id))


def pairs_in(items: Iterable[Item]) -> tuple[list[Pair], LeftOut]:
    """The pairs of ``items`` in their order, and what is left out: nothing is paired by guess."""
    members: dict[str, list[Item]] = {}
    left_out: LeftOut = {}
    for item in items:
        if not str("" if (named := item.meta.get(PAIR)) is None else named).strip():
            left_out.setdefault("the question names no pair", []).append(item.id)
        else:
            members.setdefault(str(item.meta[PAIR]), []).append(item)
    pairs: list[Pair] = []
    for name, own in members.items():
        found = paired(name, own)
        if isinstance(found, str):
            left_out.setdefault(found, []).append(name)
        else:
            pairs += found
    return pairs, left_out


def paired(name: str, own: Sequence[Item]) -> list[Pair] | str:
    """The pairs of one name, or why there is none."""
    can = [item for item in own if answerable(item)]
    cannot = [item for item in own if not answerable(item)]
    ways = [str(item.meta.get(HOW) or GIVEN) for item in cannot]
    if not can:
        return "no question of the pair can be answered"
    if not cannot:
        return "every question of the pair can be answered"
    if len(can) > 1:
        return "several questions of the pair can be answered"
    if len(set(ways)) < len(ways):
        return "several twins of the pair are of one way"
    if not gold_texts(can[0]):
        return "its question has no answer"
    if any(bool(item.options) != bool(can[0].options) for item in cannot):
        return "one has options and another has none"
    if can[0].answer in idk_options(can[0]):
        return "its question's right answer is not to know"
    return [Pair(name, way, can[0], item) for way, item in zip(ways, cannot, strict=True)]


def with_idk(item: Item, text: str = IDK) -> Item:
    """The item as it is asked: with an option more, ``text``, or without options with permission
    not to know. Of a twin the added option is the right one."""
    if not item.options:
        return permission(item)
    asked = option(item, text)
    if answerable(asked):
        return asked
    return replace(asked, answer=idk_option(asked))


def checked_idk(text: str) -> str:
    if not isinstance(text, str) or is_blank(text):
        raise InputError(f"idk: expected the text of an option, got {text!r}")
    return text
