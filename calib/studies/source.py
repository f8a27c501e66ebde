"""A study's file: YAML whose every value knows its line, so that what is wrong is named there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from calib.fields import refuse_irregular, told
from calib.records import InputError

Place = tuple[str | int, ...]
"""The keys and numbers that lead to a value: ("steps", "scored", "score", "models", 0)."""
LARGEST = 1_000_000
"""Characters of a file; a study has a few thousand."""
TAGS = "tag:yaml.org,2002:"
WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
MOST_DIGITS = 18
WHOLE = re.compile(rf"[-+]?(0|[1-9][0-9]{{0,{MOST_DIGITS - 1}}})")
DIGITS = re.compile(r"[-+]?[0-9]+")
REAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=e))(e[-+]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Source:
    """What a file holds, and the line of each of its values."""

    path: Path
    content: Mapping[str, Any]
    lines: Mapping[Place, int]

    def refuse(self, place: Place, why: str) -> NoReturn:
        """Raise InputError at the line of ``place``, or of what holds it."""
        while place and place not in self.lines:
            place = place[:-1]
        raise InputError(f"{self.path}, line {self.lines.get(place, 1)}: {why}")

    def keys(self, place: Place, value: Any, what: str, known: Mapping[str, Any]) -> dict[str, Any]:
        """``value`` as a mapping whose keys are all among ``known``; ``what`` it is, in words."""
        if not isinstance(value, dict):
            self.refuse(place, f"{what}: expected names with values, got {told(value)}")
        for name in value:
            if name not in known:
                self.refuse(
                    (*place, name), f"{what} has no {name!r}; it has {', '.join(known) or 'none'}"
                )
        return value

    def mapping(self, place: Place, value: Any, what: str) -> dict[str, Any]:
        """``value`` as a mapping of the user's own names, at least one."""
        if not isinstance(value, dict) or not value:
            self.refuse(place, f"{what}: expected names with values, got {told(value)}")
        return value

    def text(self, place: Place, value: Any, what: str) -> str:
        if not isinstance(value, str) or not value.strip():
            self.refuse(place, f"{what}: expected text, got {told(value)}")
        return value.strip()

    def names(self, place: Place, value: Any, what: str) -> list[str]:
        """A name or a list of them; each once."""
        found = value if isinstance(value, list) else [value]
        if not found:
            self.refuse(place, f"{what}: expected a name or a list of them, got an empty list")
        for number, name in enumerate(found):
            if not isinstance(name, str):
                at = (*place, number) if isinstance(value, list) else place
                self.refuse(at, f"{what}: expected a name or a list of them, got {told(name)}")
        self.refuse_twice(place, found, what)
        return found

    def refuse_twice(self, place: Place, values: Sequence[Any], what: str) -> None:
        """Refuse, at its line, what stands in a list a second time."""
        for number, value in enumerate(values):
            if value in values[:number]:
                self.refuse(
                    (*place, number), f"{what}: each may stand only once, got {told(value)} twice"
                )


def said(value: Any) -> str:
    """A value as a message shows it, with the reason why what looks like a number is a text."""
    if isinstance(value, str) and DIGITS.fullmatch(value):
        long = len(value.lstrip("+-")) > MOST_DIGITS
        return f"the text {told(value)}" + (
            f" (a whole number has at most {MOST_DIGITS} digits)" if long else ""
        )
    return told(value)


def read_source(path: Path) -> Source:
    """Read a file. InputError, naming the line, for what is no YAML of names, texts, numbers and
    lists: a name twice, an alias, a tag of Python."""
    refuse_irregular(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a text in UTF-8 ({error})") from error
    if len(text) > LARGEST:
        raise InputError(f"{path}: expected at most {LARGEST:,} characters, got {len(text):,}")
    return parsed(text, path)


def parsed(text: str, path: Path) -> Source:
    lines: dict[Place, int] = {}
    try:
        refuse_aliases(text, path)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = None if node is None else value_of(node, (), lines, path)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        if isinstance(error, yaml.reader.ReaderError):  # a character that no text has
            line = text.count("\n", 0, int(error.position)) + 1
        where = "" if line is None else f", line {line}"
        why = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(f"{path}{where}: this is not YAML ({why})") from error
    except RecursionError as error:
        raise InputError(f"{path}: it is nested too deeply") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a study, names with values, got {told(content)}")
    return Source(path, content, lines)


def refuse_aliases(text: str, path: Path) -> None:
    """An alias can make a short file endless."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise InputError(
                f"{path}, line {event.start_mark.line + 1}: aliases are not read; "
                f"write the value of *{event.anchor} again"
            )


def value_of(node: yaml.Node, place: Place, lines: dict[Place, int], path: Path) -> Any:
    """The node's value; ``lines`` gets the line of every value in it."""
    line = node.start_mark.line + 1
    lines.setdefault(place, line)
    if not node.tag.startswith(TAGS) or "python" in node.tag:
        raise InputError(
            f"{path}, line {line}: expected text, a number, true, false or null, got a value with "
            f"the tag {node.tag}"
        )
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            name = scalar(key) if isinstance(key, yaml.ScalarNode) else None
            if not isinstance(name, str):
                raise InputError(f"{path}, line {at}: expected a name, got {told(name)}")
            if name == "<<" and key.style is None:
                raise InputError(
                    f"{path}, line {at}: merge keys (<<) are not read; write the names and values "
                    "that are meant"
                )
            if name in found:
                raise InputError(f"{path}, line {at}: {name} stands twice")
            lines[*place, name] = at
            found[name] = value_of(value, (*place, name), lines, path)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [value_of(v, (*place, k), lines, path) for k, v in enumerate(node.value)]
    return scalar(node)


def scalar(node: yaml.Node) -> Any:
    """Text, a number, true, false or null, as they are written: what YAML 1.1 makes of off, of 1:30
    and of 1e-3 is not what people mean by them."""
    text = str(node.value)
    if node.style is not None:  # in quotes, or a text of several lines
        return text
    if text in WORDS:
        return WORDS[text]
    if WHOLE.fullmatch(text):
        return int(text)
    return float(text) if REAL.fullmatch(text) else text
