"""The histogram that a scored run fills: beside its records, and in their place."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calib_kernels import CalibrationHistogram

import calib
from calib.hf.model import Model
from calib.records import CalibError, InputError, Item
from calib.report.histogram import write_histogram_report
from calib.runs import Run, ledger
from calib.runs.histogram import Histogram, read_totals
from calib.tasks import Task
from tests.drives import TASK, by_processes, lines, stop_after
from tests.fake_model import Fake
from tests.hf.conftest import make_llama, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
LETTERS = Task("letters", tuple(TASK.items), "letters")  # options of one token
SETTINGS: dict[str, Any] = {"batch_size": 3, "bins": 7}


@pytest.fixture(scope="module")
def llama() -> Model:
    return Model("tiny", make_llama(), make_tokenizer(), None)


def histogram_lines(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for file in sorted(folder.glob("histogram*.jsonl"))
        for line in file.read_text().splitlines()
    ]


def test_bins_are_those_of_the_kernels() -> None:
    rng = np.random.default_rng(0)
    for bins in (1, 2, 7, 10, 15, 100):
        edges = np.arange(bins + 1) / bins
        c = np.concatenate([rng.random(500), edges, np.nextafter(edges, 0), [np.nan, -0.1, 1.1]])
        a = rng.random(len(c)) < 0.5
        own, kernels = Histogram.of(c, a, bins), CalibrationHistogram(bins)
        kernels.update(torch.from_numpy(c), torch.from_numpy(a))
        assert own.count.tolist() == kernels.count.tolist()
        assert own.correct.tolist() == kernels.correct.tolist()
        assert own.confidence.tolist() == kernels.confidence.tolist()
        assert own.invalid == int(kernels.invalid)


@pytest.mark.parametrize("confidence", ["options", "vocab"])
@pytest.mark.parametrize("task", [TASK, LETTERS], ids=["several tokens", "one token"])
def test_what_was_counted_is_what_the_records_say(
    llama: Model, task: Task, confidence: str, tmp_path: Path
) -> None:
    run = calib.score(llama, task, out=tmp_path, confidence=confidence, **SETTINGS)
    assert [line["batch"] for line in histogram_lines(tmp_path)] == list(range(8))
    totals, frame = read_totals(tmp_path), run.scores()
    assert totals is not None and totals.questions == totals.histogram.rows == 23
    assert totals.sums["right"] == frame.correct.sum() == totals.histogram.correct.sum()
    # The histogram counts multiples of 2^-32; no confidence here is that near to a bin's edge.
    expected = calib.metrics.ece(frame.confidence, frame.correct, bins=7)
    assert calib.metrics.ece(totals.histogram) == pytest.approx(expected, abs=2**-23)
    calib.write_report(run)
    metrics = run.results["metrics"]
    for name, value in (("brier", "squared_error"), ("nll", "nll"), ("mass", "mass")):
        assert totals.sums[value] / 23 == pytest.approx(metrics[name]["value"], abs=1e-12)
    assert run.results["histogram"]["ece"] == calib.metrics.ece(totals.histogram)
    assert "ECE counted while scoring, 7 bins" in (tmp_path / "report.html").read_text()


def test_a_question_without_an_answer_is_in_no_bin(llama: Model, tmp_path: Path) -> None:
    items = [*TASK.items[:4], Item("free", "Which?", (), ("red", "green"), None)]
    calib.score(llama, Task("t", tuple(items), "options"), out=tmp_path, **SETTINGS)
    totals = read_totals(tmp_path)
    assert totals is not None and (totals.questions, totals.histogram.rows) == (5, 4)


def test_a_batch_killed_between_its_line_and_its_records(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calib.score(llama, TASK, out=tmp_path / "calm", **SETTINGS)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)  # the fourth line is written, its records are not
        with pytest.raises(KeyboardInterrupt):
            calib.score(llama, TASK, out=tmp_path / "run", **SETTINGS)
    assert len(histogram_lines(tmp_path / "run")) == 4
    file = tmp_path / "run" / "histogram.jsonl"
    file.write_bytes(file.read_bytes() + b'{"batch": 4, "que')
    calib.score(llama, TASK, out=tmp_path / "run", **SETTINGS)
    assert file.read_bytes() == (tmp_path / "calm" / "histogram.jsonl").read_bytes()


def test_a_run_begun_before_there_was_a_histogram_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            calib.score(Fake(), TASK, out=tmp_path, **SETTINGS)
    (tmp_path / "histogram.jsonl").unlink()
    run = calib.score(Fake(), TASK, out=tmp_path, **SETTINGS)
    assert not list(tmp_path.glob("histogram*")) and len(run.rows()) == 23
    calib.write_report(run)
    assert run.results["histogram"] is None


def test_a_histogram_that_is_not_of_the_records_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            calib.score(Fake(), TASK, out=tmp_path, **SETTINGS)
    file = tmp_path / "histogram.jsonl"
    first, *others = file.read_text().splitlines(keepends=True)
    moved = json.loads(first)
    moved["confidence"] = [0.5 * c for c in moved["confidence"]]
    file.write_text("".join([json.dumps(moved) + "\n", *others]))
    with pytest.raises(CalibError, match=r"the ECE of the histogram is 0\.\d+ and that of the"):
        calib.score(Fake(), TASK, out=tmp_path, **SETTINGS)


@pytest.mark.parametrize("world", [1, 3])
def test_processes_count_what_one_counts(
    world: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for logs in ledger.LOG_SAMPLES:
        how = {**SETTINGS, "log_samples": logs}
        calib.score(Fake(), TASK, out=tmp_path / "one", **how)
        by_processes(monkeypatch, world, "score", Fake(), tmp_path / "many", **how)
        one, many = (read_totals(tmp_path / name) for name in ("one", "many"))
        assert one is not None and many is not None and one.sums == many.sums
        assert one.histogram.confidence.tolist() == many.histogram.confidence.tolist()
        for name in ("one", "many"):
            (tmp_path / name).rename(tmp_path / f"{name} {logs}")


# No records.


def test_no_records_are_kept(llama: Model, tmp_path: Path) -> None:
    run = calib.score(llama, TASK, out=tmp_path / "none", log_samples="none", **SETTINGS)
    assert sorted(p.name for p in run.path.iterdir()) == ["config.json", "histogram.jsonl"]
    assert run.config["kind"] == "histogram"
    calib.score(llama, TASK, out=tmp_path / "all", **SETTINGS)
    assert histogram_lines(run.path) == histogram_lines(tmp_path / "all")
    with pytest.raises(InputError, match="holds a histogram of scored questions without their"):
        run.scores()


@pytest.mark.parametrize("appended", [0, 1, 5])
def test_a_run_without_records_goes_on(
    appended: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {**SETTINGS, "log_samples": "none"}
    calib.score(Fake(), TASK, out=tmp_path / "calm", **how)
    with monkeypatch.context() as patch:
        stop_after(patch, appended)
        with pytest.raises(KeyboardInterrupt):
            calib.score(Fake(), TASK, out=tmp_path / "run", **how)
    file = tmp_path / "run" / "histogram.jsonl"
    file.write_bytes(file.read_bytes() + b'{"batch": 4')
    calib.score(Fake(), TASK, out=tmp_path / "run", **how)
    assert file.read_bytes() == (tmp_path / "calm" / "histogram.jsonl").read_bytes()


def test_a_run_of_other_records_or_prompts_is_refused(tmp_path: Path) -> None:
    calib.score(Fake(), TASK, out=tmp_path, log_samples="none", **SETTINGS)
    with pytest.raises(InputError, match=r"log_samples: 'none' there, None now"):
        calib.score(Fake(), TASK, out=tmp_path, **SETTINGS)

    class Otherwise(Fake):
        def scores(self, items: Any, how: Any) -> Any:
            plan = super().scores(items, how)
            plan.items = [*items[1:], items[0]]
            return plan

    with pytest.raises(InputError, match=r"prompts: '\w+' there, '\w+' now"):
        calib.score(Otherwise(), TASK, out=tmp_path, log_samples="none", **SETTINGS)
    with pytest.raises(InputError, match="log_samples: expected one of all, none, got 'some'"):
        calib.score(Fake(), TASK, out=tmp_path, log_samples="some")


def test_its_report_says_what_a_histogram_can(tmp_path: Path) -> None:
    full = calib.score(Fake(), TASK, out=tmp_path / "all", **SETTINGS)
    calib.write_report(full)
    run = calib.score(Fake(), TASK, out=tmp_path / "none", log_samples="none", **SETTINGS)
    page = write_histogram_report(run).read_text()
    assert "This run kept sums and no records" in page and "<svg" in page
    assert "debiased" in (run.path / "report.md").read_text()
    names = {"accuracy", "confidence", "gap", "ece", "mce", "rmsce", "debiased_rmsce", "brier"}
    assert {*names, "nll", "mass", "parse_rate"} == {*run.results["metrics"]}
    for name, entry in run.results["metrics"].items():
        expected = full.results["metrics"][name]
        assert entry["value"] == pytest.approx(expected["value"], abs=1e-9), name
        assert entry["convention"] == expected["convention"]
    bars, other = run.results["diagram"]["rows"], full.results["diagram"]["rows"]
    assert [bar["n"] for bar in bars] == [bar["n"] for bar in other]


def test_an_infinite_surprise_is_told(tmp_path: Path) -> None:
    """What had probability 0 happened: no sum of the set is finite, and JSON has no infinity."""

    class Sure(Fake):
        def scores(self, items: Any, how: Any) -> Any:
            plan = super().scores(items, how)
            row = plan.row

            def sure(item: Item) -> dict[str, Any]:
                zero = {"logprob": [0.0] + [-math.inf] * (len(item.options) - 1)}
                return {**row(item), **zero}

            plan.row = sure
            return plan

    calib.score(Sure(), TASK, out=tmp_path, log_samples="none", **SETTINGS)
    totals = read_totals(tmp_path)
    assert totals is not None and totals.sums["nll"] == math.inf
    write_histogram_report(calib.open_run(tmp_path))


def test_a_damaged_histogram_is_named(tmp_path: Path) -> None:
    run: Run = calib.score(Fake(), TASK, out=tmp_path, log_samples="none", **SETTINGS)
    file = tmp_path / "histogram.jsonl"
    file.write_text("{}\n" + file.read_text())
    with pytest.raises(InputError, match=r"histogram\.jsonl, line 1: expected the line of a batch"):
        write_histogram_report(run)


def test_records_are_as_without_a_histogram(llama: Model, tmp_path: Path) -> None:
    """The fused pass changes no bit of what a plain pass gives."""
    calib.score(llama, LETTERS, out=tmp_path, **SETTINGS)
    rows = {row["id"]: row for row in map(json.loads, lines(tmp_path))}
    plain = llama.option_scores(LETTERS.items, prompt="letters", batch_size=3)
    for item, row in zip(LETTERS.items, plain, strict=True):
        assert {name: rows[item.id][name] for name in ("prob", "logprob", "confidence")} == {
            name: row[name] for name in ("prob", "logprob", "confidence")
        }
