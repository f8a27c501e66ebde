"""What leaves the device, drive by drive: bytes a question, and never a row of logits.

There is no device here but the CPU, so what is counted is what Python reads out of tensors: on a
device as much crosses, or less, since tensors that are the host's anyway are counted, too.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import calib
from bench.crossings import Crossings, Readings
from bench.drives import DRIVES, TINY
from calib.hf.model import Model
from tests.drives import TASK
from tests.hf.conftest import VOCABULARY, make_llama, make_tokenizer
from tests.hf.trainers import make_trainer

pytestmark = pytest.mark.usefixtures("one_thread")
SIZE = replace(TINY, samples=4, tokens=6)

# A scored question: two floats an option, eleven columns, and a share of its batch's histogram (46
# numbers of 8 bytes among 4 questions); in two orders twice that; on the published protocol two
# readings, and twice in each of ten steps the letters' ids, which only a CPU's kernel looks at. A
# sampled one: of each answer its tokens, two sums and whether each step was the last.
MOST = {
    "score": 300,
    "several tokens": 600,
    "orders": 600,
    "paper": 1600,
    "sample": 700,
    "packed": 800,
    "idk build": 700,
}


@pytest.mark.parametrize("drive", MOST)
def test_no_logits_leave_the_device(drive: str, tmp_path: Path) -> None:
    model = Model("tiny", make_llama(), make_tokenizer(), None)
    run = DRIVES[drive].run
    run(model, TASK, SIZE, tmp_path / "first")  # what is learned of a model is not a question's
    with Crossings(VOCABULARY) as copies, Readings(VOCABULARY) as readings:
        run(model, TASK, SIZE, tmp_path / "second")
    assert readings.logits == 0
    assert copies.logits_copied == 0
    assert 0 < readings.bytes <= MOST[drive] * len(TASK)


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
