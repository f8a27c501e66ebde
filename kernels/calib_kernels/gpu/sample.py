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
from .device import LN2, MINUS_INF, PLUS_INF, temperature_scale
from .launch import architecture, launch_options, on_device
from .sample_sums import block_sums_kernel, kept_sums_kernel
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
        tune = tuning.block_sums(architecture(logits.device))
        pieces = {"PIECE": tune.block, **launch_options(logits, tune)}
        many = count > tuning.SPLIT_ROWS and logits.dtype == torch.bfloat16
        together = tuning.SAMPLE_WALK if many else 1
        block_sums_kernel[(count * triton.cdiv(blocks, together),)](
            logits, temperature, sums, WALK=together, **walk, **pieces
        )
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
