"""What leaves the device, drive by drive: bytes a question, and never a row of logits.

There is no device here but the CPU, so what is counted is what Python reads out of tensors: on a
device as much crosses, or less, since tensors that are the host's anyway are counted, too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import calib
from bench.crossings import Crossings, Readings
from calib.hf.model import Model
from calib.idk.folder import build_set
from calib.tasks import Task
from tests.drives import TASK
from tests.hf.conftest import VOCABULARY, make_llama, make_tokenizer
from tests.hf.trainers import make_trainer

pytestmark = pytest.mark.usefixtures("one_thread")
LETTERS = Task("letters", TASK.items, "letters")
SAMPLING: dict[str, Any] = {"samples": 4, "max_new_tokens": 6}

# A scored question: two floats an option, eleven columns, and a share of its batch's histogram (46
# numbers of 8 bytes among 4 questions). A sampled one: of each answer its tokens, two sums and
# whether each step was the last.
DRIVES: dict[str, tuple[int, Callable[[Model, Path], Any]]] = {
    "score": (300, lambda m, out: calib.score(m, LETTERS, out=out, batch_size=4)),
    "several tokens": (600, lambda m, out: calib.score(m, TASK, out=out, batch_size=4)),
    "sample": (700, lambda m, out: calib.sample(m, TASK, out=out, **SAMPLING)),
    "packed": (
        800,
        lambda m, out: calib.sample(m, TASK, out=out, batching="packed", rows=16, **SAMPLING),
    ),
    "idk build": (700, lambda m, out: build_set(m, TASK, out, limit=None, **SAMPLING)),
}


@pytest.mark.parametrize("drive", DRIVES)
def test_no_logits_leave_the_device(drive: str, tmp_path: Path) -> None:
    model = Model("tiny", make_llama(), make_tokenizer(), None)
    most, run = DRIVES[drive]
    run(model, tmp_path / "first")  # what is learned of a model once is not a question's
    with Crossings(VOCABULARY) as copies, Readings(VOCABULARY) as readings:
        run(model, tmp_path / "second")
    assert readings.logits == 0
    assert copies.logits_copied == 0
    assert 0 < readings.bytes <= most * len(TASK)


def test_the_callback_reads_sums(tmp_path: Path) -> None:
    """Once an evaluation, whatever its size; the rest is what Trainer itself reads."""
    read = {}
    for name in ("without", "with"):
        trainer = make_trainer(tmp_path)
        if name == "with":
            calib.CalibrationCallback().bind(trainer)
        trainer.evaluate()
        columns = trainer.model.config.vocab_size
        with Readings(columns) as readings:
            trainer.evaluate()
        assert readings.logits == 0
        read[name] = readings.bytes
    assert 0 < read["with"] - read["without"] <= 3000


def test_logits_that_are_read_are_counted() -> None:
    import torch

    logits = torch.zeros(3, VOCABULARY)
    with Readings(VOCABULARY) as readings:
        logits.tolist(), logits[0].cpu(), logits[0, 0].item()
    assert (readings.logits, readings.bytes) == (4 * VOCABULARY * 4, 4 * VOCABULARY * 4 + 4)
    logits.tolist()
    assert readings.bytes == 4 * VOCABULARY * 4 + 4
