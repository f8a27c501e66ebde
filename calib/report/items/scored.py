"""The questions of a scored run or an imported table, each read where its record stands.

A table's rows may have no question, no options and no pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calib.images.kept import own_name
from calib.report.items.prompts import Prompts
from calib.report.items.question import UNJUDGED, Option, Picture, Question, Source
from calib.runs import Run
from calib.runs.batches import record_files
from calib.runs.record_rows import Row, lines, record_in
from calib.summary.rows import can_be_judged
from calib.uncertainty.telling import RIGHT, WRONG

ALL_TOKENS = " among all tokens"


def scored(run: Run) -> Source:
    places = places_of(run.path)
    name = " on ".join(str(run.config[key]) for key in ("model", "task") if run.config.get(key))
    return Source(
        title=name or run.path.name,
        confidence=f"confidence{ALL_TOKENS if run.config.get('confidence') == 'vocab' else ''}",
        total=len(places),
        questions=questions(run.path, places),
    )


def places_of(folder: Path) -> dict[int, tuple[Path, int]]:
    """Each question's number, and the file and the byte at which its record begins.

    The records themselves, of a hundred thousand questions, would fill the memory.
    """
    places: dict[int, tuple[Path, int]] = {}
    for file in record_files(folder):
        begin = 0
        for row, end in lines(file):
            if row is not None:
                places.setdefault(int(row["index"]), (file, begin))
            begin = end
    return dict(sorted(places.items()))


def questions(folder: Path, places: dict[int, tuple[Path, int]]) -> Iterator[Question]:
    prompts = Prompts(folder)
    files = {file: file.open("rb") for file in record_files(folder)}
    try:
        for index, (file, begin) in places.items():
            files[file].seek(begin)
            row = record_in(files[file].readline())
            if row is not None:
                yield question_of(folder, row, prompts.of(index, row["id"]))
    finally:
        for opened in files.values():
            opened.close()


def question_of(folder: Path, row: Row, prompt: str | None) -> Question:
    options, given, gold = row.get("options") or (), row.get("prediction"), row.get("answer")
    group = row.get("group")
    return Question(
        id=str(row["id"]),
        state=(RIGHT if row["correct"] else WRONG) if can_be_judged(row) else UNJUDGED,
        confidence=row["confidence"],
        group=None if group is None else str(group),
        question=row.get("question") or "",
        options=tuple(options_of(row)),
        given=options[given] if options and given is not None else None,
        gold=options[gold] if options and gold is not None else None,
        prompt=prompt,
        pictures=tuple(pictures_of(folder, row)),
    )


def options_of(row: Row) -> Iterator[Option]:
    options: list[str] = row.get("options") or []
    probabilities: list[Any] = row.get("prob") or [None] * len(options)
    given, gold = row.get("prediction"), row.get("answer")
    for number, (text, prob) in enumerate(zip(options, probabilities, strict=True)):
        if number == given == gold:
            role = "both"
        else:
            role = "given" if number == given else "gold" if number == gold else ""
        yield Option(text, prob, role)


def pictures_of(folder: Path, row: Row) -> Iterator[Picture]:
    """A picture that the model saw made into another is told to be."""
    made = row.get("made") or ()
    for number, name in enumerate(map(str, row.get("images") or ())):
        inside = own_name(folder, row["index"], number, name) or name
        recipe = made[number] if number < len(made) else None
        told = Path(name).name if recipe is None else f"{Path(name).name}, seen as: {recipe}"
        yield Picture(told, inside)
