"""Which option a file's answer means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from calib.records import InputError
from calib.tasks.files.columns import LETTERS
from calib.tasks.files.values import NO, YES, shown

LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
INDEX = re.compile(r"(0|[1-9][0-9]{0,5})(\.0)?")

WRITTEN = {"1": True, "0": False, "true": True, "false": False}
"""Answers that may stand for a truth value where the options are a true and a false one."""


def read_answer(
    answer: str, options: Sequence[str], where: str, first: int = 0, truth: bool = True
) -> int:
    """The index of the option that ``answer`` means: its letter, its text or its 0-based index.

    ``first`` is the number of the first option where the file's columns number them, ``truth``
    whether 1 and 0 may be truth values. Raises
    InputError where the answer means none, or where two readings name different options; then it
    says how to write each of them so that it can be read in one way only.
    """
    readings = [
        (how, index)
        for how, index in readings_of(answer, options, first)
        if truth or how != BY_TRUTH
    ]
    meant = {index for _, index in readings}
    if not readings:
        raise InputError(f"{where}: answer {shown(answer)} is {none_of(answer, options)}")
    if len(meant) > 1:
        ways = " and ".join(f"{shown(options[index])} ({how})" for how, index in readings)
        clear = " or ".join(
            f"{clear_form(i, options, first)} where {shown(options[i])} is meant"
            for i in sorted(meant)
        )
        column = "answer_index where it holds 0-based indices"
        if any(how == BY_LETTER for how, _ in readings):
            column = "answer_letter where it holds letters, " + column
        raise InputError(
            f"{where}: answer {shown(answer)} can be read as {ways}; write {clear}, or name the "
            f"column {column}"
        )
    return meant.pop()


def none_of(answer: str, options: Sequence[str]) -> str:
    """What is said of an answer that names no option."""
    text, count = answer.strip(), f"but there are {len(options)} options {shown(list(options))}"
    letter, index = LETTER.fullmatch(text), INDEX.fullmatch(text)
    if letter:
        return (
            f"neither a text of the options nor one of their letters: letter {letter[1]}, {count}"
        )
    if index:
        return f"neither a text of the options nor one of their 0-based indices, {count}"
    return (
        f"neither a letter, nor a text, nor a 0-based index of the options {shown(list(options))}"
    )


def labelled(answer: str, labels: Sequence[str], where: str) -> int:
    """The index of the option whose label ``answer`` is, where a file labels its options itself."""
    if answer.strip() not in labels:
        raise InputError(
            f"{where}: answer {shown(answer)} is not among the labels {shown(list(labels))}"
        )
    return labels.index(answer.strip())


def lettered(letter: str, options: Sequence[str], where: str) -> int:
    """The index of the option that a letter names, and nothing else."""
    index = index_of_letter(letter.strip(), options)
    if index is None:
        raise InputError(
            f"{where}: expected the letter of one of {len(options)} options, got {shown(letter)}"
        )
    return index


def index_of_letter(text: str, options: Sequence[str]) -> int | None:
    letter = LETTER.fullmatch(text)
    index = LETTERS.index(letter[1].upper()) if letter else len(options)
    return index if index < len(options) else None


BY_LETTER, BY_TEXT, BY_INDEX = "by its letter", "by its text", "by its index"
BY_NUMBER, BY_TRUTH = "by its column's number", "as a truth value"


def readings_of(answer: str, options: Sequence[str], first: int = 0) -> list[tuple[str, int]]:
    """Every way to read ``answer``, and the index of the option that it gives."""
    text = answer.strip()
    readings = []
    letter = index_of_letter(text, options)
    if letter is not None:
        readings.append((BY_LETTER, letter))
    number = INDEX.fullmatch(text)
    texts = with_text(text, options)
    if number and number[2] and not texts:  # tables write 1.0 for 1
        text = number[1]
        texts = with_text(text, options)
    readings += [(BY_TEXT, index) for index in texts]
    if number and text == number[1]:
        if int(text) < len(options):
            readings.append((BY_INDEX, int(text)))
        if first and first <= int(text) < len(options) + first:
            readings.append((BY_NUMBER, int(text) - first))
    truth = WRITTEN.get(text.casefold())
    if truth is not None and is_truth(options):
        words = YES if truth else NO
        readings += [(BY_TRUTH, i) for i, option in enumerate(options) if folded(option) in words]
    return readings


def with_text(text: str, options: Sequence[str]) -> list[int]:
    """The options that are ``text``: as it is written, else without regard to case."""
    alike = [i for i, option in enumerate(options) if folded(option) == text.casefold()]
    return [i for i in alike if options[i].strip() == text] or alike


def folded(option: str) -> str:
    return option.strip().casefold()


def is_truth(options: Sequence[str]) -> bool:
    """Whether the options are a word for true and one for false, in either order."""
    words = {folded(option) for option in options}
    return len(options) == 2 and len(words & YES) == 1 and len(words & NO) == 1


def clear_form(index: int, options: Sequence[str], first: int = 0) -> str:
    """How to write the answer ``index`` so that there is one reading."""
    for form in forms(index, options):
        if [i for _, i in readings_of(form, options, first)] == [index]:
            return shown(form)
    return f"{index} in a column answer_index"


def forms(index: int, options: Sequence[str]) -> Iterator[str]:
    if is_truth(options):
        yield options[index]
    if index < len(LETTERS):
        yield from (LETTERS[index], f"({LETTERS[index]})", f"{LETTERS[index]}.")
    yield from (options[index], str(index))
