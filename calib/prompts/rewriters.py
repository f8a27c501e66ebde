"""Rewriters: a text in, other wordings of it out. Any callable ``str -> list[str]`` is one.

``Synonyms`` is deterministic: one edit at a time, from lists of phrases that can stand for each
other and of openings. ``ByModel`` asks a language model, seeded by the text.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from calib.models.protocol import Answering, Model, Sampling
from calib.records import InputError, Item

Rewriter = Callable[[str], list[str]]

DETERMINED, ADDRESSED = r"\b(the|my|only|one)\s$", r"\byou\s$"
PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("might be", "must be", "is", "could be", "should be", "is probably", "is likely",
          "is certainly", "has to be", "seems to be", "appears to be", "may well be")),
    (DETERMINED, ("answer", "correct answer", "right answer", "best answer", "correct option",
                  "right choice", "best choice", "most plausible answer", "most likely answer",
                  "solution")),
    ("", ("the", "my", "the only", "one")),
    ("", ("reply with", "answer with", "respond with", "give only", "write only", "name")),
    ("", ("only reply with", "simply reply", "say only", "just answer", "honestly say")),
    (ADDRESSED, ("don't know", "do not know", "are not sure of", "are unsure about",
                 "cannot tell")),
    ("", ("following question", "question below", "next question")),
    ("", ("directly", "and nothing else", "at once", "without explanation")),
    ("", ("please", "kindly")),
    ("", ("helpful", "careful", "honest", "precise", "well-calibrated")),
    ("", ("sure", "confident", "certain")),
)  # fmt: skip
"""Each may be put in another's place of its line, where what stands before matches the pattern."""
OPENINGS = (
    "So", "Therefore", "In my view", "All things considered", "After careful thought",
    "On reflection", "As far as I can tell", "I am sure that", "I am fairly sure that",
    "I am not sure, but", "It is hard to say, but", "If I had to guess", "Without any doubt",
    "Weighing every option", "To be honest",
)  # fmt: skip
"""Each may stand before a statement that has none."""
ADVICE = (
    "Think carefully.", "Be honest.", "Take your time.", "Be precise.", "Weigh every possibility.",
    "Do not guess.", "Be as sure as you have reason to be.",
)  # fmt: skip
"""Each may stand before a request that has none."""
STATEMENT = re.compile(r"(the|my|the only|it|this|one)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Synonyms:
    """Every text that differs from the given one by an exchanged phrase or an opening, in an order
    that ``seed`` and the text decide."""

    seed: int = 0

    def __call__(self, text: str) -> list[str]:
        found = list(dict.fromkeys(edit for edit in edits(text) if edit != text))
        random.Random(f"{self.seed}\0{text}").shuffle(found)
        return found


def edits(text: str) -> Iterator[str]:
    opening = next((o for o in (*OPENINGS, *ADVICE) if text.startswith(o)), None)
    rest = text if opening is None else text[len(opening) :].lstrip(" ,")
    stated = STATEMENT.match(rest) is not None
    for other in OPENINGS if stated else ADVICE:
        yield joined(other, rest) if stated else f"{other} {capital(rest)}"
    if opening is not None:
        yield capital(rest)
    for before, line in PHRASES:
        pattern = "|".join(rf"\b{re.escape(phrase)}\b" for phrase in longest_first(line))
        for place in re.finditer(pattern, text, re.IGNORECASE):
            if not re.search(before, text[: place.start()]) or is_within_braces(text, place):
                continue
            for phrase in line:
                if phrase.casefold() != place.group().casefold():
                    put = capital(phrase) if place.group()[:1].isupper() else phrase
                    yield text[: place.start()] + put + text[place.end() :]


def is_within_braces(text: str, place: re.Match[str]) -> bool:
    """Whether it is the name of what a template takes."""
    return text[: place.start()].endswith("{") and text[place.end() :].startswith("}")


def longest_first(line: tuple[str, ...]) -> list[str]:
    return sorted(line, key=lambda phrase: -len(phrase))


def joined(opening: str, rest: str) -> str:
    first = rest[:1] if rest[:2].isupper() or rest[:2] in ("I ", "I'") else rest[:1].lower()
    comma = "" if opening.endswith((" that", ", but")) else ","
    return f"{opening}{comma} {first}{rest[1:]}"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class ByModel:
    """``count`` paraphrases by ``model``, each an answer of its own to the same request."""

    model: Model
    count: int = 10
    temperature: float = 0.7
    top_p: float = 0.95
    seed: int = 0

    def __call__(self, text: str) -> list[str]:
        name = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        ask = f"Say this in other words, in one sentence, and write nothing else: {text}"
        item = Item(name, ask, meta={"instruction": "Write only the new sentence."})
        sampling = Sampling(
            self.count, self.temperature, top_p=self.top_p, max_new_tokens=64, seed=self.seed
        )
        plan = self.model.answers([item], Answering("options", sampling))
        ((_, answers),) = plan.run([0], self.count, 0)
        said = (one_line(answer.text) for answer in answers)
        return list(dict.fromkeys(line for line in said if line))


def one_line(text: str) -> str:
    """The first line of an answer that says something, without the quotes around it."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line.strip("\"'“”‘’").strip()


def rewriter_of(name: str, model: Model, seed: int) -> Rewriter:
    """``synonyms``, or ``model``: the model that is searched for. InputError for another name."""
    if name == "synonyms":
        return Synonyms(seed)
    if name == "model":
        return ByModel(model, seed=seed)
    raise InputError(f"rewriter {name!r}: expected synonyms or model")
