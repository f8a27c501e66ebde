"""Which option does an answer mean? By its letter, else by its text.

Rules, the first that names something decides; ``Verdict.how`` says which it was:

``option text``      the whole answer is an option's text
``letter``           the whole answer is a letter
``cue``              what follows "the answer is", "Answer:" or "option" + verb; the last cue counts
``label``            the first line begins "B." or "(B)", or an option's own text
``last sentence``    "(B)", "option B" or "B. text" in the last sentence that holds such a mention
``only mention``     the one option so mentioned, or the one option text there, in the whole answer

Two options where a rule looks are ambiguous, and then nothing is parsed: a wrong guess would count
as a wrong answer of the model. A restated list of the options is no mention of any.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from calib.judge.cues import (
    ALONE,
    ALONE_TOGETHER,
    ARTICLE_USE,
    BARE,
    BOXED,
    CONCLUDES,
    CUE,
    DENIES,
    DRESS,
    ENDS,
    FIRST,
    JOINED,
    LABEL,
    LIST_MARK,
    LISTED,
    LONE,
    MARK,
    NAMED,
    NEWLINE,
    NOT,
    NOT_OFFERED,
    OFFERS_NONE,
    OPERATOR,
    SENTENCE,
    STRONG,
    SUBJECT,
)
from calib.judge.refusal import idk_option, is_refusal
from calib.judge.said import text_of
from calib.judge.text import normalized_text, spellings_of
from calib.records import Answer, Item, Verdict
from calib.task_files import LETTERS

Texts = Sequence[Sequence[str]]

LAST = 4
"""Sentences at the end of an answer in which an option may be named without a cue."""
SHORT = 300
"""Characters of an answer that is short enough for one option's text in it to be the answer."""
GAP = 300
"""Characters between two labels of one list, at most."""


def letter(answer: Answer | str, item: Item) -> Verdict:
    """The option an answer means; see the module for the rules.

    An answer that picks the item's "I don't know" option is a refusal, and so is one that says so
    without naming an option.
    """
    text = text_of(answer)
    parsed, how = find_option(text, spellings_of(item))
    sure = how in ("option text", "letter", "cue", "label")
    refused = parsed is not None and parsed == idk_option(item)
    if not refused and not sure and is_refusal(text):
        parsed, refused, how = None, True, "refusal"
    return Verdict(None if item.answer is None else parsed == item.answer, parsed, refused, how)


def find_option(text: str, options: Texts) -> tuple[int | None, str]:
    """The index of the option that ``text`` means, or None, and the rule or the reason.

    options: per option, the texts that count as it.
    """
    clean = DRESS.sub(" ", BOXED.sub(r" option \1 ", text)).strip()
    if not clean:
        return None, "empty"
    reader = _Reader(options)
    whole = reader.equal(clean)
    if whole is not None:
        return whole, "option text"
    alone = ALONE.fullmatch(clean)
    if alone:
        return reader.index(alone[1], "letter")
    if ALONE_TOGETHER.fullmatch(clean):
        return None, "ambiguous: more than one letter"
    told = reader.without_list(clean)
    rules = [reader.cue, reader.lone, reader.label, reader.last_sentence]
    if told == clean:  # a text that restates the options mentions more than it answers
        rules.append(reader.only_mention)
    for rule in rules:
        found, how = rule(told)
        if how:
            return found, how
    return None, "no option named"


Found = tuple[int | None, str]
NOTHING: Found = (None, "")


class _Reader:
    """The rules of one item's options. A rule returns NOTHING where it does not apply."""

    def __init__(self, options: Texts) -> None:
        self.size = len(options)
        # Options may themselves be letters: "a" is then the option "a", and "F" one beyond E.
        self.short = [
            {text.strip() for text in texts if len(text.strip()) == 1} for texts in options
        ]
        self.texts = [
            {folded for text in texts if (folded := normalized_text(DRESS.sub(" ", text)))}
            for texts in options
        ]

    def index(self, letter: str, how: str) -> Found:
        same = [i for i, own in enumerate(self.short) if letter in own]
        index = same[0] if letter.islower() and same else LETTERS.find(letter.upper())
        if 0 <= index < self.size:
            return index, how
        return (same[0], how) if len(same) == 1 else (None, f"there is no option {letter}")

    def equal(self, text: str) -> int | None:
        """The one option with this very text; texts of one letter are read as letters."""
        said = normalized_text(text)
        if len(said) < 2 and not said.isdigit():
            return None
        same = [i for i, texts in enumerate(self.texts) if said in texts]
        return same[0] if len(same) == 1 else None

    def cue(self, text: str) -> Found:
        cues = [*CUE.finditer(text), *SUBJECT.finditer(text)]
        for match in sorted(cues, key=lambda m: -m.start()):
            if match.re is SUBJECT:
                return self.index(match[1] or match[2], "cue")
            head = text[match.end() :].lstrip()
            if NOT_OFFERED.match(head):
                return None, "answers with none of the options"
            if not NOT.match(head):
                found, how = self.head(head)
                if how:
                    return found, how
        return NOTHING

    def head(self, head: str) -> Found:
        """What the text right after a cue names: a label, a bare letter or an option's text."""
        body = NAMED.sub("", head, count=1)
        line = SENTENCE.split(body, maxsplit=1)[0] if not LABEL.match(body) else body.split("\n")[0]
        whole = self.equal(line)
        if whole is not None:
            return whole, "cue"
        label = LABEL.match(body)
        bare = BARE.match(body)
        if label or (bare and self.is_letter(bare, body, named=len(body) < len(head))):
            match = label or bare
            assert match is not None
            first = next(group for group in match.groups() if group)
            if several(body[match.end() :], first):
                return None, "ambiguous: more than one option after the cue"
            return self.index(first, "cue")
        strong = self.strong(line)
        if len(strong) == 1:
            return strong.pop(), "cue"
        texts = self.mentioned(line)
        if len(texts) == 1 and not strong:
            return texts.pop(), "cue"
        if strong or len(texts) > 1:
            return None, "ambiguous: more than one option after the cue"
        return NOTHING

    def is_letter(self, match: re.Match[str], body: str, *, named: bool) -> bool:
        """Whether a bare capital is a label: "A" may be the article and "I" the pronoun."""
        rest = body[match.end() :]
        if named or match[1] not in "AI":
            return named or not OPERATOR.match(rest)
        return bool(ARTICLE_USE.match(rest))

    def lone(self, text: str) -> Found:
        """A line that is a letter and nothing else; the last one counts."""
        lines = [m for line in text.split("\n") if (m := LONE.fullmatch(line))]
        return self.index(lines[-1][1], "label") if lines else NOTHING

    def label(self, text: str) -> Found:
        first = text.split("\n", 1)[0]
        match = FIRST.match(first)
        if match:
            if several(first[match.end() :], match[1]):
                return None, "ambiguous: more than one option on the first line"
            return self.index(match[1], "label")
        whole = self.equal(first)
        if whole is None:
            whole = self.equal(re.split(r"[.,;]\s", first, maxsplit=1)[0])
        return (whole, "label") if whole is not None else NOTHING

    def last_sentence(self, text: str) -> Found:
        for sentence in reversed(SENTENCE.split(text)[-LAST:]):
            found = self.strong(sentence)
            if len(found) == 1:
                return found.pop(), "last sentence"
            if found:
                return None, "ambiguous: more than one option in the last sentence that names one"
        return NOTHING

    def only_mention(self, text: str) -> Found:
        said = text if len(text) <= SHORT else SENTENCE.split(text)[-1]
        found = set() if OFFERS_NONE.search(said) else self.mentioned(said)
        return (found.pop(), "only mention") if len(found) == 1 else NOTHING

    def strong(self, text: str) -> set[int]:
        """Options named as options: "option B", "(B)" in a conclusion, a label by its own text."""
        named = list(STRONG.finditer(text))
        named += [m for m in LISTED.finditer(text) if self.labels_text(m, text)]
        concludes = CONCLUDES.search(text)
        named += [m for m in ENDS.finditer(text) if concludes]
        named += [m for m in MARK.finditer(text) if concludes or self.follows_text(m, text)]
        letters = [m[1] for m in named if not DENIES.search(text[: m.start()])]
        return {LETTERS.index(c) for c in letters if LETTERS.index(c) < self.size}

    def labels_text(self, match: re.Match[str], text: str) -> bool:
        """Whether the option's own text stands right after its label: "B. Gold leaf"."""
        index = LETTERS.index(match[1])
        after = f"{normalized_text(text[match.end() : match.end() + 400])} "
        return index < self.size and any(after.startswith(f"{own} ") for own in self.texts[index])

    def follows_text(self, match: re.Match[str], text: str) -> bool:
        """Whether the option's own text stands right before its label: "gold leaf (B)"."""
        index = LETTERS.index(match[1])
        before = f" {normalized_text(text[max(0, match.start() - 400) : match.start()])}"
        return index < self.size and any(before.endswith(f" {own}") for own in self.texts[index])

    def mentioned(self, text: str) -> set[int]:
        """Options whose text stands in ``text`` as whole words, longer texts before their parts."""
        said = f" {normalized_text(text)} "
        found = set()
        pairs = [(own, i) for i, texts in enumerate(self.texts) for own in texts]
        for own, index in sorted(pairs, key=lambda pair: -len(pair[0])):
            if (len(own) > 1 or own.isdigit()) and f" {own} " in said:
                found.add(index)
                said = said.replace(f" {own} ", " | ")
        return found

    def without_list(self, text: str) -> str:
        """The text without lists of options: three or more different labels on end, "A" first."""
        marks = list(LIST_MARK.finditer(text))
        for start in range(len(marks) - 1, -1, -1):
            run: list[re.Match[str]] = []
            for mark in marks[start:]:
                between = text[run[-1].end() : mark.start()] if run else ""
                met = {m[1] or m[2] for m in run}
                if (mark[1] or mark[2]) in met or len(between) > GAP or CUE.search(between):
                    break
                run.append(mark)
            if (run[0][1] or run[0][2]) != "A" or len(run) < min(3, self.size):
                continue
            tail = text[run[-1].end() :]
            ends = [len(tail), *(m.start() for r in (NEWLINE, CUE) if (m := r.search(tail)))]
            text = f"{text[: run[0].start()]}\n{tail[min(ends) :]}"
        return text.strip()


def several(rest: str, first: str) -> bool:
    """Whether another option is joined to the first: "A and C", "A, E", "A or B"."""
    joined = JOINED.match(rest)
    return joined is not None and joined[1] != first
