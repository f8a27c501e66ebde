"""Which option a file's answer means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from calib.records import InputError
from calib.task_files.columns import LETTERS
from calib.task_files.values import shown

LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
INDEX = re.compile(r"0|[1-9][0-9]{0,5}")


def read_answer(answer: str, options: Sequence[str], where: str) -> int:
    """The index of the option that ``answer`` means: its letter, its text or its 0-based index.

    Raises InputError where it means none, or where two readings name different options; then it
    says how to write each of them so that it can be read in one way only.
    """
    readings = readings_of(answer, options)
    meant = {index for _, index in readings}
    if not readings:
        raise InputError(
            f"{where}: answer {shown(answer)} is neither a letter, nor a text, nor a 0-based index "
            f"of the options {shown(list(options))}"
        )
    if len(meant) > 1:
        ways = " and ".join(f"{shown(options[index])} ({how})" for how, index in readings)
        clear = " or ".join(
            f"{clear_form(i, options)} where {shown(options[i])} is meant" for i in sorted(meant)
        )
        raise InputError(
            f"{where}: answer {shown(answer)} can be read as {ways}; write {clear}, or name the "
            "column answer_index where it holds 0-based indices"
        )
    return meant.pop()


def labelled(answer: str, labels: Sequence[str], where: str) -> int:
    """The index of the option whose label ``answer`` is, where a file labels its options itself."""
    if answer.strip() not in labels:
        raise InputError(
            f"{where}: answer {shown(answer)} is not among the labels {shown(list(labels))}"
        )
    return labels.index(answer.strip())


def readings_of(answer: str, options: Sequence[str]) -> list[tuple[str, int]]:
    """Every way to read ``answer``, and the index of the option that it gives."""
    text = answer.strip()
    readings = []
    letter = LETTER.fullmatch(text)
    if letter and LETTERS.index(letter[1].upper()) < len(options):
        readings.append(("by its letter", LETTERS.index(letter[1].upper())))
    folded = [i for i, option in enumerate(options) if option.strip().casefold() == text.casefold()]
    exact = [i for i in folded if options[i].strip() == text]
    readings += [("by its text", index) for index in exact or folded]
    if INDEX.fullmatch(text) and int(text) < len(options):
        readings.append(("by its index", int(text)))
    return readings


def clear_form(index: int, options: Sequence[str]) -> str:
    """How to write the answer ``index`` so that there is one reading."""
    for form in forms(index, options[index]):
        if [i for _, i in readings_of(form, options)] == [index]:
            return shown(form)
    return f"{index} in a column answer_index"


def forms(index: int, option: str) -> Iterator[str]:
    if index < len(LETTERS):
        yield from (LETTERS[index], f"({LETTERS[index]})", f"{LETTERS[index]}.")
    yield from (option, str(index))
