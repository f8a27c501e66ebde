"""Draws from rows of logits: sums of blocks in one read, then a block and a token in it.

x (N, V) fp32/bf16/fp16 -> token (N, S) int64, logprob, logprob_unfiltered, entropy (N, S) float32,
valid (N, S). What is drawn is written in ``calib_kernels.ops.sample``: e = 2^(c (x - max x)), sums
and choices in float64. Reads x once; where filters act, as often as ``sample_survivors`` needs to
find where they cut, and once more; each draw reads one block of 4,096 logits. A NaN, two +inf or
only -inf in a row: NaN there, not valid.

Axes: N rows, V vocabulary, B blocks of a row, S draws.
"""

import struct

import torch
import triton
import triton.language as tl

from . import tuning
from .device import (
    LN2,
    MINUS_INF,
    PLUS_INF,
    edge_block,
    elements_past_boundary,
    load_blocks,
    load_packed,
    rotated_sum,
    temperature_scale,
    unpacked,
)
from .launch import launch_options, on_device
from .sample_survivors import BLOCK, cut_kernel

# Logits of a block that are added up before the choice among them.
GROUP = tl.constexpr(64)
# Logits of a group that are looked at together: all of a block do not fit in float64.
PART = tl.constexpr(16)
# What a logit of a block counts for where one is chosen.
ALL = tl.constexpr(0)
LEFT = tl.constexpr(1)
TIED = tl.constexpr(2)
# Blocks of a row are looked at all at once: up to 262,144 logits with one compiled kernel.
BLOCKS_AT_ONCE = 64
# 2^-53: what turns 53 bits into a number in [0, 1).
ULP = tl.constexpr(1.1102230246251565e-16)

UNSPECIALISED = [
    "x_ptr", "t_ptr", "item_ptr", "sample_ptr", "step_ptr", "uniforms_ptr", "V", "B", "S",
    "x_stride", "t_stride", "item_stride", "step_stride", "scale", "seed_low", "seed_high",
]  # fmt: skip


@triton.jit
def whole_pieces(start, k, shift, PIECE: tl.constexpr):
    """The pieces of a block, from piece k on; before the block's first logit, -inf."""
    lanes = tl.arange(0, PIECE)
    x = (tl.where(lanes >= shift, unpacked(load_packed(start, k, PIECE), PIECE), MINUS_INF),)
    for i in tl.static_range(1, BLOCK // PIECE):
        x += (unpacked(load_packed(start, k + i, PIECE), PIECE),)
    return x


@triton.jit
def inner_piece(start, k, shift, V, PIECE: tl.constexpr):
    """Piece k of a row, none of whose columns below V lies outside the block at hand."""
    lanes = tl.arange(0, PIECE)
    if (k + 1) * PIECE - shift <= V:
        x = tl.load(start + k * PIECE + lanes)
    else:
        x = tl.load(
            start + k * PIECE + lanes, mask=k * PIECE - shift + lanes < V, other=MINUS_INF
        )  # fmt: skip
    return x.to(tl.float32)


@triton.jit
def cut_pieces(start, k, shift, begin, end, V, PIECE: tl.constexpr):
    """As ``whole_pieces``, of a block at an end of a row."""
    x = (edge_block(start, k, shift, begin, end, V, PIECE),)
    for i in tl.static_range(1, BLOCK // PIECE):
        x += (inner_piece(start, k + i, shift, V, PIECE),)
    return x


@triton.jit
def load_block(row, b, shift, V, PIECE: tl.constexpr):
    """Block b in pieces from the 16-byte boundary below it, and what they leave at its end."""
    start = tl.multiple_of(row - shift, 16)
    k = b * (BLOCK // PIECE)
    begin = b * BLOCK
    end = tl.minimum(begin + BLOCK, V)
    if (begin >= shift) & (begin + BLOCK - shift <= V):
        x = whole_pieces(start, k, shift, PIECE)
    else:
        x = cut_pieces(start, k, shift, begin, end, V, PIECE)
    rest = tl.full((PIECE,), MINUS_INF, tl.float32)
    if shift > 0:
        rest = edge_block(start, k + BLOCK // PIECE, shift, begin, end, V, PIECE)
    return x, rest


@triton.jit
def weigh(x, d, w, c, ref):
    """Add e and e z of a piece of logits to the lanes."""
    z = (x - ref) * c
    e = tl.exp2(z)
    # A logit of -inf has e = 0 and must add 0, not 0 * -inf. NaN survives because e is NaN.
    return d + e, tl.fma(e, tl.maximum(z, -1000.0), w)


@triton.jit(do_not_specialize=UNSPECIALISED)
def block_sums_kernel(
    x_ptr, t_ptr, sums_ptr, V, B, x_stride, t_stride, scale, PIECE: tl.constexpr
):  # fmt: skip
    """One program per row and block: sums (N, B, 3) = its maximum M, sum e, sum e z beside M.

    A NaN makes the sums NaN. Where M is +inf, sum e is the number of +inf.
    """
    PIECES: tl.constexpr = BLOCK // PIECE
    pid = tl.program_id(0)
    n = (pid // B).to(tl.int64)
    b = pid % B
    row = x_ptr + n * x_stride
    c, _usable = temperature_scale(scale, t_ptr, n, t_stride)
    shift = elements_past_boundary(row)
    x, rest = load_block(row, b, shift, V, PIECE)
    m = x[0]
    for i in tl.static_range(1, PIECES):
        m = tl.maximum(m, x[i])
    if shift > 0:
        m = tl.maximum(m, rest)
    M = tl.max(m, 0)
    ref = tl.where((M > MINUS_INF) & (M < PLUS_INF), M, 0.0)
    d = tl.zeros((PIECE,), tl.float32)
    w = tl.zeros((PIECE,), tl.float32)
    for i in tl.static_range(PIECES):
        d, w = weigh(x[i], d, w, c, ref)
    if shift > 0:
        d, w = weigh(rest, d, w, c, ref)
    D = rotated_sum(d, shift, PIECE)
    W = rotated_sum(w, shift, PIECE)
    if (M == PLUS_INF) & (D == D):
        infinite = (rest == PLUS_INF).to(tl.float32)
        for i in tl.static_range(PIECES):
            infinite += (x[i] == PLUS_INF).to(tl.float32)
        D = tl.sum(infinite, 0)
        W = 0.0
    at = 3 * (n * B + b)
    tl.store(sums_ptr + at, M)
    tl.store(sums_ptr + at + 1, D)
    tl.store(sums_ptr + at + 2, W)


@triton.jit
def keep(x, d, tied, c, ref, value):
    """Add e of the logits above value to the lanes, and count those that equal it."""
    return d + tl.where(x > value, tl.exp2((x - ref) * c), 0.0), tied + (x == value).to(tl.int32)


@triton.jit(do_not_specialize=UNSPECIALISED)
def kept_sums_kernel(
    x_ptr, t_ptr, sums_ptr, value_ptr, left_ptr, tied_ptr, V, B, x_stride, t_stride, scale,
    PIECE: tl.constexpr,
):  # fmt: skip
    """One program per row and block, of the logits that the filters may leave: left (N, B), sum e
    beside M of those above the row's value; tied (N, B), how many equal it."""
    TOGETHER: tl.constexpr = BLOCK // PIECE // 2
    pid = tl.program_id(0)
    n = (pid // B).to(tl.int64)
    b = pid % B
    row = x_ptr + n * x_stride
    c, _usable = temperature_scale(scale, t_ptr, n, t_stride)
    value = tl.load(value_ptr + n)
    ref = tl.load(sums_ptr + 3 * (n * B + b))
    shift = elements_past_boundary(row)
    start = tl.multiple_of(row - shift, 16)
    begin = b * BLOCK
    end = tl.minimum(begin + BLOCK, V)
    d = tl.zeros((PIECE,), tl.float32)
    tied = tl.zeros((PIECE,), tl.int32)
    # Of a block whose largest logit goes, all do.
    if (ref >= value) & (ref > MINUS_INF):
        if (shift == 0) & (end == begin + BLOCK):
            for first in range(begin, end, TOGETHER * PIECE):
                pieces = load_blocks(start + first, PIECE, TOGETHER)
                for i in tl.static_range(TOGETHER):
                    d, tied = keep(unpacked(pieces[i], PIECE), d, tied, c, ref, value)
        else:
            for k in range(begin // PIECE, (end + shift + PIECE - 1) // PIECE):
                x = edge_block(start, k, shift, begin, end, V, PIECE)
                d, tied = keep(x, d, tied, c, ref, value)
    tl.store(left_ptr + n * B + b, rotated_sum(d, shift, PIECE))
    tl.store(tied_ptr + n * B + b, tl.sum(tied, 0))


@triton.jit
def uniform(seed_low, seed_high, item, sample, step, stage: tl.constexpr):
    """As ``calib_kernels.philox.uniforms``."""
    seed = (seed_high.to(tl.int64) << 32) | (seed_low.to(tl.int64) & 0xFFFFFFFF)
    place = ((step << 4) | stage).to(tl.uint32)
    low, high, _w2, _w3 = tl.philox(
        seed, item.to(tl.uint32), (item >> 32).to(tl.uint32), sample.to(tl.uint32), place
    )
    bits = (high.to(tl.uint64) << 32) | low.to(tl.uint64)
    return (bits >> 11).to(tl.float64) * ULP


@triton.jit
def choose(weight, target, SIZE: tl.constexpr):
    """(i, what is left of target there): the first of the weights up to which their sum exceeds
    target, else the last that is not 0."""
    places = tl.arange(0, SIZE)
    there = weight > 0.0
    beyond = there & (tl.cumsum(weight, 0) > target)
    i = tl.min(tl.where(beyond, places, SIZE), 0)
    i = tl.where(i < SIZE, i, tl.max(tl.where(there, places, 0), 0))
    return i, target - tl.sum(tl.where(places < i, weight, 0.0), 0)


@triton.jit
def worth(row, j, V, c, ref, value, last, KIND: tl.constexpr):
    """What logits j count, in float64: e; where the filters leave them; 1 where they are value."""
    x = tl.load(row + j, mask=j < V, other=MINUS_INF).to(tl.float32)
    if KIND == TIED:
        return (x == value).to(tl.float64)
    e = tl.exp2((x - ref) * c)
    if KIND == LEFT:
        e = tl.where((x > value) | ((x == value) & (j <= last)), e, 0.0)
    return e.to(tl.float64)


@triton.jit
def place_in(row, b, V, share, target, c, ref, value, last, KIND: tl.constexpr):
    """Column of the first logit of block b up to which they are worth more than ``share`` of the
    block and ``target``."""
    groups: tl.constexpr = BLOCK // GROUP
    starts = b * BLOCK + tl.arange(0, groups) * GROUP
    sums = tl.zeros((groups,), tl.float64)
    together: tl.constexpr = GROUP if KIND == ALL else PART
    for first in range(0, GROUP, together):
        for part in tl.static_range(0, together, PART):
            j = starts[:, None] + first + part + tl.arange(0, PART)[None, :]
            sums += tl.sum(worth(row, j, V, c, ref, value, last, KIND), 1)
    g, rest = choose(sums, share * tl.sum(sums, 0) + target, groups)
    j = b * BLOCK + g * GROUP + tl.arange(0, GROUP)
    i, _rest = choose(worth(row, j, V, c, ref, value, last, KIND), rest, GROUP)
    return b * BLOCK + g * GROUP + i


@triton.jit(do_not_specialize=UNSPECIALISED)
def draw_kernel(
    x_ptr, t_ptr, item_ptr, sample_ptr, step_ptr, uniforms_ptr,
    sums_ptr, value_ptr, ties_ptr, left_ptr, tied_ptr,
    token_ptr, logprob_ptr, logprob_unfiltered_ptr, entropy_ptr, valid_ptr,
    V, B, S, x_stride, t_stride, item_stride, step_stride, scale, seed_low, seed_high,
    GREEDY: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """One program per row and draw."""
    FILTERED: tl.constexpr = value_ptr is not None
    at = tl.program_id(0).to(tl.int64)
    n = at // S
    row = x_ptr + n * x_stride
    c, usable = temperature_scale(scale, t_ptr, n, t_stride)

    places = tl.arange(0, BLOCKS)
    inside = places < B
    sums = sums_ptr + 3 * (n * B + places)
    M = tl.load(sums, mask=inside, other=MINUS_INF)
    D = tl.load(sums + 1, mask=inside, other=0.0)
    W = tl.load(sums + 2, mask=inside, other=0.0)
    has_nan = tl.max((D != D).to(tl.int32), 0) > 0
    peak = tl.max(M, 0)
    infinite = tl.sum(tl.where(M == PLUS_INF, D, 0.0), 0)
    broken = has_nan | (peak == MINUS_INF) | ((peak == PLUS_INF) & (infinite != 1.0))
    finite = ~broken & (peak < PLUS_INF)
    lost = broken | ~usable
    settled = GREEDY | lost | ~finite

    # Blocks relative to the row's maximum.
    z = tl.where((M > MINUS_INF) & finite, (M - tl.where(finite, peak, 0.0)) * c, -1000.0)
    scaled = tl.where(finite, tl.exp2(z), 0.0)
    mass = (scaled * D).to(tl.float64)
    spread = tl.sum((scaled * tl.fma(z, D, W)).to(tl.float64), 0)
    whole = tl.maximum(tl.sum(mass, 0), 1.0)
    log_D = tl.log2(whole.to(tl.float32))
    entropy = tl.maximum(log_D - (spread / whole).to(tl.float32), 0.0) * LN2
    log_kept = log_D
    value = MINUS_INF
    if FILTERED:
        value = tl.load(value_ptr + n)
        left = tl.load(left_ptr + n * B + places, mask=inside, other=0.0)
        tied = tl.load(tied_ptr + n * B + places, mask=inside, other=0)
        # The first ties of the row stay.
        staying = tl.load(ties_ptr + n) - (tl.cumsum(tied, 0) - tied)
        staying = tl.minimum(tl.maximum(staying, 0), tied)
        z = tl.where((M > MINUS_INF) & (tied > 0) & finite, (value - M) * c, -1000.0)
        mass = (scaled * tl.fma(staying.to(tl.float32), tl.exp2(z), left)).to(tl.float64)
        log_kept = tl.log2(tl.maximum(tl.sum(mass, 0), 1.0).to(tl.float32))
        log_kept = tl.where(finite, log_kept, 0.0)

    # Also the argmax: the first NaN, else the first of the largest.
    if settled:
        marked = tl.where(has_nan, D != D, peak == M) & inside
        b = tl.min(tl.where(marked, places, BLOCKS), 0)
        columns = b * BLOCK + tl.arange(0, BLOCK)
        x = tl.load(row + columns, mask=columns < V, other=MINUS_INF).to(tl.float32)
        found = tl.where(has_nan, x != x, x == peak) & (columns < V)
        token = tl.min(tl.where(found, columns, V), 0)
    else:
        if uniforms_ptr is not None:
            u0 = tl.load(uniforms_ptr + 2 * at)
            u1 = tl.load(uniforms_ptr + 2 * at + 1)
        else:
            item = tl.load(item_ptr + n * item_stride)
            index = tl.load(sample_ptr + at)
            step = tl.load(step_ptr + n * step_stride)
            u0 = uniform(seed_low, seed_high, item, index, step, 0)
            u1 = uniform(seed_low, seed_high, item, index, step, 1)
        b, _rest = choose(mass, u0 * tl.sum(mass, 0), BLOCKS)
        ref = tl.max(tl.where(places == b, M, MINUS_INF), 0)
        last = V
        if FILTERED:
            number = tl.sum(tl.where(places == b, staying, 0), 0)
            if number == 0:
                last = 0 * V - 1
            elif number < tl.sum(tl.where(places == b, tied, 0), 0):
                last = place_in(
                    row, b, V, 0.0 * u1, number.to(tl.float64) - 0.5, c, ref, value, V, TIED
                )  # fmt: skip
        token = place_in(
            row, b, V, u1, 0.0 * u1, c, ref, value, last, LEFT if FILTERED else ALL
        )  # fmt: skip

    x = tl.load(row + token).to(tl.float32)
    # Both may be the row's one +inf.
    below = tl.where(x == peak, 0.0, (x - peak) * c)
    tl.store(token_ptr + at, token.to(tl.int64))
    logprob = tl.minimum(below - log_kept, 0.0) * LN2
    unfiltered = tl.minimum(below - log_D, 0.0) * LN2
    tl.store(logprob_ptr + at, tl.where(lost, float("nan"), logprob))
    tl.store(logprob_unfiltered_ptr + at, tl.where(lost, float("nan"), unfiltered))
    tl.store(entropy_ptr + at, tl.where(lost, float("nan"), entropy))
    tl.store(valid_ptr + at, ~lost)


def sample(rows, addresses, uniforms, filters, greedy, out):
    """Launch; what the arguments are is written in the op's file."""
    logits, _labels, scale, temperature, _ignore_index, _edges, _seen = rows
    count, columns = logits.shape
    draws = out.token.shape[1]
    blocks = triton.cdiv(columns, BLOCK.value)
    at_once = max(BLOCKS_AT_ONCE, triton.next_power_of_2(blocks))
    walk = {
        "V": columns,
        "B": blocks,
        "x_stride": logits.stride(0),
        "t_stride": 0 if temperature is None or temperature.shape[0] == 1 else 1,
        "scale": min(max(scale, 1e-37), 1e37),
    }
    seed, item, index, step = addresses or (0, None, None, None)
    filtered = filters.top_k > 0 or filters.top_p < 1.0 or filters.gap > float("-inf")
    value = ties = left = tied = None
    with on_device(logits):
        sums = logits.new_empty((count, blocks, 3), dtype=torch.float32)
        pieces = {"PIECE": tuning.BLOCK_SUMS.block, **launch_options(logits, tuning.BLOCK_SUMS)}
        block_sums_kernel[(count * blocks,)](logits, temperature, sums, **walk, **pieces)
        if filtered:
            value = logits.new_empty(count, dtype=torch.float32)
            ties = logits.new_empty(count, dtype=torch.int32)
            left = logits.new_empty((count, blocks), dtype=torch.float32)
            tied = logits.new_empty((count, blocks), dtype=torch.int32)
            tune = tuning.cut(8 * logits.element_size())
            cut_kernel[(count,)](
                logits, temperature, sums, value, ties, **walk, gap=filters.gap,
                top_k=filters.top_k or columns, top_p_bits=bits_of(filters.top_p),
                PIECE=tune.block, BLOCKS=at_once, **launch_options(logits, tune),
            )  # fmt: skip
            kept_sums_kernel[(count * blocks,)](
                logits, temperature, sums, value, left, tied, **walk, **pieces
            )
        draw_kernel[(count * draws,)](
            logits, temperature, item, index, step, uniforms,
            sums, value, ties, left, tied, *out, S=draws, **walk,
            item_stride=0 if item is None or item.shape[0] == 1 else 1,
            step_stride=0 if step is None or step.shape[0] == 1 else 1,
            seed_low=signed_word(seed), seed_high=signed_word(seed >> 32),
            GREEDY=greedy, BLOCKS=at_once, **launch_options(logits, tuning.DRAW),
        )  # fmt: skip


def signed_word(x):
    """The low 32 bits as a signed number, so that every seed has one type to Triton."""
    return (x + 2**31) % 2**32 - 2**31


def bits_of(p):
    """A float64 as an integer, for Triton would round a number to float32. Never below 2^31."""
    return struct.unpack("<q", struct.pack("<d", max(p, 1e-300)))[0]
