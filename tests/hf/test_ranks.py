"""Two processes over gloo: what they find together is what one process finds alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import calib
from calib.metrics import ece

from .trainers import WithLoss, make_trainer, rows

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
WORKER = Path(__file__).with_name("rank_worker.py")


def two_ranks(task: str, folder: Path) -> list[dict[str, Any]]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launcher, str(WORKER), task, str(folder)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [torch.load(folder / f"{task}-{r}.pt", weights_only=False) for r in range(2)]


def test_an_evaluation_counts_every_sample_once(tmp_path: Path) -> None:
    first, second = two_ranks("evaluate", tmp_path)
    # Five samples in batches of two on two ranks: three of the last four are repeats.
    trainer = make_trainer(tmp_path / "alone", compute_loss_func=calib.CalibratedCrossEntropy())
    alone = calib.CalibrationCallback().bind(trainer)
    wanted = trainer.evaluate()
    names = [name for name in wanted if name.endswith(("_left", "accuracy", "entropy"))]
    assert len(names) == 4
    for found in (first, second):
        assert found["rows"] == alone.history[0]["rows"]
        for name in names:
            assert found["metrics"][name] == pytest.approx(wanted[name], abs=1e-6)


def test_a_checkpoint_holds_the_rows_of_all_ranks(tmp_path: Path) -> None:
    first, second = two_ranks("train", tmp_path)
    assert first["history"] == second["history"]
    assert first["state"] == second["state"]
    names = [record["name"] for record in first["history"]]
    assert names == ["eval", "eval_saved", "eval", "eval_saved"]
    # The window of steps 1 to 3, of which the checkpoint after step 2 holds two.
    (resumed, _) = two_ranks("resume", tmp_path)
    assert resumed["window"] == first["window"]
    assert resumed["history"] == first["history"][:2]


def test_a_learnable_temperature_and_the_histogram_under_ddp(tmp_path: Path) -> None:
    ids = torch.stack([row["input_ids"] for row in rows(8)])
    torch.save(ids, tmp_path / "ids.pt")
    first, second = two_ranks("module", tmp_path)
    model = WithLoss()
    for _ in range(2):
        model.zero_grad()
        model(ids).backward()
    assert first["own"] == second["own"] == 2 * 4 * 6  # no rank's count overwrites another's
    assert torch.equal(first["sums"], second["sums"])
    assert torch.equal(first["sums"], model.criterion.get_extra_state()[:-2])
    for found in (first, second):
        grad = model.criterion.log_temperature.grad
        torch.testing.assert_close(found["temperature"], grad, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found["head"], model.model.lm_head.weight.grad)


def test_a_learnable_temperature_is_sharded(tmp_path: Path) -> None:
    ids = torch.stack([row["input_ids"] for row in rows(8)])
    torch.save(ids, tmp_path / "ids.pt")
    model = WithLoss()
    model(ids).backward()
    criterion = model.criterion
    sums, grad = criterion.get_extra_state()[:-2], criterion.log_temperature.grad
    evaluated = model.eval()(ids).detach()
    for found in two_ranks("sharded", tmp_path):
        assert torch.equal(found["sums"], sums)
        torch.testing.assert_close(found["grad"], grad, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found["head"], model.model.lm_head.weight.grad)
        assert found["temperature"].shape == ()
        assert found["temperature"].item() == pytest.approx(1.5)
        assert "sharded (learnable)" in found["shown"]
        assert "inside the forward" in found["refusal"]
        torch.testing.assert_close(found["evaluated"], evaluated)


def test_torchmetrics_adds_the_ranks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    confidence, correct = rng.uniform(size=301), rng.uniform(size=301) < 0.6
    torch.save((torch.from_numpy(confidence), torch.from_numpy(correct)), tmp_path / "rows.pt")
    first, second = two_ranks("metric", tmp_path)
    assert first["value"] == second["value"] == first["again"]
    assert float(first["value"]) == pytest.approx(ece(confidence, correct, bins=10), abs=1e-9)
    head = np.arange(301) < 100
    batch = ece(confidence[head], correct[head], bins=10)
    assert float(first["batch"]) == pytest.approx(batch, abs=1e-9)
    assert (first["own"], second["own"]) == (151, 150)
