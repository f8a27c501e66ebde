"""A plain table as records: of confidence and correctness, or of logits and labels.

The columns say which it is (``calib.logs.columns``). Axis legend: N rows, O options of a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.logs import values
from calib.logs.columns import ROLES, Meant, listed, meant
from calib.logs.log import Log
from calib.records import InputError
from calib.runs.record_rows import Row

MOST_VALUES = 5_000_000
"""A table may hold at most so many logits, since each becomes a number of a record."""
ARGUMENTS = tuple(ROLES)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one length, as a file has them.

    ``where(row)`` is the file and the row's place in it; in a ``written`` table every cell is text.
    """

    path: Path
    columns: Mapping[str, Sequence[Any]]
    where: Callable[[int], str]
    written: bool = False

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def read_table(table: Table, chosen: Mapping[str, str]) -> Log:
    """The records of a table. Raises InputError, naming the row, for a row that gives no record."""
    names = list(table.columns)
    if not len(table):
        raise InputError(f"{table.path}: it holds no rows; {listed(names)}")
    of = meant(names, chosen, table.path)
    make, used = shape(of, table)
    if "logits" in used and "logits" not in chosen:
        refuse_probabilities(of, table)
    rows: list[Row] = []
    lines: dict[str, int] = {}
    family: dict[str, str] = {}
    for number in range(len(table)):
        where = table.where(number)
        row: Row = {"id": str(number), "index": number, "task": table.path.stem}
        for role in ("id", "group", "cluster", "question"):
            if role in of:
                row[role] = cell(table, of, role, number)
        first = lines.setdefault(row["id"], number)
        if first != number:
            raise InputError(
                f"{where}: the id {row['id']!r} is there already, in "
                f"{table.where(first).removeprefix(f'{table.path}, ')}"
            )
        rows.append({**row, **make(number, where, family)})
    read_columns = {
        role: ", ".join(of.columns[role][:3]) + (", ..." if of.columns[role][3:] else "")
        for role in (*used, "id", "group", "cluster", "question")
        if role in of
    }
    return Log(rows, {"columns": read_columns, **({} if "id" in of else {"numbered": True})})


Made = Callable[[int, str, dict[str, str]], Row]


def shape(of: Meant, table: Table) -> tuple[Made, tuple[str, ...]]:
    """The function that makes a record of a row, and the roles that it reads.

    Raises InputError where the columns do not suffice for a record.
    """
    scored = next((role for role in ("logits", "probabilities") if role in of), None)
    if scored is not None and "label" in of:
        width = len(of.columns[scored])
        single = width == 1 and not is_list(table.columns[of.name(scored)][0])
        if single and scored == "probabilities" and "correct" not in of:
            return two_classes(of, table), ("probabilities", "label")
        if not single:
            return options(of, table, scored), (scored, "label", "options")
    sure = "confidence" if "confidence" in of else scored if scored == "probabilities" else None
    if sure is not None and len(of.columns[sure]) == 1:
        if "correct" in of:
            return stated(of, table, sure), (sure, "correct")
        if "prediction" in of and "label" in of:
            return predicted(of, table, sure), (sure, "prediction", "label")
    raise InputError(
        f"{table.path}: expected columns confidence and correct, or logits (or probabilities) and "
        f"label; {listed(list(table.columns))}; other names are told by --format_args, as "
        "confidence=score,correct=is_right"
    )


def is_list(value: Any) -> bool:
    """Whether a cell holds several values; written in a text, they stand between commas or
    spaces."""
    if isinstance(value, str):
        return "," in value or " " in value.strip()
    return hasattr(value, "__len__")


def stated(of: Meant, table: Table, sure: str) -> Made:
    """Records from the columns of confidence and correctness."""
    confidence, correct = of.name(sure), of.name("correct")

    def made(number: int, where: str, family: dict[str, str]) -> Row:
        right, family["correct"] = values.truth(
            table.columns[correct][number], f"{where}: {correct}", family.get("correct")
        )
        own = f"{where}: {confidence}"
        return {
            "confidence": values.share(table.columns[confidence][number], own, table.written),
            "correct": right,
        }

    return made


def predicted(of: Meant, table: Table, sure: str) -> Made:
    """Records from confidence, prediction and label; a prediction equal to its label is right."""
    confidence = of.name(sure)

    def made(number: int, where: str, family: dict[str, str]) -> Row:
        own = f"{where}: {confidence}"
        return {
            "confidence": values.share(table.columns[confidence][number], own, table.written),
            "correct": cell(table, of, "prediction", number) == cell(table, of, "label", number),
        }

    return made


def two_classes(of: Meant, table: Table) -> Made:
    """Records from the probability of class 1 of two, and the label: the likelier class answers."""
    probability, label = of.name("probabilities"), of.name("label")

    def made(number: int, where: str, family: dict[str, str]) -> Row:
        own = f"{where}: {probability}"
        p = values.share(table.columns[probability][number], own, table.written)
        gold, family["label"] = values.truth(
            table.columns[label][number], f"{where}: {label}", family.get("label")
        )
        logprob = values.of_probabilities([1 - p, p], own, table.written)
        return scored_record(logprob, ["0", "1"], int(gold))

    return made


def options(of: Meant, table: Table, scored: str) -> Made:
    """Records from the logits or probabilities of every class, and the label."""
    columns = of.columns[scored]
    normal = values.log_probabilities if scored == "logits" else values.of_probabilities
    names = list(of.classes.get(scored, ()))
    size = [0]

    def made(number: int, where: str, family: dict[str, str]) -> Row:
        own = f"{where}: {columns[0]}"
        scores = scores_of(columns, table, number, own)
        size[0] += len(scores)
        if size[0] > MOST_VALUES:
            raise InputError(
                f"{table.path}: it holds more than {MOST_VALUES:,} {scored}; take fewer rows, or "
                "hand the arrays to calib.metrics and calib.TemperatureScaling"
            )
        logprob = normal(scores, own, table.written)
        texts = names or [str(k) for k in range(len(scores))]
        if "options" in of:
            listing = values.numbers(table.columns[of.name("options")][number], own, table.written)
            texts = [str(text) for text in listing]
            if len(texts) != len(scores):
                raise InputError(
                    f"{where}: it has {len(scores)} {scored}, but {len(texts)} options"
                )
        row = scored_record(logprob, texts, gold_of(table, of, number, texts, where))
        agree(row, of, table, number, where)
        return row

    return made


def scores_of(columns: Sequence[str], table: Table, number: int, where: str) -> list[Any]:
    """(O,): a row's scores, of a column each or of one column of lists."""
    if len(columns) > 1:
        return [table.columns[name][number] for name in columns]
    return values.numbers(table.columns[columns[0]][number], where, table.written)


def refuse_probabilities(of: Meant, table: Table) -> None:
    """InputError where every row of what is named logits is one of probabilities."""
    columns = of.columns["logits"]
    for number in range(len(table)):
        own = f"{table.where(number)}: {columns[0]}"
        if not values.are_probabilities(scores_of(columns, table, number, own), table.written):
            return
    every = columns[0]
    if len(columns) > 1:
        every = f"{every.removesuffix(of.classes['logits'][0])}*"
    raise InputError(
        f"{table.path}: {every} is named as logits, and every row has values from 0 to 1 that sum "
        f"to 1, as probabilities have; say which to read by --format_args, as "
        f"probabilities={every} or logits={every}"
    )


def gold_of(table: Table, of: Meant, number: int, texts: Sequence[str], where: str) -> int:
    """The label as the index of a class: its name, or its number from 0."""
    label = cell(table, of, "label", number)
    if label in ("True", "False") and len(texts) == 2:
        label = str(int(label == "True"))
    if label in texts:
        return texts.index(label)
    if not label.isdigit() or int(label) >= len(texts):
        raise InputError(
            f"{where}: {of.name('label')}: expected one of {len(texts)} classes, "
            f"{values.shown(texts[0])} to {values.shown(texts[-1])}, or its number from 0, got "
            f"{label!r}"
        )
    return int(label)


def scored_record(logprob: list[float], texts: list[str], gold: int) -> Row:
    """The fields that follow from log-probabilities (O,): the likeliest option is predicted."""
    prob = [math.exp(value) for value in logprob]
    prediction = max(range(len(prob)), key=lambda k: prob[k])
    return {
        "options": texts,
        "answer": gold,
        "prediction": prediction,
        "confidence": min(prob[prediction], 1.0),
        "prob": prob,
        "logprob": [None if value == -math.inf else min(value, 0.0) for value in logprob],
        "correct": prediction == gold,
    }


def agree(row: Row, of: Meant, table: Table, number: int, where: str) -> None:
    """Refuse a table that states a confidence or correctness other than its classes give."""
    if "confidence" not in of or "correct" not in of:
        return
    made = stated(of, table, "confidence")(number, where, {})
    near = abs(made["confidence"] - row["confidence"]) <= values.SUM
    if not near or made["correct"] != row["correct"]:
        raise InputError(
            f"{where}: it states confidence {made['confidence']:g} and correct {made['correct']}, "
            f"but its classes give {row['confidence']:.4g} and {row['correct']}; say which to read "
            "by --format_args, as confidence=confidence,correct=correct or logits=logits"
        )


def cell(table: Table, of: Meant, role: str, number: int) -> str:
    name = of.name(role)
    return values.text(table.columns[name][number], f"{table.where(number)}: {name}")
