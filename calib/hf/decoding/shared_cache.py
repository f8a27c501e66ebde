"""The cache of many rows behind a single copy of each prompt, and the checks of its use.

S rows continue the same prompt of P tokens, whose keys and values are those of a prefilled cache
and never copied; each row has its own few tokens behind it. A layer hands out the rows' own keys
alone, so the attention must know of the prompts (``shared_attention``). A step checks that every
layer was written and read once, and raises CannotShare where it was not.

Rows of other prompts may join: their own tokens begin at the place that the next step writes, and
the places before it are hidden from them.

Axis legend: R rows of all prompts together, B prompts, K key-value heads, P tokens of a prompt, L
tokens behind it, D head size.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer


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
        self.handed: tuple[Tensor, Tensor] | None = None  # what ``update`` returned, until read
        self.reads = 0  # in this step
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
        if self.handed is not None or self.reads:
            raise CannotShare("a layer's keys were asked for twice in one step")
        if self.place is not None:
            self.own_keys.index_copy_(2, self.place.at, key_states)
            self.own_values.index_copy_(2, self.place.at, value_states)
            end = self.place.span
        else:
            end = self.length + key_states.shape[2]
            self.own_keys[:, :, self.length : end] = key_states
            self.own_values[:, :, self.length : end] = value_states
            self.length = end
        self.handed = self.own_keys[:, :, :end], self.own_values[:, :, :end]
        return self.handed

    def read(self, key: Tensor, value: Tensor) -> None:
        """Take note that attention is over ``key`` and ``value``, which must be what was handed."""
        if self.handed is None:
            raise CannotShare("a layer attends to keys that its cache did not return, or twice")
        if not (same(key, self.handed[0]) and same(value, self.handed[1])):
            raise CannotShare("a layer attends to other keys or values than its cache returned")
        self.handed = None
        self.reads += 1

    def get_seq_length(self) -> int:
        return self.longest + self.length

    def keep_rows(self, rows: Tensor, counts: Sequence[int]) -> None:
        """Go on with ``rows`` (R',) alone, ``counts`` of them behind each prompt."""
        remaining = [(p, count) for p, count in zip(self.prefixes, counts, strict=True) if count]
        self.prefixes = [Prefix(p.keys, p.values, count) for p, count in remaining]
        # Copied, which frees the memory of the rows that left.
        self.own_keys, self.own_values = self.own_keys[rows], self.own_values[rows]

    def join(self, other: SharedLayer, first: int) -> None:
        """Go on with the rows of ``other`` too, which have no tokens yet; places before ``first``
        are forgotten."""
        room = self.length - first + other.own_keys.shape[2]
        columns, more = slice(first, self.length), len(other.own_keys)
        self.own_keys = widened(self.own_keys[:, :, columns], more, room)
        self.own_values = widened(self.own_values[:, :, columns], more, room)
        self.prefixes += other.prefixes
        self.longest = max(self.longest, other.longest)
        self.length -= first


def same(a: Tensor, b: Tensor) -> bool:
    """Whether they are one tensor, or the same view of it."""
    return a is b or (
        a.data_ptr() == b.data_ptr()
        and a.shape == b.shape
        and a.stride() == b.stride()
        and a.dtype == b.dtype
    )


def widened(own: Tensor, rows: int, room: int) -> Tensor:
    """(R, K, L, D) as the beginning of (R + rows, K, room, D), whose rest is 0."""
    wider = own.new_zeros((len(own) + rows, own.shape[1], room, own.shape[3]))
    wider[: len(own), :, : own.shape[2]] = own
    return wider


class SharedCache(DynamicCache):
    """The cache of R rows behind B prompts, made of a prefilled cache of the B prompts."""

    def __init__(self, prefilled: Any, mask: Tensor | None, samples: int, room: int) -> None:
        """``mask`` (B, P) is 0 at left padding, which is cut off; ``room`` tokens may follow.

        Raises CannotShare where it has zeros elsewhere, or a layer holds other tokens than it.
        """
        super().__init__()
        padding = padding_of(prefilled, mask)
        prompts = len(padding)
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
        self.handed_through: Container[str] = ()  # names of the inputs of the model's step
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
            layer.place, layer.handed, layer.reads = None, None, 0

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
        """In this step every layer must have been written, and read by ``attend``, once."""
        for layer in self.shared:
            if layer.reads != 1 or layer.handed is not None:
                raise CannotShare(
                    "a layer does not attend once, through transformers' attention interface"
                )
            layer.reads = 0


def padding_of(prefilled: Any, mask: Tensor | None) -> list[int]:
    """How many tokens of padding each of B prompts begins with. Raises CannotShare."""
    keys = [layer.keys for layer in prefilled.layers]
    if not keys or any(key is None or key.dim() != 4 for key in keys):
        raise CannotShare("a layer keeps no keys of the prompt")
    prompts, _, tokens, _ = keys[0].shape
    if any(key.shape[0] != prompts or key.shape[2] != tokens for key in keys):
        raise CannotShare("layers keep different numbers of tokens")
    if mask is None:
        return [0] * prompts
    if mask.shape != (prompts, tokens):
        raise CannotShare("the mask has not a column for each token of the cache")
    real = mask != 0
    # Only padding before the first token may be cut off: behind it, a zero hides one token only.
    if not bool(real[:, -1:].all() & (real[:, 1:] >= real[:, :-1]).all()):
        raise CannotShare("attention_mask hides more than padding on the left")
    padding: list[int] = (~real).sum(1).tolist()
    return padding
