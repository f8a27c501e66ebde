"""A temperature of six models carried between two sets of questions: option logits, no simulation.

python -m tests.oracle_transfer        the table of docs/transfer.md
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import calib
from calib.report.transfer_words import loses, mark_of
from calib.summary.transfer import transfer_runs
from tests.oracle_ranking import FOLDER

MODELS = sorted({path.stem.rpartition(".")[0] for path in FOLDER.glob("*.npz")}, key=str.lower)
SETS = ("mmbench", "oodcv")


@cache
def transfers(calibrator: str = "temperature") -> dict[str, dict[str, Any]]:
    """The matrix of each model: fitted on each of the two sets, judged on both."""
    found = {}
    for model in MODELS:
        runs = [calib.read_log(FOLDER / f"{model}.{questions}.npz") for questions in SETS]
        found[model] = transfer_runs(runs, calibrator=calibrator)
    return found


def cells_of(results: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """(fitted on, judged on), by the names of ``SETS``, to the cell."""
    names = dict(zip([each["name"] for each in results["judged"]], SETS, strict=True))
    return {(names[cell["fitted"]], names[cell["judged"]]): cell for cell in results["cells"]}


def mark(cell: dict[str, Any]) -> str:
    sign = mark_of(cell).strip("·")
    return f" {sign}" if sign else ""


def table() -> Iterator[str]:
    """The lines of the table: a row for each model and set that is judged."""
    head = ["model, judged on", "as it is", "own T", "other's T", "other's − own"]
    yield f"| {' | '.join(head)} | ECE | own T | other's T |"
    yield "| --- |" + " --- |" * 7
    for model, results in transfers().items():
        cells = cells_of(results)
        for judged, other in (SETS, SETS[::-1]):
            own, far = cells[judged, judged], cells[other, judged]
            loss = f"{far['loss']['value']:+.4f}".replace("-", "−")
            errors = [
                f"{own['before']['value']:.4f}",
                f"{own['after']['value']:.4f}{mark(own)}",
                f"{far['after']['value']:.4f}{mark(far)}",
                f"{loss}{' *' if loses(far) else ''}",
            ]
            eces = [f"{each['ece']:.3f}" for each in (own["before"], own["after"], far["after"])]
            yield f"| {' | '.join([f'{model}, {judged}', *errors, *eces])} |"


def main() -> None:
    print(*table(), sep="\n")
    for model, results in transfers().items():
        for each in results["fitted"]:
            t = each["temperature"]
            print(model, each["name"], f"T {t['value']:.3f} ({t['low']:.3f} to {t['high']:.3f})")


if __name__ == "__main__":
    main()
