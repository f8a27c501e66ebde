"""The demo's own part: which runs it asks for, and what it prints."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from calib import cli
from calib.cli import measuring
from calib.runs import open_run

demo = pytest.importorskip("calib.demo")


@pytest.fixture
def asked(monkeypatch, make_run):
    """What was asked of ``score``, which writes made-up runs here."""
    calls = []

    def score(model, task, *, out, limit, progress, **rest):
        calls.append({"task": task.name, "out": Path(out), "limit": limit, **rest})
        progress(0, limit, task.name)
        progress(limit, limit, task.name)
        return open_run(make_run(out, n=min(limit, 300), task=task.name))

    monkeypatch.setattr(demo, "load_model", lambda name, device: SimpleNamespace(name=name))
    monkeypatch.setattr(demo, "load_task", lambda name: SimpleNamespace(name=name))
    monkeypatch.setattr(demo, "score", score)
    return calls


def test_the_lettered_form_stands_beside(asked, tmp_path):
    done = demo.demo(tmp_path / "run", progress=lambda *_: None)
    assert [(call["task"], call["limit"]) for call in asked] == [
        ("easy-vqa", 800),
        ("easy-vqa-letters", 800),
    ]
    assert asked[1]["out"] == tmp_path / "run" / "beside" / "easy-vqa-letters"
    results = open_run(tmp_path / "run").results
    assert len(results["beside"]) == 1
    assert "The same questions, asked differently" in done.report.read_text(encoding="utf-8")


def test_the_command_asks_as_many_questions_as_the_function():
    assert signature(measuring.demo).parameters["limit"].default == demo.QUESTIONS


def test_the_command_prints_a_small_table_and_the_path_last(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(cli.app, ["demo", "--limit", "200"], env={"COLUMNS": "80"})
    assert ran.exit_code == 0, ran.output
    lines = ran.output.rstrip().splitlines()
    assert lines[-1] == "runs/demo/report.html"
    for asked_for in ("Asked for a word:", "Asked for a letter:"):
        assert any(line.startswith(asked_for) for line in lines)
    table = {line[:27].strip(): line[27:].split() for line in lines}
    assert len(table["ECE"]) == 5  # value (if calibrated) before and after; a dash for p
    assert len(table["NLL"]) >= 3
    accuracy = table["accuracy"]
    assert accuracy[:2] == accuracy[2:4]
    assert max(map(len, lines)) <= 80


def test_nothing_is_lost_when_there_is_too_little_to_fit(asked, tmp_path):
    done = demo.demo(tmp_path / "run", limit=1, progress=lambda *_: None)
    assert [row[2] for row in done.rows] == ["–", "–"]
    assert "It is given no temperature: fewer than 50 questions are scored (1)." in done.findings[1]
