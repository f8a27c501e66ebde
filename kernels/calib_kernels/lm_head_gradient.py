"""The backward pass of ``lm_head.linear_cross_entropy``: tiles of logits, multiplied once more.

A tile of some columns and of all the rows that send something back, or of as many as fit, becomes

    d_v = g (p_v - 1[v = y]) / T        p_v = exp((logits_v - logits_top) / T - ln D)

in place, g being what reaches the row's loss, and is multiplied into

    d_hidden += d weight        d_weight += d^T hidden        d_bias += sum over rows of d

Sums over tiles are float32 (R19), float64 for float64.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from calib_kernels import lm_head_tiles as tiles

# Logits that become gradients at once: few enough to stay in a cache meanwhile.
_AT_ONCE = 2**19


class Rows(NamedTuple):
    """What is known of each row after the forward pass."""

    hidden: Tensor  # (N, H)
    labels: Tensor  # (N,) int32 or int64
    temperature: Tensor  # (N,)
    top: Tensor  # (N,) largest logit
    log2_d: Tensor  # (N,) log2 D, D the sum over columns of exp((logits - top) / T)
    sent: Tensor  # (N,) g / T; 0 for a row that sends nothing back

    def at(self, some: slice | Tensor) -> Rows:
        return Rows(*(field[some] for field in self))

    def silenced(self) -> Rows:
        """With hidden states of 0 where nothing is sent: 0 times NaN must not reach d_weight."""
        return self._replace(hidden=self.hidden.where((self.sent != 0)[:, None], 0.0))


def logits_gradient_(logits: Tensor, rows: Rows, first: int) -> Tensor:
    """Turn a tile of logits (N, C), of the columns from ``first`` on, into its gradient."""
    columns = logits.shape[1]
    for part in tiles.parts(logits.shape[0], max(1, _AT_ONCE // columns)):
        some = rows.at(part)
        sent = some.sent[:, None]
        d = logits[part].to(sent.dtype)
        # Where the largest logit is +inf the others are infinitely far below it, itself is not.
        top = some.top.clamp(max=torch.finfo(sent.dtype).max)[:, None]
        d.sub_(top).clamp_(max=0.0).div_(some.temperature[:, None])
        d.sub_(some.log2_d[:, None] * math.log(2)).exp_().mul_(sent).masked_fill_(sent == 0, 0.0)
        at = some.labels.to(torch.int64)[:, None] - first
        here = (at >= 0) & (at < columns)
        d.scatter_add_(1, at.clamp(0, columns - 1), torch.where(here, -sent, 0.0))
        if d.dtype != logits.dtype:
            logits[part] = d
    return logits


def gradients(
    rows: Rows,
    weight: Tensor,
    bias: Tensor | None,
    d_hidden: Tensor | None,
    d_weight: Tensor | None,
    d_bias: Tensor | None,
) -> None:
    """Fill d_hidden (N, H), d_weight (V, H) and d_bias (V,), which are 0, where they are wanted.

    d_bias is of the dtype of sums, the others of that of weight.

    Rows that send nothing are left out where counting the others does not wait for a device.
    """
    taken = tiles.rows_that(rows.sent != 0)
    count = rows.sent.shape[0] if taken is None else taken.shape[0]
    sums, most = tiles.sums_dtype(weight), tiles.hidden_at_once(weight)
    if d_hidden is None or (taken is None and d_hidden.dtype == sums):
        _sweep(rows, taken, slice(0, count), weight, bias, d_hidden, d_weight, d_bias)
    else:
        if count > most:
            # The sums of d_hidden do not fit: the logits are multiplied once for d_weight, and
            # once more for d_hidden.
            _sweep(rows, taken, slice(0, count), weight, bias, None, d_weight, d_bias)
            d_weight = d_bias = None
        for group in tiles.parts(count, most):
            total = d_hidden.new_zeros((group.stop - group.start, d_hidden.shape[1]), dtype=sums)
            _sweep(rows, taken, group, weight, bias, total, d_weight, d_bias)
            d_hidden[group if taken is None else taken[group]] = total.to(d_hidden.dtype)
    if d_hidden is not None and tiles.waits(rows.sent):
        d_hidden.masked_fill_((rows.sent == 0)[:, None], 0.0)  # 0 times a weight of NaN


def _sweep(
    rows: Rows,
    taken: Tensor | None,
    group: slice,
    weight: Tensor,
    bias: Tensor | None,
    d_hidden: Tensor | None,
    d_weight: Tensor | None,
    d_bias: Tensor | None,
) -> None:
    """Once over the vocabulary, for the rows ``taken[group]``, or ``group`` of all of them."""
    count, sums = group.stop - group.start, tiles.sums_dtype(weight)
    if count == 0 or (d_hidden is None and d_weight is None and d_bias is None):
        return
    step = min(count, max(1, tiles.hidden_at_once(weight) // 2))
    width = tiles.tile_columns(weight, step)
    buffer = tiles.buffer(weight, step, width)
    for columns in tiles.parts(weight.shape[0], width):
        w = weight[columns].to(buffer.dtype)
        b = None if bias is None else bias[columns].to(buffer.dtype)
        d_w = None if d_weight is None else d_weight[columns].to(sums)  # itself, if it is as wide
        for part in tiles.parts(count, step):
            place = slice(group.start + part.start, group.start + part.stop)
            some = rows.at(place if taken is None else taken[place])
            if tiles.waits(some.sent):
                some = some.silenced()
            h = some.hidden.to(buffer.dtype)
            x = tiles.multiply(h, w, b, buffer[: h.shape[0], : w.shape[0]])
            d = logits_gradient_(x, some, columns.start)
            if d_w is not None:
                tiles.add_product(d_w, d.T, h)
            if d_hidden is not None:
                tiles.add_product(d_hidden[part], d, w)
            if d_bias is not None:
                d_bias[columns] += d.sum(0, dtype=sums)
        if d_weight is not None and d_w is not None and d_weight.dtype != sums:
            d_weight[columns] = d_w
