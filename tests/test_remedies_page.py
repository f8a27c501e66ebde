"""``docs/remedies.md``: its code runs, its commands too, and its tables are what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.calibrators import CALIBRATORS
from tests.house import ROOT
from tests.oracle_ranking import mark, rankings, tables

PAGE = (ROOT / "docs" / "remedies.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_run: Any) -> Path:
    folder = tmp_path_factory.mktemp("remedies")
    make_run(folder / "runs" / "llava", n=300)
    make_run(folder / "runs" / "other", n=200, seed=1)
    # Other questions than those of the first.
    records = folder / "runs" / "other" / "records.jsonl"
    records.write_text(records.read_text().replace('"id": "q', '"id": "other'))
    return folder


def test_the_code_runs(folder: Path, monkeypatch: Any, capsys: Any) -> None:
    pytest.importorskip("netcal")
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    codes = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(codes) == 5
    for code in codes:
        exec(code, names)
    assert names["said"].confidence.mean() == pytest.approx(
        (names["said"].prediction == names["answers"]).mean(), abs=0.01
    )
    told = "platt.json: it was fitted for prompt form 'letters', not 'options'"
    assert told in capsys.readouterr().out and told in PAGE
    assert 0.05 < names["stream"].fit().temperature_ < 20
    assert not names["stream"].fit().degenerate_


def test_the_commands_run(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(folder)
    commands = re.findall(r"^calib (fit .*?)(?:  #.*)?$", PAGE, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        ran = CliRunner().invoke(cli.app, command.split())
        assert ran.exit_code == 0, ran.output
    saved = {path.name for path in (folder / "runs" / "llava").glob("*.json")}
    assert {"temperature.json", "platt.json", "calibrators.json"} <= saved


def test_every_calibrator_has_a_line() -> None:
    for name, entry in CALIBRATORS.items():
        assert f"| `{name}` | `{entry.name}` |" in PAGE


def numbers(lines: list[str]) -> tuple[list[str], list[float]]:
    """A table's text without its numbers, and the numbers."""
    text = "\n".join(lines)
    return re.split(r"\d+\.\d+(?= [|↓↑])", text), [
        float(each) for each in re.findall(r"\d+\.\d+(?= [|↓↑])", text)
    ]


@pytest.mark.parametrize("name", ["measure", "ece"])
def test_the_tables_are_what_the_command_makes(name: str) -> None:
    lines = tables()[name]
    begin = PAGE.splitlines().index(lines[0], 0 if name == "measure" else last_table())
    words, values = numbers(PAGE.splitlines()[begin : begin + len(lines)])
    made_words, made = numbers(lines)
    assert words == made_words
    # A unit of the last digit: another processor may round otherwise.
    np.testing.assert_allclose(values, made, atol=1.01e-4 if name == "measure" else 1.01e-3)


def last_table() -> int:
    return PAGE.splitlines().index(next(x for x in PAGE.splitlines() if x.startswith("that are")))


def test_what_is_said_of_the_tables() -> None:
    lower, higher = [], 0
    for name in CALIBRATORS:
        rows = [
            row
            for ranking in rankings().values()
            for row in ranking["rows"]
            if row["calibrator"] == name
        ]
        assert len(rows) == 12
        lower.append(sum(mark(row) == " ↓" for row in rows))
        higher += sum(mark(row) == " ↑" for row in rows)
    assert (min(lower), max(lower), higher) == (6, 9, 0)
    assert "in 6 to 9 of the twelve, and none to raise it" in PAGE
    rows = {row["calibrator"]: row for row in rankings()["Monkey.oodcv"]["rows"]}
    found = rows["none"]["accuracy"], rows["vector"]["accuracy"]
    assert found == pytest.approx((0.137, 0.539), abs=0.0006)
    for file in sorted((ROOT / "tests/data/oracles/vlm_uncertainty_bench").glob("*.npz")):
        assert not np.isin(np.load(file)["answer"], (4, 5)).any()


def test_a_temperature_of_tokens_can_change_the_answer() -> None:
    tokens = np.array([0.40, 0.25, 0.25])

    def options(t: float) -> Any:
        weights = tokens ** (1 / t)
        return weights[0], weights[1] + weights[2]

    assert options(1.0) == pytest.approx((0.40, 0.50))
    assert options(0.5) == pytest.approx((0.16, 2 * 0.0625))
    sums = np.log([[0.40, 0.50]])
    for t in (0.05, 0.5, 20.0):
        scaling = calib.TemperatureScaling()
        scaling.temperature_ = t
        assert scaling.transform(sums).argmax() == 1


def test_the_page_is_listed() -> None:
    assert "(remedies.md)" in (ROOT / "docs" / "index.md").read_text()
