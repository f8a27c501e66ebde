"""System One's questions: their options and the one that a label means.

``noul``    a statement that is true or false: the options are yes and no.
``choice``  the options are the keys of ``criteria``, each with its description or null.
``score``   the options are the levels that ``criteria`` lists, the lowest first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calib.records import InputError
from calib.tasks.files.notes import Notes
from calib.tasks.files.values import shown

TYPES = ("noul", "choice", "score")
FIELDS = {"type", "instructions", "criteria"}
NOUL = {"true": "yes", "false": "no"}
SOFT = "shares of soft labels (the largest counts as the right answer)"


@dataclass(frozen=True, slots=True)
class Decision:
    """One question: ``keys`` are the options' own names, ``texts`` what a model is shown."""

    type: str
    instructions: str
    keys: tuple[str, ...]
    texts: tuple[str, ...]
    spellings: tuple[tuple[str, ...], ...] | None


def decision_of(question: Any, where: str) -> Decision:
    """A question of the wire format. InputError names what in it is not so."""
    if not isinstance(question, Mapping) or question.get("type") not in TYPES:
        raise InputError(
            f"{where}: expected a question of type {', '.join(TYPES)}, got {shown(question)}"
        )
    unknown = sorted(set(question) - FIELDS)
    if unknown:
        raise InputError(f"{where}: a question has {', '.join(sorted(FIELDS))}, not {unknown[0]!r}")
    kind, criteria = question["type"], question.get("criteria")
    instructions = readable(question.get("instructions"))
    if not instructions.strip():
        raise InputError(f"{where}: instructions are missing, and they are the question")
    if kind == "score":
        if not isinstance(criteria, list) or len(criteria) < 2:
            raise InputError(
                f"{where}: criteria: expected a list of two or more levels, got {shown(criteria)}"
            )
        levels = tuple(map(readable, criteria))
        return Decision(kind, instructions, tuple(map(str, range(len(levels)))), levels, None)
    if kind == "noul":
        criteria = criteria or {}
        if not isinstance(criteria, Mapping) or not set(criteria) <= set(NOUL):
            raise InputError(
                f"{where}: criteria: expected descriptions of true and false, got {shown(criteria)}"
            )
        described = {name: criteria.get(key) for key, name in NOUL.items()}
        keys = tuple(NOUL)
    else:
        if not isinstance(criteria, Mapping) or len(criteria) < 2:
            raise InputError(
                f"{where}: criteria: expected an object of two or more options, got "
                f"{shown(criteria)}"
            )
        described, keys = dict(criteria), tuple(criteria)
    texts = tuple(
        name if description in (None, "") else f"{name}: {readable(description)}"
        for name, description in described.items()
    )
    names = tuple((name,) for name in described)
    return Decision(kind, instructions, keys, texts, names if texts != tuple(described) else None)


def label_index(label: Any, decision: Decision, where: str, notes: Notes) -> int:
    """The index of the option that a label means.

    A label is the option's key (a truth value or yes and no for noul, a level's number for score),
    an answer of the wire format, {"label": ...}, or each option's share, of which the largest
    counts. Raises InputError for what is none of these, and where two shares are the largest.
    """
    if isinstance(label, Mapping):
        for name in ("label", *TYPES):
            if name in label and name not in decision.keys:
                return label_index(label[name], decision, where, notes)
        nested = [label[name] for name in ("probabilities", "probs") if name in label]
        return largest(nested[0] if nested else label, decision, where, notes)
    if isinstance(label, (int, float)) and not isinstance(label, bool):
        if decision.type == "noul" and 0 <= label <= 1:
            return largest({"true": label, "false": 1 - label}, decision, where, notes)
        if decision.type == "score" and label in range(len(decision.keys)):
            return int(label)
    key = key_of(label, decision)
    if key is None:
        raise InputError(f"{where}: label {shown(label)} is none of {shown(list(decision.keys))}")
    return decision.keys.index(key)


def key_of(label: Any, decision: Decision) -> str | None:
    text = label if isinstance(label, str) else None
    if decision.type == "noul":
        text = str(label).casefold() if isinstance(label, (bool, str)) else None
        text = {name: key for key, name in NOUL.items()}.get(text or "", text)
    if decision.type == "score" and decision.texts.count(text or "") == 1:
        return decision.keys[decision.texts.index(text or "")]
    return text if text in decision.keys else None


def largest(shares: Any, decision: Decision, where: str, notes: Notes) -> int:
    """The option with the largest share; what is lost with the others is noted."""
    read: dict[str, float] = {}
    for name, share in shares.items() if isinstance(shares, Mapping) else ():
        key = key_of(name, decision)
        if key is None or not is_share(share):
            raise InputError(
                f"{where}: expected shares of {shown(list(decision.keys))}, got {shown(shares)}"
            )
        read[key] = float(share)
    top = max(read.values(), default=0.0)
    best = [key for key, share in read.items() if share == top]
    if len(best) != 1 or not top > 0:
        raise InputError(f"{where}: expected a label with one largest share, got {shown(shares)}")
    if sum(share > 0 for share in read.values()) > 1:
        notes.add(SOFT, where)
    return decision.keys.index(best[0])


def is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def readable(value: Any) -> str:
    """A text as it is, anything else as JSON; nothing for null."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, indent=2)
