"""Run folders that an earlier version wrote: read, reported, and gone on with.

``data/earlier_runs`` holds runs of version 0.1.0 before its runs said their kind: whole and
stopped ones (the last line of ``scored_part`` is torn), of the tiny model on 24 questions.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import calib
from calib.hf.model import Model
from tests.hf.conftest import make_llama, make_tokenizer
from tests.kills import task

EARLIER = Path(__file__).with_name("data") / "earlier_runs"


@pytest.fixture(scope="module")
def tiny() -> Model:
    return Model("tiny", make_llama(), make_tokenizer(), None)


@pytest.fixture
def questions():
    whole = task()
    return replace(whole, items=whole.items[:24])


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(EARLIER / name, folder / name))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def same(value: Any, expected: Any, where: str = "") -> None:
    """Equal but for the last digits of numbers, which another machine's sums may change."""
    if isinstance(expected, dict):
        assert set(value) >= set(expected), where
        for name, part in expected.items():
            same(value[name], part, f"{where} {name}")
    elif isinstance(expected, list):
        assert len(value) == len(expected), where
        for number, (one, other) in enumerate(zip(value, expected, strict=True)):
            same(one, other, f"{where} {number}")
    elif isinstance(expected, float):
        # An answer's log-probability is the sum over up to five tokens of float32 logits, which
        # another processor adds up in another order, and an error grows with what is added: an AMD
        # EPYC's sums differ by 5.7e-6 on an Intel Xeon, one of -53.7 by 1.5e-5 (2.8e-7 of it) with
        # AVX2 there.
        assert value == pytest.approx(expected, abs=1e-5, rel=1e-6), where
    else:
        assert value == expected, where


def test_a_scored_run_is_read_and_reported(tmp_path: Path):
    run = calib.open_run(copied("scored", tmp_path))
    before = json.loads((EARLIER / "scored" / "results.json").read_text())
    calib.write_report(run)
    assert len(run.scores()) == 24
    same(run.results["metrics"], before["metrics"])
    assert (run.path / "report.html").exists()


def test_a_scored_run_goes_on(tiny: Model, questions, tmp_path: Path):
    folder = copied("scored_part", tmp_path)
    calib.score(tiny, questions, out=folder, batch_size=4, bins=10)
    same(lines(folder / "records.jsonl"), lines(EARLIER / "scored" / "records.jsonl"))


def test_a_sampled_run_goes_on(tiny: Model, questions, tmp_path: Path):
    folder = copied("sampled_part", tmp_path)
    calib.sample(tiny, questions, out=folder, samples=3, max_new_tokens=5)
    same(lines(folder / "records-0.jsonl"), lines(EARLIER / "sampled" / "records-0.jsonl"))


def test_runs_are_compared(tmp_path: Path):
    runs = [calib.open_run(EARLIER / name) for name in ("scored", "warm")]
    before = json.loads((EARLIER / "compared" / "results.json").read_text())
    now = json.loads(json.dumps(calib.compare(runs)))
    for name, difference in before["pairs"][0]["differences"].items():
        # Bounds of no width, which an earlier version gave, are now absent.
        same({part: now["pairs"][0]["differences"][name][part] for part in ("value", "p")},
             {part: difference[part] for part in ("value", "p")}, name)  # fmt: skip
