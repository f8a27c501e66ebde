"""How a public op reaches a backend, and torch.library: what every op shares."""

from __future__ import annotations

import importlib
import math
from functools import cache
from typing import Any

import torch
from torch import Tensor

from calib_kernels import transforms

LOG2_E = math.log2(math.e)


@cache
def launcher(backend: str, op: str) -> Any:
    """The function that runs an op on ``native`` or ``triton``, imported at its first use."""
    module = "calib_kernels.native" if backend == "native" else f"calib_kernels.gpu.{op}"
    return getattr(importlib.import_module(module), op)


def register(
    name: str, signature: str, run: Any, fake: Any, save: Any = None, backward: Any = None
) -> Any:
    """``torch.ops.calib_kernels.<name>``, functional and opaque.

    ``save`` and ``backward`` are those of ``register_autograd``.
    """
    op = torch.library.custom_op(f"calib_kernels::{name}", mutates_args=(), schema=signature)(run)
    op.register_fake(fake)
    op.register_vmap(transforms.one_by_one(name, op))
    if backward is None:
        return op
    op.register_autograd(backward, setup_context=save)
    transformed = transforms.reverse_mode(name, op, save, backward)

    def call(*arguments: Any) -> Any:
        return transformed(*arguments) if transforms.active() else op(*arguments)

    return call


def traced(x: Tensor) -> bool:
    """Whether something must see the registered op.

    A compiler, a transform of torch.func, or a tensor of another kind.
    """
    if torch.compiler.is_compiling() or transforms.active():
        return True
    return type(x) not in (Tensor, torch.nn.Parameter)


def watched(x: Tensor) -> bool:
    """The same; also a mode that is told of every op, or several gradients at once."""
    if traced(x):
        return True
    several = torch._C._functorch.is_legacy_batchedtensor(x)  # by autograd's is_grads_batched
    return several or torch._C._len_torch_dispatch_stack() > 0


def passes_once(upstream: Tensor) -> bool:
    """Whether the backward pass at hand, which sends ``upstream``, is the graph's last."""
    return not (watched(upstream) or torch._C._autograd._get_current_graph_task_keep_graph())


def columns(logits: Tensor, vocab_size: int) -> Tensor:
    """The leading columns, rows contiguous."""
    cut = logits if logits.shape[1] == vocab_size else logits[:, :vocab_size]
    return rows_contiguous(cut)


def beside(logits: Tensor, value: Tensor) -> Tensor:
    """The same values on the device of the logits."""
    return value if value.device == logits.device else value.to(logits.device)


def rows_contiguous(logits: Tensor) -> Tensor:
    """Last stride 1, which costs the one documented copy where it is not."""
    return logits if logits.stride(1) == 1 or logits.shape[1] == 1 else logits.contiguous()


def real_dtype(logits: Tensor) -> torch.dtype:
    """Of results: float64 for float64 logits, else float32."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32
