"""Judges by name, functions and language models as judges, and the time that judges take."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.judge import contains, judge_for, letter, llm, normalized
from calib.judge.wordings import BEFORE, BEHIND, STATES
from calib.records import InputError, Item, Verdict
from tests.clock import at_most

PARIS = Item("q", "?", (), ("Paris",), 0)
METALS = Item("m", "Which metal?", (), ("iron", "gold leaf", "copper", "None of the above"), 1)
POLAR = Item("p", "Is it?", (), ("yes", "no"), 1)


def test_a_language_model_as_judge() -> None:
    asked = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "It is the capital.\nVERDICT: CORRECT"

    judge = llm(ask)
    assert judge("<think>Lyon?</think>The {answer} is Paris", PARIS).correct is True
    assert "Answer to judge: The {answer} is Paris" in asked[0]
    refusing = llm(lambda _: "VERDICT: REFUSED")
    assert refusing("No", PARIS) == Verdict(False, None, True, "llm")
    for reply in ["", "CORRECT", "VERDICT: CORRECT or not", "VERDICT: CORRECT\nI think"]:
        verdict = llm(lambda _, reply=reply: reply)("x", PARIS)
        assert verdict.correct is None and "no verdict" in verdict.how


def test_judges_by_name_and_functions() -> None:
    two = Item("q", "?", (), ("2",), 0)
    assert judge_for("numeric")("2", two).correct is True
    assert judge_for(lambda answer, item: answer == "2")("2", two).correct is True
    assert judge_for(lambda answer, item: False)("I don't know", two).refused
    with pytest.raises(InputError, match="expected one of letter, exact, normalized, contains"):
        judge_for("fuzzy")
    with pytest.raises(TypeError, match="must return a Verdict or a bool"):
        judge_for(lambda answer, item: 1)("2", two)  # type: ignore[arg-type,return-value]


LOOPS = [
    *[
        "the answer is ",
        "( ( (",
        "(",
        "(A) ",
        "A, ",
        "A or B ",
        "Answer: ",
        "Answer:\n",
        "\\boxed{",
    ],
    *["It is B. ", "I choose ", "B is correct. ", "none of the above ", "no, ", "gold leaf ", "$"],
    *[
        "not A but ",
        "<think>",
        "</think>",
        "<answer>",
        "<|im_end|>",
        "\n(\n",
        "**",
        "%",
        "a^(",
        "½",
    ],
    *[
        "答案是",
        "答えは",
        "정답은 ",
        "東京",
        "東",
        "パン",
        "cannot be determined ",
        "Paris",
        "1,",
        "- ",
    ],
    *["best ", "is A. ", "maybe A ", "{", "\\frac{", "x_{", "'", '"a', "U.S.A. ", "and the a", "é"],
]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_takes_no_time(loop: str) -> None:
    """A regular expression that goes back over what it has read takes minutes for this."""
    text = (loop * 40_000)[:40_000]
    for judge, item in ((letter, METALS), (letter, POLAR), (contains, PARIS), (normalized, PARIS)):
        with at_most(3):  # measured: 0.4 s at most; what is quadratic takes 20 s and more
            judge(text, item)


@pytest.mark.parametrize("gold", ["not", "red", "x < y", "das Rote"])
def test_a_text_that_says_the_gold_again_and_again_takes_no_time(gold: str) -> None:
    """Each of its places is looked at, and once the whole text was read for each."""
    text, item = (f"{gold} " * 40_000)[:40_000], Item("x", "?", (), (gold, "blue"), 0)
    with at_most(3):  # measured: 0.2 s; with the text read whole for each place "not" takes 78 s
        contains(text, item)


PIECES = st.sampled_from(
    [
        *"AB (.,;:!?)[]{}-+*/^%$#<>=|'\"\n\\_~`&1€½²東はक़é",
        *("answer", " is ", "option ", "\\boxed{", "<think>", "</think>", "<answer>", "not "),
        *("yes", "no", "gold leaf", "答案是", "\\frac{"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60))
def test_any_text_has_a_verdict(text: str) -> None:
    for item in (METALS, POLAR):
        verdict = letter(text, item)
        assert verdict.parsed is None or 0 <= int(verdict.parsed) < len(item.options)
    assert contains(text, PARIS).correct is not None
    assert normalized(text, PARIS).correct is not None


def test_wordings_have_no_groups() -> None:
    """They stand within patterns that count their own groups."""
    for pattern in (*BEFORE, *STATES, *BEHIND):
        assert "(" not in pattern.replace("\\(", "").replace("(?", ""), pattern
