"""Pairs of models compared on their option logits.

python -m tests.oracle_comparison     the table of docs/comparing.md
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import calib
from calib.report.significance import shown
from calib.runs import open_run
from calib.summary.compare import compare
from tests.oracle_ranking import FOLDER

MODELS = [
    ("Qwen-VL", "Qwen-VL-Chat"),
    ("Monkey", "Monkey-Chat"),
    ("llava-v1.5-7b", "llava-v1.5-13b"),
]
PAIRS = [
    (f"{first}.{questions}", f"{second}.{questions}")
    for first, second in MODELS
    for questions in ("mmbench", "oodcv")
]
QUANTITIES = {"gap": "gap", "debiased_rmsce": "calibration error", "brier": "Brier"}
SIGNS = {(False, False): "?", (True, False): "≠", (False, True): "=", (True, True): "≈"}


def compared(first: str, second: str, folder: Path) -> dict[str, Any]:
    """The second file's logits against the first's; the runs are written to the folder."""
    names = (first, second)
    kept = [calib.read_log(FOLDER / f"{name}.npz", out=folder / name) for name in names]
    return compare([open_run(run.path) for run in kept])


def row(first: str, second: str, found: dict[str, Any]) -> str:
    pair = found["pairs"][0]
    ece = [f"{run['metrics']['ece']['value']:.4f}" for run in found["runs"]]
    told = []
    for name in QUANTITIES:
        difference, same = pair["differences"][name], pair["equivalences"][name]
        sign = SIGNS[shown(difference), shown(same)]
        told.append(f"{same['value']:+.3f} {sign} ({same['needs'] / 1000:.1f})".replace("-", "−"))
    parts = [
        " / ".join(f"{run['parts'][name]['value']:.4f}" for run in found["runs"])
        for name in ("calibration", "refinement")
    ]
    model, _, questions = first.rpartition(".")
    name = f"{model}, {second.rpartition('.')[0]}; {questions}"
    return f"| {' | '.join([name, ' / '.join(ece), *told, *parts])} |".replace("-0.", "−0.")


def table() -> Iterator[str]:
    """The lines of the table, a pair each."""
    head = ["models; questions", "ECE15", *QUANTITIES.values(), "calibration", "refinement"]
    yield f"| {' | '.join(head)} |"
    yield "| --- |" + " --- |" * (len(head) - 1)
    with TemporaryDirectory() as folder:
        for first, second in PAIRS:
            yield row(first, second, compared(first, second, Path(folder) / first))


def main() -> None:
    print(*table(), sep="\n")


if __name__ == "__main__":
    main()
