"""Which numbers of a sentence only say more of another one: of how many, when, at what, from where.

A number is such an aside by the words right around it, and only beside an earlier number of its
sentence that stands firm: "42 birds, 3 of which are red", "42 at 25 °C", "He was 42 in 1978".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calib.judge.numeric.candidates import Candidate

NEAR = 40
"""Characters before and after a number that are looked at."""
PARTS_AT_MOST = 20
SENTENCE_END = re.compile(r"[.!?;] |\n")
COPULA = re.compile(r"(?:\b(?:was|is|are|were|has|had)|'s) $", re.I)
OF_ALL = re.compile(r" of (?:the |these |those )?")
OF_WHICH = re.compile(r",? ?(?:\w+ )?of (?:which|whom)\b")
UP_FROM = re.compile(r"\b(?:up|down) from [$€£¥]?$", re.I)
WHEN = re.compile(r"\b(?:in|since|by|before|after|until) $", re.I)
WITHIN = re.compile(r"\b(?:in|within|every|over|after) $", re.I)
OPENING = re.compile(r"(?:^|[.!?;\n])\s*(?:in|after|within|for) $", re.I)
CHANGE_OF = re.compile(r"\b(?:increase|decrease|rise|drop|fall|gain|change|growth) of $", re.I)
CHANGED_FROM = re.compile(
    r"\b(?:rose|risen|rises|increased|grew|went|climbed|fell|dropped|decreased|declined|changed|"
    r"jumped|moved|shrank)(?: \w{1,20})? from $",
    re.I,
)
YEARS = range(1000, 2101)


def asides(
    candidates: Sequence[Candidate], spans: Sequence[tuple[int, int]], text: str
) -> set[int]:
    """The candidates that are asides, by their indices. spans: of each, where it stands."""
    chosen: set[int] = set()
    main: int | None = None  # the last firm number of the sentence
    stated = changed = False
    for index, (candidate, (start, end)) in enumerate(zip(candidates, spans, strict=True)):
        if index and SENTENCE_END.search(text, spans[index - 1][1], start):
            main, stated, changed = None, False, False
        if not candidate.numbers or candidate.rank:
            continue
        before, after = text[max(0, start - NEAR) : start], text[end : end + NEAR]
        quantity = candidate.numbers[0][0]
        base = quantity.unit.base if quantity.unit else ""
        year = base == "" and quantity.value in YEARS and "," not in text[start:end]
        following = index + 1 < len(candidates)
        if main is None:
            opens = following and after.startswith(", ") and OPENING.search(before)
            leaves = following and CHANGED_FROM.search(before)
            if (opens and (base == "second" or year)) or (
                leaves and re.fullmatch(r" to [$€£¥]?", text[end : spans[index + 1][0]])
            ):
                chosen.add(index)
                continue
        else:
            first = candidates[main].numbers[0][0]
            first_base = first.unit.base if first.unit else ""
            short = first.unit is not None and "short" in first.unit.words  # 10 short of 100
            whole = first.value == first.value.to_integral_value()
            of_all = OF_ALL.fullmatch(text, spans[main][1], start) and whole
            if (
                (
                    of_all
                    and first_base != "dimensionless"
                    and not short
                    and first.value < quantity.value
                )
                or OF_WHICH.match(after)
                or re.search(r"\bof (?:which|whom) $", before)
                or UP_FROM.search(before)
                or (base == "kelvin" and re.search(r"\bat $", before) and first_base != base)
                or (base == "second" and first_base not in ("", base) and WITHIN.search(before))
                or (year and stated and WHEN.search(before))
                or (changed and re.search(r"\b(?:from|to) $", before))
            ):
                chosen.add(index)
                continue
        main = index
        stated = stated or bool(COPULA.search(before))
        changed = changed or bool(CHANGE_OF.search(before))
    return chosen | parts(candidates, spans, text)


def parts(candidates: Sequence[Candidate], spans: Sequence[tuple[int, int]], text: str) -> set[int]:
    """The numbers after a colon that add up to the one before it: "42 birds: 20 here, 22 there"."""
    first = max(0, len(candidates) - PARTS_AT_MOST)
    for index in range(first, len(candidates) - 2):
        behind = range(index + 1, len(candidates))
        between = text[spans[index][1] : spans[index + 1][0]]
        if not re.match(r"[^\d\n.=]{0,40}: ?[^\n]", between):
            continue
        if not all(len(candidates[i].numbers) == 1 for i in (index, *behind)):
            continue
        total = sum((candidates[i].numbers[0][0].value for i in behind), Decimal(0))
        if total == candidates[index].numbers[0][0].value:
            return set(behind)
    return set()
