"""Options written into a question: "(A) west (B) east", a line each or on one line.

The options are the last run of marked letters of which one is A. A run is of one marking: ``(A)``,
``[A]``, ``A.``, ``A)``, ``A:`` or, at a line's start, ``A -``; its letters are all upper or all
lower case. A list's bullet or Markdown's bold may stand around a mark, full-width forms are marks
too. Letters may be in any order and with gaps. Digits are not marks: a numbered list is as often
one of statements.

* ``I. have a hint`` on a line before ``A. x`` and ``B. y`` is no option: of the lines before A
  those count whose letters fill a gap of the run or continue it. In brackets all count.
* In a line a run begins after a header, a colon, a sentence's end or the blank "( )"; there it may
  also be written "(A)west(B)east". A mark inside a wrapped line that would go on with the run is
  refused.
* An option's wrapped lines are joined by a space. The last option ends at an empty line, or where a
  line or sentence asks for an answer ("Answer with the option's letter.") or a line begins with
  "Hint:" and the like: what follows is ``after``. A header before the options ("Options:",
  "Choices:") is dropped from ``before``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

from calib.records import InputError
from calib.tasks.files.marks import INSTRUCTION, Mark, marks
from calib.tasks.files.runs import last_run, refuse_in_wrapped_lines
from calib.tasks.files.values import shown

HEADER = re.compile(
    r"(?:^|(?<=[.?!>\u3002\uff1f]))[ \t]*(?:\*\*)?"
    r"(?:(?:the|answer|possible) )?(?:options|choices|candidates|alternatives|\u9009\u9879)"
    r"(?: are)?(?:\*\*)?[ \t]?[:\uff1a]?(?:\*\*)?$",
    re.I,
)
# Inside a line only what is hardly an option's own words ends the last option.
ASKED_IN_LINE = re.compile(
    r"\s(?=(?:Answer (?:with|the question|by)|(?:Please|Kindly) (?:answer|respond|reply|choose"
    r"|select|pick|provide|give|only)|(?:Choose|Select|Pick) (?:the|one))\b)"
)
LABELLED = re.compile(r"(?:Hint|Context|Notes?|Question|Passage|Caption|Explanation)[ \t]*:")
MOST_MARKS = 50_000  # some 0.4 s of reading
SEPARATORS = ",;|/"


@dataclass(frozen=True, slots=True)
class Marked:
    """What is ``before`` the options of a text, their letters and texts, what is ``after``.

    Lines divide ``after``. A line that asks for a form of answer begins the ``instruction``; the
    start, or a line with a label ("Hint:"), begins a part of the question.
    """

    before: str
    letters: tuple[str, ...]
    texts: tuple[str, ...]
    after: str

    @property
    def instruction(self) -> str:
        """What asks for a form of answer; empty where nothing does."""
        return "\n".join(line for line, asks in sorted_lines(self.after) if asks).strip()

    @property
    def question(self) -> str:
        """What is asked: all that is neither an option nor the instruction."""
        rest = "\n".join(line for line, asks in sorted_lines(self.after) if not asks).strip()
        return "\n".join(part for part in (self.before, rest) if part)


def marked_options(text: str, where: str) -> Marked | None:
    """The options written into ``text``; None where no letters are marked as such.

    Raises InputError for a run without A, a letter twice, an option without a text, and a text
    between two options that belongs to neither. Time is linear in the text.
    """
    every = tuple(islice(marks(text), MOST_MARKS + 1))
    if len(every) > MOST_MARKS:
        raise InputError(
            f"{where}: more than {MOST_MARKS:,} letters of the text are marked as options are, and "
            "which of them are options cannot be told"
        )
    run = last_run(every, text, where)
    if run is None:
        return None
    ends = [mark.start for mark in run[1:]]
    raw = [text[mark.end : end] for mark, end in zip(run, ends, strict=False)]
    last, after = split_last(text[run[-1].end :])
    refuse_in_wrapped_lines(every, run, run[-1].end + len(last), where)
    texts = [option_text(part, mark, where) for part, mark in zip([*raw, last], run, strict=True)]
    if any(mark.line == following.line for mark, following in pairwise(run)):
        texts = without_separators(texts)
    before = text[: run[0].start].rstrip()
    return Marked(
        before=without_header(before).strip(),
        letters=tuple(mark.letter for mark in run),
        texts=tuple(texts),
        after=after,
    )


def split_last(text: str) -> tuple[str, str]:
    """The last option's own text, and what follows it."""
    lines = text.split("\n")
    own = 1
    while own < len(lines) and lines[own].strip() and not ends_options(lines[own]):
        own += 1
    option, after = "\n".join(lines[:own]), "\n".join(lines[own:])
    request = ASKED_IN_LINE.search(option)
    if request:
        after = f"{option[request.end() :]}\n{after}"
        option = option[: request.start()]
    return option, after.strip()


def sorted_lines(after: str) -> Iterator[tuple[str, bool]]:
    """The lines behind the options, each with whether it belongs to the instruction."""
    asks = False
    for line in after.split("\n"):
        text = line.strip()
        label = LABELLED.match(text)
        request = ASKED_IN_LINE.search(f" {text}")
        if request and not INSTRUCTION.match(text):
            before = text[: request.start()]  # the search has a space more in front
            before = before.strip()
            if before and not (label and before == label[0].strip()):
                yield before, False
                yield text[len(before) :].strip(), True
            else:
                yield line, True
            asks = True
            continue
        asks = bool(INSTRUCTION.match(text)) or (asks and label is None)
        yield line, asks


def ends_options(line: str) -> bool:
    return bool(INSTRUCTION.match(line) or LABELLED.match(line))


def option_text(raw: str, mark: Mark, where: str) -> str:
    """An option's lines joined by spaces."""
    lines = [line.strip() for line in raw.strip().split("\n")]
    text = " ".join(lines)
    if "bold" in mark.style:
        text = text.removesuffix("**").rstrip()
    if not text:
        raise InputError(f"{where}: expected a text after the mark of option {mark.letter}")
    if "" in lines:
        stray = lines[lines.index("") + 1]
        raise InputError(
            f"{where}: {shown(stray)} stands between the options after an empty line, so that "
            f"it is neither option {mark.letter} nor another; write it before or after them"
        )
    return text


def without_separators(texts: list[str]) -> list[str]:
    """Options of one line without the comma that each but the last ends in."""
    ends = {text[-1] for text in texts[:-1]}
    if len(ends) != 1 or not ends <= set(SEPARATORS) or any(len(text) == 1 for text in texts[:-1]):
        return texts
    return [*(text[:-1].rstrip() for text in texts[:-1]), texts[-1]]


def without_header(before: str) -> str:
    start = before.rfind("\n") + 1
    return before[:start] + HEADER.sub("", before[start:])
