"""Cross-entropy of labelled rows, with what its gradients need and the histogram.

    u = softcap(x) / T     loss = (1 - s)(lse - u[y]) + s (lse - mean u) + z_loss lse^2

x (N, V) fp32/bf16/fp16, labels y (N,) -> loss, top, log2_d and d loss/dT (N,) float32, and their
sum or mean. Reads x once (twice where a row's maximum lies more than HEADROOM above its first
block). A row that is ignored has loss 0, one that is lost or whose label is no column NaN; only
rows that have a column for a label are summed. N = 0 never comes here.

Axes: N rows, V vocabulary, P partitions of a row, B bins.
"""

import torch
import triton
import triton.language as tl

from . import tuning
from .device import (
    LINEAR_UNIT,
    LN2,
    MINUS_INF,
    PLUS_INF,
    add_partitions,
    capped,
    count_in_histogram,
    scan,
    temperature_scale,
)
from .launch import launch_options, on_device
from .row_stats import first_reference, row_partition_kernel
from .settling import settle

# One compiled kernel serves every size, stride and alignment.
UNSPECIALISED = [
    "x_ptr", "labels_ptr", "t_ptr", "edges_ptr", "V", "P", "B", "x_stride", "t_stride", "scale",
    "ignore_index", "cap", "smoothing", "z_loss",
]  # fmt: skip


@triton.jit
def finish_loss(
    row, n, D, W, Q, M_row, token, c, usable, ref, labels_ptr, edges_ptr, outputs, V, B,
    ignore_index, cap, smoothing, z_loss,
    SMOOTHED: tl.constexpr, PARTITION: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """From the sums of row n to everything that leaves the kernel."""
    sums = settle(
        row, n, V, c, ref, D, W, Q, M_row, token, outputs[5], SMOOTHED, PARTITION, BLOCK, cap,
        SMOOTHED,
    )  # fmt: skip
    tell_loss(
        row, n, sums, c, usable, labels_ptr, edges_ptr, outputs, V, B, ignore_index, cap,
        smoothing, z_loss, SMOOTHED,
    )  # fmt: skip


@triton.jit
def tell_loss(
    row, n, sums, c, usable, labels_ptr, edges_ptr, outputs, V, B, ignore_index, cap, smoothing,
    z_loss, SMOOTHED: tl.constexpr,
):  # fmt: skip
    """Store everything that leaves the kernel, of sums that are settled; return top and log2_d."""
    losses_ptr, top_ptr, log2_d_ptr, slope_ptr, seen_ptr, _slow_ptr = outputs
    peak, D, W, Q, token, broken = sums
    lost = broken | ~usable
    certain = peak == PLUS_INF
    D = tl.maximum(D, 1.0)
    log_D = tl.log2(D)
    label = tl.load(labels_ptr + n).to(tl.int64)
    ignored = label == ignore_index
    kept = ~ignored & (label >= 0) & (label < V)
    # In bits and relative to the largest: expected u, u of the label and, below, the mean.
    top = tl.where(certain, PLUS_INF, capped(peak, cap))
    expected = W / D
    x = tl.load(row + label, mask=kept, other=0.0).to(tl.float32)
    # Both may be the row's one +inf.
    gap = tl.where(x == peak, 0.0, (capped(x, cap) - top) * c)
    if SMOOTHED:
        mean = tl.where(certain, tl.where(V > 1, MINUS_INF, 0.0), Q / (V * LINEAR_UNIT))
        # At smoothing 1 a label of probability 0 costs nothing.
        own = tl.where(smoothing < 1.0, (1.0 - smoothing) * gap, 0.0) + smoothing * mean
    else:
        own = gap
    loss = (log_D - own) * LN2
    moment = (expected - own) * LN2
    if z_loss > 0.0:
        lse = tl.fma(top, c, log_D) * LN2
        loss += z_loss * lse * lse
        moment += 2.0 * z_loss * lse * tl.fma(top, c, expected) * LN2
    lost_loss = tl.where(ignored, 0.0, float("nan"))
    tl.store(losses_ptr + n, tl.where(kept & ~lost, loss, lost_loss))
    told_top = tl.where(lost, float("nan"), peak)
    tl.store(top_ptr + n, told_top)
    tl.store(log2_d_ptr + n, log_D)
    if slope_ptr is not None:
        slope = tl.where(lost, float("nan"), -moment * (c * LN2))
        tl.store(slope_ptr + n, tl.where(kept, slope, 0.0))
    if seen_ptr is not None:
        valid = kept & ~lost
        correct = valid & (label == token)
        count_in_histogram(seen_ptr, edges_ptr, 1.0 / D, correct, valid, ~ignored, B)
    return told_top, log_D


@triton.jit(do_not_specialize=UNSPECIALISED)
def cross_entropy_kernel(
    x_ptr, labels_ptr, t_ptr, edges_ptr,
    losses_ptr, top_ptr, log2_d_ptr, slope_ptr, seen_ptr, slow_ptr,
    V, B, x_stride, t_stride, scale, ignore_index, cap, smoothing, z_loss,
    SMOOTHED: tl.constexpr, PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """One program per row."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    c, usable = temperature_scale(scale, t_ptr, n, t_stride)
    ref = capped(first_reference(row, V, BLOCK), cap)
    partitions = tl.cdiv(V, PARTITION)
    D, W, Q, peak, token = scan(
        row, 0, partitions, V, c, ref, False, SMOOTHED, PARTITION, BLOCK, AHEAD, cap, SMOOTHED
    )
    finish_loss(
        row, n, D, W, Q, peak, token, c, usable, ref, labels_ptr, edges_ptr,
        (losses_ptr, top_ptr, log2_d_ptr, slope_ptr, seen_ptr, slow_ptr),
        V, B, ignore_index, cap, smoothing, z_loss, SMOOTHED, PARTITION, BLOCK,
    )  # fmt: skip


@triton.jit(do_not_specialize=UNSPECIALISED)
def loss_combine_kernel(
    x_ptr, labels_ptr, t_ptr, edges_ptr, sums_ptr, tokens_ptr,
    losses_ptr, top_ptr, log2_d_ptr, slope_ptr, seen_ptr, slow_ptr,
    V, P, B, x_stride, t_stride, scale, ignore_index, cap, smoothing, z_loss,
    SMOOTHED: tl.constexpr, PARTITION: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program per row: its partitions together."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    c, usable = temperature_scale(scale, t_ptr, n, t_stride)
    ref = capped(first_reference(row, V, BLOCK), cap)
    D, W, Q, peak, token = add_partitions(sums_ptr, tokens_ptr, n, P, SMOOTHED)
    finish_loss(
        row, n, D, W, Q, peak, token, c, usable, ref, labels_ptr, edges_ptr,
        (losses_ptr, top_ptr, log2_d_ptr, slope_ptr, seen_ptr, slow_ptr),
        V, B, ignore_index, cap, smoothing, z_loss, SMOOTHED, PARTITION, BLOCK,
    )  # fmt: skip


@triton.jit(do_not_specialize=["losses_ptr", "labels_ptr", "N", "V", "ignore_index"])
def reduce_kernel(
    losses_ptr, labels_ptr, loss_ptr, kept_ptr, N, V, ignore_index,
    MEAN: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program: how many rows are kept and, if loss_ptr is there, their sum or mean."""
    lanes = tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float64)
    count = tl.zeros((BLOCK,), tl.int64)
    for start in range(0, N, BLOCK):
        n = start + lanes
        label = tl.load(labels_ptr + n, mask=n < N, other=-1).to(tl.int64)
        kept = (label != ignore_index) & (label >= 0) & (label < V)
        total += tl.load(losses_ptr + n, mask=kept, other=0.0).to(tl.float64)
        count += kept.to(tl.int64)
    kept = tl.sum(count, 0)
    tl.store(kept_ptr, kept)
    if loss_ptr is not None:
        loss = tl.sum(total, 0)
        if MEAN:
            loss = loss / tl.maximum(kept, 1).to(tl.float64)
        tl.store(loss_ptr, loss.to(tl.float32))


def cross_entropy(rows, terms, reduction, out, *, tune=None, split=None, slow=None):
    """Launch; what the arguments are is written in the op's file. The last three are for tests.

    ``split`` chooses one program per row (False) or per row and partition (True); ``slow`` (N,)
    int32 receives 1 for each row that had to be read a second time.
    """
    logits, labels, scale, temperature, ignore_index, edges, seen = rows
    count, columns = logits.shape
    smoothed = terms.smoothing > 0
    tune = tune or (tuning.LOSS_CAPPED if terms.softcap else tuning.LOSS)
    partitions = triton.cdiv(columns, tune.partition)
    if split is None:
        split = partitions > 1 and count <= tuning.SPLIT_ROWS
    options = launch_options(logits, tune)
    walk = {
        "V": columns,
        "x_stride": logits.stride(0),
        "t_stride": 0 if temperature is None or temperature.shape[0] == 1 else 1,
        "scale": min(max(scale, 1e-37), 1e37),
        "cap": terms.softcap or None,
        "PARTITION": tune.partition,
        "BLOCK": tune.block,
        **options,
    }
    finish_with = {
        "B": 0 if edges is None else edges.shape[0] + 1,
        "ignore_index": ignore_index,
        "smoothing": terms.smoothing,
        "z_loss": terms.z_loss,
        "SMOOTHED": smoothed,
    }
    given = (logits, labels, temperature, edges)
    losses = out.loss if reduction == "none" else torch.empty_like(out.top)
    results = (losses, out.top, out.log2_d, out.slope, seen, slow)
    with on_device(logits):
        if not split:
            cross_entropy_kernel[(count,)](
                *given, *results, **walk, **finish_with, AHEAD=tune.ahead
            )
        else:
            numbers = 4 if smoothed else 3
            sums = logits.new_empty((count, partitions, numbers), dtype=torch.float32)
            tokens = logits.new_empty((count, partitions), dtype=torch.int32)
            row_partition_kernel[(count, partitions)](
                logits, temperature, sums, tokens, P=partitions, SQUARES=smoothed, LINEAR=smoothed,
                AHEAD=tune.ahead, **walk,
            )  # fmt: skip
            loss_combine_kernel[(count,)](
                *given, sums, tokens, *results, P=partitions, **walk, **finish_with
            )
        reduce_kernel[(1,)](
            losses, labels, None if reduction == "none" else out.loss, out.kept, count, columns,
            ignore_index, MEAN=reduction == "mean", BLOCK=1024, **options,
        )  # fmt: skip
