"""CalibratedCrossEntropy as a Trainer's loss: values and steps of the loss it has by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from calib import CalibratedCrossEntropy

from .trainers import make_trainer, tiny_llama

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_trainer_gets_the_losses_of_its_own_loss(
    tmp_path: Path, accumulation: int, checkpointing: bool
) -> None:
    def trained(**how: Any) -> tuple[list[float], dict[str, torch.Tensor]]:
        model = tiny_llama()
        if checkpointing:
            # Earlier versions of transformers have the second name alone.
            names = "activation_checkpointing_enable", "gradient_checkpointing_enable"
            getattr(model, next(name for name in names if hasattr(model, name)))()
        trainer = make_trainer(
            tmp_path, model, max_steps=3, gradient_accumulation_steps=accumulation, **how
        )
        trainer.train()
        logs = trainer.state.log_history
        found = [e[k] for e in logs for k in ("loss", "grad_norm") if k in e]
        return [*found, trainer.evaluate()["eval_loss"]], trainer.model.state_dict()

    criterion = CalibratedCrossEntropy()
    ours, weights = trained(compute_loss_func=criterion)
    plain, plain_weights = trained()
    assert len(plain) == 7
    assert ours == pytest.approx(plain, rel=2e-5)
    for name, weight in plain_weights.items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-4, atol=1e-5)
    # Batches of two rows of six predicted tokens at most, evaluations not among them.
    assert 0 < int(criterion.histogram.count.sum()) <= 3 * accumulation * 2 * 6


def test_a_model_that_holds_the_loss_can_be_saved(tmp_path: Path) -> None:
    model = tiny_llama()
    model.criterion = CalibratedCrossEntropy(learnable=True)
    trainer = make_trainer(
        tmp_path,
        model,
        max_steps=2,
        save_strategy="steps",
        save_steps=2,
        compute_loss_func=model.criterion,
    )
    trainer.train()
    assert model.criterion.temperature.item() != 1.0
    tensors = load_file(tmp_path / "checkpoint-2" / "model.safetensors")
    assert torch.equal(tensors["criterion._extra_state"], model.criterion.get_extra_state())
