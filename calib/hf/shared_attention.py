"""Attention of many rows over one prompt whose keys and values are kept once.

S rows continue the same prompt of P tokens. Their queries attend to the prompt as one block of
S x G queries on each key-value head (G query heads share one), and each row to its own few tokens
behind it; the two are merged by their log-sum-exps, which is exact:

    softmax over prompt and suffix = (o_p e^{l_p} + o_s e^{l_s}) / (e^{l_p} + e^{l_s})

So a step reads the prompt's cache once, not S times, and it is never copied.

Rows of other prompts may join: their own tokens begin at the place that the next step writes, and
the places before it are hidden from them.

Axis legend: R rows of all prompts together, S rows of one prompt, H query heads, K key-value heads,
G = H / K, P tokens of a prompt, L tokens behind it, D head size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.modeling_utils import AttentionInterface

from calib.hf.flash import flash_kernel

NAME = "calib_shared_prefix"


class CannotShare(Exception):
    """This model's attention is more than softmax(q k / sqrt(D)) v over plain keys and values."""


@dataclass
class Prefix:
    """One prompt's keys and values (1, K, P, D) in one layer, and how many rows continue it."""

    keys: Tensor
    values: Tensor
    rows: int


@dataclass
class Place:
    """Where a step writes and reads the rows' own tokens, as tensors that stay where they are."""

    at: Tensor  # (1,) int64, the step's own place
    hidden: Tensor  # (1 or R, 1, 1, span) float32: 0 from a row's first place to that, else -inf

    @property
    def span(self) -> int:
        return self.hidden.shape[3]


class SharedLayer(DynamicLayer):
    """A layer's prompts, kept once each, and the rows' own tokens (R, K, L, D) behind them.

    With a ``place``, a step writes there and all of its span is read, so that every step does the
    same to the same tensors.
    """

    def __init__(self, prefixes: Sequence[Prefix], room: int) -> None:
        super().__init__()
        first = prefixes[0].keys
        self.dtype, self.device, self.is_initialized = first.dtype, first.device, True
        self.prefixes = list(prefixes)
        self.longest = max(prefix.keys.shape[2] for prefix in prefixes)
        rows = sum(prefix.rows for prefix in prefixes)
        shape = (rows, first.shape[1], room)
        # Zeros, for what is read behind the last token has weight 0, and 0 NaN is NaN.
        self.own_keys = first.new_zeros((*shape, first.shape[3]))
        self.own_values = first.new_zeros((*shape, prefixes[0].values.shape[3]))
        self.length = 0
        self.unread = False
        self.place: Place | None = None
        self.early: Tensor | None = None  # (R, 1, 1, room): -inf before a row's first place, else 0

    def hidden(self, end: int) -> Tensor | None:
        """What is added to the scores of the first ``end`` places; None where all are seen."""
        if self.place is not None:
            return self.place.hidden
        return None if self.early is None else self.early[..., :end]

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append one token to every row; returns the rows' own tokens only."""
        if self.unread:
            raise CannotShare("a layer's keys were asked for twice in one step")
        if self.place is not None:
            self.own_keys.index_copy_(2, self.place.at, key_states)
            self.own_values.index_copy_(2, self.place.at, value_states)
            self.unread, end = True, self.place.span
            return self.own_keys[:, :, :end], self.own_values[:, :, :end]
        end = self.length + key_states.shape[2]
        self.own_keys[:, :, self.length : end] = key_states
        self.own_values[:, :, self.length : end] = value_states
        self.length, self.unread = end, True
        return self.own_keys[:, :, :end], self.own_values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.longest + self.length

    def keep_rows(self, rows: Tensor, counts: Sequence[int]) -> None:
        """Go on with ``rows`` (R',) alone, ``counts`` of them behind each prompt."""
        kept = [(p, count) for p, count in zip(self.prefixes, counts, strict=True) if count]
        self.prefixes = [Prefix(p.keys, p.values, count) for p, count in kept]
        # Copied, so that what the rows that left took up is given back.
        self.own_keys, self.own_values = self.own_keys[rows], self.own_values[rows]

    def join(self, other: SharedLayer, first: int) -> None:
        """Go on with the rows of ``other`` too, which have no tokens yet; places before ``first``
        are forgotten."""
        room = self.length - first + other.own_keys.shape[2]
        kept, more = slice(first, self.length), len(other.own_keys)
        self.own_keys = widened(self.own_keys[:, :, kept], more, room)
        self.own_values = widened(self.own_values[:, :, kept], more, room)
        self.prefixes += other.prefixes
        self.longest = max(self.longest, other.longest)
        self.length -= first


def widened(own: Tensor, rows: int, room: int) -> Tensor:
    """(R, K, L, D) as the beginning of (R + rows, K, room, D), whose rest is 0."""
    wider = own.new_zeros((len(own) + rows, own.shape[1], room, own.shape[3]))
    wider[: len(own), :, : own.shape[2]] = own
    return wider


class SharedCache(DynamicCache):
    """The cache of R rows behind B prompts, made of a prefilled cache of the B prompts."""

    def __init__(self, prefilled: Any, mask: Tensor | None, samples: int, room: int) -> None:
        """``mask`` (B, P) is 0 at left padding, which is cut off; ``room`` tokens may follow."""
        super().__init__()
        prompts = prefilled.layers[0].keys.shape[0]
        padding = [0] * prompts if mask is None else (mask == 0).sum(1).tolist()
        self.shared = [
            SharedLayer(
                [
                    Prefix(
                        layer.keys[b : b + 1, :, padding[b] :],
                        layer.values[b : b + 1, :, padding[b] :],
                        samples,
                    )
                    for b in range(prompts)
                ],
                room,
            )
            for layer in prefilled.layers
        ]
        self.layers = list(self.shared)
        self.starts: Tensor | None = None  # (R,) each row's first place; None: 0

    def place(self, least: int) -> bool:
        """Say where the next token goes, in a span that doubles from ``least``: is it a new one?"""
        first = self.shared[0]
        place, end, room = first.place, first.length + 1, first.own_keys.shape[2]
        if new := place is None or place.span < end:
            span = least
            while span < end:
                span *= 2
            rows = 1 if first.early is None else len(first.early)
            shape = (rows, 1, 1, min(span, room))
            hidden = torch.full(shape, -torch.inf, device=first.own_keys.device)
            place = Place(torch.zeros(1, dtype=torch.long, device=hidden.device), hidden)
            for layer in self.shared:
                layer.place = place
        place.at.fill_(end - 1)
        place.hidden[..., :end] = 0.0 if first.early is None else first.early[..., :end]
        return new

    def advance(self) -> None:
        """The token that went to its place is there."""
        for layer in self.shared:
            layer.length += 1

    def leave_place(self) -> None:
        """Go on as without ``place``; what a step broken off has written is overwritten."""
        for layer in self.shared:
            layer.place, layer.unread = None, False

    def keep_rows(self, rows: Tensor, counts: Sequence[int]) -> None:
        for layer in self.shared:
            layer.keep_rows(rows, counts)
        if self.starts is not None:
            self._start(self.starts[rows])

    def join(self, other: SharedCache) -> None:
        """Go on with the rows of ``other`` too, behind these. They have no tokens of their own."""
        length, rows = self.shared[0].length, len(self.shared[0].own_keys)
        more = len(other.shared[0].own_keys)
        starts = self.starts
        if starts is None:
            starts = torch.zeros(rows, dtype=torch.long, device=other.shared[0].own_keys.device)
        first = int(starts.min())
        for layer, joining in zip(self.shared, other.shared, strict=True):
            layer.join(joining, first)
        self._start(torch.cat([starts, starts.new_full((more,), length)]) - first)

    def _start(self, starts: Tensor) -> None:
        """Hide from every row the places before its first, from the next step on."""
        self.starts = starts
        places = torch.arange(self.shared[0].own_keys.shape[2], device=starts.device)
        early = torch.zeros((len(starts), len(places)), device=starts.device)
        early = early.masked_fill(places < starts[:, None], -torch.inf)[:, None, None]
        for layer in self.shared:
            layer.early, layer.place = early, None

    def check_read(self) -> None:
        """Every layer that was written in this step must have been read by ``attend``."""
        if any(layer.unread for layer in self.shared):
            raise CannotShare("a layer does not attend through transformers' attention interface")


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
    layer = _layer_of(module)
    refuse_extras(query, attention_mask, kwargs)
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
    layer.unread = False
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


def refuse_extras(query: Tensor, mask: Tensor | None, kwargs: dict[str, Any]) -> None:
    """CannotShare where a score is anything but scale q k."""
    if query.shape[2] != 1 or mask is not None:
        raise CannotShare("a step of more than one token, or with a mask of its own")
    for name in ("s_aux", "sinks", "softcap", "position_bias", "sliding_window"):
        if kwargs.get(name) is not None:
            raise CannotShare(f"attention with {name}")


_current: list[SharedCache] = []


def _layer_of(module: torch.nn.Module) -> SharedLayer:
    number = getattr(module, "layer_idx", None)
    if not _current or not isinstance(number, int):
        raise CannotShare("attention outside of a decoding step")
    return _current[-1].shared[number]


AttentionInterface.register(NAME, attend)


def attending(model: Any) -> list[Any]:
    """The configurations of the layers that keep a cache. Walks over all modules."""
    configs = {
        id(module.config): module.config
        for module in model.modules()
        if hasattr(module, "layer_idx") and hasattr(module, "config")
    }
    return list(configs.values())


@contextmanager
def sharing(configs: list[Any], cache: SharedCache) -> Iterator[None]:
    """Inside, the layers of ``configs`` attend through ``attend``, to ``cache``.

    Their configuration is restored afterwards. No mask is registered under NAME, so the model
    makes none: rows see all of their prompt and of themselves.
    """
    before = [(config, config._attn_implementation) for config in configs]
    _current.append(cache)
    try:
        for config, _ in before:
            config._attn_implementation_internal = NAME
        yield
        cache.check_read()
    finally:
        for config, name in before:
            config._attn_implementation_internal = name
        _current.pop()
