"""Labels under the names that ``label_names`` gives them: the callback and the loss find them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import calib

from .evaluations import ECE, agrees, expected
from .trainers import make_trainer, rows, tiny_llama

pytestmark = pytest.mark.usefixtures("one_thread")


class Renamed(torch.nn.Module):
    """A model whose labels have another name, and which reads more than one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.model = tiny_llama()

    def forward(self, input_ids: Any, targets: Any = None, weights: Any = None) -> Any:
        return self.model(input_ids=input_ids, labels=targets)


def renamed(data: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    return [{"input_ids": row["input_ids"], "targets": row["labels"], **more} for row in data]


NAMES = {"one": ["targets"], "several": ["weights", "targets"]}


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("loss", ["model", "module", "function", "unbound"])
def test_labels_may_have_another_name(tmp_path: Path, names: str, loss: str) -> None:
    def function(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        return outputs.loss

    weights = {"weights": torch.ones(7)} if names == "several" else {}
    temperature = 2.0 if loss == "module" else 1.0
    losses = {"module": calib.CalibratedCrossEntropy(temperature=2.0), "function": function}
    callback = calib.CalibrationCallback()
    trainer = make_trainer(
        tmp_path,
        Renamed(),
        max_steps=2,
        label_names=NAMES[names],
        train_dataset=renamed(rows(16), **weights),
        eval_dataset=renamed(rows(5, seed=1), **weights),
        compute_loss_func=losses.get(loss),
        callbacks=[callback] if loss == "unbound" else [],
    )
    if loss != "unbound":
        callback.bind(trainer)
    trainer.train()
    found = trainer.evaluate()
    agrees(found, expected(trainer.model.model, rows(5, seed=1), temperature), "eval_")
    lines = [entry for entry in trainer.state.log_history if ECE in entry]
    assert len(lines) == (2 if loss == "module" else 0)


def test_labels_of_another_name_train_the_same(tmp_path: Path) -> None:
    """Rows with equally many labels, for Trainer counts the items of "labels" alone."""
    data = [{**row, "labels": row["input_ids"]} for row in rows(16)]

    def trained(**how: Any) -> tuple[list[float], dict[str, torch.Tensor]]:
        trainer = make_trainer(
            tmp_path,
            max_steps=2,
            gradient_accumulation_steps=2,
            compute_loss_func=calib.CalibratedCrossEntropy(shift=True),
            **how,
        )
        calib.CalibrationCallback(shift=True).bind(trainer)
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return losses, getattr(trainer.model, "model", trainer.model).state_dict()

    plain, _ = trained(train_dataset=data)
    found, _ = trained(model=Renamed(), label_names=["targets"], train_dataset=renamed(data))
    assert found == pytest.approx(plain, rel=1e-5)


def test_labels_that_nobody_hands_on_are_asked_for(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path,
        Renamed(),
        label_names=["targets"],
        train_dataset=renamed(rows(4)),
        compute_loss_func=calib.CalibratedCrossEntropy(),
    )
    with pytest.raises(TypeError, match=r"CalibrationCallback\(\).bind\(trainer\)"):
        trainer.train()
