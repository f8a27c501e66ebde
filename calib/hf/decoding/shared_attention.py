"""Attention of many rows over one prompt with a single copy of its keys and values.

S rows continue the same prompt of P tokens. Their queries attend to the prompt as one block of
S x G queries on each key-value head (G query heads share one), and each row to its own few tokens
behind it; the two are merged by their log-sum-exps, which is exact:

    softmax over prompt and suffix = (o_p e^{l_p} + o_s e^{l_s}) / (e^{l_p} + e^{l_s})

So a step reads the prompt's cache once, not S times. This equals the model's own attention only
over the very keys and values that the cache returned, and with scores scale q k. Anything else
raises CannotShare.

Axis legend: R rows of all prompts together, S rows of one prompt, H query heads, K key-value heads,
G = H / K, P tokens of a prompt, L tokens behind it, D head size.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_utils import AttentionInterface
from transformers.utils.generic import TransformersKwargs

from calib.hf.decoding.flash import flash_kernel
from calib.hf.decoding.shared_cache import CannotShare, Prefix, SharedCache, SharedLayer
from calib.hf.model_view import CACHE

NAME = "calib_shared_prefix"
# Arguments that transformers hands through to any attention function, and that none scores by.
HANDED_THROUGH = frozenset(TransformersKwargs.__optional_keys__)


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of one step: query (R, H, 1, D), key and value (R, K, L, D) -> (R, 1, H, D)."""
    cache, layer = shared_by(module)
    refuse_extras(query, attention_mask, dropout, kwargs, cache.handed_through)
    layer.read(key, value)
    rows, heads, _, _ = query.shape
    groups = heads // key.shape[1]
    scale = query.shape[3] ** -0.5 if scaling is None else scaling
    grouped = query.view(rows, key.shape[1], groups, query.shape[3])
    # (R, K, G, D) and (R, K, G)
    hidden = layer.hidden(key.shape[2])
    if hidden is None:
        own, own_lse = attention_and_lse(grouped, key, value, scale)
    else:
        own, own_lse = plainly(grouped, key, value, scale, hidden)
    shared = [
        over_prefix(part, prefix, scale)
        for part, prefix in zip(
            grouped.split([p.rows for p in layer.prefixes]), layer.prefixes, strict=True
        )
    ]
    prompt = torch.cat([out for out, _ in shared]) if len(shared) > 1 else shared[0][0]
    prompt_lse = torch.cat([lse for _, lse in shared]) if len(shared) > 1 else shared[0][1]
    weight = torch.sigmoid(own_lse - prompt_lse)[..., None].to(own.dtype)
    merged = torch.lerp(prompt, own, weight)
    return merged.reshape(rows, 1, heads, value.shape[3]), None


def over_prefix(query: Tensor, prefix: Prefix, scale: float) -> tuple[Tensor, Tensor]:
    """Queries (S, K, G, D) of one prompt's rows over it, as one block on each head."""
    rows, heads, groups, size = query.shape
    block = query.transpose(0, 1).reshape(1, heads, rows * groups, size)
    out, lse = attention_and_lse(block, prefix.keys, prefix.values, scale)
    out = out.view(heads, rows, groups, -1).transpose(0, 1)
    return out, lse.view(heads, rows, groups).transpose(0, 1)


def attention_and_lse(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """softmax(scale q k') v and the log-sum-exp of scale q k': (..., Q, D) and (..., Q) float32.

    Long keys go to a flash kernel that returns its log-sum-exp, where there is one.
    """
    flash = flash_kernel(q, k, v)
    if flash is not None:
        out, lse = flash(q, k, v, scale)
        return out, lse.view(q.shape[:-1]).float()
    return plainly(q, k, v, scale)


def plainly(
    q: Tensor, k: Tensor, v: Tensor, scale: float, hidden: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The same by two products; ``hidden`` is added to the scores (..., Q, P)."""
    scores = (q * scale) @ k.transpose(-1, -2)
    scores = scores.float() if hidden is None else scores.float() + hidden
    lse = scores.logsumexp(-1, keepdim=True)
    return (scores - lse).exp().to(v.dtype) @ v, lse[..., 0]


def refuse_extras(
    query: Tensor,
    mask: Tensor | None,
    dropout: float,
    kwargs: dict[str, Any],
    handed_through: Container[str],
) -> None:
    """CannotShare where an argument says that a score is anything but scale q k."""
    if query.shape[2] != 1 or mask is not None:
        raise CannotShare("a step of more than one token, or with a mask of its own")
    if dropout:
        raise CannotShare("attention with dropout")
    for name, value in kwargs.items():
        if value is not None and name not in HANDED_THROUGH and name not in handed_through:
            raise CannotShare(f"attention with {name}")


def shared_by(module: torch.nn.Module) -> tuple[SharedCache, SharedLayer]:
    reference, number = module.__dict__.get(CACHE), getattr(module, "layer_idx", None)
    cache = None if reference is None else reference()
    if cache is None or not isinstance(number, int) or number >= len(cache.shared):
        raise CannotShare("attention outside of a decoding step")
    return cache, cache.shared[number]


AttentionInterface.register(NAME, attend)
