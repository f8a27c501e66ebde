"""The page of a Trainer's checkpoint: its numbers, what it refuses, how it is seen."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from calib import cli
from calib.records import InputError
from calib.report.training import write_training_report
from calib.summary.training import read_training
from tests.browser import axe, measured
from tests.page import Page
from tests.sampled import HOSTILE
from tests.trained import CONFIDENCE, COUNT, ECE, RIGHT, SURE, checkpoint, histogram, record, state

LINE = {"step": 5, "epoch": 0.5, "ece_width4_left": 0.125, "confidence": 0.5, "top1_accuracy": 0.4}


def table(folder: Path) -> list[dict[str, str]]:
    text = (folder / "tables" / "evaluations.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def test_the_numbers_are_those_of_the_history(tmp_path: Path) -> None:
    history = [record(step=5, entropy=2.5), record(), record("eval_saved", rows=120)]
    folder = checkpoint(tmp_path / "c", state(history, log=[{"loss": math.inf, "step": 5}, LINE]))
    write_training_report(folder)
    rows = table(folder)
    assert [(row["set"], row["step"]) for row in rows] == [
        ("eval", "5"), ("eval", "10"), ("eval_saved", "10"),
    ]  # fmt: skip
    assert float(rows[1]["ECE"]) == pytest.approx(ECE) and float(rows[0]["entropy, nats"]) == 2.5
    assert float(rows[1]["gap"]) == pytest.approx(SURE - RIGHT)
    assert (rows[1]["rows"], rows[1]["invalid"], rows[1]["expected"]) == ("60", "1", "0.05")
    text = (folder / "report.html").read_text()
    said = "At step 10 the ECE is 0.125 over 60 rows, where 0.050 would be expected if calibrated."
    assert said in text and said in (folder / "report.md").read_text()
    # Two panels of steps, the entropy, and the diagram of the last evaluation.
    assert text.count("<figure") == 3 and "training rows" in text
    assert "2 evaluations, of 60 rows" in text


def test_the_diagram_is_the_histogram(tmp_path: Path) -> None:
    diagram = read_training(checkpoint(tmp_path / "c")).diagrams["eval"]
    assert diagram.n == 60 and diagram.ece == pytest.approx(ECE)
    assert [row["n"] for row in diagram.bins] == COUNT
    assert diagram.bins[2]["confidence"] == pytest.approx(CONFIDENCE[2] / COUNT[2])
    assert (diagram.bins[3]["low"], diagram.bins[3]["accuracy"]) == (0.75, pytest.approx(0.9))
    # E|X - np| of a binomial X, summed over what X can be.
    floor = 0.0
    for n, total in zip(COUNT[1:], CONFIDENCE[1:], strict=True):
        p = total / n
        floor += sum(
            math.comb(n, x) * p**x * (1 - p) ** (n - x) * abs(x - n * p) for x in range(n + 1)
        )
    assert diagram.expected == pytest.approx(floor / 60, rel=1e-9)  # float64 of 60 terms


def test_a_history_of_an_earlier_version_has_the_floor_of_its_last_evaluation(tmp_path) -> None:
    old = [{k: v for k, v in record(step=s).items() if k != "expected_ece"} for s in (5, 10)]
    training = read_training(checkpoint(tmp_path / "c", state(old)))
    first, last = training.evaluations
    assert first["expected_ece"] is None
    assert last["expected_ece"] == training.diagrams["eval"].expected
    write_training_report(tmp_path / "c")
    assert "only where it was recorded" in (tmp_path / "c" / "report.md").read_text()


def test_the_newest_checkpoint_of_an_output_folder_is_read(tmp_path: Path) -> None:
    for number in (5, 10, 9):
        content = state([record(step=number)])
        checkpoint(tmp_path / f"checkpoint-{number}", content, global_step=number)
    checkpoint(tmp_path / "checkpoint-last", "no JSON")
    assert read_training(tmp_path).path == tmp_path / "checkpoint-10" / "trainer_state.json"
    done = CliRunner().invoke(cli.app, ["report", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "report.html").exists() and (tmp_path / "report.md").exists()
    checkpoint(tmp_path, state([record(step=12)]), global_step=12)
    assert read_training(tmp_path).step == 12


def test_a_save_that_repeats_an_evaluation_is_left_out(tmp_path: Path) -> None:
    history = [
        *(record(step=5), record("eval_saved", 5)),
        *(record(step=10, entropy=2.0), record("eval_saved", 12, entropy=2.0)),
        *(record(step=15, entropy=1.5), record(step=20), record("eval_saved", 20, rows=120)),
    ]
    folder = checkpoint(tmp_path / "c", state(history))
    assert read_training(folder).repeats == 2
    write_training_report(folder)
    assert [(row["set"], row["step"]) for row in table(folder)] == [
        ("eval", "5"), ("eval", "10"), ("eval", "15"), ("eval", "20"), ("eval_saved", "20"),
    ]  # fmt: skip
    said = "Left out: 2 of eval_saved, each with the numbers of the one evaluation since"
    assert said in (folder / "report.html").read_text()
    write_training_report(checkpoint(tmp_path / "d"))
    assert "Left out" not in (tmp_path / "d" / "report.html").read_text()


def test_a_diagram_counts_rows(tmp_path: Path) -> None:
    write_training_report(checkpoint(tmp_path / "c"))
    text = (tmp_path / "c" / "report.html").read_text()
    assert "question" not in text and "The line from a dot to the diagonal" in text


def test_two_sets_have_a_line_each(tmp_path: Path) -> None:
    history = [record(f"eval_{n}", s) for s in (5, 10) for n in ("easy", "hard")]
    write_training_report(checkpoint(tmp_path / "c", state(history)))
    text = (tmp_path / "c" / "report.html").read_text()
    assert text.count("<figure") == 3 and "of 2 sets" in text  # no histogram of either
    assert "<h3>eval_easy</h3>" in text and "<h3>eval_hard</h3>" in text


def test_ten_thousand_evaluations_are_drawn_thinned(tmp_path: Path) -> None:
    history = [record(step=step) for step in range(10_000)]
    write_training_report(checkpoint(tmp_path / "c", state(history)))
    text = (tmp_path / "c" / "report.html").read_text()
    assert len(table(tmp_path / "c")) == 500 and table(tmp_path / "c")[-1]["step"] == "9999"
    assert "The last 500 of 10,000 evaluations." in text
    assert "295 of 10,000 evaluations, the last among them" in text
    assert len(text) < 1_500_000


NO_NUMBERS = [
    ("ece_width4_left", "0.1"), ("ece_width4_left", math.nan), ("confidence", 1.5),
    ("top1_accuracy", None), ("step", -1), ("step", 10**400), ("rows", 0), ("rows", True),
    ("entropy", math.inf), ("epoch", "x"), ("name", 3), ("expected_ece", "0"), ("invalid", 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), NO_NUMBERS)
def test_a_record_that_cannot_be_is_refused(tmp_path: Path, field: str, value: Any) -> None:
    folder = checkpoint(tmp_path / "c", state([record(), {**record(), field: value}]))
    refused(folder, f"history, entry 2: {field}: expected ")


@pytest.mark.parametrize("field", ["name", "step", "rows", "invalid", "confidence"])
def test_a_record_without_a_field_is_refused(tmp_path: Path, field: str) -> None:
    lacking = {k: v for k, v in record().items() if k != field}
    refused(checkpoint(tmp_path / "c", state([lacking])), f"entry 1: {field} is missing")


STATES: list[tuple[Any, str]] = [
    ("[]", "expected an object"),
    ("{", "not JSON"),
    ({"stateful_callbacks": []}, "stateful_callbacks: expected an object"),
    ({"log_history": [1]}, "log_history: expected a list of objects"),
    ({"global_step": "x"}, "global_step: expected a whole number"),
    ({"log_history": [{**LINE, "confidence": "high"}]}, "log_history, entry 1: confidence: "),
    (
        {"stateful_callbacks": {}},
        "say calib.CalibrationCallback().bind(trainer) before trainer.train()",
    ),
    ({"stateful_callbacks": {"CalibrationCallback": [1, 2]}}, "the state of one callback"),
    (state([]), "has recorded no evaluation yet"),
    (state([{**record(), "ece_width9_left": 0.1}]), "expected one field ece_width<bins>_left"),
    (state(histograms={"eval": 1}), "histograms, 'eval': "),
    (state(histograms={"eval": {**histogram(), "sums": [1] * 12}}), "expected 13 numbers, got 12"),
    (state(histograms={"eval": {**histogram(), "sums": [0] * 13}}), "expected one row or more"),
    (state(histograms={"eval": {**histogram(), "sums": [1] * 4 + [2] * 9}}), "more right answers"),
    (state(histograms={"eval": {**histogram(), "scale": 0}}), "scale: expected a number from 1"),
]


@pytest.mark.parametrize(("content", "told"), STATES)
def test_a_state_that_cannot_be_is_refused(tmp_path: Path, content: Any, told: str) -> None:
    whole = content if isinstance(content, str) else {**state(), **content}
    refused(checkpoint(tmp_path / "c", whole), told)


def refused(folder: Path, told: str) -> None:
    """In one sentence that names the file, with exit code 2, and nothing is written."""
    done = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert done.exit_code == 2 and "Traceback" not in done.stderr
    with pytest.raises(InputError, match=re.escape(told)) as error:
        read_training(folder)
    assert "trainer_state.json" in str(error.value) and "\n" not in str(error.value)
    assert not (folder / "report.html").exists()


def hostile(folder: Path) -> Path:
    names = ["eval", "$\\frac{", HOSTILE, "_hidden"]
    history = [record(name, step) for step in (2, 6, 10) for name in names]
    log = [{**LINE, "step": step} for step in (1, 3, 5)]
    histograms = {name: histogram() for name in names}
    return write_training_report(checkpoint(folder, state(history, histograms, log)))


def test_names_of_sets_stay_text(tmp_path: Path) -> None:
    path = hostile(tmp_path / "c")
    page = Page()
    page.feed(path.read_text())
    assert not page.open
    assert "<script>document" not in path.read_text()
    assert "<script>" not in path.with_suffix(".md").read_text().replace("\\<script", "")
    assert (tmp_path / "c" / "config.json").read_text().startswith('{"model_type"')


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_is_seen(tmp_path: Path, open_page: Any, width: int, scheme: str) -> None:
    opened = open_page(hostile(tmp_path / "c"), width=width, scheme=scheme)
    seen = measured(opened.page)
    assert seen["scroll"] <= width and not seen["wide"] and seen["figures"] == 9
    assert min(seen["small"]) >= 9
    assert axe(opened.page) == []
    assert opened.page.title() == "Calibration over 10 steps of training"
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    opened.check()
