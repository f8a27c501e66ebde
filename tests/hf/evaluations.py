"""What an evaluation of the callback must say: the same numbers from the whole logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from calib.metrics import ece, mce

ECE = "ece_width15_left"


def expected(model: Any, data: list[dict[str, Any]], temperature: float = 1.0) -> dict[str, float]:
    """The numbers from the whole logits of predicted tokens, one sample at a time."""
    confidence, correct, entropy = [], [], []
    model.eval()
    with torch.no_grad():
        for sample in data:
            logits = model(sample["input_ids"][None]).logits[0, :-1].double() / temperature
            labels = sample["labels"][1:]
            kept = labels != -100
            p = logits[kept].softmax(-1)
            confidence.append(p.max(-1).values)
            correct.append(p.argmax(-1) == labels[kept])
            entropy.append(-(p * p.log()).sum(-1))
    c, a = torch.cat(confidence).numpy(), torch.cat(correct).numpy()
    return {
        ECE: ece(c, a),
        "mce_width15_left": mce(c, a),
        "top1_accuracy": a.mean(),
        "confidence": c.mean(),
        "entropy": torch.cat(entropy).mean().item(),
    }


def agrees(found: dict[str, float], wanted: dict[str, float], prefix: str = "") -> None:
    for name, value in wanted.items():
        assert found[prefix + name] == pytest.approx(value, abs=1e-5), name
