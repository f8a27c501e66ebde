"""Values of JSON, checked, and how messages show them."""

from __future__ import annotations

import ast
import io
import json
import math
import re
import reprlib
import sys
import tokenize
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calib.records import InputError

ESCAPED = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
"""Escapes that may stand for what is no character of a text."""

SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 80
SHORT.maxlist = SHORT.maxtuple = 12
SHORT.maxdict, SHORT.maxlevel = 4, 3


def shown(value: Any) -> str:
    """``value`` as a message shows it: some 80 characters of a text, a dozen of a list."""
    try:
        return SHORT.repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return f"a value of type {type(value).__name__}"


class Number(float):
    """A number of JSON that keeps its digits: 0.50 as an option is the text "0.50"."""

    __slots__ = ("digits",)

    def __new__(cls, digits: str) -> Number:
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    digits: str


class DoubledKey(ValueError):
    """An object of JSON has a key twice."""


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of ``pairs``. Raises DoubledKey, which JSON's readers commonly pass over."""
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = set()
        for key, _ in pairs:
            if key in keys:
                raise DoubledKey(key)
            keys.add(key)
    return row


DECODER = json.JSONDecoder(object_pairs_hook=unique, parse_float=Number)


def parse(text: str, where: str) -> Any:
    """The value that ``text`` is in JSON.

    Raises InputError, which begins with ``where``, for what is no JSON or cannot be kept: a key
    given twice in one object, half a surrogate pair, NUL, numbers of thousands of digits.
    """
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: this is not JSON ({place_of(error)})") from error
    except DoubledKey as error:
        raise InputError(
            f"{where}: the key {shown(str(error))} appears twice in one object"
        ) from error
    except RecursionError as error:
        raise InputError(f"{where}: lists or objects are nested too deeply to be read") from error
    except ValueError as error:
        raise InputError(
            f"{where}: a number has more than {sys.get_int_max_str_digits():,} digits; write it in "
            "quotes, as text"
        ) from error
    if ESCAPED.search(text):
        for name, part in texts_in(value):
            flaw = flaw_of(part)
            if flaw:
                raise InputError(f"{where}: {shown(name)} {flaw}")
    return value


def place_of(error: json.JSONDecodeError) -> str:
    """What is wrong, where, and what stands there; one line."""
    reason = error.msg
    if reason == "Extra data":
        reason = "a second value begins behind the first"
    elif error.doc[: error.pos].rstrip().endswith(",") and error.doc[error.pos :][:1] in ("}", "]"):
        reason = "a comma stands before the end"
    line = f"line {error.lineno}, " if "\n" in error.doc.strip() else ""
    before, after = error.doc[max(0, error.pos - 20) : error.pos], error.doc[error.pos :][:20]
    near = f", between {before!r} and {after!r}" if after else f", at the end, after {before!r}"
    return f"{reason}: {line}column {error.colno}{near}"


def texts_in(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in ``value``, keys too, each with the outermost name that it stands under."""
    parts = deque([("the value", value)])
    while parts:
        name, part = parts.popleft()
        if isinstance(part, str):
            yield name, part
        elif isinstance(part, Mapping):
            for key, inner in part.items():
                yield key, key
                parts.append((key if part is value else name, inner))
        elif isinstance(part, Sequence):
            parts += [(name, inner) for inner in part]


def flaw_of(text: str) -> str | None:
    """Why no tokenizer and no file name could take ``text``; None where they can."""
    if "\0" in text:
        return "holds a NUL character (\\u0000), which no text has"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = ord(text[error.start])
            return f"holds half of a surrogate pair (\\u{half:04x}), which stands for no character"
    return None


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected an object with named fields, got {shown(value)}")
    return value


def is_null(value: Any) -> bool:
    """JSON's null, and NaN, which tables write for it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_absent(value: Any) -> bool:
    """Whether a column says nothing here: null, NaN, white space, a list of nothing."""
    if isinstance(value, str):
        return not value or value.isspace()
    if isinstance(value, (list, tuple)):
        return all(map(is_null, value))
    return is_null(value) or value == {}


def text_in(value: Any, where: str) -> str:
    """A text; a number or truth value as JSON writes it. InputError for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return value.digits if isinstance(value, Number) else repr(value)
    if isinstance(value, int):
        return str(value)
    raise InputError(f"{where}: expected text, got {shown(value)}")


def list_in(value: Any, where: str) -> list[Any]:
    """A list less the nulls that pad its end. InputError for a null elsewhere."""
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{where}: expected a list, got {shown(value)}")
    end = len(value)
    while end and is_null(value[end - 1]):
        end -= 1
    for place, part in enumerate(value[:end]):
        if is_null(part):
            raise InputError(
                f"{where}: entry {place} of {shown(value)} is null; leave it out, or write a text"
            )
    return list(value[:end])


def texts_of(value: Any, where: str) -> tuple[str, ...]:
    """One text or a list of them."""
    parts = list_in(value, where) if isinstance(value, (list, tuple)) else [value]
    return tuple(text_in(part, where) for part in parts)


LONGEST_LIST = 1_000_000  # characters


def python_texts(text: str) -> list[str] | None:
    """The texts of a list that Python wrote, ``['a', "b"]``; None for anything else.

    Two texts without a comma between them, as numpy writes them, are none.
    """
    if len(text) > LONGEST_LIST or not text.strip().startswith("["):
        return None
    try:
        marks = [
            mark
            for mark in tokenize.generate_tokens(io.StringIO(text.strip()).readline)
            if mark.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER)
        ]
        if len(marks) < 3 or (marks[0].string, marks[-1].string) != ("[", "]"):
            return None
        parts = marks[1:-1]
        if any(mark.string != "," for mark in parts[1::2]):
            return None
        if any(mark.type != tokenize.STRING for mark in parts[::2]):
            return None
        values = [ast.literal_eval(mark.string) for mark in parts[::2]]
    except (tokenize.TokenError, SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    return (
        values if all(isinstance(value, str) and not flaw_of(value) for value in values) else None
    )


YES = {"true", "yes", "y", "t", "correct", "right", "ja", "wahr", "richtig", "oui", "vrai", "sí"}
YES |= {"si", "sì", "verdadero", "vero", "sim", "verdadeiro", "waar"}
NO = {"false", "no", "n", "f", "incorrect", "wrong", "nein", "falsch", "non", "faux", "falso"}
NO |= {"não", "nee", "onwaar"}
"""Words for a truth value."""

TRUTHS = dict.fromkeys(("1", "1.0", *YES), True) | dict.fromkeys(("0", "0.0", *NO), False)


def truth_in(value: Any, where: str) -> bool:
    """true or false, as JSON, a spreadsheet or a person writes it. InputError for all else."""
    try:
        return TRUTHS[text_in(value, where).strip().casefold()]
    except (KeyError, InputError):
        raise InputError(f"{where}: expected true or false, got {shown(value)}") from None


def index_in(value: Any, where: str) -> int:
    """A whole number from 0 on; 1.0, as tables write 1, too. InputError for all else."""
    text = text_in(value, where).strip().removesuffix(".0")
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InputError(f"{where}: expected the 0-based index of an option, got {shown(value)}")
    return int(text)
