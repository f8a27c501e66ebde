"""The report of checkpoints that a real Trainer wrote."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

import calib
from calib.report.kinds import Sources, write_again
from calib.summary.training import read_training

from .evaluations import ECE, expected
from .trainers import make_trainer, rows

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_trainers_checkpoints_have_a_report(tmp_path: Path) -> None:
    data = {"easy": rows(4, seed=1), "hard": rows(6, seed=2)}
    trainer = make_trainer(
        tmp_path,
        eval_dataset=data,
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="steps",
        save_steps=2,
        compute_loss_func=calib.CalibratedCrossEntropy(),
    )
    callback = calib.CalibrationCallback().bind(trainer)
    trainer.train()
    page = write_again(Sources(tmp_path))
    assert page == tmp_path / "report.html"
    found = list(csv.DictReader((tmp_path / "tables" / "evaluations.csv").read_text().splitlines()))
    assert [(row["set"], int(row["step"])) for row in found] == [
        (record["name"], record["step"]) for record in callback.history
    ]
    for row, record in zip(found, callback.history, strict=True):
        assert float(row["ECE"]) == record[ECE] and int(row["rows"]) == record["rows"]
        assert float(row["expected"]) == record["expected_ece"]
    # The last of a set against the logits themselves; float32 sums, as in ``evaluations``.
    truth = expected(trainer.model, data["hard"])
    last = [row for row in found if row["set"] == "eval_hard"][-1]
    assert float(last["ECE"]) == pytest.approx(truth[ECE], abs=1e-5)
    assert float(last["entropy, nats"]) == pytest.approx(truth["entropy"], abs=1e-5)
    training = read_training(tmp_path)
    assert training.path.parent.name == "checkpoint-4" and len(training.trained) == 4
    assert training.diagrams["eval_hard"].ece == pytest.approx(truth[ECE], abs=1e-5)
    # A checkpoint by itself, and Trainer goes on from a folder that holds a report.
    assert write_again(Sources(tmp_path / "checkpoint-2")).parent.name == "checkpoint-2"
    trainer.args.max_steps = 6
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert trainer.state.global_step == 6


def test_a_trainer_without_the_callback_is_told_how_to_add_it(tmp_path: Path) -> None:
    make_trainer(tmp_path, save_strategy="steps", save_steps=4).train()
    with pytest.raises(calib.InputError, match=r"CalibrationCallback\(\)\.bind\(trainer\)"):
        write_again(Sources(tmp_path))


def test_it_is_read_without_transformers(tmp_path: Path) -> None:
    callbacks = {"CalibrationCallback": {"attributes": {"history": [], "histograms": {}}}}
    state = {"global_step": 1, "log_history": [], "stateful_callbacks": callbacks}
    (tmp_path / "trainer_state.json").write_text(json.dumps(state))
    code = (
        "import sys; from pathlib import Path; from calib.summary.training import read_training\n"
        f"try: read_training(Path({str(tmp_path)!r}))\n"
        "except Exception as error: assert 'recorded no evaluation' in str(error), error\n"
        "assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
