"""The texts of an item's options, and which of them an answer names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from calib.judge.denials import only_affirmed, without_compounds
from calib.judge.folding import normalized_text
from calib.judge.plain import plain
from calib.judge.whole import occurrences, stands_in
from calib.tasks.files import LETTERS

Texts = Sequence[Sequence[str]]

ROOM = 300
"""An answer may be so many characters longer than an option and still be compared with it."""

DIGIT_GROUPS = re.compile(r"(?<![\w.,+*/=<>-])(?<!\d )\d{1,3}(?: \d{3})+(?![ ]?\d)")
"""A number whose thousands are spaced: "1 000"."""

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
MEASURED = re.compile(rf"({NUMBER.pattern}) ?[^\W\d_][^\d]{{0,20}}")
UNITS = "$€£¥°"

# Options about the question or the other options, and below answers that say the same in other
# words; all are folded. An option must match in full.
KINDS = {
    "none": re.compile(
        r"none(?: of\b.*)?|neither\b.*|n / a|nothing"
        r"|not (?:listed|given|applicable|among|provided|offered|shown|in (?:list|options))\b.*"
        r"|no (?:correct|right) (?:answer|option|choice)\b.*"
    ),
    "unknown": re.compile(
        r"(?:(?:it|this|that|answer) )?(?:is )?"
        r"(?:can ?not|cant|could not|couldnt|impossible to|not possible to|unable to) (?:be )?"
        r"(?:determined?|know[n]?|told|tell|say|inferred|infer|concluded?|answer(?:ed)?|decided?)\b.*"
        r"|(?:there (?:is|isnt) )?(?:not enough|enough|insufficient|too little) "
        r"(?:information|info|data|evidence)\b.*"
        r"|unknown|indeterminate|undetermined|undeterminable|unanswerable|unclear|uncertain"
        r"|not (?:determinable|known|stated|specified|mentioned|answerable)\b.*"
    ),
    "all": re.compile(r"all(?: of)? (?:above|these|those|them|options|choices|answers)\b.*|all"),
    "both": re.compile(r"both(?: of (?:them|these|those|above)\b.*)?"),
}
SAYS = {
    "none": re.compile(r"\bnone of (?:above|these|those|them|options|choices|answers|given)\b.*"),
    "unknown": re.compile(rf"(?<!\bi )(?<!\bwe )\b(?:{KINDS['unknown'].pattern})"),
    "all": re.compile(r"\ball of (?:above|these|those|them|options|choices)\b.*"),
    "both": re.compile(r"\Aboth\b.*"),
}
# Words for yes and no. They stand in many phrases that are no answer: "no doubt", "not", "yes-man".
POLAR = re.compile(
    r"yes|no|ja|nein|oui|non|si|sim|nao|да|нет|tak|nie|evet|hayır|是|否|不是|有|没有|對|对|错|はい|"
    r"いいえ|네|예|아니요|아니오|हाँ|नहीं|نعم|لا"
)
LONGER = {
    **dict.fromkeys(("yeah", "yep", "yup"), "yes"),
    **dict.fromkeys(("nope", "nah"), "no"),
    "是的": "是",
    "对的": "对",
    "對的": "對",
    "不是的": "不是",
}
# Right before an option's text: it is not what is meant.
DENIED = re.compile(
    r"(?:\b(?:not|never|neither|nor|without|cannot|isnt|wasnt|arent|doesnt|rather than|instead of)"
    r"(?: (?:an?|really|just|actually|likely|necessarily|show|be|by|in|on))?"
    r"|不是|并非|並非|不|非) ?\Z"
)


def same_word(text: str) -> str:
    """A word for yes or no, folded, in its usual form."""
    said = normalized_text(text)
    return LONGER.get(said, said)


class Options:
    """The options of one item: per option, the texts that count as it."""

    def __init__(self, texts: Texts) -> None:
        self.size = len(texts)
        # Options may themselves be letters: "a" is then the option "a", and "F" one beyond E.
        self.short = [{t.strip() for t in own if len(t.strip()) == 1} for own in texts]
        self.exact = [{plain(text).strip() for text in own} for own in texts]
        self.folded = [{f for text in own if (f := normalized_text(text))} for own in texts]
        # Signs of units that no option has: "$12" then means the option "12".
        self.units = str.maketrans("", "", "".join(c for c in UNITS if not self.has(c)))
        self.longest = max((len(text) for own in self.exact for text in own), default=0)
        self.window = 2 * self.longest + 40  # characters in which an option's text must stand
        self.indices: dict[str, list[int]] = {}
        for index, own in enumerate(self.folded):
            for text in own:
                self.indices.setdefault(text, []).append(index)
        self.polar = {i for i, own in enumerate(self.folded) if any(map(POLAR.fullmatch, own))}
        self.kinds = {kind: self.of_kind(pattern) for kind, pattern in KINDS.items()}

    def has(self, char: str) -> bool:
        return any(char in text for own in self.exact for text in own)

    def fold(self, text: str) -> str:
        return normalized_text(text).translate(self.units)

    def of_kind(self, pattern: re.Pattern[str]) -> int | None:
        """The one option that ``pattern`` matches, or None."""
        same = [i for i, own in enumerate(self.folded) if any(map(pattern.fullmatch, own))]
        return same[0] if len(same) == 1 else None

    def by_letter(self, letter: str) -> int | None:
        """The option with this label; for a letter beyond the labels, the option with this text."""
        same = [i for i, own in enumerate(self.short) if letter in own]
        index = same[0] if letter.islower() and same else LETTERS.find(letter.upper())
        if 0 <= index < self.size:
            return index
        return same[0] if len(same) == 1 else None

    def equal(self, text: str) -> int | None:
        """The one option whose text is ``text`` when both are folded; None for a single letter.

        Of several options that are the same when folded, the one that equals ``text`` unfolded.
        """
        if len(text) > 3 * self.longest + ROOM:
            return None
        said = self.fold(text)
        if len(said) == 1 and "a" <= said <= "z":
            return None
        same = self.indices.get(said) or self.indices.get(LONGER.get(said, ""), [])
        if len(same) > 1:
            bare = text.strip().rstrip(".").strip()
            same = [i for i in same if self.exact[i] & {text.strip(), bare}]
        if same:
            return same[0] if len(same) == 1 else None
        kinds = (kind for kind, index in self.kinds.items() if index is not None)
        return next((self.kinds[k] for k in kinds if KINDS[k].fullmatch(said)), None)

    def by_number(self, text: str) -> int | None:
        """The one option with this number, where all are numbers with a unit: "36" for "36 cm"."""
        said = self.fold(text) if len(text) < ROOM else ""
        if not NUMBER.fullmatch(said):
            return None
        measured = [[MEASURED.fullmatch(text) for text in own] for own in self.folded]
        if not all(len(own) == 1 and own[0] for own in measured):
            return None
        same = [i for i, own in enumerate(measured) if own[0] and own[0][1] == said]
        return same[0] if len(same) == 1 else None

    def speaking(self, text: str) -> int | None:
        """The option of a kind ("none of the above") that a sentence says in other words."""
        kinds = {kind: index for kind, index in self.kinds.items() if index is not None}
        if not kinds or len(text) > 3 * self.longest + ROOM:
            return None
        said = normalized_text(text)
        matches = {index for kind, index in kinds.items() if SAYS[kind].search(said)}
        return matches.pop() if len(matches) == 1 and not self.mentioned(text) - matches else None

    def mentioned(self, text: str) -> set[int]:
        """Options whose text stands in ``text`` as a whole and undenied, longer ones before parts.

        "yes" and "no" are no mention.
        """
        said, matches = self.fold(text), set[int]()
        for own in sorted(self.indices, key=lambda own: (-len(own), own)):
            if POLAR.fullmatch(own) or (len(own) == 1 and "a" <= own <= "z"):
                continue
            places = list(occurrences(own, said))
            if any(not DENIED.search(said[max(0, place - 40) : place]) for place in places):
                matches.update(self.same_unfolded(own, text))
            for place in places:
                said = said[:place] + " " * len(own) + said[place + len(own) :]
        return matches

    def only_mentioned(self, text: str) -> int | None:
        """The one option that ``text`` mentions, where nothing in it could mean otherwise."""
        whole = [own for texts in self.folded for own in texts]
        text = without_compounds(DIGIT_GROUPS.sub(lambda m: m[0].replace(" ", ""), text), whole)
        matches = self.mentioned(text)
        if len(matches) != 1:
            return None
        index = matches.pop()
        said = self.fold(text)
        others = {own for own, at in self.indices.items() if at != [index]}
        parts = [own for own in self.folded[index] if stands_in(own, said)]
        if not any(stands_in(own, said) for own in others) and self.nearer(parts, others, said):
            return None
        longer = {p: [own for own in others if stands_in(p, own)] for p in parts}
        return index if all(only_affirmed(p, text, longer[p]) for p in parts) else None

    @staticmethod
    def nearer(parts: Iterable[str], others: Iterable[str], said: str) -> bool:
        """Whether another option that holds one of ``parts`` is nearer to what is said.

        "java script" is JavaScript, not Java; "blue and red" is nearer to "red and blue" than red.
        """
        words, run = set(said.split()), said.replace(" ", "")
        return any(
            part[:1].isalpha()
            and part in own
            and part != own
            and (own.replace(" ", "") in run or set(own.split()) <= words)
            for part in parts
            for own in others
        )

    def same_unfolded(self, folded: str, text: str) -> Iterable[int]:
        """Of the options with one folded text, those that stand in ``text`` unfolded; else all."""
        same = self.indices[folded]
        if len(same) == 1:
            return same
        exact = [i for i in same if any(own in text for own in self.exact[i])]
        return exact or same
