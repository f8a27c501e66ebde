"""A run gets more samples: those that it has stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import calib
from calib.drive.sample import sample
from calib.hf.model import Model
from calib.records import InputError
from tests.sample.questions import SETTINGS, questions, records

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("batching", ["plan", "packed"])
def test_more_samples_are_drawn_without_the_first(
    llama: Model, tmp_path: Path, batching: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that are there stay, and the run is what one of all samples is."""
    settings: dict[str, Any] = {**SETTINGS, "batching": batching, "rows": 12}
    sample(llama, questions(), out=tmp_path / "run", **settings)
    file = tmp_path / "run" / "records-0.jsonl"
    before = file.read_bytes()
    sizes: list[int] = []
    monkeypatch.setattr(
        "calib.runs.Run.append",
        lambda self, rows, append=calib.runs.Run.append: (
            sizes.append(len(rows)),
            append(self, rows),
        ),
    )
    run = sample(llama, questions(), out=tmp_path / "run", **{**settings, "samples": 6})
    monkeypatch.undo()
    assert sizes == [2] * 5
    assert file.read_bytes().startswith(before)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config == run.config and config["samples"] == 6 and config["parts"] == [4, 6]
    fresh = sample(llama, questions(), out=tmp_path / "f", **{**settings, "samples": 6}).answers()
    found = run.answers()
    assert "parts" not in calib.open_run(tmp_path / "f").config
    # No draw lies within rounding of a boundary here; logits are rounded as fewer rows round them.
    for name in ("index", "sample", "id", "text", "tokens", "finish"):
        assert found[name].tolist() == fresh[name].tolist()
    assert found.logprob.tolist() == pytest.approx(fresh.logprob.tolist(), abs=1e-4)
    # Once more, by the same number and by a greater one.
    whole = file.read_bytes()
    sample(llama, questions(), out=tmp_path / "run", **{**settings, "samples": 6})
    assert file.read_bytes() == whole
    again = sample(llama, questions(), out=tmp_path / "run", **{**settings, "samples": 7})
    assert again.config["parts"] == [4, 6, 7] and len(again.answers()) == 35
    assert file.read_bytes().startswith(whole)


def test_fewer_samples_are_refused(llama: Model, tmp_path: Path) -> None:
    sample(llama, questions(), out=tmp_path, **SETTINGS)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(InputError, match="samples: 2 were asked for, and the run holds 4"):
        sample(llama, questions(), out=tmp_path, **{**SETTINGS, "samples": 2})
    with pytest.raises(InputError, match=r"temperature: 1\.0 there, 0\.5 now"):
        sample(llama, questions(), out=tmp_path, temperature=0.5, **{**SETTINGS, "samples": 9})
    assert (tmp_path / "config.json").read_bytes() == before


@pytest.mark.parametrize("stop", [0, 1, 3, 5])
def test_an_extended_run_goes_on_as_if_it_had_not_been_stopped(
    llama: Model, tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, though some items had the first part alone when it was extended."""
    for name in ("calm", "torn"):
        sample(llama, questions(), out=tmp_path / name, **SETTINGS)
    more = {**SETTINGS, "samples": 6}
    sample(llama, questions(), out=tmp_path / "calm", **more)
    calls: list[int] = []
    append = calib.runs.Run.append

    def stopped(self: Any, rows: Any) -> None:
        if len(calls) == stop:
            raise KeyboardInterrupt
        calls.append(len(rows))
        append(self, rows)

    monkeypatch.setattr("calib.runs.Run.append", stopped)
    if stop < 5:
        with pytest.raises(KeyboardInterrupt):
            sample(llama, questions(), out=tmp_path / "torn", **more)
    monkeypatch.undo()
    run = calib.open_run(tmp_path / "torn")
    assert run.config["samples"] == (6 if stop < 5 else 4)
    file = tmp_path / "torn" / "records-0.jsonl"
    if stop < 5:
        assert len(run.answers()) == 6 * stop  # of the items that have all
        file.write_bytes(file.read_bytes() + b'{"index": 4, "sample": 4, "id')
    sample(llama, questions(), out=tmp_path / "torn", **more)
    assert file.read_bytes() == (tmp_path / "calm" / "records-0.jsonl").read_bytes()


def test_a_run_that_was_never_finished_is_extended(llama: Model, tmp_path: Path) -> None:
    """Of an item that was not begun both parts are drawn, as they would have been."""
    for name in ("whole", "half"):
        sample(llama, questions(), out=tmp_path / name, **SETTINGS)
    file = tmp_path / "half" / "records-0.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:10]))
    for name in ("whole", "half"):
        sample(llama, questions(), out=tmp_path / name, **{**SETTINGS, "samples": 6})
    assert records(tmp_path / "half") == records(tmp_path / "whole")


def test_processes_extend_a_run(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample(llama, questions(), out=tmp_path / "one", **SETTINGS)
    sample(llama, questions(), out=tmp_path / "two", **SETTINGS)
    more = {**SETTINGS, "samples": 6}
    sample(llama, questions(), out=tmp_path / "one", **more)
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        run = sample(llama, questions(), out=tmp_path / "two", **more)
    assert len(list((tmp_path / "two").glob("records-*.jsonl"))) == 2
    assert records(tmp_path / "two") == records(tmp_path / "one")
    assert len(run.answers()) == 30


def test_a_folder_begins_with_sample_0(llama: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="first: a run holds its samples from 0 on, got 3"):
        sample(llama, questions(), out=tmp_path / "run", first=3, **SETTINGS)
    items = list(questions())
    more = llama.sample(items, n=2, first=4, max_new_tokens=6, seed=3)
    six = llama.sample(items, n=6, max_new_tokens=6, seed=3)
    assert [[a.text for a in answers] for answers in more] == [
        [a.text for a in answers[4:]] for answers in six
    ]
