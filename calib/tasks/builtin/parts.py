"""Write ``mmlu.csv`` and ``truthfulqa.csv`` anew from the files as published.

``python -m calib.tasks.builtin.parts MMLU/test TruthfulQA.csv [FOLDER]``: the same files give the
same bytes. Of each subject of MMLU ``EACH`` questions are drawn, seed 0, from those that are asked
once and whose four options are four texts. Of TruthfulQA every question is kept, less the columns
that no task reads.
"""

from __future__ import annotations

import csv
import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from calib.records import InputError, Item
from calib.tasks.builtin.texts import FOLDER, LETTERS
from calib.tasks.files import read_file
from calib.tasks.files.checks import alike

EACH, SEED = 10, 0
MMLU = ("subject", "number", "field", "question", *LETTERS, "answer")
TRUTHFULQA = ("Category", "Question", "Best Answer", "Best Incorrect Answer", "Incorrect Answers")
FIELDS = {
    "humanities": (
        "formal_logic high_school_european_history high_school_us_history "
        "high_school_world_history international_law jurisprudence logical_fallacies "
        "moral_disputes moral_scenarios philosophy prehistory professional_law world_religions"
    ),
    "social sciences": (
        "econometrics high_school_geography high_school_government_and_politics "
        "high_school_macroeconomics high_school_microeconomics high_school_psychology "
        "human_sexuality professional_psychology public_relations security_studies sociology "
        "us_foreign_policy"
    ),
    "other": (
        "anatomy business_ethics clinical_knowledge college_medicine global_facts human_aging "
        "management marketing medical_genetics miscellaneous nutrition professional_accounting "
        "professional_medicine virology"
    ),
    "STEM": (
        "abstract_algebra astronomy college_biology college_chemistry college_computer_science "
        "college_mathematics college_physics computer_security conceptual_physics "
        "electrical_engineering elementary_mathematics high_school_biology high_school_chemistry "
        "high_school_computer_science high_school_mathematics high_school_physics "
        "high_school_statistics machine_learning"
    ),
}
"""The fields by which MMLU's authors report, and their subjects (``categories.py`` there)."""


def drawn(items: Iterable[Item], each: int, seed: int) -> list[Item]:
    """``each`` items of every group, in their order. InputError where a group has fewer."""
    subjects: dict[str, list[Item]] = {}
    for item in items:
        subjects.setdefault(str(item.group), []).append(item)
    chosen = []
    for subject, own in sorted(subjects.items()):
        asked = Counter(item.question for item in own)
        fit = [item for item in own if asked[item.question] == 1 and not alike(item.options)]
        if len(fit) < each:
            raise InputError(f"{subject}: expected {each} questions or more, got {len(fit)}")
        places = random.Random(f"{seed} {subject}").sample(range(len(fit)), each)
        chosen += [fit[place] for place in sorted(places)]
    return chosen


def answered(item: Item) -> int:
    assert item.answer is not None, f"{item.id}: it has no answer"
    return item.answer


def mmlu_row(item: Item, fields: Mapping[str, str]) -> dict[str, str]:
    subject, _, number = item.id.rpartition("-")
    options = dict(zip(LETTERS, item.options, strict=True))
    return {
        **{"subject": subject, "number": number, "field": fields[subject]},
        **{"question": item.question, **options, "answer": LETTERS[answered(item)]},
    }


def write(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, tuple(columns), extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main(mmlu: str, truthfulqa: str, out: str | Path = FOLDER, *, each: int = EACH) -> None:
    """Both files, in the folder ``out``."""
    fields = {name: field for field, names in FIELDS.items() for name in names.split()}
    part = drawn(read_file(Path(mmlu)), each, SEED)
    write(Path(out) / "mmlu.csv", MMLU, (mmlu_row(item, fields) for item in part))
    with Path(truthfulqa).open(encoding="utf-8-sig", newline="") as file:
        write(Path(out) / "truthfulqa.csv", TRUTHFULQA, list(csv.DictReader(file)))


if __name__ == "__main__":
    main(*sys.argv[1:4])
