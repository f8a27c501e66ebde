"""Gradients of ``linear_cross_entropy``: tiles of logits that become gradients and are multiplied.

A tile of some columns and rows becomes, in place, g being what reaches the row's loss,

    d_v = g (p_v - 1[v = y]) / T        p_v = exp((logits_v - top) / T - ln D)

and is multiplied into

    d_hidden += d weight        d_weight += d^T hidden        d_bias += sum over rows of d

Sums over tiles are float32 (R19), float64 for float64. ``Formed`` takes whole rows in the forward
pass, where one number reaches all losses. ``gradients`` goes over the logits once more, stored or
multiplied anew: a tile is then of all the rows that send something back, or of as many as fit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from calib_kernels import tiles
from calib_kernels.heads import Head
from calib_kernels.ops.logits_gradient import Saved, Upstream, logits_gradient
from calib_kernels.reference.vocabulary import scaled_gap
from calib_kernels.rows import Rows

# Logits that become gradients at once on ``reference``, whose temporaries are as large.
_AT_ONCE = 2**19
# No place in a tile: the label of a row whose right token has its logit elsewhere.
_ELSEWHERE = -1


class Sent(NamedTuple):
    """What is known of each row after the forward pass, and what is sent back to it."""

    hidden: Tensor  # (N, H)
    labels: Tensor  # (N,) int32 or int64
    temperature: Tensor | None  # (N,); None where one number is that of all
    top: Tensor  # (N,) largest logit; NaN where the row is lost
    log2_d: Tensor  # (N,) log2 D, D the sum over columns of exp((logits - top) / T)
    loss: Tensor  # (N,) g; 0 for a row that sends nothing back

    def at(self, some: slice | Tensor) -> Sent:
        hidden, labels, t, *rest = self
        return Sent(hidden[some], labels[some], None if t is None else t[some],
                    *(field[some] for field in rest))  # fmt: skip

    def silenced(self) -> Sent:
        """With hidden states of 0 where nothing is sent: 0 times NaN must not reach d_weight."""
        return self._replace(hidden=self.hidden.where((self.loss != 0)[:, None], 0.0))


def logits_gradient_(logits: Tensor, sent: Sent, first: int, temperature: float) -> Tensor:
    """Turn a tile of logits (N, C), of the columns from ``first`` on, into its gradient."""
    at = sent.labels.to(torch.int64) - first
    at = at.where((at >= 0) & (at < logits.shape[1]), _ELSEWHERE)
    rows = Rows(logits, at, temperature, sent.temperature, _ELSEWHERE, logits.shape[1], 0)
    name = rows.backend
    if name == "reference":
        for part in tiles.parts(logits.shape[0], max(1, _AT_ONCE // logits.shape[1])):
            _reference_gradient_(logits[part], sent.at(part), at[part], temperature)
        return logits
    # To a row whose label is elsewhere its loss sends g p / T, as its lse would.
    upstream = Upstream(sent.loss, sent.loss.where(at == _ELSEWHERE, 0.0))
    return logits_gradient(name, rows, Saved(sent.top, sent.log2_d), upstream, in_place=True)


def _reference_gradient_(logits: Tensor, sent: Sent, at: Tensor, temperature: float) -> None:
    """The same in PyTorch; ``at`` (N,) are the labels' places in the tile."""
    t = temperature if sent.temperature is None else sent.temperature[:, None]
    given = sent.loss[:, None] / t
    # Logits that are multiplied again may be rounded to above their largest.
    d = scaled_gap(logits.to(given.dtype), sent.top[:, None], t).clamp_(max=0.0)
    d.sub_(sent.log2_d[:, None] * math.log(2)).exp_().mul_(given).masked_fill_(
        (sent.loss == 0)[:, None], 0.0
    )
    here = at[:, None] != _ELSEWHERE
    d.scatter_add_(1, at[:, None].clamp(min=0), torch.where(here, -given, 0.0))
    logits.copy_(d)


class Formed:
    """Gradients of the hidden states, the weight and the bias, formed of whole rows of logits.

    Of a head without padding, each where it is wanted.
    """

    def __init__(self, head: Head, wanted: tuple[bool, bool, bool], several: bool) -> None:
        """``several``: rows come in several parts, whose sums have a dtype of their own."""
        hidden, weight, bias = head[:3]
        sums = tiles.sums_dtype(weight)
        self.weight = weight
        self.d_hidden = torch.zeros_like(hidden) if wanted[0] else None
        self.d_weight = self.d_bias = None
        if wanted[1]:
            self.d_weight = weight.new_zeros(weight.shape, dtype=sums if several else weight.dtype)
        if wanted[2] and bias is not None:
            self.d_bias = bias.new_zeros(bias.shape, dtype=sums)

    def add(self, some: slice | Tensor, hidden: Tensor, d: Tensor) -> None:
        """Of the rows ``some``: their hidden states (R, H) and the gradient (R, V) of logits."""
        if self.d_hidden is not None:
            self.d_hidden[some] = torch.mm(d, self.weight)
        if self.d_weight is not None and self.d_weight.dtype == d.dtype:
            self.d_weight.addmm_(d.T, hidden)
        elif self.d_weight is not None:
            # A product that is added in another dtype takes room of its own on CPUs.
            step = tiles.columns_at_once(self.weight)
            for columns in tiles.parts(d.shape[1], d.shape[1] if d.is_cuda else step):
                tiles.add_product(self.d_weight[columns], d[:, columns].T, hidden)
        if self.d_bias is not None:
            self.d_bias += d.sum(0, dtype=self.d_bias.dtype)


def gradients(
    sent: Sent,
    temperature: float,
    weight: Tensor,
    bias: Tensor | None,
    d_hidden: Tensor | None,
    d_weight: Tensor | None,
    d_bias: Tensor | None,
    stored: Tensor | None,
) -> None:
    """Fill d_hidden (N, H), d_weight (V, H) and d_bias (V,), which are 0, where they are wanted.

    ``stored`` (N, V) are the logits, or None to multiply them anew.

    ``temperature`` is that of all rows unless they have their own. d_bias is of the dtype of sums,
    the others of that of weight.

    Rows that send nothing are left out where counting the others does not wait for a device.
    """
    taken = tiles.rows_that(sent.loss != 0)
    count = sent.loss.shape[0] if taken is None else taken.shape[0]
    sums, most = tiles.sums_dtype(weight), tiles.hidden_at_once(weight)
    if d_hidden is None or (taken is None and d_hidden.dtype == sums):
        group = slice(0, count)
        _sweep(sent, temperature, taken, group, weight, bias, d_hidden, d_weight, d_bias, stored)
    else:
        if count > most:
            # The sums of d_hidden do not fit: the logits are multiplied once for d_weight, and
            # once more for d_hidden.
            group = slice(0, count)
            _sweep(sent, temperature, taken, group, weight, bias, None, d_weight, d_bias, stored)
            d_weight = d_bias = None
        for group in tiles.parts(count, most):
            total = d_hidden.new_zeros((group.stop - group.start, d_hidden.shape[1]), dtype=sums)
            _sweep(sent, temperature, taken, group, weight, bias, total, d_weight, d_bias, stored)
            d_hidden[group if taken is None else taken[group]] = total.to(d_hidden.dtype)
    if d_hidden is not None and tiles.waits(sent.loss):
        d_hidden.masked_fill_((sent.loss == 0)[:, None], 0.0)  # 0 times a weight of NaN


def scale_(
    d_hidden: Tensor, d_weight: Tensor, d_bias: Tensor, d_loss: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Formed gradients, or none (0,), times what reaches the loss, written over them.

    Where that is 0 nothing is sent, not even NaN; where it is seen to be 1 nothing is written.
    """
    d_hidden, d_weight, d_bias = d_hidden.detach(), d_weight.detach(), d_bias.detach()
    if tiles.waits(d_loss) or d_loss != 1:
        for g in (d_hidden, d_weight, d_bias):
            g.mul_(d_loss).masked_fill_(d_loss == 0, 0.0)
    return d_hidden, d_weight, d_bias


def _sweep(
    sent: Sent,
    temperature: float,
    taken: Tensor | None,
    group: slice,
    weight: Tensor,
    bias: Tensor | None,
    d_hidden: Tensor | None,
    d_weight: Tensor | None,
    d_bias: Tensor | None,
    stored: Tensor | None,
) -> None:
    """Once over the vocabulary, for the rows ``taken[group]``, or ``group`` of all of them."""
    count, sums = group.stop - group.start, tiles.sums_dtype(weight)
    if count == 0 or (d_hidden is None and d_weight is None and d_bias is None):
        return
    step = min(count, tiles.rows_of_a_tile(weight))
    width = tiles.tile_columns(weight, step, stored is not None, summed=count > step)
    buffer = tiles.buffer(weight, step, width)

    def of(part: slice) -> tuple[slice | Tensor, Sent]:
        place = slice(group.start + part.start, group.start + part.stop)
        at = place if taken is None else taken[place]
        some = sent.at(at)
        if tiles.waits(some.loss):
            some = some.silenced()
        return at, some._replace(hidden=some.hidden.to(buffer.dtype))

    alone = of(slice(0, count)) if count <= step else None
    for columns in tiles.parts(weight.shape[0], width):
        w = weight[columns].to(buffer.dtype)
        b = None if bias is None else bias[columns].to(buffer.dtype)
        d_w = None
        if d_weight is not None:  # itself, if it is as wide or there is nothing to sum
            d_w = d_weight[columns].to(buffer.dtype if alone else sums)
        for part in tiles.parts(count, step):
            at, some = alone or of(part)
            h = some.hidden
            x = tiles.tile(buffer, h.shape[0], w.shape[0])
            if stored is None:
                tiles.multiply(h, w, b, x)
            else:
                x.copy_(stored[:, columns][at])
            d = logits_gradient_(x, some, columns.start, temperature)
            if d_w is not None and alone:
                torch.mm(d.T, h, out=d_w)
            elif d_w is not None:
                tiles.add_product(d_w, d.T, h)
            if d_hidden is not None:
                tiles.add_product(d_hidden[part], d, w)
            if d_bias is not None:
                d_bias[columns] += d.sum(0, dtype=sums)
        if d_weight is not None and d_w is not None and d_weight.dtype != d_w.dtype:
            d_weight[columns] = d_w
