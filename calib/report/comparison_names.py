"""What a comparison calls its runs: as much of a model's path as tells it from the others.

results.json keeps whole names; a page and the terminal read them through ``called``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from calib.report.formats import Label

ROOM = 32
"""Characters of a name that a header has room for."""


class Name(str):
    """A run's short name; ``whole`` is that of results.json, ``label`` the name in a header."""

    whole: str
    label: Label

    def __new__(cls, text: str, whole: str, label: str) -> Self:
        name = super().__new__(cls, text)
        name.whole, name.label = whole, Label(label, text, "" if label == whole else whole)
        return name


def called(results: Mapping[str, Any]) -> dict[str, Any]:
    """The results of a comparison with a ``Name`` wherever a run or a pair is named."""
    whole = [run["name"] for run in results["runs"]]
    short = short_names(whole)
    each = zip(short, whole, cut_names(short, ROOM), strict=True)
    names = dict(zip(whole, (Name(*name) for name in each), strict=True))
    return {
        **results,
        "runs": [{**run, "name": names[run["name"]]} for run in results["runs"]],
        "pairs": [
            {**pair, **{side: names[pair[side]] for side in ("first", "second")}}
            for pair in results["pairs"]
        ],
    }


def short_names(names: Sequence[str]) -> list[str]:
    """The last parts of each path, as many as no other has; names that are no paths stay."""
    parts = [[part for part in name.split("/") if part] for name in names]
    if len(set(map(tuple, parts))) < len(names):
        return list(names)
    return [
        "/".join(last_parts(own, parts)) or name for own, name in zip(parts, names, strict=True)
    ]


def last_parts(own: Sequence[str], parts: Sequence[Sequence[str]]) -> Sequence[str]:
    for number in range(1, len(own)):
        if sum(other[-number:] == own[-number:] for other in parts) == 1:
            return own[-number:]
    return own


def cut_names(names: Sequence[str], room: int) -> list[str]:
    """Names with their middle left out where they are longer than ``room``, and still distinct."""
    for length in range(room, max(map(len, names), default=0)):
        cut = [middle_out(name, length) for name in names]
        if len(set(cut)) == len(set(names)):
            return cut
    return list(names)


def middle_out(name: str, length: int) -> str:
    if len(name) <= length:
        return name
    end = length // 2
    return f"{name[: length - end - 1]}…{name[-end:]}"


def about(told: str, name: str) -> Label:
    """``told`` with the name in the place of its braces, as a header or a cell."""
    label = label_of(name)
    return Label(told.format(label), told.format(label.in_csv), label.hint)


def label_of(name: str) -> Label:
    return name.label if isinstance(name, Name) else Label(name, name)


def whole_of(name: str) -> str:
    """The name in results.json."""
    return name.whole if isinstance(name, Name) else name
