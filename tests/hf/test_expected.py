"""The floor of an evaluation's ECE, beside it in the callback's history."""

from __future__ import annotations

from pathlib import Path

import pytest
from calib_kernels import CalibrationHistogram

import calib
from calib.intervals.floor import expected_ece

from .trainers import Logger, make_trainer, rows

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_record_has_the_expected_ece_of_its_histogram_and_no_logger_hears_it(
    tmp_path: Path,
) -> None:
    logger = Logger()
    trainer = make_trainer(
        tmp_path,
        eval_dataset=rows(5, seed=1),
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="steps",
        save_steps=2,
        max_steps=2,
        callbacks=[logger],
    )
    callback = calib.CalibrationCallback().bind(trainer)
    trainer.train()
    histogram = CalibrationHistogram()
    histogram.load_state_dict(callback.histograms["eval"])
    evaluated, saved = callback.history
    floor = expected_ece(histogram.count, histogram.confidence)
    assert evaluated["expected_ece"] == saved["expected_ece"] == floor > 0
    assert logger.under("eval_expected_ece") == logger.under("eval_saved_expected_ece") == []
    assert len(logger.under("eval_saved_entropy")) == 1
