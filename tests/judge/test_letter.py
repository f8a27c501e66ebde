"""Which option an answer means: made-up answers of every kind, and published responses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calib.judge import letter
from calib.judge.refusal import idk_option
from calib.records import Item, Verdict

DATA = Path(__file__).parents[1] / "data"
METALS = Item("m", "Which metal?", (), ("iron", "gold leaf", "copper", "I don't know"), 1)


def rows(*parts: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in DATA.joinpath(*parts).read_text("utf-8").splitlines()]


CASES = rows("judge", "letters.jsonl")


@pytest.mark.parametrize("case", CASES, ids=[f"{c['kind']}-{c['answer'][:40]!r}" for c in CASES])
def test_what_an_answer_is_read_as(case: dict[str, Any]) -> None:
    verdict = letter(case["answer"], Item("q", "?", (), tuple(case["options"])))
    refused = verdict.refused and case["parsed"] is None
    assert verdict.parsed == case["parsed"] or refused, verdict


@pytest.mark.parametrize(
    ("text", "index", "how"),
    [
        ("B", 1, "letter"),
        ("Gold leaf.", 1, "option text"),
        ("B. Gold leaf", 1, "label"),
        ("(B) Gold leaf, since it shines", 1, "label"),
        ("The answer is (B).", 1, "cue"),
        ("It shines.\nAnswer: $B$", 1, "cue"),
        ("First I thought the answer is A. But the answer is B.", 1, "cue"),
        ("Thus the result is $\\boxed{\\text{B}}$.", 1, "cue"),
        ("The correct answer is gold leaf.", 1, "cue"),
        ("Option A is dull, therefore option B is the correct one.", 1, "cue"),
        ("B - gold leaf, which shines", 1, "label"),
        ("B\n\nHere is why: it shines.", 1, "label"),
        ("It is covered with (B) Gold leaf.", 1, "last sentence"),
        ("It must be copper.", 2, "only mention"),
        # Nothing can be said of these.
        ("A, B", None, "ambiguous"),
        ("Answer: A and C", None, "ambiguous"),
        ("\\boxed{A} or \\boxed{B}", None, "ambiguous"),
        ("Answer: None of the above", None, "answers with none"),
        ("The answer is not B.", None, "answers with none"),
        ("(A) iron\n(B) gold leaf\n(C) copper", None, "no option"),
        ("Answer: G", None, "there is no option"),
        ("It shines.\nAnswer: G", None, "there is no option"),
        ("A metal is a good conductor of heat.", None, "no option"),
        ("The answer is a matter of taste", None, "no option"),
        ("", None, "empty"),
        ("<think>The answer is B", None, "empty"),
    ],
)
def test_the_rule_that_decides(text: str, index: int | None, how: str) -> None:
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


def test_an_option_of_not_knowing_is_no_refusal_where_it_is_right() -> None:
    item = Item("q", "?", (), ("x > y", "x < y", "Cannot be determined"), 2)
    assert letter("C", item) == Verdict(True, 2, False, "letter")
    wrong = letter("C", replace(item, answer=0))
    assert wrong.refused and not wrong.correct and wrong.parsed == 2


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


@pytest.mark.parametrize("options", [("mW", "MW"), ("MW", "mW"), ("má", "mà"), ("mà", "má")])
def test_options_equal_when_folded_are_not_told_apart_by_their_order(
    options: tuple[str, ...],
) -> None:
    item = Item("q", "?", (), options, 0)
    for index, option in enumerate(options):
        assert letter(option, item).parsed == index
        assert letter(f"The answer is {option}.", item).parsed == index
        assert letter(f"I measured it: {option}", item).parsed == index
    assert letter("MÁ" if "má" in options else "mw", item).parsed is None


def test_an_unknown_answer_leaves_correct_open() -> None:
    assert letter("B", Item("q", "?", (), ("x", "y"))).correct is None


def responses() -> list[tuple[dict[str, Any], Item]]:
    return [
        (row, Item(row["id"], "", (), tuple(row["options"]), row["answer"]))
        for row in rows("mmmu_pro", "responses.jsonl")
    ]


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
    found = responses()
    parsed = sum(letter(row["response"], item).parsed is not None for row, item in found)
    by_plain = sum(bool(plain.search(row["response"])) for row, _ in found)
    # Measured: 382 and 271 of 436. Most of the rest restate the options or are cut off.
    assert parsed >= 380
    assert by_plain < 280


def test_published_responses_that_were_read_otherwise_before() -> None:
    """All that changed when the folding rule and the wordings did, each read by eye."""
    whole = [row for row in rows("mmmu_pro", "changed.jsonl") if " [...] " not in row["response"]]
    assert len(whole) >= 9  # of the others an excerpt is kept
    for row in whole:
        item = Item(row["id"], "", (), tuple(row["options"]), row["gold"])
        assert letter(row["response"], item).parsed == row["parsed"][1], row["id"]
