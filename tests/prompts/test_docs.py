"""docs/prompts.md: its code runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "prompts.md"


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S):
        exec(compile(code, "docs/prompts.md", "exec"), names)
    assert names["search"].held_out["n"] == 20
    assert (tmp_path / "runs" / "search" / "search.jsonl").is_file()


def test_commands_name_flags_that_there_are():
    from calib.cli.prompts import prompts
    from calib.prompts.parts import PARTS

    text = PAGE.read_text(encoding="utf-8")
    for flag in re.findall(r"calib prompts[^\n]*", text):
        for name in re.findall(r"--(\w+)", flag):
            assert name in prompts.__annotations__, name
    for part, entry in PARTS.items():
        assert f"| `{part}` |" in text and entry.about
