"""What stands beside a drawing says no more than what is drawn."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from calib import cli
from calib.report import captions
from tests.drawn import NARROW, a_bin

BAND = "The band is a 95\N{NO-BREAK SPACE}% interval at each share."


def curve(points: int, known: bool, band: str) -> dict[str, object]:
    ends = [0.2 if known else None] * points
    return {"points": [[1.0, 0.2]] * points, "low": ends, "high": ends, "band": band}


def test_a_band_is_told_of_where_there_is_one():
    assert captions.band(curve(2, True, "percentiles")) == BAND
    assert captions.band(curve(1, True, "percentiles")).startswith("There is no band: all conf")
    assert captions.band(curve(2, False, "none: too few")).startswith("There is no band: too few")


def test_the_closer_diagram_is_told_as_it_is():
    ties = captions.closer([a_bin(0.0, 33, 0.05, 1), a_bin(0.9, 100, 0.95, 95)])
    assert "some hold more" in ties and "small grey" not in ties
    even = captions.closer(NARROW)
    assert "some hold more" not in even and "small grey" in even and "near-equally" in even
    assert captions.closer(NARROW[:1]).startswith("The same questions in one bin.")


@pytest.mark.parametrize("confidence", [0.7, 1.0])
def test_a_page_of_one_confidence(tmp_path: Path, confidence: float):
    with (tmp_path / "one.csv").open("w", newline="") as file:
        rows = [(k, confidence, int(k % 5 > 1)) for k in range(100)]
        csv.writer(file).writerows([("id", "confidence", "correct"), *rows])
    done = CliRunner().invoke(
        cli.app, ["report", str(tmp_path / "one.csv"), "--output_path", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    for name in ("report.html", "report.md"):
        text = (tmp_path / "out" / name).read_text()
        assert "There is no band: all confidences are equal" in text
        assert "95 % band" not in text
        assert "The line from a dot to the diagonal" in text and "level line" in text
