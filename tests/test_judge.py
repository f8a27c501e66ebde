"""Numbers and refusals."""

from __future__ import annotations

import pytest

from calib.judge import numeric, numeric_within
from calib.judge.refusal import is_refusal
from calib.records import Item, Verdict


def gold(text: str, *aliases: str) -> Item:
    return Item("q", "?", (), (text,), 0, meta={"aliases": aliases})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1,234", "1234"),
        ("The answer is 5 meters.", "5 m"),
        ("500 cm", "5 m"),
        ("50%", "0.5"),
        ("0.5", "50%"),
        ("50", "50%"),
        ("3/4", "0.75"),
        ("1 1/2", "1.5"),
        ("\\frac{3}{4}", "0.75"),
        ("1.5 x 10^5", "150000"),
        ("2e-3", "0.002"),
        ("3.0 × 10⁸ m/s", "3e8"),
        ("10^5", "100000"),
        ("$1.5 \\times 10^{-3}$", "0.0015"),
        ("$1.5 million", "1500000"),
        ("½", "0.5"),
        ("3½ cups", "3.5"),
        ("1\u202f234", "1234"),
        ("200 mW", "0.2 W"),
        ("−7", "-7"),
        ("$1,000.00", "1000"),
        ("There are three.", "3"),
        ("2 + 3 = 5", "5"),
        ("the answer is 12, from 3 times 4", "12"),
        ("**42**", "42"),
        ("\\boxed{9}", "9"),
        ("H2O weighs 18 g", "18"),
    ],
)
def test_numeric(text: str, wanted: str) -> None:
    verdict = numeric(text, gold(wanted))
    assert verdict.correct is True, verdict
    assert not numeric(text, gold(f"{wanted.rstrip('%mW ')}7")).correct


def test_numeric_tolerances_units_and_refusals() -> None:
    assert not numeric("3.14", gold("3.14159")).correct
    assert numeric_within("3.14", gold("3.14159"), relative=1e-3).correct
    assert numeric_within("0.01", gold("0"), absolute=0.02).correct
    assert not numeric("5 kg", gold("5 m")).correct
    assert numeric("I cannot determine this.", gold("5")) == Verdict(False, None, True, "refusal")
    assert numeric("no idea about it", gold("5")).how == "no number"
    assert numeric("10-20", gold("20")).correct, "a dash between numbers is no sign"


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I DON'T KNOW", True),
        ("I’m sorry, I can't help with that.", True),
        ("It cannot be determined from the image.", True),
        ("I am unable to determine the answer.", True),
        ("Know thyself", False),
        ("Paris", False),
        ("He did not know the answer.", False),
    ],
)
def test_refusals(text: str, refused: bool) -> None:
    assert is_refusal(text) is refused
