"""Code in a folder is run where it is trusted, and nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from calib.hf.model import load_model
from calib.records import Item
from tests.hf.folders import edit, refusal, with_code

pytestmark = pytest.mark.usefixtures("one_thread", "offline")


def test_a_folders_own_code_is_not_run_and_nobody_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    message = refusal(with_code(folder))
    assert "only where trust_remote_code=True is passed" in message
    assert not (folder / "ran").exists()


def test_a_folders_own_code_is_run_where_it_is_trusted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "mod"))
    monkeypatch.setattr("sys.path", [*sys.path])
    expected = load_model(folder, device="cpu")
    model = load_model(with_code(folder), device="cpu", trust_remote_code=True)
    assert (folder / "ran").exists()
    assert model.facts["class"] == "Model"
    items = [Item("q", "Is it?", options=("yes", "no"))]
    assert model.option_scores(items) == expected.option_scores(items)


def test_a_tokenizers_own_code_is_not_run(folder: Path):
    edit(
        folder / "tokenizer_config.json",
        auto_map={"AutoTokenizer": ["own.Own", None]},
        tokenizer_class="Own",
    )
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    assert "trust_remote_code=True" in refusal(folder)
    assert not (folder / "ran").exists()
