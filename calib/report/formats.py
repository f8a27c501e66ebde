"""Numbers as a reader sees them: one minus sign, no-break spaces, a dash for what is not known.

What is shown is rounded; a ``Shown`` keeps the number itself for the page's CSV, a share as a
share of 1 even where the page shows percent or points.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Self
from urllib.parse import quote

UNKNOWN = "–"
FLAG = "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"
"""The flag of a part of a country: a black one, and letters as tags, which are unseen elsewhere."""
TURNS = "\u202a-\u202e\u2066-\u2069\u206a-\u206f"
"""They turn the text behind them around, or change its shapes, until another ends it."""
CONTROLS = "\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
NO_TEXT = "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"
"""Halves of characters, and those to which everybody gives a shape of their own."""
UNSEEN = re.compile(f"({FLAG})|[{TURNS}{CONTROLS}{NO_TEXT}]")


class Shown(str):
    """A number as text. ``value`` is the number, or the two bounds of an interval; None where it
    is not known. ``mark`` names its colour: "over", "under", "differs" or ""."""

    value: float | tuple[float, ...] | None
    mark: str

    def __new__(
        cls, text: str, value: float | tuple[float, ...] | None = None, mark: str = ""
    ) -> Self:
        shown = super().__new__(cls, text)
        shown.value, shown.mark = value, mark
        return shown


class Label(str):
    """A name as a page has room for it; CSV holds ``in_csv``, and a pointer is shown ``hint``."""

    in_csv: str
    hint: str

    def __new__(cls, text: str, in_csv: str, hint: str = "") -> Self:
        label = super().__new__(cls, text)
        label.in_csv, label.hint = in_csv, hint
        return label


class Bounded(Shown):
    """A number with its interval in one cell; ``value`` has all three, of which CSV makes columns.

    ``middle`` and ``bounds`` are the two parts of its text.
    """

    middle: str
    bounds: str


class Linked(str):
    """A name that leads to a page. ``address`` is that page's, relative to the one that holds the
    name; "" where the path is absolute or None, and then it is a name alone."""

    address: str

    def __new__(cls, text: str, path: str | None) -> Self:
        linked = super().__new__(cls, text)
        own = path is not None and not path.startswith("/")
        linked.address = quote(path) if path is not None and own else ""  # a colon is no scheme
        return linked


def in_points(name: str) -> Label:
    """The header of a column whose page shows points; CSV has shares of 1, as everywhere."""
    return Label(f"{name}, points", getattr(name, "in_csv", name), getattr(name, "hint", ""))


def percent(value: float | None, digits: int = 0) -> str:
    # A no-break space: the sign stays with its number.
    if value is None:
        return UNKNOWN
    return Shown(f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%", value)


def fixed(value: float | None, digits: int = 3) -> str:
    return UNKNOWN if value is None else Shown(f"{value:.{digits}f}".replace("-", "−"), value)


def points(value: float | None) -> str:
    """A difference of two shares in percentage points, with its sign."""
    if value is None:
        return UNKNOWN
    return Shown(f"{100 * value:+.1f}".replace("-", "−"), value)


def gap(value: float | None) -> str:
    """Confidence minus accuracy in percentage points, in the colour of its side."""
    if value is None:
        return UNKNOWN
    return Shown(points(value), value, "over" if value > 0 else "under")


def interval(low: float | None, high: float | None, form: str = "fixed", digits: int = 3) -> str:
    """Two bounds as "low … high"; ``form`` is "fixed", "percent" or "points"."""
    if low is None or high is None:
        return UNKNOWN
    if form == "points":
        return Shown(f"{points(low)} … {points(high)}", (low, high))
    if form == "percent":
        between = f"{100 * low:.{digits}f} … {percent(high, digits)}"
        return Shown(between, (low, high))
    return Shown(f"{fixed(low, digits)} … {fixed(high, digits)}", (low, high))


def bounded(
    value: float | None, low: float | None, high: float | None, form: Callable[[float], str]
) -> str:
    """A number with its interval, each as ``form`` shows it: "0.710 (0.574 … 0.857)"."""
    if value is None:
        return UNKNOWN
    if low is None or high is None:
        return form(value)
    # The sign of a share stands once, behind the interval.
    ends = [form(bound) for bound in (low, high)]
    sign = "\N{NO-BREAK SPACE}%"
    bounds = f"{ends[0].removesuffix(sign)} … {ends[1]}"
    cell = Bounded(f"{form(value)} ({bounds})", (value, low, high))
    cell.middle, cell.bounds = form(value), bounds
    return cell


def share(value: float, digits: int = 0) -> str:
    """A share in percent, with so many digits that it does not look like 0 or 100 %."""
    for places in range(digits, 4):
        text = f"{100 * value:.{places}f}"
        if float(text) not in (0.0, 100.0):
            return Shown(f"{text}\N{NO-BREAK SPACE}%", value)
    if 0 < value < 1:
        text = "over 99.999\N{NO-BREAK SPACE}%" if value > 0.5 else "under 0.001\N{NO-BREAK SPACE}%"
        return Shown(text, value)
    return percent(value)


def within(low: float, high: float) -> str:
    """The bounds of a share, equally precise; where one is 0 or 1, only the other is named."""
    if high >= 1:
        return f"at least {share(low)}"
    if low <= 0:
        return f"at most {share(high)}"
    digits = max(
        len(share(bound).partition("%")[0].strip().partition(".")[2]) for bound in (low, high)
    )
    return f"{share(low, digits)} to {share(high, digits)}"


def listed(parts: Sequence[str]) -> str:
    """The parts as a sentence has them: "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def plural(number: int, thing: str) -> str:
    """So many things: "1 question", "1,234 questions"."""
    return f"{count(number)} {thing}{'' if number == 1 else 's'}"


def pvalue(value: float | None, relation: bool = False, at_most: bool = False) -> str:
    """A p value; ``at_most``: the smallest that its test can give, and then no number of CSV.

    One that is 0 was too small for a float, whatever its test can give.
    """
    if value is None:
        return UNKNOWN
    if at_most and value > 0:
        return f"≤ {value:.1g}" if value < 0.001 else f"≤ {value:.3f}"
    if value < 0.001:
        return Shown("< 0.001", value)
    return Shown(f"= {value:.3f}" if relation else f"{value:.3f}", value)


def count(value: int | None) -> str:
    return UNKNOWN if value is None else Shown(f"{value:,}", value)


def duration(seconds: float) -> str:
    """A length of time in two units, "7 d 7 h", "2 h 5 min", "1 min 30 s"; of seconds in one."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return in_two(whole, 60, "min", "s")
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return in_two(minutes, 60, "h", "min")
    return in_two(round(seconds / 3600), 24, "d", "h")


def in_two(value: int, many: int, large: str, small: str) -> str:
    """``value`` of the smaller unit, ``many`` of which are the larger one."""
    whole, rest = divmod(value, many)
    return f"{whole:,} {large} {rest} {small}" if rest else f"{whole:,} {large}"


def speed(per_second: float) -> str:
    """How many a second; of few how many a minute, an hour or a day."""
    for seconds, unit in ((1, "s"), (60, "min"), (3600, "h")):
        if per_second * seconds >= 1:
            return f"{per_second * seconds:,.1f}/{unit}"
    return f"{per_second * 86400:.1f}/d"


def beginning(text: str, lines: int = 30, characters: int = 2_400) -> str:
    """The first lines of a text, and how much more there is; control characters are escaped."""
    shown = "\n".join(text[:characters].split("\n", lines)[:lines])
    left = text[len(shown) :]
    if not left:
        return printable(shown)
    more = left.count("\n") + (not left.startswith("\n"))  # the rest of a line is one, too
    what = f"{count(more)} more line" if "\n" in left else f"{count(len(left))} more character"
    return f"{printable(shown)}\n... {what}{'' if what.startswith('1 ') else 's'}"


def short(text: str, characters: int = 160) -> str:
    """The beginning of a text, as a card has room for it, and how much more there is."""
    return beginning(str(text).strip(), lines=8, characters=characters)


def printable(text: str) -> str:
    """The text, with escapes for what a terminal or a page would act on or cannot show.

    What belongs to words stays: joiners and the marks of a direction, no-break spaces, tabs,
    selectors of a glyph, and the tags of a flag.
    """
    if text.isprintable():
        return text
    return UNSEEN.sub(lambda found: found[1] or repr(found[0])[1:-1], text)
