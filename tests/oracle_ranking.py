"""The calibrators ranked on the option logits of six models: half fitted to, half judged.

python -m tests.oracle_ranking        the tables of docs/remedies.md
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

import calib
from calib.calibrators import CALIBRATORS
from calib.summary.ranking import NONE, rank, sign_of
from calib.summary.remedies import split
from calib.summary.rows import collect
from tests.house import ROOT

FOLDER = ROOT / "tests" / "data" / "oracles" / "vlm_uncertainty_bench"
NAMES = [NONE, *CALIBRATORS]
SEED = 0


@cache
def rankings() -> dict[str, dict[str, Any]]:
    """The ranking of each file; the split of its rows is seeded."""
    found = {}
    for path in sorted(FOLDER.glob("*.npz"), key=lambda path: path.stem.lower()):
        scored, _, _ = collect(calib.read_log(path).rows(), vocabulary=False)
        fit, held_out = split(scored.cluster, SEED)
        judge = scored.take(held_out)
        parts = [(fit, np.arange(len(judge)))]
        found[path.stem] = rank(list(CALIBRATORS), scored, judge, parts, bins=15, seed=SEED)
    return found


def mark(row: dict[str, Any]) -> str:
    """Whether the measure is shown to be lower or higher than without a calibrator."""
    return {-1: " ↓", 0: "", 1: " ↑"}[sign_of(row["tests"].get("measure"))]


def table(name: str, digits: int, marked: bool) -> Iterator[str]:
    """The lines of a table of one figure: a file each, a column for each calibrator."""
    yield f"| model, questions | n | {' | '.join(NAMES)} |"
    yield "| --- | --- |" + " --- |" * len(NAMES)
    for file, ranking in rankings().items():
        rows = {row["calibrator"]: row for row in ranking["rows"]}
        cells = [
            f"{rows[each][name]:.{digits}f}{mark(rows[each]) if marked else ''}" for each in NAMES
        ]
        model, _, questions = file.rpartition(".")
        yield f"| {model}, {questions} | {ranking['n']} | {' | '.join(cells)} |"


def tables() -> dict[str, list[str]]:
    return {
        "measure": list(table("measure", 4, marked=True)),
        "ece": list(table("ece", 3, marked=False)),
    }


def main() -> None:
    for title, lines in tables().items():
        print(f"{title}\n", *lines, "", sep="\n")
    for name in CALIBRATORS:
        rows = [r for x in rankings().values() for r in x["rows"] if r["calibrator"] == name]
        marks = [mark(row).strip() for row in rows]
        print(f"{name}: lower {marks.count('↓')}, higher {marks.count('↑')} of {len(rows)}")


if __name__ == "__main__":
    main()
