"""The calibration error of N confidences, binned: ours from a histogram of integers."""

from __future__ import annotations

from typing import Any

import torch
from calib_kernels import CalibrationHistogram
from torch import Tensor

from bench.cases import BINS, Case, Compiler, Given, Op, Rival, Run, close


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Confidences (N,) and whether each answer was right (N,), too seldom for its confidence."""
    confidence = torch.rand(case.rows, generator=generator, device=device, dtype=case.dtype)
    luck = torch.rand(case.rows, generator=generator, device=device)
    return confidence, luck < 0.9 * confidence


def error_of(count: Tensor, correct: Tensor, confidence: Tensor) -> Tensor:
    """From per-bin sums."""
    return (correct - confidence).abs().sum() / count.sum()


def ours(case: Case) -> Run:
    def run(confidence: Tensor, correct: Tensor) -> Tensor:
        histogram = CalibrationHistogram(BINS, confidence.device)
        histogram.update(confidence, correct)
        return error_of(histogram.count, histogram.correct, histogram.confidence)

    return run


def plain_histogram(confidence: Tensor, correct: Tensor) -> Tensor:
    """(3, B) float32: counts, correct rows and summed confidence per bin."""
    index = (confidence * BINS).long().clamp(max=BINS - 1)
    amounts = torch.stack((torch.ones_like(confidence), correct.float(), confidence))
    return torch.zeros(3, BINS, device=confidence.device).index_add(1, index, amounts)


def plain(case: Case, compiled: Compiler) -> Run:
    return compiled(lambda confidence, correct: error_of(*plain_histogram(confidence, correct)))


def of_torchmetrics(case: Case) -> Run:
    from torchmetrics.functional.classification import binary_calibration_error

    return lambda confidence, correct: binary_calibration_error(
        confidence, correct.long(), n_bins=BINS, norm="l1"
    )


def of_netcal(case: Case) -> Run:
    from netcal.metrics import ECE

    measure = ECE(BINS).measure
    return lambda confidence, correct: measure(confidence.numpy(), correct.numpy().astype(int))


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    close(found, expected)


def moved_bytes(case: Case) -> int:
    return case.rows * (case.dtype.itemsize + 1)


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    moved_bytes=moved_bytes,
    copies=4,
    rivals={
        "torchmetrics": Rival(of_torchmetrics, package="torchmetrics"),
        "netcal": Rival(of_netcal, devices=("cpu",), package="netcal"),
    },
)
