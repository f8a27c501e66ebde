"""Which answers say that they do not know, and which only look like it."""

from __future__ import annotations

import pytest

from calib.judge import Judge, contains, is_refusal, letter, normalized, numeric
from calib.judge.refusal import idk_option
from calib.records import InputError, Item, Verdict
from tests.judge.refusals import ANSWERS, REFUSALS


def every(table: dict[str, list[str]]) -> list[str]:
    return [text for texts in table.values() for text in texts]


@pytest.mark.parametrize("text", every(REFUSALS))
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", every(ANSWERS))
def test_answers_that_only_look_like_refusals(text: str) -> None:
    assert not is_refusal(text)


PARIS = Item("q", "?", (), ("Paris",), 0)


@pytest.mark.parametrize("judge", [contains, normalized, numeric])
def test_judges_tell_refusals(judge: Judge) -> None:
    assert judge("Keine Ahnung.", PARIS).refused
    assert not judge("He did not know.", PARIS).refused


def test_a_hedge_is_a_refusal_unless_the_judge_is_sure() -> None:
    hedge = "I'm not sure, but I think it is Paris"
    assert contains(hedge, PARIS) == Verdict(False, None, True, "refusal")
    metals = Item("m", "?", (), ("iron", "gold"), 1)
    assert letter("I'm not sure, but the answer is B.", metals).parsed == 1


@pytest.mark.parametrize(
    "option",
    [
        *(
            "I don't know",
            "I dont know.",
            "Not sure",
            "Don't know and don't want to guess",
            "No idea",
        ),
        *("Ich weiß nicht", "Je ne sais pas", "No lo sé", "Non lo so", "Não sei", "Не знаю"),
        *("我不知道", "わかりません", "모르겠습니다", "لا أعرف", "Bilmiyorum", "Nie wiem"),
    ],
)
def test_the_option_of_who_does_not_know(option: str) -> None:
    assert idk_option(Item("q", "?", (), ("red", option), 0)) == 1


@pytest.mark.parametrize(
    "option",
    [
        *(
            "Cannot be determined",
            "Not certain",
            "Uncertain",
            "Unknown",
            "N/A",
            "None of the above",
        ),
        *("I know", "Not surely", "I don't know why people say so but it is red"),
    ],
)
def test_options_that_may_be_the_right_answer(option: str) -> None:
    assert idk_option(Item("q", "?", (), ("red", option), 0)) is None


def test_the_option_named_in_meta() -> None:
    assert idk_option(Item("q", "?", (), ("red", "I don't know"), 0, meta={"idk": 0})) == 0


@pytest.mark.parametrize(
    "text",
    [
        *("The image is too blurry to read the text.", "I decline to answer."),
        *("I couldn't find the answer.", "I must respectfully decline to comment."),
        *("No image was provided.", "No context has been given.", "The photo is too dark to tell."),
        *("Non è possibile determinarlo.", "Non si può stabilirlo."),
        *("ไม่ทราบ", "ฉันไม่รู้", "ไม่สามารถตอบได้", "Tôi không biết.", "Không thể xác định."),
        *("Jag vet inte.", "Det går inte att avgöra.", "Jeg ved ikke.", "Jeg vet ikke."),
        *("En tiedä.", "Nevím.", "Nelze určit.", "Nem tudom.", "Nu știu.", "Δεν ξέρω."),
        *(
            "אני לא יודע",
            "لا أعرف",
            "نمی\u200cدانم",
            "Не знаю.",
            "Гадки не маю.",
            "Saya tidak tahu.",
        ),
        *("Δεν είμαι σίγουρος.", "Я не можу відповісти.", "Tidak dapat ditentukan."),
    ],
)
def test_more_ways_to_refuse(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        *("No idea is too small for this company.", "No clue was left behind."),
        "Unable to read, the child asked his mother; the answer is the mother.",
        "Not able to swim, he took a boat.",
        "Don't know much about history is a line by Sam Cooke.",
        *("これは知りませんという歌です。", "我不知道为什么有人说B，但答案是A。"),
        *("<think>I don't know.</think>Paris", "Na+", "NaCl", "K+"),
        *("Nej, det är en katt.", "Không phải là chó.", "ไม่ใช่แมว", "Tidak, itu kucing."),
        *("ไม่", "Nu", "Ne", "Nem", "לא", "نه", "Ні", "Det är inte en hund.", "Ei"),
        "The text is too small for a child, so the answer is an adult.",
        "No image was provided with the letter, but the answer is Paris.",
    ],
)
def test_more_that_only_looks_like_a_refusal(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize("idk", ["three", [1], 1.5, True, -1, 2, {}])
def test_meta_that_names_no_option(idk: object) -> None:
    with pytest.raises(InputError, match=r"item 'q': meta\['idk'\] must be the index"):
        idk_option(Item("q", "?", (), ("red", "blue"), 0, meta={"idk": idk}))
