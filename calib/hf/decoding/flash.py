"""Flash attention that gives out its log-sum-exp: the kernels there are, and which one to take.

Each is a function (q, k, v, scale) -> (out, lse) of q (B, H, Q, D), k and v (B, K, P, D), H a
multiple of K: softmax(scale q k') v (B, H, Q, D), and the log-sum-exp of scale q k' (B, H, Q).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

Flash = Callable[[Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]
SHORT = 64  # keys that one product handles faster than a kernel made for many


def flash_kernel(q: Tensor, k: Tensor, v: Tensor) -> Flash | None:
    """The kernel for these tensors, or None where plain products have to do, or do better."""
    if k.shape[2] <= SHORT or k.shape[3] != v.shape[3]:
        return None
    if q.device.type == "cpu":
        return on_cpu
    if q.device.type != "cuda" or q.dtype not in (torch.float16, torch.bfloat16):
        return None
    if q.shape[3] % 8 or q.shape[3] > 256 or torch.cuda.get_device_capability(q.device) < (8, 0):
        return None
    return of_package() or on_cuda


@cache
def of_package() -> Flash | None:
    """That of the package flash-attn, where it is installed."""
    try:
        from flash_attn import flash_attn_func
    except ImportError:
        return None

    def flash(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        inputs = (x.transpose(1, 2) for x in (q, k, v))  # it has heads behind positions
        outputs: Any = flash_attn_func(*inputs, softmax_scale=scale, return_attn_probs=True)
        return outputs[0].transpose(1, 2), outputs[1][..., : q.shape[2]]

    return flash


def on_cpu(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, scale=scale)
    return out, lse


def on_cuda(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    out, lse, *_ = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, scale=scale)
    return out, lse[..., : q.shape[2]]
