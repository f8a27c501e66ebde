"""Rows whose columns are divided among the ranks of a process group: what the ops share.

Each rank reads its slice once, with the kernel of ``row_stats``. One all-gather of a few float64
numbers per row then tells every rank all that there is to know; what they make of it is computed by
each rank, from the same numbers in the order of ranks, so to the same bits:

    D = sum_r w_r      H = ln D - sum_r w_r (m_r + top_r - top) / D      w_r = D_r exp(top_r - top)

with u = logits / T, top the largest u, and of rank r top_r the largest, D_r = sum exp(u - top_r)
and m_r = E_r[u - top_r] = ln D_r - H_r. Nothing is subtracted that an offset common to the row
makes large.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from calib_kernels import checks, transforms
from calib_kernels.ops import row_stats
from calib_kernels.ops.histogram_delta import histogram_delta
from calib_kernels.reference.vocabulary import INF, LN2, scaled_gap
from calib_kernels.rows import Rows, given, wants_gradients

NUMBERS = 4  # of a row, that each rank tells the others, beside what its op adds
HELD = 3  # that say which columns it holds


class Slice(NamedTuple):
    """This rank's columns of the whole vocabulary."""

    rows: Rows  # to be read: without labels or padding; of no columns, one of -inf
    logits: Tensor  # (N, own), 0 <= own; with their history where a gradient may be asked for
    first: int  # column of the whole that the slice begins with
    columns: int  # of the whole

    def logits_at(self, columns: Tensor) -> Tensor:
        """(N, K) float64 logits of columns (N, K) of the whole; -inf of those elsewhere."""
        at, read = columns - self.first, self.rows.logits
        elsewhere = (at < 0) | (at >= self.logits.shape[1])
        found = read.gather(1, at.clamp(0, read.shape[1] - 1))
        return found.double().masked_fill(elsewhere, -INF)


class Whole(NamedTuple):
    """Of the whole rows (N,), float64; NaN where nothing can be said but of top and token."""

    top: Tensor  # largest logit; NaN if the row holds one
    token: Tensor  # int64, its first column
    log_d: Tensor  # ln D
    entropy: Tensor  # H
    lost: Tensor  # bool
    more: Tensor  # (N, K): what ranks told beside, the largest over ranks


def bins_of(confidence: Tensor, correct: Tensor, counted: Tensor, bins: int) -> Tensor:
    """What the rows (N,) that are ``counted`` add to a histogram; NaN is invalid."""
    nan = confidence.masked_fill(~counted, torch.nan)
    delta = histogram_delta(nan, correct & counted, bins=bins)
    delta[-1] -= (~counted).sum()
    return delta


def slice_of(
    op: str,
    logits: Tensor,
    temperature: float | Tensor,
    first: int | None,
    vocab_size: int | None,
    group: dist.ProcessGroup | None,
    *,
    gradients: bool = False,
) -> Slice:
    """Arguments checked; ``first`` and ``vocab_size`` of None are those of equal slices."""
    if transforms.active():
        raise RuntimeError(f"{op} runs in no transform of torch.func and in no torch.vmap")
    columns = checks.logits(logits, least=0).shape[1]
    # torch.distributed hands a number to those who are not in a new group.
    if group is not None and not (isinstance(group, dist.ProcessGroup) and group.rank() >= 0):
        raise ValueError(f"group must be None or a process group of this process, got {group!r}")
    ranks, rank = dist.get_world_size(group), dist.get_rank(group)
    start = rank * columns if first is None else checks.whole("first", first, 0, 2**31 - 1)
    size = ranks * columns
    if vocab_size is not None:
        size = checks.whole("vocab_size", vocab_size, 1, 2**31 - 1)
    start = min(start, size)
    own = min(columns, size - start)
    read = logits if own else logits.new_full((logits.shape[0], 1), -INF)
    rows, _ = given(op, read, None, temperature, -100, max(own, 1), 0, gradients=gradients)
    differentiated = gradients and wants_gradients(logits, temperature)
    part = (logits if differentiated else logits.detach())[:, :own]
    return Slice(rows._replace(logits=part if own else read), part, start, size)


def whole_of(part: Slice, more: Tensor, group: dist.ProcessGroup | None) -> Whole:
    """Tell the other ranks of this slice, and ``more`` (N, K) with it; combine what all told.

    Behind the rows each tells which columns it holds. Where these are not the whole in the order of
    ranks, ValueError on a CPU, and on a device, which would have to be waited for, every row lost.
    """
    rows = part.rows
    stats, _, log2_d = row_stats.read(rows._replace(logits=rows.logits.detach()), keep=True)
    assert log2_d is not None
    top = rows.logits.detach().gather(1, stats.prediction[:, None])[:, 0].double()
    # Of a row of -inf alone, only that: its other columns may hold something.
    told = [top, log2_d.double() * LN2, stats.entropy.double(), stats.prediction.double()]
    told[3] += part.first
    own = torch.cat((torch.stack(told, 1), more.double()), 1)
    held = own.new_zeros((1, own.shape[1]))
    for place, value in enumerate((part.first, part.first + part.logits.shape[1], part.columns)):
        held[0, place] = value
    own = torch.cat((own, held))
    all_told = own.new_empty((dist.get_world_size(group), *own.shape))
    dist.all_gather(list(all_told.unbind(0)), own, group=group)
    return _combined(all_told[:, :-1], rows.t, _in_pieces(all_told[:, -1, :HELD]))


def _in_pieces(held: Tensor) -> Tensor:
    """() bool: whether the slices (P, 3) of all ranks are no whole, one after the other.

    ``held``: the first column of each, the one behind its last, and how many the whole has.
    """
    begin, end, columns = held.unbind(1)
    whole = (begin[0] == 0) & (begin[1:] == end[:-1]).all() & (end[-1] == columns).all()
    if held.device.type == "cpu" and not whole:
        slices = ", ".join(
            f"{int(b)} to {int(e) - 1}" if e > b else "none"
            for b, e in zip(begin, end, strict=True)
        )
        sizes = " or ".join(str(int(size)) for size in sorted(set(columns.tolist())))
        raise ValueError(
            f"logits of all ranks must be columns 0 to vocab_size - 1 in order, got {slices} of "
            f"{sizes}: slices that are not alike need first= and vocab_size="
        )
    return ~whole


def _combined(told: Tensor, t: float | Tensor, in_pieces: Tensor) -> Whole:
    """``told`` (P, N, 4 + K)."""
    tops, log_ds, entropies, tokens = told[..., :NUMBERS].unbind(-1)
    nothing = tops == -INF
    known = tops.nan_to_num(INF, posinf=INF, neginf=-INF)
    top = tops.amax(0)  # NaN if one is
    # The first rank that has it: argmax takes the first of equal ones.
    owner = torch.where(top.isnan(), tops.isnan(), tops == top).to(torch.uint8).argmax(0)
    token = tokens.gather(0, owner[None])[0].long()
    scale = t.double() if isinstance(t, Tensor) else t
    best = known.amax(0)
    away = scaled_gap(known, best, scale)  # (P, N), at most 0
    weight = torch.where(nothing, 0.0, (log_ds + away).exp())
    weight = weight.where(weight > 0, 0.0)  # also of a NaN, whose row is lost
    d = weight.sum(0)
    mean = log_ds - entropies + away
    moment = torch.where(weight == 0, 0.0, weight * mean).sum(0) / d
    log_d = d.log().clamp(min=0.0)  # below by rounding alone
    broken = (entropies.isnan() & ~nothing).any(0)
    lost = in_pieces | broken | nothing.all(0) | ((tops == INF).sum(0) > 1)
    nan = float("nan")
    return Whole(
        top,
        token,
        log_d.masked_fill(lost, nan),
        (log_d - moment).clamp(min=0.0).masked_fill(lost, nan),
        lost,
        told[..., NUMBERS:].amax(0),
    )
