"""LLaVA's conversations: questions whose options stand in their text.

An entry is ``{id, image, conversations}``, or has ``messages`` as chat APIs write them (see
``conversation``); its other columns are every question's.

* Each of the user's turns with marked options (see ``marked_options``) is a question; the
  turns before it are its ``turns``, pairs of a question and its answer. Its id is the entry's, or
  the entry's number in the file. Where an entry has several questions, ``#1``, ``#2``, ... follow
  the id, and the questions are one cluster, that of their picture if they have one. A note counts
  the turns without options and names the first; they are no questions.
* The answer is the option that the next turn names by its letter or text (see ``marked_answer``).
* What asks for a form of answer behind the options is ``instruction``; all else is ``question``.
* System turns are ``context``.
* Each ``<image>`` is the next of the entry's images; where none is written they belong to the first
  turn. Pictures are shown before the text (see ``placeholders``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calib.records import InputError
from calib.tasks.files.conversation import KEYS, PLACEHOLDER, Turn, exchanges, turns_of
from calib.tasks.files.marked_answer import marked_answer
from calib.tasks.files.marked_options import Marked, marked_options
from calib.tasks.files.notes import Notes
from calib.tasks.files.placeholders import pictures_of, without_placeholders
from calib.tasks.files.values import shown

UNLISTED = "turns without options marked (A), [A], A., A) or A:, one of them A"
MADE = ("question", "options", "answer", "answer_index", "turns", "instruction")


def is_conversation(row: Mapping[str, Any]) -> bool:
    return any(key in row for key in KEYS)


def conversation_rows(
    row: Mapping[str, Any], where: str, notes: Notes
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The questions of one entry. InputError, naming the turn, where its text cannot be placed."""
    key, *others = (name for name in (*KEYS, *MADE) if name in row)
    if others:
        raise InputError(f"{where}: it has both {key} and {', '.join(others)}; keep one")
    turns = turns_of(row[key], where)
    pairs = exchanges([turn for turn in turns if turn.role != "system"], where)
    pictures = pictures_of(row, [turn for pair in pairs for turn in pair], where)
    columns = {name: row[name] for name in row if name not in (key, "image", "images")}
    context = [turn.text for turn in turns if turn.role == "system"]
    if any(PLACEHOLDER in text for text in context):
        raise InputError(f"{where}: a system turn has {PLACEHOLDER}; write it into a user's turn")
    if context:
        columns["context"] = "\n".join([*context, *filter(None, [columns.get("context")])])

    before: list[list[str]] = []
    images: list[Any] = []
    questions = []
    for number, (question, answer) in enumerate(pairs, start=1):
        place = f"{where}, question {number}" if len(pairs) > 1 else where
        text = without_placeholders(question.text, len(images))
        images = images + pictures[2 * number - 2]
        marked = marked_options(text, place)
        if marked is None:
            notes.add(UNLISTED, place)
        else:
            question_row = columns | columns_of(marked, answer, place) | {"images": images}
            questions.append((place, question_row | ({"turns": list(before)} if before else {})))
        before.append([text, without_placeholders(answer.text, len(images))])
        images = images + pictures[2 * number - 1]
    name = row["id"]
    if len(questions) > 1:
        cluster = {} if pictures[0] else {"cluster": str(name)}
        questions = [
            (place, cluster | question_row | {"id": f"{name}#{number}"})
            for number, (place, question_row) in enumerate(questions, start=1)
        ]
    for place, question_row in questions:
        yield place, {"id": name} | question_row


def columns_of(marked: Marked, answer: Turn, where: str) -> dict[str, Any]:
    """The columns of a question."""
    for letter, text in zip(marked.letters, marked.texts, strict=True):
        if PLACEHOLDER in text or text.startswith("<image "):
            raise InputError(
                f"{where}: option {letter} is a picture ({shown(text)}), and options are texts"
            )
    row = {
        "question": marked.question,
        "options": list(marked.texts),
        "answer_index": marked_answer(answer.text, marked.letters, marked.texts, where),
    }
    return row | ({"instruction": marked.instruction} if marked.instruction else {})
