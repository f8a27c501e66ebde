"""Flags as text become checked values."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.cli import arguments
from calib.records import InputError


def test_model_arguments():
    text = "pretrained=a/b, dtype=bfloat16,trust_remote_code=False,max_length=512,ratio=0.5,x=none"
    name, given = arguments.model_arguments("hf", text)
    assert name == "a/b"
    assert given == {
        "dtype": "bfloat16",
        "trust_remote_code": False,
        "max_length": 512,
        "ratio": 0.5,
        "x": None,
    }
    assert arguments.model_arguments("a/b", "") == ("a/b", {})


def test_run_folders():
    assert arguments.run_folders("a/b", ["t"], Path("out")) == [Path("out")]
    assert arguments.run_folders("a/b", ["t", "u.jsonl"], Path("out")) == [
        Path("out/t"),
        Path("out/u"),
    ]
    assert arguments.run_folders("a/b:c", ["t"], None) == [Path("runs/a_b_c/t")]
    with pytest.raises(InputError, match="share one folder"):
        arguments.run_folders("m", ["a/t.jsonl", "b/t.jsonl"], None)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", ""])
def test_a_batch_size_is_auto_or_positive(value):
    assert arguments.batch("auto") == "auto"
    assert arguments.batch("8") == 8
    with pytest.raises(InputError, match="batch_size"):
        arguments.batch(value)


def test_a_task_file_is_looked_up_in_the_include_path(tmp_path):
    (tmp_path / "mine.jsonl").write_text(
        '{"id": "a", "question": "?", "options": ["x", "y"], "answer": 0}\n'
    )
    assert len(arguments.load("mine.jsonl", tmp_path)) == 1
    with pytest.raises(InputError):
        arguments.load("mine.jsonl", None)
