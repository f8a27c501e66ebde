"""Judges on made-up answers, and on published responses to MMMU-Pro."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from calib.judge import contains, exact, judge_for, letter, llm, normalized
from calib.judge.refusal import idk_option
from calib.judge.text import normalized_text
from calib.records import Answer, InputError, Item, Verdict

RESPONSES = Path(__file__).parent / "data" / "mmmu_pro" / "responses.jsonl"

METALS = Item("m", "Which metal?", (), ("iron", "gold leaf", "copper", "I don't know"), 1)


def gold(text: str, *aliases: str) -> Item:
    return Item("q", "?", (), (text,), 0, meta={"aliases": aliases})


@pytest.mark.parametrize(
    ("text", "index", "how"),
    [
        ("B", 1, "letter"),
        ("(b)", 1, "letter"),
        ("**B**", 1, "letter"),
        ("Gold leaf.", 1, "option text"),
        ("B. Gold leaf", 1, "label"),
        ("(B) Gold leaf, since it shines", 1, "label"),
        ("The answer is (B).", 1, "cue"),
        ("**Answer:** B", 1, "letter"),
        ("Answer: B", 1, "letter"),
        ("It shines.\nAnswer: $B$", 1, "cue"),
        ("First I thought the answer is A. But the answer is B.", 1, "cue"),
        ("Thus the result is $\\boxed{\\text{B}}$.", 1, "last sentence"),
        ("The correct answer is gold leaf.", 1, "cue"),
        ("Option A is dull, therefore option B is the correct one.", 1, "cue"),
        ("B - gold leaf, which shines", 1, "label"),
        ("B\n\nHere is why: it shines.", 1, "label"),
        ("It is covered with (B) Gold leaf.", 1, "last sentence"),
        ("It must be copper.", 2, "only mention"),
        # Nothing can be said of these.
        ("A, B", None, "ambiguous"),
        ("Answer: A and C", None, "ambiguous"),
        ("Answer: None of the above", None, "answers with none"),
        ("The answer is not B.", None, "answers with none"),
        ("(A) iron\n(B) gold leaf\n(C) copper", None, "no option"),
        ("Answer: G", None, "there is no option"),
        ("It shines.\nAnswer: G", None, "there is no option"),
        ("A metal is a good conductor of heat.", None, "no option"),
        ("The answer is a matter of taste", None, "no option"),
        ("", None, "empty"),
    ],
)
def test_letter(text: str, index: int | None, how: str) -> None:
    verdict = letter(text, METALS)
    assert verdict.parsed == index, verdict
    assert verdict.how.startswith(how), verdict
    assert verdict.correct is (index == 1)
    assert not verdict.refused


@pytest.mark.parametrize(
    "text", ["D", "Answer: (D)", "I don't know", "i dont know.", "Not sure: I do not know"]
)
def test_the_idk_option_and_phrases_are_refusals(text: str) -> None:
    verdict = letter(text, METALS)
    assert verdict.refused and verdict.correct is False
    assert idk_option(METALS) == 3


def test_a_named_option_outweighs_a_phrase() -> None:
    assert letter("I'm not sure, but the answer is B.", METALS) == Verdict(True, 1, False, "cue")


def test_options_that_are_letters_are_read_as_labels() -> None:
    item = Item("q", "?", (), ("C", "A", "B", "D"), 2)
    assert letter("C", item).parsed == 2
    beyond = Item("q", "?", (), ("B", "D", "G"), 2)
    assert letter("Answer: G", beyond).parsed == 2


def test_spellings_of_an_option_count_as_it() -> None:
    item = Item("q", "?", (), ("gray", "red"), 0, meta={"spellings": (("gray", "grey"), ("red",))})
    assert letter("grey", item) == Verdict(True, 0, False, "option text")


def test_an_unknown_answer_leaves_correct_open() -> None:
    assert letter("B", Item("q", "?", (), ("x", "y"))).correct is None
    assert exact("y", Item("q", "?")).correct is None


def responses() -> list[tuple[dict, Item]]:
    rows = [json.loads(line) for line in RESPONSES.read_text("utf-8").splitlines()]
    return [(row, Item(row["id"], "", (), tuple(row["options"]), row["answer"])) for row in rows]


def test_published_responses_where_the_letter_is_certain() -> None:
    """Bare letters, a lone "Answer: X" as last line, and 58 that were read by eye."""
    checked = 0
    for row, item in responses():
        if "by" in row:
            assert letter(row["response"], item).parsed == row["expected"], row
            checked += 1
    assert checked > 300


def test_parse_rate_of_published_responses() -> None:
    """Half of the excerpt was drawn from what the plain pattern does not parse."""
    plain = re.compile(r"^\W*([A-J])\W*$|[Aa]nswer:?\s*(?:is)?:?\s*\(?([A-J])\b")
    rows = responses()
    parsed = sum(letter(row["response"], item).parsed is not None for row, item in rows)
    by_plain = sum(bool(plain.search(row["response"])) for row, _ in rows)
    # Measured: 382 and 271 of 436. Most of the rest restate the options or are cut off.
    assert parsed >= 378
    assert by_plain < 280


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("The  Cat!", "cat"),
        ("Édouard Manet", "edouard manet"),
        ("a", "a"),
        ("U.S.", "u s"),
        ("-1,234.5", "-1234.5"),
        ("don’t", "dont"),
        ("well-known", "well known"),
        ("+", "+"),
    ],
)
def test_normalized_text(text: str, folded: str) -> None:
    assert normalized_text(text) == folded


def test_exact_and_normalized() -> None:
    item = gold("Paris", "City of Paris")
    assert exact(" Paris ", item).correct is True
    assert exact("paris", item).correct is False
    assert normalized("The answer is: paris.", item).correct is True
    assert normalized("the city of Paris\nbecause", item).correct is True
    assert normalized("Parisian", item).correct is False
    assert normalized("I don't know.", item) == Verdict(False, None, True, "refusal")
    assert normalized(Answer("Paris"), item).parsed == "paris"


def test_contains() -> None:
    item = gold("Washington, D.C.", "Washington")
    assert contains("The capital is Washington.", item).correct is True
    assert contains("It lies in washington d.c., I think", item).correct is True
    assert contains("Washingtonian", item).correct is False
    assert contains("I don't know, Washington?", item) == Verdict(False, None, True, "refusal")
    assert contains("", item) == Verdict(False, None, False, "contains")


def test_a_language_model_as_judge() -> None:
    asked = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "It is the capital.\nVERDICT: CORRECT"

    judge = llm(ask)
    assert judge("The {answer} is Paris", gold("Paris")).correct is True
    assert "Answer to judge: The {answer} is Paris" in asked[0]
    refusing = llm(lambda _: "VERDICT: REFUSED")
    assert refusing("No", gold("Paris")) == Verdict(False, None, True, "llm")
    for reply in ["", "CORRECT", "VERDICT: CORRECT or not", "VERDICT: CORRECT\nI think"]:
        verdict = llm(lambda _, reply=reply: reply)("x", gold("Paris"))
        assert verdict.correct is None and "no verdict" in verdict.how


def test_judges_by_name_and_functions() -> None:
    assert judge_for("numeric")("2", gold("2")).correct is True
    assert judge_for(lambda answer, item: answer == "2")("2", gold("2")).correct is True
    assert judge_for(lambda answer, item: False)("I don't know", gold("2")).refused
    with pytest.raises(
        InputError, match="expected one of letter, exact, normalized, contains, numeric"
    ):
        judge_for("fuzzy")
    with pytest.raises(TypeError, match="must return a Verdict or a bool"):
        judge_for(lambda answer, item: 1)("2", gold("2"))  # type: ignore[arg-type,return-value]
