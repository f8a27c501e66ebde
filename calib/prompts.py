"""Prompt forms: an item in, the text a model is shown and the texts that count as each option out.

``options``  the option texts themselves are scored as the answer.
``letters``  options are listed as (A), (B), ...; the letters are scored.
``llava``    LLaVA's wording of the lettered form.
``paper``    the wording of the published code (hfutml/Calibration-MLLM): plain completion without
             a chat template, ending in "Answer: (".
``reason``   options are listed and reasoning is asked for; an item that holds its reasoning is
             shown as this question and that reply, and the options stand after an answer cue.
``verbalized`` options are listed where there are some, and an answer is asked for with a statement
             of how sure the model is of it (see ``calib.measures.verbalized``).
"""

from __future__ import annotations

from collections.abc import Callable

from calib.records import InputError, Item, Prompt
from calib.task_files import LETTERS

ASK_FOR_TEXT = "Answer with one word or a short phrase."
ASK_FOR_LETTER = "Answer with the option's letter."
ASK_FOR_REASONS = "Think step by step, then answer."
ASK_FOR_CONFIDENCE = (
    "After the answer, on a line of its own, state how sure you are that it is right, in percent, "
    "as: Confidence: N%"
)


def build(item: Item, form: str, *, chat: bool = True, variants: bool = False) -> Prompt:
    """The prompt of ``item`` in ``form``.

    ``chat``: the model has a chat template; without one the text ends in an answer cue, and an
    answer begins with a space. ``variants``: capitalised and spaced spellings count too. An item
    with ``meta["reasoning"]`` is asked for it, and its options stand after it in any form.
    """
    if form not in FORMS:
        raise InputError(f"prompt {form!r}: expected one of {', '.join(FORMS)}")
    if form != "options" and len(item.options) > len(LETTERS):
        raise InputError(f"item {item.id!r}: {len(item.options)} options are more than letters")
    text, spellings, chat_form = FORMS[form](item)
    begun = ""
    reasoning = item.meta.get("reasoning")
    if reasoning is not None:
        text, begun = of_reasons(item)[0], f"{str(reasoning).strip()}\nThe answer is"
        chat_form = True
    if chat_form and not chat:
        text += "\nAnswer:"
    if chat_form and (begun or not chat):
        spellings = tuple(tuple(f" {s}" for s in option) for option in spellings)
    if variants:
        spellings = tuple(with_variants(option) for option in spellings)
    thoughts = item.meta.get("thinking")
    return Prompt(text, item.images, spellings, chat and chat_form, begun, thoughts)


Spellings = tuple[tuple[str, ...], ...]


def of_texts(item: Item) -> tuple[str, Spellings, bool]:
    spelled = item.meta.get("spellings") or tuple((option,) for option in item.options)
    if len(spelled) != len(item.options):
        raise InputError(
            f"item {item.id!r}: spellings of {len(spelled)} options, but there are "
            f"{len(item.options)}"
        )
    return f"{item.question}\n{item.meta.get('instruction', ASK_FOR_TEXT)}", spelled, True


def of_letters(item: Item) -> tuple[str, Spellings, bool]:
    return f"{item.question}\n{listed(item, '({}) {}')}\n{ASK_FOR_LETTER}", letters(item), True


def of_llava(item: Item) -> tuple[str, Spellings, bool]:
    ask = "Answer with the option's letter from the given choices directly."
    return f"{item.question}\n{listed(item, '{}. {}')}\n{ask}", letters(item), True


def of_paper(item: Item) -> tuple[str, Spellings, bool]:
    ask = "Please provide the option letter directly.\nAnswer: ("
    return f"{item.question}\n{listed(item, '({}) {}')}\n{ask}", letters(item), False


def of_reasons(item: Item) -> tuple[str, Spellings, bool]:
    lines = [item.question, *([listed(item, "({}) {}")] if item.options else []), ASK_FOR_REASONS]
    return "\n".join(lines), letters(item), True


def of_stated(item: Item) -> tuple[str, Spellings, bool]:
    instruction = item.meta.get("instruction", ASK_FOR_LETTER if item.options else ASK_FOR_TEXT)
    lines = [item.question, *([listed(item, "({}) {}")] if item.options else []), instruction]
    return "\n".join([*lines, ASK_FOR_CONFIDENCE]), letters(item), True


FORMS: dict[str, Callable[[Item], tuple[str, Spellings, bool]]] = {
    "options": of_texts,
    "letters": of_letters,
    "llava": of_llava,
    "paper": of_paper,
    "reason": of_reasons,
    "verbalized": of_stated,
}


def listed(item: Item, line: str) -> str:
    return "\n".join(map(line.format, LETTERS, item.options))


def letters(item: Item) -> Spellings:
    return tuple((LETTERS[index],) for index in range(len(item.options)))


def with_variants(spellings: tuple[str, ...]) -> tuple[str, ...]:
    """Each spelling, capitalised, in lower case where it is one letter, and after a space."""
    found: dict[str, None] = {}
    for spelling in spellings:
        base = spelling.strip()
        cases = [spelling, base, base[:1].upper() + base[1:]]
        if len(base) == 1:
            cases.append(base.lower())
        for case in cases:
            found[case] = None
            found[f" {case.strip()}"] = None
    return tuple(found)
