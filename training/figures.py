"""The picture of an example's calibration over its steps, from the numbers that it left.

python -m training.figures [NUMBERS.json [PICTURE.png]]        (make figures)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calib.report import plots

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = ROOT / "training" / "ece_over_steps.json"
"""What ``python -m training.example --model embedded`` left of its last committed run."""
PICTURE = ROOT / "docs" / "ece_over_steps.png"


def draw(numbers: Mapping[str, Any], path: Path) -> None:
    """Evaluations and training rows; ``numbers`` as ``training.example`` writes them."""
    rows = sorted({record["rows"] for record in numbers["evaluations"]})
    last = numbers["evaluations"][-1]["step"]
    title = f"{numbers['model']} model: calibration over {last:,} steps"
    if len(rows) == 1:
        title += f", {rows[0]:,} rows in each evaluation"
    figure = plots.over_steps(
        numbers["evaluations"],
        numbers["training"],
        measure="ece_width15_left",
        title=title,
        theme=plots.LIGHT,
    )
    plots.png(figure, path)


def main(words: list[str]) -> None:
    source = Path(words[0]) if words else NUMBERS
    path = Path(words[1]) if len(words) > 1 else PICTURE
    draw(json.loads(source.read_text()), path)
    print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
