"""``cross_entropy``: the loss and its gradients, at T = 1 or with a temperature that learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import calib_kernels
import torch
import torch.nn.functional as F
from calib_kernels import CalibrationHistogram
from calib_kernels.gpu import tuning
from torch import Tensor

from bench.cases import (
    BINS,
    Case,
    Compiler,
    Given,
    Op,
    Rival,
    Run,
    close,
    normal_logits,
    random_labels,
)

# "": forward and backward at T = 1. "forward": no gradient. "histogram": "" with the histogram in
# the same pass. "temperature": a scalar temperature that needs a gradient.
MODES = ("", "forward", "histogram", "temperature")
AT_ONE = ("", "histogram")
CUDA = ("cuda",)
TO_FORM = ("", "temperature")


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Logits (N, V), labels (N,) and, in mode "temperature", a scalar temperature."""
    logits = normal_logits(case, device, generator).requires_grad_(case.mode != "forward")
    labels = random_labels(case, device, generator)
    if case.mode != "temperature":
        return logits, labels
    return logits, labels, torch.tensor(1.3, device=device, requires_grad=True)


def stepped(forward: Run) -> Run:
    """(loss, gradients of everything that needs one) of a function of the inputs."""

    def run(*given: Tensor) -> tuple[Tensor, ...]:
        loss = forward(*given)
        wanted = [x for x in given if x.requires_grad]
        # Without its graph: what that keeps alive could not be captured by a CUDA graph.
        return (loss.detach(), *torch.autograd.grad(loss, wanted)) if wanted else (loss,)

    return run


def ours(case: Case) -> Run:
    histogram = CalibrationHistogram(BINS) if case.mode == "histogram" else None

    def forward(logits: Tensor, labels: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        loss: Tensor = calib_kernels.cross_entropy(
            logits, labels, temperature=temperature, histogram=histogram
        )
        return loss

    return stepped(forward)


def without_histogram(case: Case) -> Run:
    return stepped(lambda logits, labels: calib_kernels.cross_entropy(logits, labels))


def formed(case: Case, wanted: bool, weight: float = 1.0, registers: int = 255) -> Run:
    """Ours with the gradient formed in the kernel of the loss, or with a kernel of its own.

    ``weight``: what the loss is multiplied by, as of a part of a step. ``registers``: with 128 of
    them two programs of a row of four partitions fit on a multiprocessor.
    """

    def forward(logits: Tensor, labels: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        loss: Tensor = calib_kernels.cross_entropy(logits, labels, temperature=temperature)
        return loss if weight == 1 else loss * weight

    step = stepped(forward)

    def run(*given: Tensor) -> tuple[Tensor, ...]:
        before = tuning.FORMED, tuning.LOSS_FORMED
        tuning.FORMED = (case.dtype,) if wanted else ()
        tuning.LOSS_FORMED = replace(tuning.LOSS_FORMED, registers=registers)
        try:
            return step(*given)
        finally:
            tuning.FORMED, tuning.LOSS_FORMED = before

    return run


def plain_loss(logits: Tensor, labels: Tensor, temperature: Tensor | None = None) -> Tensor:
    """``F.cross_entropy``; with a temperature in float32, as training code has it."""
    return F.cross_entropy(logits if temperature is None else logits.float() / temperature, labels)


def plain(case: Case, compiled: Compiler) -> Run:
    """In mode "histogram" the loss alone: PyTorch would need passes of its own for the rest."""
    return stepped(compiled(plain_loss))


def of_liger() -> Run:
    from liger_kernel.transformers.functional import liger_cross_entropy

    return liger_cross_entropy


def of_quack() -> Run:
    from quack.cross_entropy import cross_entropy

    return cross_entropy


def of_flash_attention() -> Run:
    from flash_attn.ops.triton.cross_entropy import cross_entropy_loss

    return lambda logits, labels: cross_entropy_loss(logits, labels)[0].mean()


@dataclass(frozen=True)
class Loss:
    """The mean loss of logits (N, V) and labels (N,) of another library."""

    load: Callable[[], Run]
    package: str
    in_place: bool = False  # it writes the gradient over the logits


LOSSES = {
    "Liger": Loss(of_liger, "liger-kernel", in_place=True),
    "quack": Loss(of_quack, "quack-kernels"),
    "flash-attn": Loss(of_flash_attention, "flash-attn"),
}


def of_library(loss: Loss, whole: Callable[[Run], Run], modes: tuple[str, ...] | None) -> Rival:
    """A rival whose loss is another library's; ``whole`` makes of it what is timed."""
    return Rival(
        lambda case: whole(loss.load()), CUDA, modes, in_place=loss.in_place, package=loss.package
    )


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    """bfloat16 rivals round the loss itself, to 8 bits; gradients are of the size 1 / N."""
    close(found[0], expected[0], rtol=1e-5 if case.dtype == torch.float32 else 1e-2)
    for mine, other in zip(found[1:], expected[1:], strict=True):
        close(mine, other, rtol=1e-2, atol=1e-3 / case.rows if mine.dim() else 1e-3)


def moved_bytes(case: Case) -> int:
    """Logits once, their gradient once (a second read is spared by keeping the row on the chip)."""
    return case.logit_bytes * (1 if case.mode == "forward" else 2) + case.rows * 8


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    moved_bytes=moved_bytes,
    modes=MODES,
    rivals={
        "no histogram": Rival(without_histogram, modes=("histogram",)),
        **{name: of_library(loss, stepped, AT_ONE) for name, loss in LOSSES.items()},
        "two kernels": Rival(lambda case: formed(case, False), CUDA, TO_FORM),
        "one kernel": Rival(lambda case: formed(case, True), CUDA, TO_FORM),
        "one kernel, two at once": Rival(
            lambda case: formed(case, True, registers=128), CUDA, TO_FORM
        ),
        "one kernel, a quarter": Rival(
            lambda case: formed(case, True, 0.25), CUDA, TO_FORM, checked=False
        ),
    },
)
