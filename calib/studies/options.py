"""What the options of a step may be: each with the words for what is expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from calib.studies.source import Place, Source, said


@dataclass(frozen=True)
class Option:
    """``expected``, in words, and whether a value is that."""

    expected: str
    fits: Callable[[Any], bool]


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def whole(least: int) -> Option:
    return Option(f"a whole number from {least}", lambda value: is_whole(value, least))


def number(low: float, high: float = float("inf")) -> Option:
    words = f"a number from {low:g}" + ("" if high == float("inf") else f" to {high:g}")
    return Option(words, lambda value: is_number(value) and low <= value <= high)


def one_of(*names: str) -> Option:
    return Option(f"one of {', '.join(names)}", lambda value: value in names)


def listing(each: Option) -> Option:
    """A list of what ``each`` is, at least one."""
    return Option(
        f"a list, each {each.expected}",
        lambda value: isinstance(value, list) and bool(value) and all(map(each.fits, value)),
    )


TEXT = Option("text", lambda value: isinstance(value, str) and bool(value.strip()))
LEVEL = Option("none or a whole number", lambda value: value == "none" or is_whole(value, 0))


def listed(value: Any) -> list[Any]:
    """A list as it is, anything else as the one of a list."""
    return value if isinstance(value, list) else [value]


def positive(source: Source, place: Place, value: Any, what: str) -> None:
    check(source, place, value, what, whole(1))


def check(source: Source, place: Place, value: Any, what: str, option: Option) -> None:
    """Refuse, at its line, what is no ``option``; of a list the first part that is none."""
    if not option.fits(value):
        parts = value if isinstance(value, list) else []
        wrong = next((n for n, part in enumerate(parts) if not option.fits([part])), None)
        at, got = (place, value) if wrong is None else ((*place, wrong), parts[wrong])
        source.refuse(at, f"{what}: expected {option.expected}, got {said(got)}")
    if isinstance(value, list):
        source.refuse_twice(place, value, what)


def check_all(
    source: Source, place: Place, values: Mapping[str, Any], known: Mapping[str, Option], what: str
) -> None:
    """Refuse, at its line, an option that is not ``known`` or is not what is expected."""
    for name, value in source.keys(place, dict(values), what, known).items():
        check(source, (*place, name), value, f"{what}: {name}", known[name])
