"""Long tier: whatever a model says, a judge answers within a second and raises nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calib.judge import JUDGES, is_refusal, normalized_text
from calib.judge.refusal import idk_option
from calib.records import InputError, Item
from calib.uncertainty.semantic import semantic_entropy
from tests.clock import at_most

CASES = 3000
PIECES = (
    "the answer is", "Answer:", "(A)", "A.", "B", " or ", "not ", "<think>", "</think>", "<answer>",
    "</answer>", "\\boxed{", "}", "\\frac{1}{2}", "^", "1e999", "10**", "1,234", ".5", "%", "=",
    "kJ/mol", "km h^-1", "√", "½", "٣", "十二", "twenty-one", "I don't know", "Ich weiß nicht",
    "答案是", "正确", "\n", "\n\n", "**", "`", "$", "-", "−", "+", "<", ">", "≤", "x", "É", "й",
    "パ", "no", "yes", "None of the above", "N/A", "\u200b", "\u202e", "\0", "🙂",
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.tuples(st.sampled_from(PIECES), st.integers(1, 4000)).map(lambda pair: pair[0] * pair[1]),
)
OPTIONS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=8)
LIMIT = 1.0
"""Seconds of one call, of the processor's time."""


def timed(call: Callable[[], Any]) -> None:
    with at_most(LIMIT), suppress(InputError):
        call()


@pytest.mark.slow
@settings(
    max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(answer=TEXTS, options=OPTIONS, gold=TEXTS, aliases=st.lists(TEXTS, max_size=3))
def test_judges(answer: str, options: list[str], gold: str, aliases: list[str]) -> None:
    closed = Item("x", gold, (), tuple(options), 0 if options else None)
    free = Item("x", "q", (), (), None, None, {"aliases": (gold, *aliases)})
    for judge in JUDGES.values():
        timed(lambda judge=judge: judge(answer, closed))
        timed(lambda judge=judge: judge(answer, free))
    timed(lambda: is_refusal(answer))
    timed(lambda: idk_option(closed))
    timed(lambda: normalized_text(answer))


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(answers=st.lists(TEXTS, min_size=1, max_size=6))
def test_clusters(answers: list[str]) -> None:
    timed(lambda: semantic_entropy(answers, estimator="discrete", equivalence="normalized"))
