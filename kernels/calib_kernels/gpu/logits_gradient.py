"""Gradients in logits, for losses of the rows' statistics: one read of the logits, one write.

    u = softcap(x) / T      p = softmax(u)      surprise = ln p + H
    dx = (p (all - d_H surprise) - (1 - s) d_nll 1[label] - s d_nll / V) / T  dsoftcap/dx

with all = d_nll (1 + 2 z_loss lse) + d_lse. x (N, V) fp32/bf16/fp16 -> dx (N, V) of the same dtype,
formed in float32 and rounded once, and sum p surprise^2 (N, P) where it is wanted. Rows to which
nothing comes are not read. A row whose top is NaN gives NaN. N = 0 never comes here.

One program works on one partition of a row. Blocks begin at the 16-byte boundaries of dx; where
those of x lie elsewhere, its blocks are turned into place. So loads and stores are of 128 bits for
any V and stride.

Axes: N rows, V vocabulary, P partitions of a row.
"""

import torch
import triton
import triton.language as tl

from . import tuning
from .device import (
    LN2,
    MINUS_INF,
    PLUS_INF,
    capped,
    elements_past_boundary,
    inside,
    load_blocks,
    load_packed,
    shortfall,
    temperature_scale,
    unpacked,
)
from .launch import launch_options, on_device

# One compiled kernel serves every size, stride and alignment.
UNSPECIALISED = [
    "x_ptr", "labels_ptr", "t_ptr", "top_ptr", "log2_d_ptr", "entropy_ptr", "d_loss_ptr",
    "d_lse_ptr", "d_entropy_ptr", "dx_ptr", "unless_ptr", "V", "x_stride", "t_stride", "d_stride",
    "dx_stride", "scale", "ignore_index", "cap", "smoothing", "z_loss",
]  # fmt: skip
# The largest finite logit, and the exponent that it and those below it get beside a +inf: 2 to its
# negative is 0.
HUGE = tl.constexpr(3.4028234663852886e38)
FAR = tl.constexpr(200.0)


@triton.jit
def row_weights(
    n, V, c, labels_ptr, top_ptr, log2_d_ptr, entropy_ptr, d_loss_ptr, d_lse_ptr, d_entropy_ptr,
    d_stride, ignore_index, cap, smoothing, z_loss,
):  # fmt: skip
    """``weights_of`` row n, from what is saved of it and what comes to it."""
    peak = tl.load(top_ptr + n)
    log_d = tl.load(log2_d_ptr + n)
    H = 0.0
    everything = 0.0
    surprise = 0.0
    label = -1
    given = 0.0
    if d_lse_ptr is not None:
        everything += tl.load(d_lse_ptr + n)
    if d_entropy_ptr is not None:
        surprise = -tl.load(d_entropy_ptr + n)
        H = tl.load(entropy_ptr + n)
    if d_loss_ptr is not None:
        label = kept_label(n, V, labels_ptr, ignore_index)
        given = tl.load(d_loss_ptr + n * d_stride, mask=label >= 0, other=0.0)
    return weights_of(
        V, c, peak, log_d, H, everything, surprise, label, given, cap, smoothing, z_loss,
        d_loss_ptr is not None,
    )  # fmt: skip


@triton.jit
def kept_label(n, V, labels_ptr, ignore_index):
    """The label of row n; -1 of a row that is not kept."""
    label = tl.load(labels_ptr + n).to(tl.int64)
    kept = (label != ignore_index) & (label >= 0) & (label < V)
    return tl.where(kept, label, -1)


@triton.jit
def weights_of(
    V, c, peak, log_d, H, everything, surprise, label, given, cap, smoothing, z_loss,
    LOSS: tl.constexpr,
):  # fmt: skip
    """((c, top, most, log2_d, H, all, surprise, everywhere, pull), column, silent) of a row.

    ln p = min(x - top, most) c - log2_d in base 2; surprise is minus d_H, pull what is taken away
    in the label's column, or column is -1. ``given`` comes to the loss, if there is one: 0 where
    label is -1.
    """
    certain = peak == PLUS_INF
    top = tl.where(certain, PLUS_INF, capped(peak, cap))
    everywhere = 0.0
    pull = 0.0
    column = -1
    if LOSS:
        lse = tl.fma(top, c, log_d) * LN2
        lift = tl.where(z_loss > 0.0, 1.0 + 2.0 * z_loss * lse, 1.0)
        everything += tl.where(given == 0.0, 0.0, given * lift)
        everywhere = -given * smoothing / V
        pull = given * (1.0 - smoothing)
        column = tl.where(given != 0.0, label, -1).to(tl.int32)
    silent = (everything == 0.0) & (surprise == 0.0) & (column < 0)
    over_t = c * LN2
    everything = tl.where(peak == peak, everything * over_t, float("nan"))
    return (
        (
            tl.where(certain, 1.0, c), tl.where(certain, HUGE, top), tl.where(certain, FAR, 0.0),
            tl.where(certain, FAR, log_d), H, everything, surprise * over_t, everywhere * over_t,
            pull * over_t,
        ),
        column, silent,
    )  # fmt: skip


@triton.jit
def gradient_block(x, weights, v, cap, SURPRISE: tl.constexpr, VARIANCE: tl.constexpr):
    """(gradient, v) at the logits x, none of them the label's; v has gained p (ln p + H)^2."""
    c, top, most, log_d, H, everything, surprise, everywhere, _pull = weights
    # Beside a +inf, it alone is farther above top than ``most``.
    u = tl.fma(tl.minimum(capped(x, cap) - top, most), c, -log_d)
    p = tl.exp2(u)
    weight = everything
    if SURPRISE:
        # 0 times this must be 0.
        s = tl.fma(tl.maximum(u, -1000.0), LN2, H)
        weight = tl.fma(s, surprise, everything)
        if VARIANCE:
            v = tl.fma(p * s, s, v)
    return slope_of_cap(x, cap, tl.fma(p, weight, everywhere)), v


@triton.jit
def slope_of_cap(x, cap, back):
    """back d capped(x) / dx."""
    if cap is not None:
        r = shortfall(x, cap)
        back *= r * (2.0 - r)
    return back


@triton.jit
def gradient_edge(
    row, out, k, shift, begin, end, weights, v, cap,
    SURPRISE: tl.constexpr, VARIANCE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Block k, of which only the logits begin..end-1 are there. Returns v."""
    j = k * BLOCK - shift + tl.arange(0, BLOCK)
    there = inside(k, shift, begin, end, BLOCK)
    x = tl.load(row + j, mask=there, other=MINUS_INF).to(tl.float32)
    back, v = gradient_block(x, weights, v, cap, SURPRISE, VARIANCE)
    tl.store(out + j, back.to(out.dtype.element_ty), mask=there)
    return v


@triton.jit
def put(at, back, STREAMED: tl.constexpr):
    """Store where ``at`` points, in the dtype that stands there."""
    if STREAMED:
        tl.store(at, back.to(at.dtype.element_ty), cache_modifier=".cs")
    else:
        tl.store(at, back.to(at.dtype.element_ty))


@triton.jit
def gradient_blocks(
    from_, to, k, end, weights, v, cap,
    SURPRISE: tl.constexpr, VARIANCE: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
    STREAMED: tl.constexpr = False,
):  # fmt: skip
    """Whole blocks k..end-1, of logits that lie as their gradient does. Returns v.

    STREAMED: what is written leaves the caches before what is read.
    """
    lanes = tl.arange(0, BLOCK)
    together = (end - k) // AHEAD * AHEAD
    if together > 0:
        ahead = load_blocks(from_ + k * BLOCK, BLOCK, AHEAD)
        for k0 in range(k, k + together, AHEAD):
            # At the end, the last ones again: by then they may be gradients, and are not used.
            following = from_ + tl.minimum(k0 + AHEAD, k + together - AHEAD) * BLOCK
            later = ()
            for i in tl.static_range(AHEAD):
                back, v = gradient_block(
                    unpacked(ahead[i], BLOCK), weights, v, cap, SURPRISE, VARIANCE
                )
                later += (load_packed(following, i, BLOCK),)
                put(to + (k0 + i) * BLOCK + lanes, back, STREAMED)
            ahead = later
    for k0 in range(k + together, end):
        x = unpacked(load_packed(from_, k0, BLOCK), BLOCK)
        back, v = gradient_block(x, weights, v, cap, SURPRISE, VARIANCE)
        put(to + k0 * BLOCK + lanes, back, STREAMED)
    return v


@triton.jit
def zeros(out, shift, begin, end, head, tail, BLOCK: tl.constexpr):
    """Nothing sent back: 0 for the logits begin..end-1."""
    lanes = tl.arange(0, BLOCK)
    nothing = tl.zeros((BLOCK,), out.dtype.element_ty)
    start = tl.multiple_of(out - shift, 16)
    j = head * BLOCK - shift + lanes
    tl.store(out + j, nothing, mask=inside(head, shift, begin, end, BLOCK))
    for k in range(head + 1, tail):
        tl.store(start + k * BLOCK + lanes, nothing)
    j = tail * BLOCK - shift + lanes
    tl.store(out + j, nothing, mask=inside(tail, shift, begin, end, BLOCK))


@triton.jit(do_not_specialize=UNSPECIALISED)
def logits_gradient_kernel(
    x_ptr, labels_ptr, t_ptr, top_ptr, log2_d_ptr, entropy_ptr, d_loss_ptr, d_lse_ptr,
    d_entropy_ptr, dx_ptr, variance_ptr, unless_ptr,
    V, x_stride, t_stride, d_stride, dx_stride, scale, ignore_index, cap, smoothing, z_loss,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """One program per row and partition. Where unless_ptr has 1, dx is there already."""
    n = tl.program_id(0).to(tl.int64)
    partition = tl.program_id(1)
    if unless_ptr is not None:  # noqa: SIM102  (of these, the compiler knows the first)
        if tl.load(unless_ptr) == 1.0:
            return
    SURPRISE: tl.constexpr = d_entropy_ptr is not None
    VARIANCE: tl.constexpr = variance_ptr is not None
    per_boundary: tl.constexpr = 128 // x_ptr.dtype.element_ty.primitive_bitwidth
    row = x_ptr + n * x_stride
    out = dx_ptr + n * dx_stride
    c, _usable = temperature_scale(scale, t_ptr, n, t_stride)
    weights, column, silent = row_weights(
        n, V, c, labels_ptr, top_ptr, log2_d_ptr, entropy_ptr, d_loss_ptr, d_lse_ptr,
        d_entropy_ptr, d_stride, ignore_index, cap, smoothing, z_loss,
    )  # fmt: skip
    lanes = tl.arange(0, BLOCK)
    begin = partition * PARTITION
    end = tl.minimum(begin + PARTITION, V)
    shift = elements_past_boundary(out)
    head = begin // BLOCK
    tail = (end + shift) // BLOCK
    v = tl.zeros((BLOCK,), tl.float32)
    if silent:
        zeros(out, shift, begin, end, head, tail, BLOCK)
    else:
        labelled = (column >= begin) & (column < end)
        # Before it may be overwritten.
        x_label = tl.load(row + column, mask=labelled, other=0.0).to(tl.float32)
        # How far to the left the blocks of x must be turned to lie as those of dx.
        turn = elements_past_boundary(row) - shift
        turn = tl.where(turn < 0, turn + per_boundary, turn)
        k = head
        if (shift > 0) | (turn > 0):
            v = gradient_edge(
                row, out, k, shift, begin, end, weights, v, cap, SURPRISE, VARIANCE, BLOCK
            )
            k += 1
        from_ = tl.multiple_of(row - shift - turn, 16)
        to = tl.multiple_of(out - shift, 16)
        last = tail
        if turn == 0:
            v = gradient_blocks(
                from_, to, k, tail, weights, v, cap, SURPRISE, VARIANCE, BLOCK, AHEAD
            )
        else:
            # The last whole block would need one more, which may end beyond the logits.
            last = tl.maximum(tail - 1, k)
            if last > k:
                ahead = tl.load(from_ + k * BLOCK + lanes)
                for k0 in range(k, last):
                    x = ahead.to(tl.float32)
                    ahead = tl.load(from_ + (k0 + 1) * BLOCK + lanes)
                    x = tl.where(lanes < turn, ahead.to(tl.float32), x)
                    x = tl.gather(x, (lanes + turn) % BLOCK, 0)
                    back, v = gradient_block(x, weights, v, cap, SURPRISE, VARIANCE)
                    tl.store(to + k0 * BLOCK + lanes, back.to(out.dtype.element_ty))
        for k0 in range(tl.maximum(last, k), tail + 1):
            v = gradient_edge(
                row, out, k0, shift, begin, end, weights, v, cap, SURPRISE, VARIANCE, BLOCK
            )
        if labelled:
            # After what any thread has stored there.
            tl.debug_barrier()
            back, _v = gradient_block(x_label, weights, 0.0, cap, SURPRISE, False)
            back -= slope_of_cap(x_label, cap, weights[8])
            tl.store(out + column, back.to(out.dtype.element_ty))
    if VARIANCE:
        # Lane j % BLOCK added the terms of its logits in order, wherever the row lies.
        if shift > 0:
            v = tl.gather(v, (lanes + shift) % BLOCK, 0)
        tl.store(variance_ptr + n * tl.num_programs(1) + partition, tl.sum(v, 0))


def logits_gradient(rows, terms, saved, upstream, d_logits, variance, *, unless=None, tune=None):
    """Launch; what the arguments are is written in the op's file. The last one is for tests.

    ``unless`` () float32: where it is 1 nothing is read or written.
    """
    logits, labels, scale, temperature, ignore_index, _edges, _seen = rows
    top, log2_d, entropy = saved
    d_loss, d_lse, d_entropy = upstream
    count, columns = logits.shape
    tune = tune or (tuning.GRADIENT if d_entropy is None else tuning.GRADIENT_ENTROPY)
    partitions = triton.cdiv(columns, tune.partition)
    parts = None
    if variance is not None:
        parts = logits.new_empty((count, partitions), dtype=torch.float32)
    with on_device(logits):
        logits_gradient_kernel[(count, partitions)](
            logits, labels, temperature, top, log2_d, entropy, d_loss, d_lse, d_entropy, d_logits,
            parts, unless, columns, logits.stride(0),
            0 if temperature is None or temperature.shape[0] == 1 else 1,
            0 if d_loss is None else d_loss.stride(0),
            d_logits.stride(0), min(max(scale, 1e-37), 1e37), ignore_index, terms.softcap or None,
            terms.smoothing, terms.z_loss, PARTITION=tune.partition, BLOCK=tune.block,
            AHEAD=tune.ahead, **launch_options(logits, tune),
        )  # fmt: skip
    if parts is not None:
        variance.copy_(parts[:, 0])
        for p in range(1, partitions):  # in this order, however many rows there are
            variance += parts[:, p]
