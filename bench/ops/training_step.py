"""The end of a training step: LM head, loss, backward; what the loss adds to the products.

Ours counts calibration in the same pass, as ``CalibratedCrossEntropy`` does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import calib_kernels
import torch
import torch.nn.functional as F
from calib_kernels import CalibrationHistogram
from torch import Tensor

from bench.cases import BINS, Case, Compiler, Given, Op, Rival, Run
from bench.ops.cross_entropy import LOSSES, of_library, plain_loss, stepped
from bench.ops.linear_cross_entropy import OP as FUSED
from bench.ops.linear_cross_entropy import inputs


def with_loss(loss: Run) -> Run:
    return stepped(lambda hidden, weight, labels: loss(F.linear(hidden, weight), labels))


def ours(case: Case) -> Run:
    histogram = CalibrationHistogram(BINS)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        found: Tensor = calib_kernels.cross_entropy(logits, labels, histogram=histogram)
        return found

    return with_loss(loss)


def plain(case: Case, compiled: Compiler) -> Run:
    def forward(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        return plain_loss(F.linear(hidden, weight), labels)

    return stepped(compiled(forward))


def products_alone(case: Case) -> Run:
    """Forward and backward of the head, with the logits for their own gradient."""

    def run(hidden: Tensor, weight: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        logits = F.linear(hidden, weight)
        return torch.autograd.grad(logits, (hidden, weight), logits.detach())

    return run


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    FUSED.agree(case, given, found, expected)


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    flops=FUSED.flops,
    copies=1,
    rivals={
        "products alone": Rival(products_alone, checked=False),
        # A loss that writes over logits finds here its own.
        **{
            name: replace(of_library(loss, with_loss, None), in_place=False)
            for name, loss in LOSSES.items()
        },
    },
)
