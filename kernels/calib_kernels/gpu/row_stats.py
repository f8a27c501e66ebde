"""Row statistics: what one read of a row of logits says of its softmax.

    p = softmax(x / T)      lse = ln sum exp(x / T)      H = -sum p ln p      sum_p2 = sum p^2

x (N, V) fp32/bf16/fp16, labels (N,) -> lse, confidence, entropy, sum_p2, label_logprob (N,)
float32, prediction (N,) int64, correct, valid (N,). Reads x once (twice where a row's maximum lies
more than HEADROOM above its first block); writes 30 bytes a row. Ties go to the lowest index. A
NaN, two +inf or only -inf in a row: NaN there, counted as invalid. N = 0 never comes here.

Axes: N rows, V vocabulary, P partitions of a row, B bins.
"""

import torch
import triton
import triton.language as tl

from . import tuning
from .device import (
    LN2,
    MINUS_INF,
    PLUS_INF,
    add_partitions,
    capped,
    count_in_histogram,
    keep_partition,
    largest_of_first_block,
    scan,
    temperature_scale,
)
from .launch import launch_options, on_device
from .settling import settle

# One compiled kernel serves every size, stride and alignment.
UNSPECIALISED = [
    "x_ptr", "labels_ptr", "t_ptr", "edges_ptr", "V", "P", "B", "x_stride", "t_stride", "scale",
    "ignore_index", "cap",
]  # fmt: skip


@triton.jit
def first_reference(row, V, BLOCK: tl.constexpr):
    """A finite logit that is likely to be near the row's maximum."""
    ref = largest_of_first_block(row, V, BLOCK)
    return tl.where((ref > MINUS_INF) & (ref < PLUS_INF), ref, 0.0)


@triton.jit
def finish_row(
    row, n, D, W, Q, M_row, token, c, usable, ref, labels_ptr, edges_ptr, outputs, V, B,
    ignore_index, PARTITION: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """From the sums of row n to everything that leaves the kernel."""
    (
        lse_ptr, confidence_ptr, prediction_ptr, entropy_ptr, sum_p2_ptr, label_logprob_ptr,
        correct_ptr, valid_ptr, seen_ptr, log2_d_ptr, slow_ptr,
    ) = outputs  # fmt: skip
    peak, D, W, Q, token, broken = settle(
        row, n, V, c, ref, D, W, Q, M_row, token, slow_ptr, True, PARTITION, BLOCK
    )
    lost = broken | ~usable
    D = tl.maximum(D, 1.0)
    log_D = tl.log2(D)
    # token stands at the first NaN or +inf, if there is one: -inf there means nothing but -inf.
    nothing = usable & broken & (tl.load(row + token).to(tl.float32) == MINUS_INF)
    lse = tl.where(nothing, MINUS_INF, tl.where(lost, float("nan"), (peak * c + log_D) * LN2))
    entropy = tl.maximum(log_D - W / D, 0.0) * LN2
    sum_p2 = tl.minimum(Q / (D * D), 1.0)
    confidence = 1.0 / D
    prediction = token.to(tl.int64)
    tl.store(lse_ptr + n, lse)
    tl.store(prediction_ptr + n, prediction)
    if log2_d_ptr is not None:
        tl.store(log2_d_ptr + n, log_D)
    tl.store(entropy_ptr + n, tl.where(lost, float("nan"), entropy))
    tl.store(sum_p2_ptr + n, tl.where(lost, float("nan"), sum_p2))
    valid = ~lost
    if labels_ptr is not None:
        label = tl.load(labels_ptr + n).to(tl.int64)
        ignored = label == ignore_index
        there = (label >= 0) & (label < V)
        said = valid & ~ignored & there
        valid = valid & (ignored | there)
        correct = said & (label == prediction)
        x = tl.load(row + label, mask=said, other=0.0).to(tl.float32)
        # Differences of logits, never of products. Both may be the row's one +inf.
        gap = tl.where(x == peak, 0.0, (x - peak) * c)
        logprob = tl.minimum(gap - log_D, 0.0) * LN2
        tl.store(label_logprob_ptr + n, tl.where(said, logprob, float("nan")))
        tl.store(correct_ptr + n, correct)
        if seen_ptr is not None:
            count_in_histogram(seen_ptr, edges_ptr, confidence, correct, valid, ~ignored, B)
    tl.store(confidence_ptr + n, tl.where(valid, confidence, float("nan")))
    tl.store(valid_ptr + n, valid)


@triton.jit(do_not_specialize=UNSPECIALISED)
def row_stats_kernel(
    x_ptr, labels_ptr, t_ptr, edges_ptr,
    lse_ptr, confidence_ptr, prediction_ptr, entropy_ptr, sum_p2_ptr, label_logprob_ptr,
    correct_ptr, valid_ptr, seen_ptr, log2_d_ptr, slow_ptr,
    V, B, x_stride, t_stride, scale, ignore_index,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """One program per row."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    c, usable = temperature_scale(scale, t_ptr, n, t_stride)
    ref = first_reference(row, V, BLOCK)
    partitions = tl.cdiv(V, PARTITION)
    D, W, Q, peak, token = scan(row, 0, partitions, V, c, ref, False, True, PARTITION, BLOCK, AHEAD)
    finish_row(
        row, n, D, W, Q, peak, token, c, usable, ref, labels_ptr, edges_ptr,
        (lse_ptr, confidence_ptr, prediction_ptr, entropy_ptr, sum_p2_ptr, label_logprob_ptr,
         correct_ptr, valid_ptr, seen_ptr, log2_d_ptr, slow_ptr),
        V, B, ignore_index, PARTITION, BLOCK,
    )  # fmt: skip


@triton.jit(do_not_specialize=UNSPECIALISED)
def row_partition_kernel(
    x_ptr, t_ptr, sums_ptr, tokens_ptr, V, P, x_stride, t_stride, scale, cap,
    SQUARES: tl.constexpr, LINEAR: tl.constexpr,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """One program per row and partition: sums (N, P, 4; or 3) and tokens (N, P)."""
    n = tl.program_id(0).to(tl.int64)
    p = tl.program_id(1)
    row = x_ptr + n * x_stride
    c, _usable = temperature_scale(scale, t_ptr, n, t_stride)
    ref = capped(first_reference(row, V, BLOCK), cap)
    D, W, Q, peak, token = scan(
        row, p, p + 1, V, c, ref, False, SQUARES, PARTITION, BLOCK, AHEAD, cap, LINEAR
    )
    keep_partition(sums_ptr, tokens_ptr, n * P + p, D, W, Q, peak, token, SQUARES)


@triton.jit(do_not_specialize=UNSPECIALISED)
def row_combine_kernel(
    x_ptr, labels_ptr, t_ptr, edges_ptr, sums_ptr, tokens_ptr,
    lse_ptr, confidence_ptr, prediction_ptr, entropy_ptr, sum_p2_ptr, label_logprob_ptr,
    correct_ptr, valid_ptr, seen_ptr, log2_d_ptr, slow_ptr,
    V, P, B, x_stride, t_stride, scale, ignore_index,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program per row: its partitions together."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    c, usable = temperature_scale(scale, t_ptr, n, t_stride)
    ref = first_reference(row, V, BLOCK)
    D, W, Q, peak, token = add_partitions(sums_ptr, tokens_ptr, n, P, True)
    finish_row(
        row, n, D, W, Q, peak, token, c, usable, ref, labels_ptr, edges_ptr,
        (lse_ptr, confidence_ptr, prediction_ptr, entropy_ptr, sum_p2_ptr, label_logprob_ptr,
         correct_ptr, valid_ptr, seen_ptr, log2_d_ptr, slow_ptr),
        V, B, ignore_index, PARTITION, BLOCK,
    )  # fmt: skip


def row_stats(rows, out, log2_d=None, *, tune=None, split=None, slow=None):
    """Launch; what the arguments are is written in the op's file. The last three are for tests.

    ``split`` chooses one program per row (False) or per row and partition (True); ``slow`` (N,)
    int32 receives 1 for each row that had to be read a second time.
    """
    logits, labels, scale, temperature, ignore_index, edges, seen = rows
    count, columns = logits.shape
    tune = tune or tuning.ROW_STATS
    partitions = triton.cdiv(columns, tune.partition)
    if split is None:
        split = partitions > 1 and count <= tuning.SPLIT_ROWS
    walk = {
        "V": columns,
        "x_stride": logits.stride(0),
        "t_stride": 0 if temperature is None or temperature.shape[0] == 1 else 1,
        "scale": min(max(scale, 1e-37), 1e37),
        "PARTITION": tune.partition,
        "BLOCK": tune.block,
        **launch_options(logits, tune),
    }
    finish_with = {
        "B": 0 if edges is None else edges.shape[0] + 1,
        "ignore_index": ignore_index,
    }
    given = (logits, labels, temperature, edges)
    with on_device(logits):
        if not split:
            row_stats_kernel[(count,)](
                *given, *out, seen, log2_d, slow, **walk, **finish_with, AHEAD=tune.ahead
            )
            return
        sums = logits.new_empty((count, partitions, 4), dtype=torch.float32)
        tokens = logits.new_empty((count, partitions), dtype=torch.int32)
        row_partition_kernel[(count, partitions)](
            logits,
            temperature,
            sums,
            tokens,
            P=partitions,
            cap=None,
            SQUARES=True,
            LINEAR=False,
            AHEAD=tune.ahead,
            **walk,
        )
        row_combine_kernel[(count,)](
            *given, sums, tokens, *out, seen, log2_d, slow, P=partitions, **walk, **finish_with
        )
