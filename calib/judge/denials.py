"""Whether an answer says a text that stands in it, and does not deny or suppose it.

"It is Lyon, not Paris", "anything but Paris" and "Paris? No, Lyon" hold Paris and do not say it.
An answer is read clause by clause, folded (``normalized_text``), in the languages of the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from calib.judge.folding import normalized_text
from calib.judge.plain import plain
from calib.judge.whole import occurrences, stands_in

# Phrases with a word of denial that deny nothing.
IDIOMS = re.compile(
    r"\b(?:no|without|beyond) (?:any )?(?:doubt|question|problem|matter|wonder)\b"
    r"|\bnot (?:only|just|until|surprisingly|to mention)\b|\bwhy not\b|\bnone other than\b"
    r"|\b(?:nothing|none) but\b"
    r"|\b(?:cannot|cant|can not|could not|couldnt) be anything (?:but|else)\b"
    r"|\blet me know if\b|\bif i(?:m| am) not (?:mistaken|wrong)\b"
    r"|\bif i (?:recall|remember)(?: correctly)?\b"
    r"|\A(?:isnt|wasnt|arent) (?:it|that|this)\b|非常|不错|不錯"
)
# Words that deny what stands in the same clause, per group of languages; folded.
DENYING_WORDS = (
    "not no never neither nor none nothing nobody nowhere cannot cant couldnt wont wouldnt isnt "
    "arent wasnt werent doesnt dont didnt hasnt havent hadnt shouldnt mustnt aint without hardly "
    "barely scarcely unlikely doubt doubts doubtful except excluding exclude excludes excluded "
    "unlike absent absence deny denies denied ruled eliminate eliminated wrong "
    "incorrect false untrue impossible opposite besides",
    "nicht kein keine keinen keiner keines nie niemals ausser niet geen inte ingen inget ikke",
    "pas jamais aucun aucune sauf nunca tampoco ningun ninguna ninguno excepto non mai nessun "
    "nessuno nessuna tranne nao nem nenhum nenhuma exceto",
    "zaden oprocz degil yok haric bukan tidak kecuali khong",
    "не нет ни никак нельзя никогда кроме без ні немає крім",
    "ليس ليست لا غير לא אינו אין नहीं नही না নয়",
)
# What stands before "but" in "everyone but Alice", which denies what follows.
EXCEPT = ("anything", "everything", "anyone", "everyone", "anybody", "everybody", "all")
DENYING_PHRASES = (
    "other than",
    "rather than",
    "instead of",
    f"(?:{'|'.join(EXCEPT)}) but",
    "far from",
    "negative for",
    "free (?:of|from)",
    "rules? out",
    "ruling out",
    "out of question",
    "used to",
)
# Where no spaces part the words, or a word bends.
DENYING_PARTS = (
    "不|非|没|沒|未|除了|无法|無|"
    "ではな|でな|じゃな|ではありません|ません|ない|以外|아니|아닙|아닌|않|없|제외|ไม่|มิใช่|ยกเว้น"
)
DENIES = re.compile(
    rf"(?<!\w)(?:{'|'.join(' '.join(DENYING_WORDS).split())}|{'|'.join(DENYING_PHRASES)})(?!\w)"
    rf"|{DENYING_PARTS}"
)
# Right behind a text: it is denied.
DENIED_BEHIND = re.compile(
    r" ?(?:(?:is|are|was|were|be|can|could|has been|have been|does|do|would|looks?|seems?|appears?|"
    r"est|ist|es|è|e|é) )?(?:be |been |clearly |definitely |probably |very |also )?"
    r"(?:not|isnt|arent|wasnt|doesnt|cant|cannot|wrong|incorrect|false|impossible|unlikely|excluded|"
    r"absent|ruled out|out of question|nicht|pas|no es|non|nao|нет|не|degil)\b"
    r"|[^\W\d_]{0,2} ?(?:ではな|じゃな|ではありません|でない|아니|아닙|아닌|नहीं|नही|不是|不对|不對)"
)
# What frees a text behind a denial: "did not open until 1889".
FREED = re.compile(r"\b(?:until|till|unless|before|because|which|who|whom|while|when)\b")
# A clause of its own that takes back the one before it.
REJECTS = re.compile(
    r"(?:but )?(?:oh )?(?:no|nope|nah|wait|wrong|incorrect|false|not really|actually not|"
    r"i was wrong|that (?:is|was) wrong|thats wrong|i dont (?:think|believe) so|"
    r"not|nein|non|нет|不|不对|不對|"
    r"不是|違う|いや|いいえ|아니|아니요|아니야)"
    r"(?: (?:wait|sorry|actually|it|its|that|thats|rather|instead)\b.*)?"
)
# What supposes, remembers or quotes: nothing in its sentence is an answer.
SUPPOSES = re.compile(
    r"(?<!\w)(?:if|unless|whether|suppose|supposing|supposedly|imagine|thought|might think|"
    r"(?:could|would|may|might) have|had|nobody|no one|some say|they say|people say|"
    r"wenn|falls|ob|si fuera|se fosse|если|бы)(?!\w)|如果|假如|もし|만약"
)
SUPPOSED_TEXT = re.compile(r"(?<!\w)(?:i|we|you)(?: \w+)? (?:thought|guessed)\b|\bmight think\b")
# Right before a text: another thing or amount is meant.
COMPARED = re.compile(
    r"(?<!\w)(?:above|below|beneath|beside|next to|near|behind|opposite|adjacent to|"
    r"(?:more|less|greater|fewer|larger|smaller|other|bigger|rather) than|at (?:least|most)|"
    r"over|under|almost|nearly|like)(?: (?:the|a|an|his|her|its))?\Z"
)
REACH = 6
"""Words by which a denial may stand before the gold text that it denies."""
WINDOW = 400
"""Characters around a place that are looked at for such words: a text may say a word thousands of
times, and would be read whole for each."""

# Two or more words that hyphens make one of: "anti-symmetric" is not "symmetric".
COMPOUND = re.compile(r"(?<![\w-])[^\W\d_]+(?:-[^\W\d_]+)+(?![\w-])")
SHAPE = re.compile(r"(?<=\w)-((?:hand|handed|shaped|sided|side|colou?red)\b)")
BREAK = re.compile(
    r"(?<!\d)[.,:](?=\s|\Z)|(?<=\d)[.,:](?=\s+\D|\s*\Z)|[;!?…。、,;!?？！，；\n()]+|\.\.+|\s[-–—]+\s|—"
    rf"|\b{''.join(f'(?<!{word} )' for word in (*EXCEPT, 'nothing', 'none'))}(?=but\b)"
    r"|\s+(?=(?:because|since|so|therefore|sondern|sino|mais|(?:instead|rather)\s(?:of|than))\s)",
    re.I,
)
STOP = re.compile(r"[.!?]+\s+|\n+")


def without_compounds(text: str, parts: Iterable[str]) -> str:
    """``text`` with its hyphenated words closed up, but for those that make up one of ``parts``."""
    if "-" not in text:
        return text
    folded = "".join(f" {part} " for part in parts)
    text = SHAPE.sub(r" \1", text)
    return COMPOUND.sub(
        lambda m: m[0] if f" {normalized_text(m[0])} " in folded else m[0].replace("-", ""), text
    )


def clauses(text: str) -> list[str]:
    """The folded clauses of a text."""
    folded = (normalized_text(clause) for clause in BREAK.split(plain(text)) if clause.strip())
    return [clause for clause in folded if clause]


def affirmed(part: str, text: str) -> bool:
    """Whether a clause of ``text`` says the folded ``part``: a gold text in an answer."""
    said = clauses(text)
    held = [number for number, clause in enumerate(said) if stands_in(part, clause)]
    if not held:
        return True  # it goes on over more than one clause
    return any(not rejected(said, number) and says(part, said[number]) for number in held)


def says(part: str, clause: str) -> bool:
    """Whether ``part`` stands in the clause at some place with no denial before or behind it."""
    # A text that says a word thousands of times mostly says it in the same surroundings.
    surroundings = {
        (ending(clause, place), clause[place + len(part) : place + len(part) + WINDOW])
        for place in occurrences(part, clause)
    }
    return any(not denied(*each) for each in surroundings)


def denied(before: str, behind: str) -> bool:
    """Whether what stands between these is denied, or only supposed."""
    near = " ".join(IDIOMS.sub(" ", before).split()[-REACH:])
    denials = [match.end() for match in DENIES.finditer(near)]
    if denials and not FREED.search(near[denials[-1] :]):
        return True
    return bool(DENIED_BEHIND.match(IDIOMS.sub(" ", behind)) or SUPPOSED_TEXT.search(near))


def ending(clause: str, end: int) -> str:
    """The last whole words of ``clause[:end]``, within ``WINDOW``."""
    start = max(0, end - WINDOW)
    return clause[:end] if start == 0 else clause[start:end].partition(" ")[2]


def only_affirmed(part: str, text: str, longer: Iterable[str] = ()) -> bool:
    """Whether ``text`` names the folded ``part`` without any word that could mean otherwise.

    longer: texts that hold ``part`` and are something else.
    """
    for sentence in STOP.split(text):
        folded = normalized_text(sentence)
        rest = IDIOMS.sub(" ", folded.replace(part, " "))
        if stands_in(part, folded) and SUPPOSES.search(rest):
            return False
    said = clauses(text)
    for other in longer:
        said = [" ".join(without(other, clause)).strip() for clause in said]
    held = [number for number, clause in enumerate(said) if stands_in(part, clause)]
    if not held:
        return not DENIES.search(IDIOMS.sub(" ", normalized_text(text).replace(part, " ")))
    for number in held:
        clause = said[number]
        rest = IDIOMS.sub(" ", " ".join(without(part, clause)))
        if DENIES.search(rest) or rejected(said, number):
            return False
        if any(COMPARED.search(clause[:place].rstrip()) for place in occurrences(part, clause)):
            return False
    return True


def without(part: str, clause: str) -> Iterator[str]:
    """The pieces of a clause around the places of ``part``."""
    start = 0
    for place in occurrences(part, clause):
        yield clause[start:place]
        start = max(start, place + len(part))
    yield clause[start:]


def rejected(said: list[str], number: int) -> bool:
    """Whether the clause after this one takes it back."""
    following = said[number + 1 : number + 2]
    return bool(following) and REJECTS.fullmatch(IDIOMS.sub(" ", following[0]).strip()) is not None
