"""docs/logs.md: its examples run, and its names are those that are read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from calib import cli
from calib.logs.columns import ROLES
from calib.logs.formats import FORMATS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "logs.md").read_text()


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (python,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(python, "docs/logs.md", "exec"), {})
    assert Path("runs/answers/report.html").exists()
    log = next((ROOT / "tests" / "data" / "logs").glob("samples_tiny_choices_*"))
    name = "samples_arc_easy_2026-11-28T12-00-00.jsonl"
    Path(name).write_bytes(log.read_bytes())
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.2, 0.9, 60)
    lines = [f"{i},{sure[i]:.4f},{int(rng.uniform() < 0.5)}" for i in range(60)]
    Path("answers.csv").write_text("\n".join(["id,confidence,correct", *lines]))
    (shell,) = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    shutil.rmtree("runs/answers")
    for line in shell.splitlines():
        words = line.partition("#")[0].split()[1:]
        done = CliRunner().invoke(cli.app, words)
        assert done.exit_code == 0, (line, done.stderr)


@pytest.mark.parametrize("role", ROLES)
def test_every_name_of_a_column_is_listed(role):
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{role}`"))
    assert {f"`{name}`" for name in ROLES[role]} <= set(re.findall(r"`\w+`", line))


def test_every_format_is_listed():
    assert all(f"| `{name}` |" in PAGE for name in FORMATS)
