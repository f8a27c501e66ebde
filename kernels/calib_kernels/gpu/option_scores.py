"""Option scores: how a row of logits shares its probability among the options of a question.

    p = softmax(x / T)      mass_o = sum of p over the spellings of option o
    mass = sum_o mass_o     logprob_o = ln mass_o     prob_o = mass_o / mass

x (N, V) fp32/bf16/fp16, ids (1 or N, O, M) int64, labels (N,) -> logprob, prob (N, O) float32;
mass, confidence, entropy, vocab_entropy (N,) float32; prediction, token (N,) int64; correct, valid
(N,). Reads x once (twice where a row's maximum lies more than HEADROOM above its first block and
its options); writes 8 O + 34 bytes a row. Ties go to the lowest index. A NaN, two +inf or only -inf
in a row: NaN there, counted as invalid. N = 0 never comes here.

Axes: N rows, V vocabulary, O options, M spellings of an option, P partitions of a row, B bins.
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
    count_in_histogram,
    fraction,
    keep_partition,
    largest_of_first_block,
    scan,
    temperature_scale,
    whole,
)
from .launch import launch_options, on_device
from .settling import settle

# One compiled kernel serves every size, stride and alignment.
UNSPECIALISED = [
    "x_ptr", "ids_ptr", "labels_ptr", "t_ptr", "edges_ptr", "V", "O", "M", "P", "B", "x_stride",
    "ids_stride", "t_stride", "scale", "ignore_index",
]  # fmt: skip


@triton.jit
def option_logits(row, ids_ptr, o, m, O, M, V):
    """Ids and logits of a tile of spellings; -inf where the id is padding, wrong or a NaN's."""
    inside = (o < O)[:, None] & (m < M)[None, :]
    ids = tl.load(ids_ptr + o[:, None] * M + m[None, :], mask=inside, other=-1)
    x = tl.load(row + ids, mask=(ids >= 0) & (ids < V), other=MINUS_INF).to(tl.float32)
    return ids, tl.where(x == x, x, MINUS_INF)


@triton.jit
def largest_option(row, ids_ptr, O, M, V, TILE_O: tl.constexpr, TILE_M: tl.constexpr):
    """The largest logit among the options, and how many ids are neither a column nor -1."""
    best = tl.full((TILE_O, TILE_M), MINUS_INF, tl.float32)
    wrong = tl.zeros((TILE_O, TILE_M), tl.int32)
    for o0 in range(0, O, TILE_O):
        for m0 in range(0, M, TILE_M):
            o = o0 + tl.arange(0, TILE_O)
            ids, x = option_logits(row, ids_ptr, o, m0 + tl.arange(0, TILE_M), O, M, V)
            best = tl.maximum(best, x)
            wrong += ((ids < -1) | (ids >= V)).to(tl.int32)
    return tl.max(tl.max(best, 1), 0), tl.sum(tl.sum(wrong, 1), 0)


@triton.jit
def option_tile(row, ids_ptr, o, O, M, V, c, spike, TILE_O: tl.constexpr, TILE_M: tl.constexpr):
    """Per option of a tile: its largest logit and log2 of sum 2^(c (x - largest)) >= 1.

    A spelling whose id was seen before in the option does not count again, and the order of
    spellings does not matter, to the bit: options with the same logits tie. With ``spike`` a logit
    of +inf is read as 0 and every other as -inf.
    """
    largest = tl.full((TILE_O,), MINUS_INF, tl.float32)
    for m0 in range(0, M, TILE_M):
        _ids, x = option_logits(row, ids_ptr, o, m0 + tl.arange(0, TILE_M), O, M, V)
        largest = tl.maximum(largest, tl.max(x, 1))
    if spike:
        largest = tl.where(largest == PLUS_INF, 0.0, MINUS_INF)
    centre = tl.where(largest == MINUS_INF, 0.0, largest)
    total = tl.zeros((TILE_O,), tl.int64)
    for m0 in range(0, M, TILE_M):
        m = m0 + tl.arange(0, TILE_M)
        ids, x = option_logits(row, ids_ptr, o, m, O, M, V)
        if spike:
            x = tl.where(x == PLUS_INF, 0.0, MINUS_INF)
        repeated = ids < 0
        for earlier in range(0, tl.minimum(m0 + TILE_M, M) - 1):
            other = tl.load(ids_ptr + o * M + earlier, mask=o < O, other=-1)
            repeated |= (ids == other[:, None]) & (m > earlier)[None, :]
        e = tl.exp2((x - centre[:, None]) * c)
        total += tl.sum(whole(tl.where(repeated, 0.0, e)), 1)
    return largest, tl.where(total > 0, tl.log2(fraction(total)), 0.0)


@triton.jit
def reference_logit(row, ids_ptr, O, M, V, TILE_O: tl.constexpr, TILE_M: tl.constexpr,
                    BLOCK: tl.constexpr):  # fmt: skip
    """A finite logit that is likely to be near the row's maximum, from the row alone."""
    best, _wrong = largest_option(row, ids_ptr, O, M, V, TILE_O, TILE_M)
    ref = tl.maximum(largest_of_first_block(row, V, BLOCK), best)
    return tl.where((ref > MINUS_INF) & (ref < PLUS_INF), ref, 0.0)


@triton.jit
def finish(
    row, n, D, W, M_row, token, c, usable, ref, inputs, outputs, sizes,
    VOCAB_CONFIDENCE: tl.constexpr, TILE_O: tl.constexpr, TILE_M: tl.constexpr,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """From the sums of row n to everything that leaves the kernel."""
    ids_ptr, labels_ptr, edges_ptr = inputs
    V, O, M, B, ignore_index = sizes
    (
        logprob_ptr, prob_ptr, mass_ptr, confidence_ptr, prediction_ptr, entropy_ptr,
        vocab_entropy_ptr, token_ptr, correct_ptr, valid_ptr, seen_ptr, slow_ptr,
    ) = outputs  # fmt: skip
    # D stands in for Q, which is not looked at.
    peak, D, W, _Q, token, broken = settle(
        row, n, V, c, ref, D, W, D, M_row, token, slow_ptr, False, PARTITION, BLOCK
    )
    broken = broken | ~usable
    best, wrong = largest_option(row, ids_ptr, O, M, V, TILE_O, TILE_M)
    lost = broken | (wrong > 0)
    # The row's one +inf is an option's, which then has it all; elsewhere it leaves them nothing.
    spike = best == PLUS_INF
    best = tl.where(spike, 0.0, best)
    peak = tl.where(spike, 0.0, peak)
    log_D = tl.log2(tl.maximum(D, 1.0))
    none = best == MINUS_INF
    centre = tl.where(none, 0.0, best)
    # log2 of the probability of the best spelling: differences of logits, never of products.
    log_best = (centre - peak) * c - log_D

    # First sweep over the options: their log-probabilities and the sums of their weights 2^rel.
    total = 0.0
    weighted = 0.0
    top = MINUS_INF
    prediction = 0
    for o0 in range(0, O, TILE_O):
        o = o0 + tl.arange(0, TILE_O)
        largest, spread = option_tile(row, ids_ptr, o, O, M, V, c, spike, TILE_O, TILE_M)
        logprob = tl.minimum((largest - peak) * c + spread - log_D, 0.0) * LN2
        tl.store(logprob_ptr + n * O + o, tl.where(lost, float("nan"), logprob), mask=o < O)
        rel = (largest - centre) * c + spread
        e = tl.exp2(rel)
        total += tl.sum(e, 0)
        weighted += tl.sum(tl.where(e > 0.0, e * rel, 0.0), 0)
        tile_top = tl.max(rel, 0)
        first = tl.min(tl.where(rel == tile_top, o, O), 0)
        prediction = tl.where(tile_top > top, first, prediction)
        top = tl.maximum(tile_top, top)
    absent = lost | none
    for o0 in range(0, O, TILE_O):
        o = o0 + tl.arange(0, TILE_O)
        largest, spread = option_tile(row, ids_ptr, o, O, M, V, c, spike, TILE_O, TILE_M)
        prob = tl.exp2((largest - centre) * c + spread) / total
        tl.store(prob_ptr + n * O + o, tl.where(absent, float("nan"), prob), mask=o < O)

    mass = tl.where(none, 0.0, tl.exp2(tl.minimum(log_best + tl.log2(total), 0.0)))
    if VOCAB_CONFIDENCE:
        confidence = tl.exp2(tl.minimum(log_best + top, 0.0))
    else:
        confidence = tl.minimum(tl.exp2(top) / total, 1.0)
    entropy = tl.maximum(tl.log2(total) - weighted / total, 0.0) * LN2
    vocab_entropy = tl.maximum(log_D - W / D, 0.0) * LN2
    tl.store(mass_ptr + n, tl.where(lost, float("nan"), mass))
    prediction = tl.where(absent, 0, prediction).to(tl.int64)
    tl.store(prediction_ptr + n, prediction)
    tl.store(entropy_ptr + n, tl.where(absent, float("nan"), entropy))
    tl.store(vocab_entropy_ptr + n, tl.where(broken, float("nan"), vocab_entropy))
    tl.store(token_ptr + n, token.to(tl.int64))
    valid = ~absent
    if labels_ptr is not None:
        label = tl.load(labels_ptr + n).to(tl.int64)
        ignored = label == ignore_index
        valid = valid & (ignored | ((label >= 0) & (label < O)))
        correct = valid & ~ignored & (label == prediction)
        tl.store(correct_ptr + n, correct)
        if seen_ptr is not None:
            count_in_histogram(seen_ptr, edges_ptr, confidence, correct, valid, ~ignored, B)
    tl.store(confidence_ptr + n, tl.where(valid, confidence, float("nan")))
    tl.store(valid_ptr + n, valid)


@triton.jit(do_not_specialize=UNSPECIALISED)
def option_scores_kernel(
    x_ptr, ids_ptr, labels_ptr, t_ptr, edges_ptr,
    logprob_ptr, prob_ptr, mass_ptr, confidence_ptr, prediction_ptr, entropy_ptr,
    vocab_entropy_ptr, token_ptr, correct_ptr, valid_ptr, seen_ptr, slow_ptr,
    V, O, M, B, x_stride, ids_stride, t_stride, scale, ignore_index,
    VOCAB_CONFIDENCE: tl.constexpr, TILE_O: tl.constexpr, TILE_M: tl.constexpr,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """One program per row."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    ids = ids_ptr + n * ids_stride
    c, usable = temperature_scale(scale, t_ptr, n, t_stride)
    ref = reference_logit(row, ids, O, M, V, TILE_O, TILE_M, BLOCK)
    partitions = tl.cdiv(V, PARTITION)
    D, W, _Q, peak, token = scan(
        row, 0, partitions, V, c, ref, False, False, PARTITION, BLOCK, AHEAD
    )
    finish(
        row, n, D, W, peak, token, c, usable, ref, (ids, labels_ptr, edges_ptr),
        (logprob_ptr, prob_ptr, mass_ptr, confidence_ptr, prediction_ptr, entropy_ptr,
         vocab_entropy_ptr, token_ptr, correct_ptr, valid_ptr, seen_ptr, slow_ptr),
        (V, O, M, B, ignore_index), VOCAB_CONFIDENCE, TILE_O, TILE_M, PARTITION, BLOCK,
    )  # fmt: skip


@triton.jit(do_not_specialize=UNSPECIALISED)
def partition_kernel(
    x_ptr, ids_ptr, t_ptr, sums_ptr, tokens_ptr, V, O, M, P, x_stride, ids_stride, t_stride,
    scale, TILE_O: tl.constexpr, TILE_M: tl.constexpr,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """One program per row and partition: sums (N, P, 3) = D, W, M and tokens (N, P)."""
    n = tl.program_id(0).to(tl.int64)
    p = tl.program_id(1)
    row = x_ptr + n * x_stride
    c, _usable = temperature_scale(scale, t_ptr, n, t_stride)
    ref = reference_logit(row, ids_ptr + n * ids_stride, O, M, V, TILE_O, TILE_M, BLOCK)
    D, W, Q, peak, token = scan(row, p, p + 1, V, c, ref, False, False, PARTITION, BLOCK, AHEAD)
    keep_partition(sums_ptr, tokens_ptr, n * P + p, D, W, Q, peak, token, False)


@triton.jit(do_not_specialize=UNSPECIALISED)
def combine_kernel(
    x_ptr, ids_ptr, labels_ptr, t_ptr, edges_ptr, sums_ptr, tokens_ptr,
    logprob_ptr, prob_ptr, mass_ptr, confidence_ptr, prediction_ptr, entropy_ptr,
    vocab_entropy_ptr, token_ptr, correct_ptr, valid_ptr, seen_ptr, slow_ptr,
    V, O, M, P, B, x_stride, ids_stride, t_stride, scale, ignore_index,
    VOCAB_CONFIDENCE: tl.constexpr, TILE_O: tl.constexpr, TILE_M: tl.constexpr,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program per row: its partitions, added in the order in which one program adds them."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    ids = ids_ptr + n * ids_stride
    c, usable = temperature_scale(scale, t_ptr, n, t_stride)
    ref = reference_logit(row, ids, O, M, V, TILE_O, TILE_M, BLOCK)
    D, W, _Q, peak, token = add_partitions(sums_ptr, tokens_ptr, n, P, False)
    finish(
        row, n, D, W, peak, token, c, usable, ref, (ids, labels_ptr, edges_ptr),
        (logprob_ptr, prob_ptr, mass_ptr, confidence_ptr, prediction_ptr, entropy_ptr,
         vocab_entropy_ptr, token_ptr, correct_ptr, valid_ptr, seen_ptr, slow_ptr),
        (V, O, M, B, ignore_index), VOCAB_CONFIDENCE, TILE_O, TILE_M, PARTITION, BLOCK,
    )  # fmt: skip


def option_scores(rows, option_ids, vocab_mode, out, *, tune=None, split=None, slow=None):
    """Launch; what the arguments are is written in the op's file. The last three are for tests.

    ``split`` chooses one program per row (False) or per row and partition (True); ``slow`` (N,)
    int32 receives 1 for each row that had to be read a second time.
    """
    logits, labels, scale, temperature, ignore_index, edges, seen = rows
    count, columns = logits.shape
    options, spellings = option_ids.shape[1:]
    tune = tune or tuning.ROW
    partitions = triton.cdiv(columns, tune.partition)
    if split is None:
        split = partitions > 1 and count <= tuning.SPLIT_ROWS
    tile_o, tile_m = tuning.option_tile(spellings)
    walk = {
        "x_stride": logits.stride(0),
        "ids_stride": 0 if option_ids.shape[0] == 1 else options * spellings,
        "t_stride": 0 if temperature is None or temperature.shape[0] == 1 else 1,
        "scale": min(max(scale, 1e-37), 1e37),
        "TILE_O": tile_o,
        "TILE_M": tile_m,
        "PARTITION": tune.partition,
        "BLOCK": tune.block,
        **launch_options(logits, tune),
    }
    finish_with = {
        "B": 0 if edges is None else edges.shape[0] + 1,
        "ignore_index": ignore_index,
        "VOCAB_CONFIDENCE": vocab_mode,
    }
    given = (logits, option_ids, labels, temperature, edges)
    sizes = (columns, options, spellings)
    with on_device(logits):
        if not split:
            option_scores_kernel[(count,)](
                *given, *out, seen, slow, *sizes, **walk, **finish_with, AHEAD=tune.ahead
            )
            return
        sums = logits.new_empty((count, partitions, 3), dtype=torch.float32)
        tokens = logits.new_empty((count, partitions), dtype=torch.int32)
        partition_kernel[(count, partitions)](
            logits, option_ids, temperature, sums, tokens, *sizes, P=partitions, **walk,
            AHEAD=tune.ahead,
        )  # fmt: skip
        combine_kernel[(count,)](
            *given, sums, tokens, *out, seen, slow, *sizes, P=partitions, **walk, **finish_with
        )
