"""Where the filters cut a row: the search for top_k and top_p.

In the order of falling logits, equal ones by rising id, a beginning of the row stays. It ends at a
(value, last): logits above value stay, and of those equal to it the ones up to id last. The search
halves the range of values, in the order of floats as integers, so 33 readings of a row are the
most there can be; it moves to logits that exist, so about log2 V are usual. Counts are integers
and masses sums of rounded terms in a fixed order, hence never smaller for a lower value.
"""

import triton
import triton.language as tl

from .device import (
    MINUS_INF,
    PLUS_INF,
    edge_block,
    elements_past_boundary,
    load_blocks,
    temperature_scale,
    unpacked,
)

# Logits of a block: part of the contract, not a matter of tuning.
BLOCK = tl.constexpr(4096)

UNSPECIALISED = [
    "x_ptr", "t_ptr", "V", "B", "x_stride", "t_stride", "scale", "top_k", "top_p_bits",
]  # fmt: skip


@triton.jit
def keeps(x, j, peak, value, last, gap):
    """Which logits x of columns j of a row stay; min_p asks for x - peak >= gap."""
    return ((x > value) | ((x == value) & (j <= last))) & (x - peak >= gap)


@triton.jit
def tally_step(x, count, mass, above, below, c, peak, t):
    upper = x > t
    mass += tl.where(upper, tl.exp2((x - peak) * c), 0.0)
    above = tl.minimum(above, tl.where(upper, x, PLUS_INF))
    below = tl.maximum(below, tl.where(upper, MINUS_INF, x))
    return count + upper.to(tl.int32), mass, above, below


@triton.jit
def tally(row, sums, V, B, c, peak, t, PIECE: tl.constexpr):
    """(count, mass, least) of the logits above t, and the largest of the others.

    Of a block whose largest logit, which stands in its ``sums`` (B, 3), is not above t, nothing
    else is read: most of a row, where few tokens have most of the mass.
    """
    shift = elements_past_boundary(row)
    start = tl.multiple_of(row - shift, 16)
    lanes = tl.arange(0, PIECE)
    count = tl.zeros((PIECE,), tl.int32)
    mass = tl.zeros((PIECE,), tl.float32)
    above = tl.full((PIECE,), PLUS_INF, tl.float32)
    below = tl.full((PIECE,), MINUS_INF, tl.float32)
    lower = MINUS_INF
    for b in range(0, B):
        M = tl.load(sums + 3 * b)
        begin = b * BLOCK
        end = tl.minimum(begin + BLOCK, V)
        if t >= M:
            lower = tl.maximum(lower, M)
        elif (shift == 0) & (end == begin + BLOCK):
            pieces = load_blocks(start + begin, PIECE, BLOCK // PIECE)
            for i in tl.static_range(BLOCK // PIECE):
                x = unpacked(pieces[i], PIECE)
                count, mass, above, below = tally_step(x, count, mass, above, below, c, peak, t)
        else:
            for k in range(begin // PIECE, (end + shift + PIECE - 1) // PIECE):
                x = edge_block(start, k, shift, begin, end, V, PIECE)
                count, mass, above, below = tally_step(x, count, mass, above, below, c, peak, t)
    if shift > 0:
        mass = tl.gather(mass, (lanes + shift) % PIECE, 0)
    total = tl.sum(mass.to(tl.float64), 0)
    return tl.sum(count, 0), total, tl.min(above, 0), tl.maximum(tl.max(below, 0), lower)


@triton.jit
def ordinal(x):
    """Finite floats in their order, as integers."""
    bits = x.to(tl.int32, bitcast=True)
    return tl.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


@triton.jit
def midway(low, high):
    """A float in low <= t < high, halfway in their order."""
    middle = ((ordinal(low).to(tl.int64) + ordinal(high).to(tl.int64)) >> 1).to(tl.int32)
    bits = tl.where(middle < 0, -middle | -2147483648, middle)
    t = bits.to(tl.float32, bitcast=True)
    return tl.where(t < high, t, low)


@triton.jit
def place_of(row, V, value, number, BLOCK: tl.constexpr):
    """Column of the number-th logit equal to value; V if there are fewer."""
    lanes = tl.arange(0, BLOCK)
    found = V
    seen = 0
    for j in range(0, V, BLOCK):
        x = tl.load(row + j + lanes, mask=j + lanes < V, other=MINUS_INF).to(tl.float32)
        equal = ((x == value) & (j + lanes < V)).to(tl.int32)
        here = tl.sum(equal, 0)
        if (seen < number) & (seen + here >= number):
            there = (tl.cumsum(equal, 0) == number - seen) & (equal > 0)
            found = tl.min(tl.where(there, j + lanes, V), 0)
        seen += here
    return found


@triton.jit(do_not_specialize=UNSPECIALISED)
def cut_kernel(
    x_ptr, t_ptr, sums_ptr, value_ptr, last_ptr, V, B, x_stride, t_stride, scale,
    top_k, top_p_bits, PIECE: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """One program per row: value (N,) float32 and last (N,) int32."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    c, _usable = temperature_scale(scale, t_ptr, n, t_stride)
    top_p = top_p_bits.to(tl.float64, bitcast=True)
    places = tl.arange(0, BLOCKS)
    row_sums = sums_ptr + 3 * n * B
    sums = row_sums + 3 * places
    peak = tl.max(tl.load(sums, mask=places < B, other=MINUS_INF), 0)
    D = tl.load(sums + 1, mask=places < B, other=0.0)
    value = MINUS_INF
    last = -1
    if (peak > MINUS_INF) & (peak < PLUS_INF) & (tl.max((D != D).to(tl.int32), 0) == 0):
        all_count, all_mass, least, _below = tally(row, row_sums, V, B, c, peak, MINUS_INF, PIECE)
        mass = all_mass
        # First top_k, then, of the mass that it leaves, top_p.
        for stage in range(0, 2):
            wanted = tl.where(stage == 0, all_mass * 2.0, mass * top_p)
            if tl.where(stage == 0, top_k < all_count, top_p < 1.0):
                low = least
                high = peak
                base = 0
                base_mass = mass * 0.0
                while low < high:
                    t = midway(low, high)
                    count, above_mass, above, below = tally(row, row_sums, V, B, c, peak, t, PIECE)
                    if (count >= top_k) | (above_mass >= wanted):
                        low = above
                    else:
                        high = below
                        base = count
                        base_mass = above_mass
                e = tl.exp2((high - peak) * c).to(tl.float64)
                by_mass = (wanted - base_mass) / tl.maximum(e, 1.0e-300)
                ties = tl.ceil(tl.minimum(by_mass, V.to(tl.float64))).to(tl.int32)
                ties = tl.maximum(tl.minimum(ties, top_k - base), 1)
                value = high
                last = place_of(row, V, high, ties, PIECE)
                mass = base_mass + e * ties.to(tl.float64)
    tl.store(value_ptr + n, value)
    tl.store(last_ptr + n, last)
