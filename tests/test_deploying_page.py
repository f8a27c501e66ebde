"""``docs/deploying.md``: its code and commands run, and what it says of drift is what is found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.cli.watching import ALARM
from tests.coverage import over, weeks_to_alarm
from tests.deciding import request, text_model, with_labels
from tests.hf.conftest import make_tokenizer
from tests.house import ROOT

PAGE = (ROOT / "docs" / "deploying.md").read_text()
ROWS = re.findall(
    r"^\| ([\d.]+) \| (?:the first week|week (\d+)) \| (\d+) \| (\d+) weeks? \| (\d+) weeks? \|$",
    PAGE,
    re.M,
)

BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
PIPELINE = 'pipeline("decision"'


@pytest.fixture
def ran(
    tmp_path: Path, make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The names that the page's code defines, run where it says its files are."""
    monkeypatch.chdir(tmp_path)
    make_run(Path("runs/demo"))
    rng = np.random.default_rng(0)
    c = rng.uniform(0.5, 1, 200)
    right = rng.random(200) < c
    lines = [f"q{k},{c[k]:.3f},{int(right[k])}" for k in range(200)]
    Path("week.csv").write_text("\n".join(["id,confidence,correct", *lines]))
    names: dict[str, Any] = {}
    for code in BLOCKS:
        if PIPELINE in code:
            continue
        exec(compile(code, "docs/deploying.md", "exec"), names)
    return names


@pytest.mark.parametrize("clusters", [10, 200])
def test_its_code_for_costs_runs_with_few_clusters_too(clusters: int) -> None:
    (code,) = (each for each in BLOCKS if "expected_cost" in each)
    assert "`cheapest` itself is None with fewer than 20 clusters" in PAGE
    rng = np.random.default_rng(0)
    rows = [{"confidence": c, "correct": rng.random() < c} for c in rng.random(200)]
    names = {"calib": calib, "rows": rows, "image": np.arange(200) % clusters}
    exec(compile(code, "docs/deploying.md", "exec"), names)
    assert (names["best"] is None) == (clusters < 20)


def test_raps_has_no_defaults_as_the_page_says() -> None:
    assert "`lam` for every rank beyond `k_reg`, which both must be given" in PAGE
    for given in ({}, {"lam": 0.01}, {"k_reg": 2}):
        with pytest.raises(ValueError, match="raps, which needs both"):
            calib.ConformalSets("raps", alpha=0.1, **given)


def test_its_code_runs(ran: dict[str, Any]) -> None:
    n = ran["sets"].n_fit_, len(set(ran["image"][ran["half"] :]))
    error = np.sqrt(0.09 * (1 / n[0] + 1 / n[1]))  # of both halves, by clusters
    assert ran["told"].coverage.value == pytest.approx(0.9, abs=3 * error)
    assert Path("sets.json").exists()
    assert ran["best"].cost.value < ran["best"].bound
    assert ran["week"].n == 200
    line = str(ran["week"])
    shape = re.search(r"# (drift: .*?), \.\.\.$", PAGE, re.M)
    assert shape
    numbers = r"[\d.]+"
    assert re.sub(numbers, "0", line).startswith(re.sub(numbers, "0", shape[1]))


def test_its_command_runs(ran: dict[str, Any]) -> None:
    runner = CliRunner()
    assert runner.invoke(cli.app, ["fit", "runs/demo", "--calibrator", "platt"]).exit_code == 0
    (command,) = re.findall(r"```sh\n(calib drift .*)\n```", PAGE)
    Path("drift.json").unlink()
    ended = runner.invoke(cli.app, command.split()[1:])
    assert ended.exit_code in (0, ALARM)
    assert ended.stdout.startswith("drift: ")
    assert f"| {ALARM} | alarm" in PAGE


def test_its_decision_pipeline_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers.decision", reason="transformers < 5.23")
    monkeypatch.chdir(tmp_path)
    model = text_model()
    model.hf.float().save_pretrained("my/model")
    with_labels(make_tokenizer()).save_pretrained("my/model")
    lines = [json.dumps(request(f"t{n}", f"Case {n}")) for n in range(30)]
    Path("tickets.jsonl").write_text("\n".join(lines))
    (commands,) = re.findall(r"```sh\n(calib score .*?)```", PAGE, re.S)
    for command in commands.strip().splitlines():
        ended = CliRunner().invoke(cli.app, command.split()[1:])
        assert ended.exit_code == 0, ended.output
    (code,) = [each for each in re.findall(r"```python\n(.*?)```", PAGE, re.S) if PIPELINE in each]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/deploying.md", "exec"), names)
    written = json.loads(Path("runs/tickets/decision.json").read_text())["temperature"]
    assert names["decide"].decision_config.temperature == written


def test_its_table_of_alarms_is_what_is_found() -> None:
    """Of 200 streams a row; half of the alarms come within what the page says, give or take."""
    assert len(ROWS) == 12
    for size, since, week_size, half, most in ROWS:
        before = int(since or 1) - 1
        weeks = weeks_to_alarm(over(float(size), before), before + 80, int(week_size), 200, seed=1)
        # The rank of a median of 200 has a standard error of 7, of a 90 % point one of 4.
        within = np.sort(weeks) - before
        assert within[100 - 22] <= int(half) <= within[100 + 22], (size, since, week_size)
        assert within[180 - 13] <= int(most) <= within[180 + 13], (size, since, week_size)


def test_too_small_an_alpha_is_where_it_says() -> None:
    for alpha in (0.1, 0.3, 0.05):
        least = round(1 / alpha - 1 + 0.49)
        p, y = np.full((least, 2), 0.5), np.zeros(least, int)
        assert calib.ConformalSets(alpha=alpha).fit(p, y).reason_ is None
        with pytest.warns(UserWarning, match=f"at least {least} questions"):
            calib.ConformalSets(alpha=alpha).fit(p[1:], y[1:])


def test_the_page_is_listed() -> None:
    assert "(deploying.md)" in (ROOT / "docs" / "index.md").read_text()
