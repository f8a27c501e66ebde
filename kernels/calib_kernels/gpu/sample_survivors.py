"""Where the filters cut a row.

In the order of falling logits, equal ones by rising id, a beginning of the row stays. It ends at a
(value, ties): logits above value stay, and of those equal to it the first ``ties``.

For top_k and top_p a read of the row adds up what lies above PIVOTS values at once, and leaves
about a sixth of the range where a limit is looked for. The first cuts the range in which the limit
must lie, the next ones the values between two pivots; where values crowd about 0, the floats
between them are counted at last. Pivots are values of the row's own dtype, and reads end where one
value or one logit is left: behind four as a rule in bfloat16, behind three to eight in float32
(``bench/findings/sample-filters.md``). Masses are sums of rounded terms in a fixed order, hence
never smaller for a lower pivot, and counts are masses at infinite temperature.
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
# Each costs two instructions a logit and a number a lane: with five, in bfloat16, a read takes as
# long to arrive as to be worked on, and more do not fit into the registers of four programs.
PIVOTS = tl.constexpr(5)
PARTS = tl.constexpr(6)
# In bits below the largest logit: what lies lower weighs nothing, whether it stays or not.
WEIGHTLESS = tl.constexpr(128.0)
# Of bfloat16, and what no logit that weighs anything is below.
LOWEST = tl.constexpr(-3.3895313892515355e38)
# Reads whose pivots divide values evenly, before floats are counted instead.
EVEN_READS = tl.constexpr(4)

UNSPECIALISED = [
    "x_ptr", "t_ptr", "V", "B", "x_stride", "t_stride", "scale", "gap", "top_k", "top_p_bits",
]  # fmt: skip


@triton.jit
def ordinal(x):
    """Floats in their order, as integers; -inf is one of them."""
    bits = x.to(tl.int32, bitcast=True)
    return tl.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


@triton.jit
def at_ordinal(i):
    return tl.where(i < 0, -i | -2147483648, i).to(tl.float32, bitcast=True)


@triton.jit
def weight(x, c, peak):
    """e of one logit, in float64."""
    return tl.exp2((x - peak) * c).to(tl.float64)


@triton.jit
def tally_step(x, masses, least, most, c, peak, pivots, low, high, SNAP: tl.constexpr):
    e = tl.exp2((x - peak) * c)
    sums = ()
    for i in tl.static_range(PIVOTS):
        sums += (tl.where(x > pivots[i], masses[i] + e, masses[i]),)
    if SNAP:
        # One number for all the logits of a load.
        loads: tl.constexpr = least.shape[0]
        size: tl.constexpr = x.shape[0] // loads
        above = tl.reshape(tl.where(x > low, x, PLUS_INF), (loads, size))
        below = tl.reshape(tl.where(x > high, MINUS_INF, x), (loads, size))
        least = tl.minimum(least, tl.min(above, 1))
        most = tl.maximum(most, tl.max(below, 1))
    return sums, least, most


@triton.jit
def tally(row, sums, V, B, c, peak, pivots, low, high, SNAP: tl.constexpr, PIECE: tl.constexpr):
    """(masses, least, most): what lies above each of the pivots, none of which is below ``low``;
    with SNAP, the least logit above ``low`` and the largest up to ``high``.

    Of a block whose largest logit, which stands in its ``sums`` (B, 3), is not above ``low``,
    nothing else is read: most of a row, where few tokens have most of the mass.
    """
    # A block of 16 bits, half a block of 32.
    TOGETHER: tl.constexpr = BLOCK // PIECE * 16 // row.dtype.element_ty.primitive_bitwidth
    shift = elements_past_boundary(row)
    start = tl.multiple_of(row - shift, 16)
    lanes = tl.arange(0, PIECE)
    low = at_ordinal(low)
    high = at_ordinal(high)
    masses = ()
    for _i in tl.static_range(PIVOTS):
        masses += (tl.zeros((PIECE,), tl.float32),)
    least = tl.full((PIECE // 4,), PLUS_INF, tl.float32)
    most = tl.full((PIECE // 4,), MINUS_INF, tl.float32)
    for b in range(0, B):
        begin = b * BLOCK
        end = tl.minimum(begin + BLOCK, V)
        if tl.load(sums + 3 * b) > low:
            if (shift == 0) & (end == begin + BLOCK):
                for first in range(begin, end, TOGETHER * PIECE):
                    pieces = load_blocks(start + first, PIECE, TOGETHER)
                    for i in tl.static_range(TOGETHER):
                        masses, least, most = tally_step(
                            unpacked(pieces[i], PIECE),
                            masses, least, most, c, peak, pivots, low, high, SNAP,
                        )  # fmt: skip
            else:
                for k in range(begin // PIECE, (end + shift + PIECE - 1) // PIECE):
                    masses, least, most = tally_step(
                        edge_block(start, k, shift, begin, end, V, PIECE),
                        masses, least, most, c, peak, pivots, low, high, SNAP,
                    )  # fmt: skip
    totals = ()
    for i in tl.static_range(PIVOTS):
        mass = masses[i]
        if shift > 0:
            mass = tl.gather(mass, (lanes + shift) % PIECE, 0)
        totals += (tl.sum(mass.to(tl.float64), 0),)
    return totals, tl.min(least, 0), tl.max(most, 0)


@triton.jit
def pivots_of(reads, low, high, c, COUNTING, GRID: tl.constexpr):
    """Where to cut the range, at values of the dtype above low and below high: at first one of
    them is the next after low.

    Of a count nothing is known but that most limits lie near the largest logit, which high is at
    first: distances to it are halved. Else values are divided evenly, and at last floats.
    """
    first = reads == 0
    width = high.to(tl.int64) - low
    even = (reads < EVEN_READS) & (width > GRID * PARTS)
    from_value = at_ordinal(tl.where(first, low + GRID, low))
    to_value = at_ordinal(high)
    pivots = ()
    for i in tl.static_range(1, PIVOTS + 1):
        part = tl.where(first, (i - 1) / PIVOTS, i / PARTS)
        value = from_value * (1.0 - part) + to_value * part
        value = tl.where(
            first & COUNTING, to_value - WEIGHTLESS / (1 if i == 1 else 2**i) / c, value
        )
        by_value = tl.maximum(tl.minimum(ordinal(value) & -GRID, high - GRID), low + GRID)
        by_order = (low + width * i // PARTS).to(tl.int32) & -GRID
        pivots += (at_ordinal(tl.where(first | even, by_value, by_order)),)
    return pivots


@triton.jit
def narrowed(pivots, masses, wanted, low, low_mass, high, high_mass):
    """The neighbouring pivots between which the limit is reached, with their masses."""
    for i in tl.static_range(PIVOTS):
        place = ordinal(pivots[i])
        below = (masses[i] >= wanted) & (place >= low)
        above = (masses[i] < wanted) & (place < high)
        low_mass = tl.where(below, masses[i], low_mass)
        low = tl.where(below, place, low)
        high_mass = tl.where(above, masses[i], high_mass)
        high = tl.where(above, place, high)
    return low, low_mass, high, high_mass


@triton.jit
def below_gap(peak, gap):
    """The largest float x with x - peak < gap: the difference grows with x."""
    within = ordinal(peak)
    out = 0 * within - 0x7F800000  # -inf
    while out < within - 1:
        middle = ((within.to(tl.int64) + out) >> 1).to(tl.int32)
        stays = at_ordinal(middle) - peak >= gap
        within = tl.where(stays, middle, within)
        out = tl.where(stays, out, middle)
    return at_ordinal(out)


@triton.jit(do_not_specialize=UNSPECIALISED)
def cut_kernel(
    x_ptr, t_ptr, sums_ptr, value_ptr, ties_ptr, V, B, x_stride, t_stride, scale, gap,
    top_k, top_p_bits, PIECE: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """One program per row: value (N,) float32 and ties (N,) int32."""
    # Floats that are values of the row's dtype are so far apart, as integers.
    GRID: tl.constexpr = (
        1
        if x_ptr.dtype.element_ty == tl.float32
        else 2**16
        if x_ptr.dtype.element_ty == tl.bfloat16
        else 2**13
    )
    # The values of float32 rows are often few: they may have been of 16 bits.
    SNAP: tl.constexpr = GRID == 1
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    c, _usable = temperature_scale(scale, t_ptr, n, t_stride)
    top_p = top_p_bits.to(tl.float64, bitcast=True)
    places = tl.arange(0, BLOCKS)
    row_sums = sums_ptr + 3 * n * B
    M = tl.load(row_sums + 3 * places, mask=places < B, other=MINUS_INF)
    D = tl.load(row_sums + 3 * places + 1, mask=places < B, other=0.0)
    peak = tl.max(M, 0)
    value = MINUS_INF
    ties = 0
    if (peak > MINUS_INF) & (peak < PLUS_INF) & (tl.max((D != D).to(tl.int32), 0) == 0):
        # First top_k, then, of the mass that it leaves, top_p.
        for stage in range(0, 2):
            counting = stage == 0
            if tl.where(counting, top_k < V, top_p < 1.0):
                used = tl.where(counting, 0.0, c)
                again = value > MINUS_INF
                # Added up again for each filter, which costs less than to keep it.
                M = tl.load(row_sums + 3 * places, mask=places < B, other=MINUS_INF)
                D = tl.load(row_sums + 3 * places + 1, mask=places < B, other=0.0)
                scaled = tl.exp2(tl.where(M > MINUS_INF, (M - peak) * c, -1000.0))
                whole = tl.sum((scaled * D).to(tl.float64), 0)
                tied = weight(value, c, peak) * ties.to(tl.float64)
                wanted = top_p * tl.where(again, tied, whole)
                wanted = tl.where(counting, top_k.to(tl.float64), wanted)
                # Of a mass, all that lies below the floor has less than half of 1 - top_p.
                bits = tl.log2(((1.0 - top_p) * whole / V).to(tl.float32)) - 1.0
                bits = tl.where(counting, -WEIGHTLESS, tl.maximum(bits, -WEIGHTLESS))
                high = ordinal(peak)
                high_mass = whole * 0.0
                floor = tl.minimum(
                    ordinal(tl.maximum(peak + bits / c, LOWEST)) & -GRID, high - GRID
                )
                floor = tl.where(again, ordinal(value), floor)
                # No more than the first of all, where it has what is wanted.
                first_alone = ~(counting | again) & (wanted <= 1.0)
                low = tl.where(first_alone, high, floor) - GRID
                low_mass = V + 2.0 + high_mass
                reads = 0
                # Masses that differ by less are one logit apart.
                while (low < high - GRID) & (
                    low_mass - high_mass >= 1.5 * weight(at_ordinal(low + GRID), used, peak)
                ):
                    pivots = pivots_of(reads, low, high, c, counting, GRID)
                    masses, least, most = tally(
                        row, row_sums, V, B, used, peak, pivots, low, high, SNAP, PIECE
                    )  # fmt: skip
                    if again & (reads == 0):
                        tied = weight(value, c, peak) * ties.to(tl.float64)
                        wanted = top_p * (masses[0] + tied)
                    low, low_mass, high, high_mass = narrowed(
                        pivots, masses, wanted, low, low_mass, high, high_mass
                    )
                    if SNAP:
                        one = (least == most) & (ordinal(most) <= high)
                        high = tl.where(one, ordinal(most), high)
                        low = tl.where(one, ordinal(most) - GRID, low)
                    reads += 1
                alone = low < high - GRID
                by_mass = (wanted - high_mass) / tl.maximum(
                    weight(at_ordinal(high), used, peak), 1.0e-300
                )
                equal = tl.ceil(tl.minimum(by_mass, V.to(tl.float64))).to(tl.int32)
                equal = tl.where(alone, 0, tl.maximum(equal, 1))
                found = at_ordinal(tl.where(alone, low, high))
                # The same value twice: no more than the first filter left of it.
                ties = tl.where(found == value, tl.minimum(equal, ties), equal)
                value = found
        if t_ptr is not None:
            gap = gap * tl.load(t_ptr + n * t_stride)
        if gap > MINUS_INF:
            near = below_gap(peak, gap)
            ties = tl.where(near >= value, 0, ties)
            value = tl.maximum(value, near)
    tl.store(value_ptr + n, value)
    tl.store(ties_ptr + n, ties)
