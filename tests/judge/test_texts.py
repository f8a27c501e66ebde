"""Judges that compare an answer with gold texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calib.judge import JUDGES, contains, exact, normalized
from calib.judge.folding import normalized_text
from calib.judge.whole import stands_in
from calib.records import Answer, Item, Verdict


def gold(text: str, *aliases: str) -> Item:
    return Item("q", "?", (), (text,), 0, meta={"aliases": aliases})


def test_exact_and_normalized() -> None:
    item = gold("Paris", "City of Paris")
    assert exact(" Paris ", item).correct is True
    assert exact("paris", item).correct is False
    assert exact("<think>Lyon?</think> Paris", item).correct is True
    assert normalized("The answer is: paris.", item).correct is True
    assert normalized("the city of Paris\nbecause", item).correct is True
    assert normalized("Parisian", item).correct is False
    assert normalized("I don't know.", item) == Verdict(False, None, True, "refusal")
    assert normalized(Answer("Paris"), item).parsed == "paris"
    assert exact("y", Item("q", "?")).correct is None


@pytest.mark.parametrize(
    ("answer", "right", "wrong"),
    [
        ("и", "и", "й"),
        ("x < y", "x<y", "x > y"),
        ("ハン", "ハン", "パン"),
        ("O-", "O-", "O+"),
        ("USA", "U.S.A.", "US"),
        ("**C#**", "C#", "C"),
        ("Answer:\nC++", "C++", "C"),
        ("It follows that\n$$\\boxed{x^2}$$", "x²", "x2"),
        ("<think>4</think><answer>-4</answer>", "-4", "4"),
        ("The answer is p > 0.05.", "p > .05", "p < 0.05"),
        ("Answer: $\\frac{3}{4}$", "3/4", "3*4"),
    ],
)
def test_normalized_keeps_what_carries_meaning(answer: str, right: str, wrong: str) -> None:
    assert normalized(answer, gold(right)).correct is True
    assert normalized(answer, gold(wrong)).correct is False


def test_contains() -> None:
    item = gold("Washington, D.C.", "Washington")
    assert contains("The capital is Washington.", item).correct is True
    assert contains("It lies in washington d.c., I think", item).correct is True
    assert contains("Washingtonian", item).correct is False
    assert contains("I don't know, Washington?", item) == Verdict(False, None, True, "refusal")
    assert contains("", item) == Verdict(False, None, False, "contains")
    assert contains("<think>Lyon or Paris?</think> Lyon", gold("Paris")).correct is False
    assert contains("<think>Lyon or Paris", gold("Paris")).correct is False


STANDS = [
    # scripts without spaces
    *[("東京", "首都は東京です"), ("東京", "東京都です"), ("狗", "答案是狗"), ("狗", "一只狗在跑")],
    *[
        ("北京", "首都北京很大"),
        ("北京", "首都是北京。"),
        ("パン", "これはパンです"),
        ("2024", "2024年"),
    ],
    *[("Paris", "答えはParisです"), ("แมว", "มันคือแมวครับ"), ("กรุงเทพ", "เมืองหลวงคือกรุงเทพมหานคร")],
    *[
        ("កម្ពុជា", "ប្រទេសកម្ពុជា"),
        ("မြန်မာ", "မြန်မာနိုင်ငံ"),
        ("いぬ", "これはいぬです"),
        ("ລາວ", "ປະເທດລາວ"),
    ],
    # Korean particles
    *[("서울", "수도는 서울입니다"), ("서울", "서울은 크다"), ("Paris", "정답은 Paris입니다")],
    # whole words, signs and numbers
    *[("4", "x = 4"), ("-4", "It is -4."), ("5%", "It's 5 %."), ("7", "3 + 4 = 7"), ("x", "x, y")],
    *[
        ("Paris", "Paris/France"),
        ("COVID-19", "x = COVID-19"),
        ("Vitamin A", "It lacks vitamin A."),
    ],
    *[("O+", "Type O+ blood"), ("5", "5 apples"), ("Москва", "Это Москва."), ("20", "it was 20.")],
    *[("rate", "rate = k"), ("x-ray", "an X ray"), ("C#", "It is C#, a language"), ("5 cm", "5cm")],
]
DOES_NOT_STAND = [
    *[
        ("京都", "東京都"),
        ("京都", "東京都です"),
        ("狗", "热狗"),
        ("パン", "ジャパン"),
        ("三", "三十"),
    ],
    *[("ハン", "これはパンです"), ("서울", "서울역"), ("Paris", "Parisian"), ("น", "น้ำ")],
    *[("4", "x < 4"), ("4", "-4"), ("x", "x - y"), ("5", "5%"), ("3", "3 + 4 = 7"), ("C", "C++")],
    *[("10", "10^3"), ("20", "20.5"), ("k", "k[A]"), ("y", "x < y"), ("3", "3/4"), ("2", "12")],
]


@pytest.mark.parametrize(("part", "text"), STANDS)
def test_stands_in(part: str, text: str) -> None:
    assert stands_in(normalized_text(part), normalized_text(text))
    assert contains(text, Item("q", "?", meta={"aliases": (part,)})).correct is True


@pytest.mark.parametrize(("part", "text"), DOES_NOT_STAND)
def test_does_not_stand_in(part: str, text: str) -> None:
    assert not stands_in(normalized_text(part), normalized_text(text))


CASES = [
    json.loads(line)
    for line in Path(__file__)
    .parents[1]
    .joinpath("data", "judge", "texts.jsonl")
    .read_text("utf-8")
    .splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=[f"{c['kind']}-{c['answer'][:40]!r}" for c in CASES])
def test_what_an_answer_counts_as(case: dict[str, Any]) -> None:
    verdict = JUDGES[case["judge"]](
        case["answer"], Item("q", "?", meta={"aliases": tuple(case["aliases"])})
    )
    assert verdict.correct is case["correct"], verdict
