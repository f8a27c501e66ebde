"""Which answers say that they do not know, and which only look like it."""

from __future__ import annotations

import pytest

from calib.judge import Judge, contains, is_refusal, letter, normalized, numeric
from calib.judge.refusal import idk_option
from calib.records import InputError, Item, Verdict

REFUSALS = {
    "en": [
        "I DON'T KNOW",
        "I’m sorry, I can't help with that.",
        "It cannot be determined from the image.",
        "I am unable to determine the answer.",
        "Not sure",
        "I really don't know.",
        "Unanswerable",
        "I'm just not sure.",
        "I do not have enough information",
        "Cannot tell",
        "It is unclear from the image.",
        "No idea",
        "No idea.",
        "Unknown.",
        "N/A",
        "n/a",
        "Answer: unknown",
        "The answer is unknown.",
        "I can't say",
        "I couldn't tell you",
        "Hard to say.",
        "It's hard to tell.",
        "can't be determined",
        "Not clear",
        "Unclear.",
        "The image does not show the price.",
        "The picture doesn't say who won.",
        "There is no way to know.",
        "There's no way of knowing that from the picture",
        "I don't see any dog in the image, so I cannot answer.",
        "I'd rather not guess.",
        "I would rather not say",
        "I am unable to answer this question.",
        "I'm not able to help with that",
        "Sorry, I can't assist with that request.",
        "I apologize, but I cannot identify people in images.",
        "As an AI language model, I cannot see images.",
        "As an AI, I don't have access to that.",
        "I honestly have no idea.",
        "I have absolutely no clue",
        "I haven't got a clue, I don't know",
        "IDK",
        "dunno",
        "I dunno",
        "Beats me.",
        "I do NOT know the answer.",
        "i dont know",
        "I don't know what this is.",
        "I don't know who painted it.",
        "I don't know the answer to this question",
        "We cannot determine the answer from the given information.",
        "The answer cannot be determined.",
        "The color can't be determined from this picture.",
        "It is impossible to tell from the picture",
        "There is not enough information to answer.",
        "Insufficient information.",
        "Insufficient data",
        "The question is unanswerable.",
        "This question cannot be answered from the passage.",
        "I'm unsure.",
        "Unsure",
        "I am uncertain",
        "I'm not certain about that.",
        "I'm not completely sure",
        "It's not clear from the picture.",
        "It is unclear what the man is holding.",
        "The answer is not given in the passage.",
        "It's not mentioned in the text.",
        "I cannot see the image.",
        "I can't see what is on the table.",
        "“I don't know.”",
        '"I don\'t know"',
        "Well, I don't know.",
        "No, I don't know.",
        "Sorry. I don't know.",
        "**I don't know**",
        "I don't know, Washington?",
        "I'm not sure, but I think it is Paris",
        "Indeterminate",
        "Not enough information",
        "I can't answer that.",
        "Impossible to say",
        "Could not be determined",
        "I lack the information to answer this.",
        "Please provide the image, I cannot answer without it.",
        "Who knows?",
    ],
    "de": [
        "Ich weiß es nicht.",
        "Ich weiß nicht",
        "Weiß ich nicht.",
        "Das weiß ich leider nicht.",
        "Keine Ahnung",
        "Ich bin mir nicht sicher.",
        "Nicht sicher",
        "Das kann ich nicht sagen.",
        "Ich kann die Frage nicht beantworten.",
        "Das lässt sich nicht bestimmen.",
        "Die Antwort kann nicht bestimmt werden.",
        "Nicht genug Informationen",
        "Unbekannt.",
        "Unklar",
        "Schwer zu sagen",
        "Tut mir leid, ich kann dabei nicht helfen.",
        "Auf dem Bild nicht erkennbar.",
    ],
    "fr": [
        "Je ne sais pas.",
        "Je sais pas",
        "Aucune idée.",
        "Je ne suis pas sûr.",
        "Je ne suis pas certaine de la réponse",
        "Impossible à dire",
        "Il est impossible de déterminer la réponse.",
        "Je ne peux pas répondre à cette question.",
        "Désolé, je ne peux pas vous aider.",
        "On ne peut pas le savoir.",
        "Informations insuffisantes",
        "Inconnu",
        "Je l'ignore.",
        "Difficile à dire",
    ],
    "es": [
        "No lo sé.",
        "No sé",
        "No sé la respuesta.",
        "Yo no sé.",
        "No estoy seguro.",
        "No estoy segura",
        "No tengo ni idea",
        "Ni idea",
        "No se puede determinar.",
        "No puedo responder a esa pregunta.",
        "Lo siento, no puedo ayudarte con eso.",
        "No es posible saberlo; no es posible determinar el color.",
        "Desconocido",
        "Información insuficiente",
        "No está claro.",
        "Es difícil saberlo",
    ],
    "it": [
        "Non lo so.",
        "Non so",
        "Non sono sicuro.",
        "Non ne ho idea",
        "Non ho la minima idea.",
        "Non posso rispondere.",
        "Non è possibile determinare la risposta.",
        "Impossibile da determinare",
        "Informazioni insufficienti",
        "Sconosciuto",
    ],
    "pt": [
        "Não sei.",
        "Eu não sei",
        "Não tenho certeza.",
        "Não faço ideia",
        "Não consigo responder.",
        "Não é possível determinar.",
        "Informação insuficiente",
        "Desconhecido",
        "Não sei dizer",
    ],
    "nl": [
        "Ik weet het niet.",
        "Dat weet ik niet",
        "Geen idee",
        "Ik ben er niet zeker van.",
        "Ik kan dat niet zeggen.",
        "Onvoldoende informatie",
        "Onbekend",
        "Kan niet worden bepaald",
    ],
    "pl": [
        "Nie wiem.",
        "Nie jestem pewien",
        "Nie mam pojęcia",
        "Nie można tego określić.",
        "Trudno powiedzieć",
        "Nie mogę odpowiedzieć na to pytanie.",
        "Brak wystarczających informacji",
    ],
    "ru": [
        "Я не знаю.",
        "Не знаю",
        "Не уверен",
        "Я не уверена",
        "Понятия не имею",
        "Невозможно определить.",
        "Не могу сказать",
        "Недостаточно информации",
        "Неизвестно",
        "Затрудняюсь ответить",
    ],
    "tr": [
        "Bilmiyorum.",
        "Emin değilim",
        "Hiçbir fikrim yok",
        "Bu belirlenemez.",
        "Yeterli bilgi yok",
        "Bilinmiyor",
        "Bu soruyu yanıtlayamam.",
    ],
    "ar": ["لا أعرف", "لا أعلم.", "لست متأكدًا", "لا يمكن تحديد ذلك", "غير معروف", "لا أدري"],
    "hi": [
        "मुझे नहीं पता।",
        "मुझे पता नहीं",
        "पता नहीं",
        "मैं नहीं जानता",
        "मैं निश्चित नहीं हूँ।",
        "यह निर्धारित नहीं किया जा सकता",
        "अज्ञात",
    ],
    "zh": [
        "我不知道。",
        "不知道",
        "我不确定",
        "我不太清楚",
        "无法确定",
        "无法从图片中判断。",
        "抱歉，我无法回答这个问题。",
        "信息不足",
        "很难说",
        "未知",
        "我真的不知道。",
        "無法回答",
    ],
    "ja": [
        "わかりません。",
        "分かりません",
        "わからない",
        "知りません",
        "判断できません。",
        "お答えできません。",
        "情報が不足しています",
        "不明",
        "不明です。",
        "確信が持てません",
    ],
    "ko": [
        "모르겠습니다.",
        "모르겠어요",
        "잘 모르겠습니다",
        "저는 모릅니다.",
        "확실하지 않습니다",
        "알 수 없습니다.",
        "알 수 없음",
        "답변할 수 없습니다.",
        "정보가 부족합니다",
    ],
}
ANSWERS = {
    "en": [
        "Know thyself",
        "Paris",
        "He did not know the answer.",
        "I don't know why people say it's B, but it's A",
        "I don't know about you, but I would call it a dog.",
        "I don't know if it matters, but the answer is 5.",
        "I know",
        "I know it: Paris.",
        "The answer is not unknown",
        "He is unsure, so the answer is fear",
        "She is not sure whether to jump, so she is afraid.",
        "unknown artist",
        "An unknown artist painted it.",
        "The Unknown Soldier",
        "The man doesn't know he is filmed",
        "The text cannot be determined by its cover",
        "not sure-footed",
        "The goat is not sure-footed.",
        "It is unclear water",
        "The water is unclear and brown.",
        "No idea what else it could be but a cat",
        "I have no idea what else it could be but a cat",
        'She said "I don\'t know"',
        "She said 'I don't know'",
        "She said “I don't know” and left.",
        "She said I don't know.",
        'The title is "The Things We Don\'t Know"',
        "The song is Don't Know Why by Norah Jones",
        "I can't help but notice a dog",
        "I cannot say enough good things: it is Paris",
        "I can't see any dogs, so the answer is 0.",
        "The image does not show any dogs, so the answer is no.",
        "No, the image does not show a dog.",
        "He was unable to identify the thief",
        "They could not determine the winner, so they drew lots.",
        "You can't tell them apart",
        "People who don't know better",
        "It isn't hard to say: Paris.",
        "Nobody knows the troubles I've seen",
        "No",
        "None",
        "Nothing is sure but death",
        "Surely Paris",
        "The idea is not new",
        "I am sure",
        "Sure, it is Paris.",
        "A knowledge gap",
        "The man is uncertain about the weather",
        "an uncertain future",
        "It is clear.",
        "It is not clear glass but frosted glass.",
        "",
        "...",
        "?",
        "Sorry",
    ],
    "others": [
        "Ich weiß, dass es Paris ist.",
        "Ich weiß nicht nur das: es ist Paris",
        "Er weiß es nicht.",
        "Der unbekannte Soldat",
        "Je sais que c'est Paris.",
        "Il ne sait pas nager.",
        "No se vende",
        "Él no sabe nadar.",
        "Sé que es París.",
        "Lo so: Parigi",
        "Lui non lo sa.",
        "Sei",
        "Eu sei que é Lisboa.",
        "Hij weet het niet.",
        "Wiem, że to Paryż",
        "On nie wie.",
        "Он не знает ответа.",
        "Я знаю: Париж",
        "Paris olduğunu biliyorum.",
        "أعرف أنها باريس",
        "मुझे पता है, पेरिस",
        "我知道是巴黎",
        "他不知道自己被拍了",
        "未知的艺术家",
        "パリだとわかりました",
        "彼は答えがわからない。",
        "파리라는 것을 알고 있습니다",
        "그는 답을 모른다",
    ],
}


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
