"""Which answers say that they do not know, and which only look like it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calib.judge import Judge, contains, is_refusal, letter, normalized, numeric
from calib.judge.refusal import idk_option, idk_options
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


OPTIONS = {
    "first person": ("I don't know", "I dont know.", "Not sure", "No idea", "I can't tell", "IDK",
        "Don't know and don't want to guess", "I cannot tell", "I do not have enough information",
        "I’m not sure", "I cannot determine the answer from the picture"),
    "nobody's": ("Cannot tell", "CANNOT TELL!", "can not say", "Cannot be determined", "Unknown",
        "(unknown)", "Unanswerable", "It is impossible to say", "Impossible to tell.", "Uncertain",
        "Can't be determined from the information given", "The answer cannot be determined",
        "Not enough information", "There is not enough information to answer", "Not certain",
        "It's unclear", "Unclear from the image", "Not possible to say", "Unable to determine",
        "Insufficient information provided", "It is unknown", "The answer is unknown",
        "Not answerable", "Cannot be known for sure", "Who knows", "There's no way to know"),
    "others'": ("Ich weiß nicht", "Je ne sais pas", "No lo sé", "Non lo so", "Não sei", "Не знаю",
        "我不知道", "わかりません", "모르겠습니다", "لا أعرف", "Bilmiyorum", "Nie wiem",
        "Unbekannt", "Inconnu", "无法确定", "未知", "不明", "Неизвестно", "Impossible à dire",
        "Keine Ahnung", "Kann nicht bestimmt werden"),
}  # fmt: skip


@pytest.mark.parametrize("option", [text for texts in OPTIONS.values() for text in texts])
def test_what_only_says_not_to_know_is_such_an_option_and_a_refusal(option: str) -> None:
    assert idk_option(Item("q", "?", (), ("red", option), 0)) == 1
    assert is_refusal(option)


@pytest.mark.parametrize(
    "option",
    [
        *("Unknown Pleasures", "The Unknown", "None of the above", "N/A", "Not applicable", "None"),
        *("I know", "Not surely", "I don't know why people say so but it is red", "Pass", "Skip"),
        *("No answer", "Unknown to science until 1938", "I can't tell a lie", "Cannot fly"),
        *("A dog that cannot be identified", "Unable to walk", "not enough sugar", "It is known"),
        *("Unsure Start", "Uncertainty", "Not listed", "Indeterminate cleavage", "Na", "No way"),
        *("It cannot be said to be red", "Sin respuesta", "無解", "Neither", "Clear", "Impossible"),
    ],
)
def test_options_that_may_be_the_right_answer(option: str) -> None:
    assert idk_option(Item("q", "?", (), ("red", option), 0)) is None


@pytest.mark.parametrize(
    "options",
    [
        *(("known", "Unknown"), ("clear", "unclear"), ("Clear", "Not clear")),
        *(("It can be determined", "It cannot be determined"), ("certain", "uncertain")),
    ],
)
def test_an_option_beside_its_opposite_is_an_answer(options: tuple[str, ...]) -> None:
    assert idk_options(Item("q", "?", (), options, 0)) == ()
    assert idk_options(Item("q", "?", (), ("red", *options[1:]), 0)) == (1,)


def test_all_options_that_say_so_are_found() -> None:
    item = Item("q", "?", (), ("red", "Unknown", "blue", "I don't know"), 0)
    assert idk_options(item) == (1, 3)
    assert idk_options(replace(item, meta={"idk": 2})) == (2, 1, 3)


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
