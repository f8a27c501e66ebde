"""docs/modality.md: its code runs, and its table of noise is the noise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from calib.modalities.noise import coefficients
from tests.modalities.seer import Seer, questions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "modality.md"


def test_the_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    names = {"model": Seer(), "task": questions(tmp_path)}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
        exec(compile(code, "docs/modality.md", "exec"), names)
    assert "clean-k2" in capsys.readouterr().out


def test_the_table_of_noise():
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE.read_text(), re.M)
    assert [int(step) for step, *_ in rows] == [100, 300, 500, 700, 900]
    for step, *numbers in rows:
        assert [f"{value:.3f}" for value in coefficients(int(step))] == numbers
