"""Which number an answer gives, and whether it is the gold's: pairs that match and that do not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.judge import numeric, numeric_within
from calib.judge.numeric.units import named
from calib.records import Item, Verdict
from tests.clock import at_most
from tests.judge.numbers import mixed, notation, sentences, units


def gold(text: str, *aliases: str) -> Item:
    return Item("q", "?", (), (text,), 0, meta={"aliases": aliases})


TABLES = (notation, units, sentences, mixed)


def pairs(name: str) -> list[tuple[str, str]]:
    """Those of ``SAME`` or ``DIFFERENT``, of every kind in every table."""
    return [pair for table in TABLES for kind in getattr(table, name).values() for pair in kind]


def brief(text: str) -> str:
    return text[:40]


@pytest.mark.parametrize(("text", "wanted"), pairs("SAME"), ids=brief)
def test_the_same_number(text: str, wanted: str) -> None:
    verdict = numeric(text, gold(wanted))
    assert verdict.correct is True, verdict
    assert not verdict.refused


@pytest.mark.parametrize(("text", "wanted"), pairs("SAME"), ids=brief)
def test_the_gold_says_itself(text: str, wanted: str) -> None:
    assert numeric(wanted, gold(wanted)).correct is True


@pytest.mark.parametrize(("text", "wanted"), pairs("DIFFERENT"), ids=brief)
def test_another_number(text: str, wanted: str) -> None:
    verdict = numeric(text, gold(wanted))
    assert verdict.correct is not True, verdict


def test_tolerances() -> None:
    assert not numeric("3.14", gold("3.14159")).correct
    assert numeric_within("3.14", gold("3.14159"), relative=1e-3).correct
    assert numeric_within("0.01", gold("0"), absolute=0.02).correct
    assert numeric_within("500 cm", gold("5 m"), relative=0.0).correct, "conversions are exact"
    assert numeric_within("212 °F", gold("100 °C"), relative=0.0).correct


def test_any_alias_counts() -> None:
    assert numeric("7", gold("six", "7")).correct is True
    assert numeric("8", gold("six", "7")).correct is False


def test_what_is_parsed() -> None:
    assert numeric("50%", gold("0.5")).parsed == 0.5
    assert numeric("5 cm", gold("7 m")).parsed == 5.0
    assert numeric("1e400", gold("5")).parsed == "1e+400"
    assert numeric("3 to 5", gold("3-5")) == Verdict(True, "3, 5", False, "numeric")
    assert numeric("3 to 5", gold("5")) == Verdict(False, None, False, "several numbers")
    assert numeric("Paris", gold("5")) == Verdict(False, None, False, "no number")
    assert numeric("5", gold("Paris")).correct is None


def test_refusals() -> None:
    assert numeric("I cannot determine this.", gold("5")) == Verdict(False, None, True, "refusal")
    assert numeric("No idea, maybe 7", gold("5")) == Verdict(False, None, True, "refusal")
    assert not numeric("I'm not sure, but I think it is 5", gold("5")).refused
    assert numeric("no idea about it", gold("5")).refused


def test_units_are_looked_up_and_never_evaluated() -> None:
    """pint's own parser would take 9**9**9 of a "unit" at its word."""
    assert numeric("5 m**9**9**9**9", gold("5 m")).correct is False
    assert named("__import__('os')") is None
    assert named("m" * 10_000) is None


LONG = 100_000
REPEATED = [
    *("1 ", "(", "(1+", "\\frac{1}{", "√", "$5 ", "1+", "5 cm ", "5 apples ", "2^", "{", "1,"),
    *("answer is 5 ", "1", "1 000", "answer ", "\\text{", "\\", "1.", "1:", "5-", "a", "a-", "-"),
    *(
        "1=",
        "1 and ",
        "\n",
        "*",
        "hundred ",
        "one hundred and ",
        "ten",
        " ",
        "5 m per s per ",
        "m ",
    ),
    *(
        "per ",
        "million ",
        "五",
        "5万",
        "\ud800",
        "\\boxed{5} ",
        "$",
        "1e",
        "1 1/2 ",
        "x_{",
        "'",
        "a'",
    ),
    *(
        "½⁄",
        "at least 5 ",
        " not 5",
        "(1,200) ",
        "3 out of 4 ",
        "5 birds: 2 ",
        "1-1/2 ",
        "90% sure ",
    ),
    *("i do not know ", "i do not ", "not ", "cannot be ", "<think>", "<", "[1] ", '"', "half a "),
]


@pytest.mark.parametrize("piece", REPEATED, ids=repr)
def test_long_answers_take_linear_time(piece: str) -> None:
    """Measured: at most 0.5 s on a busy core for any of these; a quadratic rule takes minutes."""
    with at_most(5):
        numeric((piece * LONG)[:LONG], gold("5 cm"))


PIECES = [*REPEATED, "m^{", "^-99", "½", "²", "per 0 mL", "5 °C", "٣", " ", "twenty", "per cent"]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=20).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_no_text_raises(text: str) -> None:
    for wanted in ("5 cm", "3-5", "50%", text):
        parsed = numeric(text, gold(wanted)).parsed
        assert parsed is None or isinstance(parsed, str) or abs(parsed) < float("inf")
