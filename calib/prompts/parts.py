"""The parts of a prompt that can be worded otherwise, a line each in ``PARTS``.

``reworded`` gives a task one wording of a part; ``calib.tasks.prompts`` shows it to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from calib.fields import read_object
from calib.idk.arms import PERMISSION
from calib.idk.arms import worded as in_template
from calib.records import InputError, Item
from calib.runs.kinds import RESULTS
from calib.tasks import Task
from calib.tasks.prompts import FORMS, request

FORMAT = "calib.prompts/1"
OF_ANSWERS = ("truthful", "admit_rate", "over_refusal", "answered_accuracy")
"""The rates of answers whose differences are tested."""
LONGEST = 4_000
"""Characters of a wording."""


@dataclass(frozen=True, slots=True)
class Part:
    """``apply`` gives an item the wording; ``seeds`` are those a search begins with, of a form and
    the items that it asks."""

    about: str
    apply: Callable[[Item, str], Item]
    seeds: Callable[[str, Iterable[Item]], tuple[str, ...]]
    request: bool = False  # the form's request gives way to it


def with_meta(name: str) -> Callable[[Item, str], Item]:
    return lambda item, text: replace(item, meta={**item.meta, name: text})


def requests(form: str, items: Iterable[Item]) -> tuple[str, ...]:
    """The request that all questions have, or else the form's own."""
    own = {request(item, FORMS[form]) for item in items}
    return tuple(own) if len(own) == 1 else (FORMS[form].ask,)


PARTS: dict[str, Part] = {
    "cue": Part(
        "what leads to the answer, behind the question",
        with_meta("cue"),
        lambda form, items: ("The answer might be", "The answer must be"),
    ),
    "instruction": Part(
        "the request behind the question", with_meta("instruction"), requests, request=True
    ),
    "system": Part(
        "the system prompt of a chat",
        with_meta("system"),
        lambda form, items: (
            "You are a helpful assistant.",
            "You answer questions, and you are as sure of an answer as it deserves.",
        ),
    ),
    "permission": Part(
        'the template around a question, which may allow "I don\'t know"',
        in_template,
        lambda form, items: (PERMISSION,),
    ),
}


def reworded(task: Task, part: str, text: str) -> Task:
    """``task`` with ``part``, a key of ``PARTS``, worded as ``text`` in every question.

    Raises InputError for a part or a wording that is none.
    """
    checked(part, text)
    apply = PARTS[part].apply
    return replace(task, items=tuple(apply(item, text) for item in task.items))


def refuse_fixed(part: str, form: str) -> None:
    """InputError where a prompt form has no place for a wording of the part."""
    if FORMS[form].typed:
        raise InputError(f"part {part!r}: every word of prompt {form} is the pipeline's own")
    if PARTS[part].request and FORMS[form].fixed:
        raise InputError(f"part {part!r}: prompt {form} words its request itself")


def checked(part: str, text: str) -> str:
    """The wording without white space around it; InputError where it is none."""
    if part not in PARTS:
        raise InputError(f"part {part!r}: expected one of {', '.join(PARTS)}")
    fault = fault_of(part, text)
    if fault:
        raise InputError(f"{part}: {fault}, got {str(text)[:80]!r}")
    return text.strip()


def fault_of(part: str, text: Any) -> str:
    """Why a text is no wording of a part; "" where it is one."""
    if not isinstance(text, str) or not text.strip():
        return "expected a text"
    if len(text) > LONGEST:
        return f"expected at most {LONGEST:,} characters"
    if not text.isprintable() and any(0xD800 <= ord(c) <= 0xDFFF or c == "\0" for c in text):
        return "expected characters alone"
    if part == "permission" and "{question}" not in text:
        return "expected {question} in it"
    return ""


def wording_of(argument: str) -> tuple[str, str]:
    """(part, text) of ``part=text``, or of a search's folder, whose winner it is.

    Raises InputError for another argument.
    """
    part, equals, text = argument.partition("=")
    if equals and part in PARTS:
        return part, checked(part, text)
    path = Path(argument) / RESULTS
    if not path.is_file():
        raise InputError(
            f"--wording {argument!r}: expected part=text with one of {', '.join(PARTS)}, or the "
            "folder of a finished calib prompts"
        )
    found: Mapping[str, Any] = read_object(path)
    if found.get("format") != FORMAT or not isinstance(found.get("winner"), str):
        raise InputError(f"{path}: this is not the result of calib prompts")
    return str(found["part"]), checked(str(found["part"]), found["winner"])
