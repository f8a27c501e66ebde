"""The page of a trajectory: its twins, what it says and does not say, and the command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.records import InputError
from calib.report.kinds import Sources, write_again
from calib.report.trajectory_words import best_line, change_line
from tests.browser import axe, measured
from tests.trajectories.made import RUN, made
from tests.twins import check_twins

HOSTILE = "<script>alert(1)</script> *a* | b [c](d)"
NAMES = [f"checkpoint-{step}" for step in (100, 200, 250, 300)]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "trajectory.md"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trajectory")
    runs = made(root, RUN, name="<b>run-{step}", task=HOSTILE, model=HOSTILE)
    calib.trajectory(runs, out=root / "page")
    write_again(Sources(root / "page"))
    return root / "page"


def test_the_page_and_its_twins(page: Path):
    check_twins(page)
    for name in ("checkpoints", "errors", "changes", "best", "ends", "intervals", "facts"):
        assert (page / "tables" / f"{name}.csv").is_file(), name
    html = (page / "report.html").read_text()
    assert "<script>alert(1)" not in html and "<b>run" not in html
    assert html.count('role="img"') == 5


def test_the_page_is_written_again_as_it_was(page: Path):
    before = {p.name: p.read_bytes() for p in (page / "report.html", page / "report.md")}
    (page / "report.html").unlink()
    write_again(Sources(page))
    assert {name: (page / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_the_page_in_a_browser(page: Path, open_page: Any, width: int, scheme: str):
    opened = open_page(page / "report.html", width=width, scheme=scheme)
    assert axe(opened.page) == []
    found = measured(opened.page)
    assert found["scroll"] <= width and found["wide"] == [] and found["broken"] == 0
    assert min(found["small"]) >= 9


def test_many_are_counted():
    names = [f"run-{step}" for step in range(1, 9)]
    said = best_line("nll", {"lowest": 7, "kept": (1, 2, 3, 4, 5, 6, 7)}, names)
    assert (
        said
        == "run-8 has the lowest NLL; 6 others are not shown to be worse; run-2 is the earliest"
    )


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ((3,), "checkpoint-300 has the lowest Brier score, and every other is shown to be worse"),
        (
            (1, 2, 3),
            "checkpoint-300 has the lowest Brier score; checkpoint-200 and checkpoint-250 are not "
            "shown to be worse; checkpoint-200 is the earliest",
        ),
        (
            (2, 3),
            "checkpoint-300 has the lowest Brier score; checkpoint-250 is not shown to be worse; "
            "checkpoint-250 is the earliest",
        ),
        (
            (0, 1, 2, 3),
            "checkpoint-300 has the lowest Brier score, and none of the others is shown to be "
            "worse",
        ),
    ],
)
def test_the_best_is_said_exactly(kept: tuple[int, ...], said: str):
    assert best_line("brier", {"lowest": 3, "kept": kept}, NAMES) == said


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ({"holm": 0.2}, "No change of confidence minus accuracy is shown (p = 0.200)."),
        ({"low": -0.01, "high": 0.2}, "No change of confidence minus accuracy is shown"),
        ({}, "rises by 10.0 points after checkpoint-200, mean to mean (p = 0.010"),
        ({"value": -0.1, "low": -0.2, "high": -0.05}, "accuracy falls by 10.0 points"),
        ({}, "the only place where a single change can be."),
        ({"splits": [1, 2]}, "after checkpoint-100 or checkpoint-200 is not excluded."),
        ({"splits": []}, "no single step describes it."),
    ],
)
def test_a_change_is_said_as_it_is_shown(test: dict[str, Any], said: str):
    change = {"after": 2, "value": 0.1, "low": 0.05, "high": 0.2, "p": 0.01, "holm": 0.01}
    change |= {"least_p": 0.0001, "splits": [2]} | test
    results = {"checkpoints": [{"name": name} for name in NAMES]}
    assert said in change_line("gap", change, results)


def test_no_results_no_page(tmp_path: Path):
    runs = made(tmp_path, RUN[:2], n=30)
    calib.trajectory(runs, out=tmp_path / "page")
    (tmp_path / "page/results.json").unlink()
    with pytest.raises(InputError, match="the results of calib trajectory"):
        write_again(Sources(tmp_path / "page"))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    runs = made(tmp_path, RUN[:3], n=90)
    done = CliRunner().invoke(cli.app, ["trajectory", *map(str, runs)])
    assert done.exit_code == 0, done.output
    assert "has the lowest Brier score" in " ".join(done.output.split())
    assert (runs[-1] / "trajectory" / "report.html").is_file()
    results = json.loads((runs[-1] / "trajectory" / "results.json").read_text())
    assert results["format"] == "calib.trajectory/1" and len(results["checkpoints"]) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "RUN: expected two or more run folders"),
        (["a", "--model", "b"], "expected run folders or --model, got both"),
        (["--model", "b"], "--tasks: expected the questions"),
        (["a", "b", "--limit", "3"], "--limit goes with --model"),
        (["a", "b", "--order", "size"], "--order"),
        (["a", "b"], "there is no such file or folder"),
    ],
)
def test_what_the_command_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, ["trajectory", *arguments])
    assert done.exit_code == 2 and said in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == []


def test_the_code_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "runs", RUN[:3], n=60)
    for code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S):
        exec(compile(code, "docs/trajectory.md", "exec"), {})
    assert (tmp_path / "trajectory" / "report.html").is_file()
