"""Prompt forms: an item in, the text a model is shown and the texts that count as each option out.

``FORMS`` has them, each with what it is in a sentence. ``paper`` has the wording of the published
code (hfutml/Calibration-MLLM). In ``reason`` an item that holds its reasoning is shown as this
question and that reply, and the options stand after an answer cue. What an answer in ``verbalized``
states is read by ``calib.uncertainty.measures.verbalized``.

In every form but ``decision`` (``calib.tasks.decision_prompt``) an item's lecture, context and hint
stand before its question, and the turns before those. An item without options is asked for its
answer in words. An item's cue is the beginning of the reply, or of what is to be completed; its
system prompt is the chat's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from calib.records import InputError, Item, Prompt
from calib.tasks.decision_prompt import decision_prompt
from calib.tasks.files import LETTERS
from calib.tasks.files.checks import alike

ASK_FOR_TEXT = "Answer with one word or a short phrase."
ASK_FOR_LETTER = "Answer with the option's letter."
ASK_FOR_REASONS = "Think step by step, then answer."
ASK_FOR_CONFIDENCE = (
    "After the answer, on a line of its own, state how sure you are that it is right, in percent, "
    "as: Confidence: N%"
)


@dataclass(frozen=True, slots=True)
class Form:
    """How options are listed, what is asked for, and what counts as an option."""

    about: str  # a sentence, for whoever chooses among the forms
    ask: str
    line: str = ""  # a listed option, of its letter and its text; "": options are not shown
    head: str = ""  # the line above them
    behind: str = ""  # what stands behind the request, whoever words it
    letters: bool = True  # letters are scored; else texts
    words: bool = False  # an answer in words is welcome: ``ask_for_text`` words the request
    fixed: bool = False  # the request is the form's point: an item's own does not replace it
    chat: bool = True  # a turn of a chat; else a text to be completed
    orders: bool = False  # an answer is a letter alone: options may be listed in any order
    opening: str = ":"  # what stands between a cue and the answer
    typed: bool = False  # of questions that have a type, as a pipeline of transformers asks them


FORMS = {
    "letters": Form(
        "The options are listed as (A), (B), ...; their letters are scored.",
        ASK_FOR_LETTER,
        "({}) {}",
        orders=True,
        opening=": (",
    ),
    "llava": Form(
        "As letters, in LLaVA's own words.",
        "Answer with the option's letter from the given choices directly.",
        "{}. {}",
        orders=True,
    ),
    "listed": Form(
        "The options are listed without letters; their texts are scored.",
        "Answer with the text of one option.",
        "{1}",
        "Options:",
        letters=False,
        words=True,
    ),
    "options": Form(
        "The options are not shown; their texts are scored.",
        ASK_FOR_TEXT,
        letters=False,
        words=True,
    ),
    "paper": Form(
        'As letters, in the published code\'s words, to be completed after "Answer: (".',
        "Please provide the option letter directly.",
        "({}) {}",
        chat=False,
        orders=True,
        opening=": (",
    ),
    "reason": Form(
        "As letters, but the model is asked to think step by step first.",
        ASK_FOR_REASONS,
        "({}) {}",
        fixed=True,
        opening=": (",
    ),
    "verbalized": Form(
        "As letters, and the model is asked to state its confidence in percent.",
        ASK_FOR_LETTER,
        "({}) {}",
        behind=f"\n{ASK_FOR_CONFIDENCE}",
        words=True,
        opening=": (",
    ),
    "decision": Form(
        "System One's questions, in the words of transformers' decision pipeline.",
        "",
        fixed=True,
        typed=True,
    ),
}
PASSAGES = {"lecture": "Lecture", "context": "Context", "hint": "Hint"}
"""Keys of ``Item.meta`` that are shown before the question, in this order, behind these words."""

Spellings = tuple[tuple[str, ...], ...]


def build(item: Item, form: str, *, chat: bool = True, variants: bool = False) -> Prompt:
    """The prompt of ``item`` in ``form``.

    ``chat``: the model has a chat template; without one the text ends in an answer cue, an answer
    begins with a space, and earlier turns stand before the text. ``variants``: capitalised and
    spaced spellings count too. An item with ``meta["reasoning"]`` is asked for it, and its options
    stand after it in any form. Raises InputError, naming the item, for a form that it cannot be
    asked in and for an entry of ``meta`` of another type than ``calib.records.Item`` says.
    """
    if form not in FORMS:
        raise InputError(f"prompt {form!r}: expected one of {', '.join(FORMS)}")
    layout, reasoning = FORMS[form], item.meta.get("reasoning")
    if layout.typed:
        return decision_prompt(item, chat=chat, variants=variants)
    refuse_unlettered(item, form, layout.letters or reasoning is not None)
    if not layout.letters:
        refuse_alike(item, form)
    spellings = letters(item) if layout.letters else texts(item)
    turns, thoughts = turns_of(item), item.meta.get("thinking")
    layout = layout if reasoning is None else FORMS["reason"]
    chat = layout.chat and chat
    cue, begun, text = cue_of(item, layout), "", worded(item, layout)
    if reasoning is not None:
        begun = f"{str(reasoning).strip()}\n{cue or 'The answer is'}"
    elif chat:
        begun = cue
    if not chat:
        plain = "Answer:" if layout.chat else f"Answer{layout.opening}"
        text += f"\n{plain if reasoning is not None else cue or plain}"
    if not (begun or text).endswith("(") and (begun or not chat):
        spellings = tuple(tuple(f" {s}" for s in option) for option in spellings)
    if variants:
        spellings = tuple(with_variants(option) for option in spellings)
    if not chat:
        text, turns = "".join(f"{q}\nAnswer: {a}\n\n" for q, a in turns) + text, ()
    system = system_of(item, form, chat)
    return Prompt(text, item.images, spellings, chat, begun, thoughts, turns, system)


def check(items: Iterable[Item], form: str) -> None:
    """Raise InputError for the first item that cannot be asked in ``form``."""
    for item in items:
        build(item, form)


def worded(item: Item, form: Form) -> str:
    """The passages, the question, the options where they are shown, and the request."""
    lines = [question_of(item)]
    if item.options and form.line:
        lines += [form.head, listed(item, form.line)] if form.head else [listed(item, form.line)]
    return "\n".join([*lines, request(item, form) + form.behind])


def request(item: Item, form: Form) -> str:
    if form.fixed:
        return form.ask
    words = form.words or not item.options
    own = text_in(item, "instruction") or (text_in(item, "ask_for_text") if words else "")
    return own or (form.ask if item.options else ASK_FOR_TEXT)


def cue_of(item: Item, form: Form) -> str:
    """What leads to the answer, ``meta["cue"]``, up to where the answer begins; "" for none."""
    cue = text_in(item, "cue").rstrip(" :(")
    return f"{cue}{form.opening}" if cue else ""


def system_of(item: Item, form: str, chat: bool) -> str:
    """``meta["system"]``; InputError where there is no turn for it."""
    system = text_in(item, "system")
    if system and not chat:
        why = "this model has no chat template" if FORMS[form].chat else "it is completed as it is"
        raise InputError(f"item {item.id!r}: a system prompt has no place in prompt {form}: {why}")
    return system


def question_of(item: Item) -> str:
    """The question behind its lecture, context and hint, each on a line of its own."""
    passages = {word: text_in(item, name) for name, word in PASSAGES.items()}
    said = [f"{word}: {text}" for word, text in passages.items() if text]
    return "\n".join([*said, item.question])


def text_in(item: Item, name: str) -> str:
    """The text under ``name`` in an item's meta; "" where there is none."""
    value = item.meta.get(name)
    if value is not None and not isinstance(value, str):
        raise InputError(f"item {item.id!r}: {name}: expected a text, got {short(value)}")
    return (value or "").strip()


def turns_of(item: Item) -> tuple[tuple[str, str], ...]:
    """What was asked and answered before: ``meta["turns"]``."""
    value = item.meta.get("turns")
    turns = () if value is None else value
    if not isinstance(turns, (list, tuple)) or not all(
        isinstance(turn, (list, tuple)) and [type(text) for text in turn] == [str, str]
        for turn in turns
    ):
        raise InputError(
            f"item {item.id!r}: turns: expected pairs of a question and its answer, got "
            f"{short(value)}"
        )
    return tuple((question, answer) for question, answer in turns)


def texts(item: Item) -> Spellings:
    """The texts that count as each option: ``meta["spellings"]``, or the options themselves."""
    spelled = item.meta.get("spellings")
    if not spelled:
        return tuple((option,) for option in item.options)
    if not isinstance(spelled, (list, tuple)) or not all(
        isinstance(option, (list, tuple)) and option and all(isinstance(s, str) for s in option)
        for option in spelled
    ):
        raise InputError(
            f"item {item.id!r}: spellings: expected a list of texts for each option, got "
            f"{short(spelled)}"
        )
    if len(spelled) != len(item.options):
        raise InputError(
            f"item {item.id!r}: spellings of {len(spelled)} options, but there are "
            f"{len(item.options)}"
        )
    return tuple(map(tuple, spelled))


def refuse_unlettered(item: Item, form: str, needed: bool) -> None:
    if needed and len(item.options) > len(LETTERS):
        raise InputError(
            f"item {item.id!r}: {len(item.options)} options are more than letters; prompt listed "
            "shows options without them"
        )
    if not item.options and not FORMS[form].chat:
        raise InputError(f"item {item.id!r}: it has no options, and prompt {form} asks for one")


def refuse_alike(item: Item, form: str) -> None:
    if alike(item.options):
        raise InputError(
            f"item {item.id!r}: two of its options {short(list(item.options))} are the same text, "
            f"and prompt {form} scores texts; prompt letters tells them apart"
        )


def letters(item: Item) -> Spellings:
    return tuple((LETTERS[index],) for index in range(len(item.options)))


def listed(item: Item, line: str) -> str:
    """The options, a line each; ``line`` takes a letter, where there is one, and a text."""
    return "\n".join(map(line.format, LETTERS.ljust(len(item.options)), item.options))


def short(value: object) -> str:
    """A value as a message shows it."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def with_variants(spellings: tuple[str, ...]) -> tuple[str, ...]:
    """Each spelling, capitalised, in lower case where it is one letter, and after a space."""
    variants: dict[str, None] = {}
    for spelling in spellings:
        base = spelling.strip()
        cases = [spelling, base, base[:1].upper() + base[1:]]
        if len(base) == 1:
            cases.append(base.lower())
        for case in cases:
            variants[case] = None
            variants[f" {case.strip()}"] = None
    return tuple(variants)
