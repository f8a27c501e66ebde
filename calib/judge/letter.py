"""Which option does an answer mean? By its letter, else by its text.

The first of these rules that names an option decides; ``Verdict.how`` says which one did:

``option text``      the whole answer is an option's text, or says what "none of the above" says
``letter``           the whole answer is a letter
``cue``              what follows "the answer is", "Answer:" or a box, "It is B.", "B is correct",
                     and the like in other languages (``wordings``); the last one counts
``label``            a line is a letter, or the first begins "B." or "(B)", or with an option's text
``last sentence``    "(B)", "option B" or "B. text" in the last sentence that holds such a mention
``only mention``     the one option so mentioned, or the one option text there, in the whole answer

Where a rule finds two options, the answer is ambiguous and nothing is parsed: a wrong guess would
count as a wrong answer of the model. A restated list of the options mentions none of them.
"""

from __future__ import annotations

import re

from calib.judge.cues import (
    ABBREVIATED,
    ALONE,
    ALONE_TOGETHER,
    ARTICLE_USE,
    BARE,
    BARE_SUBJECT,
    BOXED,
    CLAUSE,
    CORRECTS,
    CUE,
    DENIED_LABEL,
    FIRST,
    FOREIGN_NOT,
    JOINED,
    LABEL,
    LABELS,
    LAST_CLAUSE,
    LATIN,
    LONE,
    LOOK_ALIKES,
    LOWER_FIRST,
    MARK,
    MAYBE,
    MORE_LABELS,
    NAMED,
    NOT,
    NOT_BEHIND,
    NOT_OFFERED,
    NUMBER,
    NUMBERED,
    NUMBERS_ON,
    OF_A_LIST,
    OFFERS_NONE,
    OPERATOR,
    OTHER_LABEL,
    OTHERS,
    POLAR_CLAUSE,
    SENTENCE,
    STATED,
    SUBJECT,
    SUPPOSED,
    TAKEN_BACK,
)
from calib.judge.mentions import begins_text, labels_text, strong, without_list
from calib.judge.options import POLAR, Options, Texts, same_word
from calib.judge.plain import plain
from calib.judge.refusal import idk_options, is_refusal
from calib.judge.said import text_of, unboxed, unwrapped
from calib.judge.text import spellings_of
from calib.records import Answer, Item, Verdict

LAST = 4
"""An option may be named without a cue in so many sentences at the end of an answer."""
SHORT = 300
"""In an answer of at most so many characters, an option's text may be the answer."""
HEAD = 1000
"""So many characters behind a cue are read."""
TRIED = 20
"""Only so many cues are read, the last ones: a model that repeats itself gives no answer."""
BEFORE = 60
"""So many characters before a mention may deny or suppose it."""

Reading = tuple[int | None, str]
NOTHING: Reading = (None, "")


def letter(answer: Answer | str, item: Item) -> Verdict:
    """The option an answer means; see the module for the rules.

    An answer that picks an option that says "I don't know" (``idk_options``) is a refusal, unless
    that is the right one, and so is an answer that says so without naming an option.
    """
    text = unwrapped(text_of(answer))
    parsed, how = find_option(text, spellings_of(item))
    sure = how in ("option text", "letter", "cue", "label")
    refused = parsed is not None and parsed != item.answer and parsed in idk_options(item)
    if not refused and not sure and is_refusal(text):
        parsed, refused, how = None, True, "refusal"
    return Verdict(None if item.answer is None else parsed == item.answer, parsed, refused, how)


def find_option(text: str, options: Texts) -> Reading:
    """The index of the option that ``text`` means, or None, and the rule or the reason.

    options: per option, the texts that count as it.
    """
    lines = [line for line in text.split("\n") if "\\boxed" in line]
    if lines and len({match[1] for match in BOXED.finditer(lines[-1])}) > 1:
        return None, "ambiguous: more than one box"
    bare = plain(unboxed(text, " Answer: "))
    clean = re.sub(r"\s*\n\s*", "\n", re.sub(r"[^\S\n]+", " ", bare)).strip()
    clean = LOOK_ALIKES.sub(lambda m: LATIN[m[0]], clean)
    if not clean:
        return None, "empty"
    reader = _Reader(Options(options))
    corrected = reader.corrected(clean)
    return corrected if corrected is not None else reader.read(clean)


class _Reader:
    """The rules of one item's options. A rule returns NOTHING where it does not apply."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, clean: str) -> Reading:
        """The reading of a plain text by the first rule that names an option."""
        whole = self.options.equal(clean)
        whole = self.options.by_number(clean) if whole is None else whole
        if whole is not None:
            return whole, "option text"
        if len(clean) <= SHORT:
            alone = ALONE.fullmatch(clean)
            if alone:
                return self.index(alone[1], "letter")
            if ALONE_TOGETHER.fullmatch(clean):
                return None, "ambiguous: more than one letter"
        unlisted = without_list(clean, self.options.size)
        rules = [self.cue, self.lone, self.label, self.kind, self.last_sentence]
        if unlisted == clean:  # a text that restates the options mentions more than it answers
            rules.append(self.only_mention)
        for rule in rules:
            index, how = rule(unlisted)
            if how:
                return index, how
        return None, "no option named"

    def corrected(self, clean: str) -> Reading | None:
        """The reading of what follows a correction ("No, wait"); None where there is none."""
        corrections = list(CORRECTS.finditer(clean))
        if not corrections or self.options.equal(clean) is not None:
            return None
        last = corrections[-1]
        label = LABELS.search(clean[: last.start()])
        if label and begins_text(self.options, label, clean):
            return None
        if self.read(clean[: last.start()])[0] is None:
            return None
        rest = clean[last.end() :]
        reading = self.read(rest)
        if reading[0] is not None:
            return reading
        return (None, "takes back what it named") if len(rest) < SHORT else None

    def index(self, letter: str, how: str) -> Reading:
        index = self.options.by_letter(letter)
        return (index, how) if index is not None else (None, f"there is no option {letter}")

    def cue(self, text: str) -> Reading:
        if len({match[1] for match in MAYBE.finditer(text)}) > 1:
            return None, "ambiguous: more than one option"
        patterns = (CUE, SUBJECT, BARE_SUBJECT, STATED)
        cues = sorted((m for p in patterns for m in p.finditer(text)), key=lambda m: m.end())
        wrong = False
        for match in reversed(cues[-TRIED:]):
            if OTHERS.search(text[max(0, match.start() - BEFORE) : match.start()]):
                wrong = True
                continue
            if match.re is CUE:
                index, how = self.after_cue(text[match.end() : match.end() + HEAD].lstrip())
            else:
                index, how = self.stated(match, text)
            if how:
                return self.not_contradicted(index, how, text)
        return (None, "names an answer that is wrong or another's") if wrong else NOTHING

    def not_contradicted(self, index: int | None, how: str, text: str) -> Reading:
        """The reading, unless the options are yes and no and a clause says the other one."""
        said = self.polar(text) if len(self.options.polar) == self.options.size else None
        if None not in (index, said) and index != said:
            return None, "ambiguous: yes and no"
        return index, how

    def stated(self, match: re.Match[str], text: str) -> Reading:
        """The letter of "It is B." or "B is correct", unless denied, supposed or one of two."""
        label = next(group for group in match.groups() if group)
        if match.re is SUBJECT:
            return self.index(label, "cue")
        start, end = match.span(match.lastindex or 0)
        before = text[max(0, start - BEFORE) : start]
        supposed = SUPPOSED.search(text[max(0, match.start() - BEFORE) : match.start()])
        supposed = supposed or FOREIGN_NOT.search(text[max(0, match.start() - 6) : start])
        if self.options.by_letter(label) is None or supposed:
            return NOTHING
        if match.re is BARE_SUBJECT and OTHER_LABEL.search(before):
            return NOTHING
        after = text[end : end + 2 * BEFORE]
        if TAKEN_BACK.search(after) or NOT_BEHIND.match(after):
            return None, "answers with none of the options"
        return NOTHING if several(after, label) else self.index(label, "cue")

    def after_cue(self, head: str) -> Reading:
        """The option that the text right after a cue names, unless it denies one."""
        line = SENTENCE.split(head, maxsplit=1)[0]
        labelled = LABEL.match(NAMED.sub("", line, count=1))
        for part in (line,) if labelled else (line, CLAUSE.split(line, maxsplit=1)[0]):
            whole = self.options.equal(NAMED.sub("", part, count=1))
            whole = self.options.equal(part) if whole is None else whole
            if whole is not None:
                return whole, "cue"
        number = self.options.by_number(line)
        if number is not None:
            return number, "cue"
        kind = self.options.speaking(line)
        if kind is not None:
            return kind, "cue"
        if NOT_OFFERED.match(head):
            return None, "answers with none of the options"
        polar = self.polar(head)
        if polar is not None:
            return polar, "cue"
        return self.head(head) if not NOT.match(head) else NOTHING

    def head(self, head: str) -> Reading:
        """A label, a bare letter or an option's text at the beginning of ``head``."""
        body = NAMED.sub("", head, count=1)
        label = LABEL.match(body)
        line = body.split("\n", 1)[0] if label else SENTENCE.split(body, maxsplit=1)[0]
        bare = BARE.match(body)
        if label or (bare and self.is_letter(bare, body, after_noun=len(body) < len(head))):
            match = label or bare
            assert match is not None
            first = next(group for group in match.groups() if group)
            if NOT_BEHIND.match(body[match.end() :]):
                return None, "answers with none of the options"
            if several(body[match.end() :], first):
                return None, "ambiguous: more than one option after the cue"
            # "A" is short for "answer" as well.
            by_text = (
                self.options.equal(body[match.end() :].lstrip("]).: ")) if first == "A" else None
            )
            return (by_text, "cue") if by_text is not None else self.index(first, "cue")
        labels = strong(self.options, line)
        if len(labels) == 1:
            return labels.pop(), "cue"
        texts = self.options.mentioned(line)
        marks = {self.options.by_letter(mark[1]) for mark in MARK.finditer(line)}
        if len(texts) == 1 and not labels and not marks - texts:
            return texts.pop(), "cue"
        if texts and marks - texts:
            return None, "ambiguous: a label and another option's text"
        if labels or len(texts) > 1:
            return None, "ambiguous: more than one option after the cue"
        return NOTHING

    def is_letter(self, match: re.Match[str], body: str, *, after_noun: bool) -> bool:
        """Whether a bare capital is a label: "A" may be the article and "I" the pronoun."""
        rest = body[match.end() :]
        if after_noun or match[1] not in "AI":
            return after_noun or not OPERATOR.match(rest)
        return bool(ARTICLE_USE.match(rest))

    def lone(self, text: str) -> Reading:
        """A line that is a letter and nothing else; the last one counts."""
        lines = [
            m for line in text.split("\n") if len(line) < SHORT and (m := LONE.fullmatch(line))
        ]
        return self.index(lines[-1][1], "label") if lines else NOTHING

    def label(self, text: str) -> Reading:
        first = text.split("\n", 1)[0]
        match = FIRST.match(first)
        denied = match and DENIED_LABEL.match(first[match.end() :])
        if match and denied and not begins_text(self.options, match, first):
            return NOTHING
        if match:
            rest = first[match.end() :]
            if (
                match[0].rstrip().endswith(":")
                and match[1] == "A"
                and (other := ALONE.fullmatch(rest))
            ):
                return self.index(other[1], "label")  # "A" is short for "answer" as well
            if OF_A_LIST.match(rest) and not any(
                OF_A_LIST.match(text) for own in self.options.exact for text in own
            ):
                return None, "ambiguous: more than one option on the first line"
            if several(rest, match[1]) or (
                MORE_LABELS.match(rest) and not labels_text(self.options, match, first)
            ):
                return None, "ambiguous: more than one option on the first line"
            return self.index(match[1], "label")
        lower = LOWER_FIRST.match(first)
        if lower and labels_text(self.options, lower, first):
            return self.index(lower[1].upper(), "label")
        whole = self.options.equal(first)
        if whole is None:
            clause = CLAUSE.split(first, maxsplit=1)[0]
            rest = first[len(clause) :]
            if not (NUMBER.fullmatch(clause) and NUMBERS_ON.match(rest)):
                whole = self.options.equal(clause)
            second = self.options.equal(rest[1:]) if rest[:1] == ":" else None
            if None not in (whole, second) and whole != second:
                return None, "ambiguous: more than one option on the first line"
        if whole in self.options.polar or whole is None:
            whole = self.polar(text)
        return (whole, "label") if whole is not None else NOTHING

    def polar(self, text: str) -> int | None:
        """The yes or no that is the first or last clause of ``text``, unless both are clauses."""
        options = self.options
        if not options.polar:
            return None
        clauses = list(POLAR_CLAUSE.finditer(text[:HEAD]))
        indices = {
            option
            for clause in clauses
            for option in options.polar
            if same_word(clause[1]) in options.folded[option]
        }
        if len(indices) != 1 or NUMBERED.match(text):
            return None
        own = [clause for clause in clauses if POLAR.fullmatch(same_word(clause[1]))]
        first, last = own[0].start() == 0, not text[own[-1].end() :].strip(".,;:!?\"')* \n")
        return indices.pop() if first or last else None

    def kind(self, text: str) -> Reading:
        """An option such as "none of the above", said in other words in a sentence of its own."""
        sentences = [s for s in SENTENCE.split(text) if s.strip()]
        for sentence in [*reversed(sentences[-LAST:]), *sentences[:1]]:
            index = self.options.speaking(sentence)
            if index is not None and not strong(self.options, sentence):
                return index, "option text"
        return NOTHING

    def last_sentence(self, text: str) -> Reading:
        end = text[-BEFORE:]
        clause = LAST_CLAUSE.search(end)
        if clause and not ABBREVIATED.search(end[: clause.start(1)]):
            return self.index(clause[1], "last sentence")
        for sentence in reversed(SENTENCE.split(text)[-LAST:]):
            indices = strong(self.options, sentence)
            if len(indices) == 1:
                return indices.pop(), "last sentence"
            if indices:
                return None, "ambiguous: more than one option in the last sentence that names one"
        return NOTHING

    def only_mention(self, text: str) -> Reading:
        said = text if len(text) <= SHORT else SENTENCE.split(text)[-1]
        if OFFERS_NONE.search(said) or len(said) > HEAD:
            return NOTHING
        index = self.options.only_mentioned(said)
        return (index, "only mention") if index is not None else NOTHING


def several(rest: str, first: str) -> bool:
    """Whether another option is joined to the first: "A and C", "A, E", "A or B"."""
    joined = JOINED.match(rest)
    return joined is not None and (joined[1] or joined[2]) != first
