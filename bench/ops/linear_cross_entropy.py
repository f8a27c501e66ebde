"""``linear_cross_entropy``: LM head and loss, where the logits never exist whole."""

from __future__ import annotations

from typing import Any

import calib_kernels
import torch
import torch.nn.functional as F
from torch import Tensor

from bench import cases
from bench.cases import Case, Compiler, Given, Op, Rival, Run, close, random_labels
from bench.ops.cross_entropy import CUDA, stepped

# "": forward and backward, for hidden states and weight, gradients formed in the forward pass;
# "256 MiB": the same where that is all that may be held.
MODES = ("", "256 MiB", "forward")
MEMORY = {"256 MiB": 2**28}


def head(case: Case, device: torch.device, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hidden states (N, H) and a weight (V, H) whose products are N(0, 3^2)."""
    hidden = torch.empty(case.rows, case.hidden, dtype=case.dtype, device=device)
    weight = torch.empty(case.columns, case.hidden, dtype=case.dtype, device=device)
    hidden.normal_(generator=generator)
    weight.normal_(0.0, 3.0 / case.hidden**0.5, generator=generator)
    return hidden, weight


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Hidden states (N, H), weight (V, H) and labels (N,)."""
    hidden, weight = head(case, device, generator)
    learns = case.mode != "forward"
    labels = random_labels(case, device, generator)
    return hidden.requires_grad_(learns), weight.requires_grad_(learns), labels


def ours(case: Case) -> Run:
    memory = MEMORY.get(case.mode)
    return stepped(
        lambda hidden, weight, labels: calib_kernels.linear_cross_entropy(
            hidden, weight, labels, memory=memory
        )
    )


def plain_loss(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(hidden, weight).float(), labels)


def plain(case: Case, compiled: Compiler) -> Run:
    return stepped(compiled(plain_loss))


def of_torch(case: Case) -> Run:
    """PyTorch 2.13 and later, in chunks."""
    options = torch.nn.LinearCrossEntropyOptions()
    return stepped(
        lambda hidden, weight, labels: F.linear_cross_entropy(
            hidden, weight, labels, options=options
        )
    )


def of_inductor(case: Case) -> Run:
    """The compiled head in chunks of rows."""
    return stepped(cases.compiler(case, chunked=True)(plain_loss))


def of_liger(case: Case) -> Run:
    from liger_kernel.transformers.functional import liger_fused_linear_cross_entropy

    return stepped(liger_fused_linear_cross_entropy)


def of_liger_cute(case: Case) -> Run:
    """Hopper has a function of its own, which is not the one that LIGER_KERNEL_IMPL selects."""
    from liger_kernel.ops.cutedsl.ops import LigerFusedLinearCrossEntropyFunction as Function
    from liger_kernel.ops.cutedsl.ops.fused_linear_cross_entropy_sm90 import (
        LigerFusedLinearCrossEntropySM90Function as OnHopper,
    )

    if torch.cuda.get_device_capability() == (9, 0):
        return stepped(OnHopper.apply)
    return stepped(lambda *given: Function.apply(*given)[0])


def of_liger_cutile(case: Case) -> Run:
    from liger_kernel.ops.cutile.ops import LigerFusedLinearCrossEntropyFunction as Function

    return stepped(lambda *given: Function.apply(*given)[0])


def of_quack(case: Case) -> Run:
    from quack.linear_cross_entropy import chunked_linear_cross_entropy

    return stepped(chunked_linear_cross_entropy)


def of_cut_cross_entropy(case: Case) -> Run:
    from cut_cross_entropy import linear_cross_entropy

    return stepped(linear_cross_entropy)


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    """Products are rounded in the inputs' dtype, gradients are of the size 1 / N."""
    exact = case.dtype == torch.float32
    close(found[0], expected[0], rtol=1e-4 if exact else 2e-2)
    for mine, other in zip(found[1:], expected[1:], strict=True):
        scale = float(other.detach().float().abs().max())
        close(mine, other, atol=(1e-3 if exact else 5e-2) * scale)


def moved_bytes(case: Case) -> int:
    """Hidden states and weight once, with gradients twice."""
    values = (case.rows + case.columns) * case.hidden
    return values * case.dtype.itemsize * (1 if case.mode == "forward" else 2)


def flops(case: Case) -> int:
    """One product forward, two backward."""
    product = 2 * case.rows * case.columns * case.hidden
    return product * (1 if case.mode == "forward" else 3)


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    moved_bytes=moved_bytes,
    flops=flops,
    modes=MODES,
    rivals={
        "F.linear_ce": Rival(of_torch),
        "compile, chunks": Rival(of_inductor, modes=("", "256 MiB")),
        "Liger": Rival(of_liger, CUDA, package="liger-kernel"),
        "Liger CuTe": Rival(of_liger_cute, CUDA, package="liger-kernel"),
        "Liger cuTile": Rival(of_liger_cutile, CUDA, package="liger-kernel"),
        "quack": Rival(of_quack, CUDA, package="quack-kernels"),
        "cut-ce": Rival(of_cut_cross_entropy, CUDA, package="cut-cross-entropy"),
    },
)
