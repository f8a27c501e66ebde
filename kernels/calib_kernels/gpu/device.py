"""Device functions shared by the kernels: one walk along a row, its reduction, the bin rule.

For a row x (V,), c = log2(e) / T and a reference logit r, with z = c x - c r and e = 2^z,

    D = sum e        W = sum e z        M = max x        token = first argmax x

and, for the kernels that ask for SQUARES, Q = sum e^2 (else 0) come from one read; with LINEAR
besides, Q = sum z LINEAR_UNIT instead. With a cap, cap tanh(x / cap) stands for x everywhere but in
M and token; a logit of -inf stays what it is. Columns at V and beyond are never touched.

Order of summation. The row is cut into partitions of PARTITION logits. Inside a partition, lane
j % BLOCK adds its logits in order, then the lanes meet in one tree; partitions are added from
left to right. That order depends on V alone: not on the grid, nor on the address of the row.

Alignment. Loads start at the 16-byte boundary below the row, SHIFT elements before it, so that any
V and any stride keep 128-bit loads. Lanes are then rotated by SHIFT, and rotated back before the
tree.
"""

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)
# Scale of the fixed-point confidence sums; exact in float32 because it is a power of two.
FIXED_POINT = tl.constexpr(4294967296.0)
# Largest (M - r) c for which D and W are used as summed. Overflow would allow 100; the entropy is
# log2 D - W / D, and both terms grow with the distance, so their rounding sets the bound.
HEADROOM = tl.constexpr(16.0)
# Below it log2(e) / T leaves float32.
LEAST_TEMPERATURE = tl.constexpr(1e-38)
# Weights of spellings, at most 1 each, are added as integers, in units of 2^-40: the same sum in
# any order. There is room for eight million; the error is below 2^-40 for each.
WEIGHT_SCALE = tl.constexpr(2.0**40)
# A power of two, so exact, that keeps the sum of a million logits of any size in float32.
LINEAR_UNIT = tl.constexpr(2.0**-20)
MINUS_INF = tl.constexpr(float("-inf"))
PLUS_INF = tl.constexpr(float("inf"))


@triton.jit
def temperature_scale(scale, t_ptr, n, t_stride):
    """(c, whether T is usable); c is 1 where it is not."""
    c = scale
    usable = n >= 0
    if t_ptr is not None:
        T = tl.load(t_ptr + n * t_stride)
        usable = (T >= LEAST_TEMPERATURE) & (T < PLUS_INF)
        c = tl.div_rn(LOG2E, tl.where(usable, T, LOG2E))
    # Beyond these c itself would overflow or vanish; the limits are argmax and uniform anyway.
    return tl.minimum(tl.maximum(c, 1.0e-37), 1.0e37), usable


@triton.jit
def shortfall(x, cap):
    """1 - tanh(x / cap)."""
    return 2.0 / (1.0 + tl.exp2(x * (2.0 * LOG2E / cap)))


@triton.jit
def capped(x, cap):
    """cap tanh(x / cap), and -inf where x is; x itself without a cap."""
    if cap is not None:
        x = tl.where(x == MINUS_INF, x, tl.fma(shortfall(x, cap), -cap, cap))
    return x


@triton.jit
def whole(weights):
    """Weights as integers, to be added in any order."""
    return (weights * WEIGHT_SCALE).to(tl.int64)


@triton.jit
def fraction(sum_of_whole):
    """What integers of ``whole`` sum to, in float32."""
    return sum_of_whole.to(tl.float32) * (1.0 / WEIGHT_SCALE)


@triton.jit
def load_packed(start, k, BLOCK: tl.constexpr):
    """Block k of what begins at ``start``, all of it logits, for ``unpacked``.

    Two bfloat16 stay one integer until they are needed: one instruction for each, else three for
    two.
    """
    if start.dtype.element_ty == tl.bfloat16:
        pairs = start.to(tl.pointer_type(tl.uint32))
        return tl.load(pairs + k * (BLOCK // 2) + tl.arange(0, BLOCK // 2))
    else:
        return tl.load(start + k * BLOCK + tl.arange(0, BLOCK))


@triton.jit
def load_blocks(start, BLOCK: tl.constexpr, COUNT: tl.constexpr):
    """The first blocks of what begins at ``start``, each as ``load_packed`` has it."""
    blocks = ()
    for i in tl.static_range(COUNT):
        blocks += (load_packed(start, i, BLOCK),)
    return blocks


@triton.jit
def unpacked(x, BLOCK: tl.constexpr):
    """What ``load_packed`` loaded, in float32."""
    if x.dtype == tl.uint32:
        first = (x << 16).to(tl.float32, bitcast=True)
        second = (x & 0xFFFF0000).to(tl.float32, bitcast=True)
        return tl.reshape(tl.join(first, second), (BLOCK,))
    else:
        return x.to(tl.float32)


@triton.jit
def elements_past_boundary(row):
    """How many elements the row starts past a 16-byte boundary."""
    size: tl.constexpr = row.dtype.element_ty.primitive_bitwidth // 8
    return ((row.to(tl.int64) & 15) // size).to(tl.int32)


@triton.jit
def step(
    x, k, d, w, q, m, at, c, ref, g, EXACT: tl.constexpr, SQUARES: tl.constexpr,
    cap=None, LINEAR: tl.constexpr = False, counted=None,
):  # fmt: skip
    """Add block k of logits x to the lanes: sums d, w, q, maximum m and the block it came from.

    Only a LINEAR sum must be told which lanes are logits, where not all are: ``counted``.
    """
    # EXACT: ref is the row's maximum, and the difference comes first, so nothing can overflow.
    y = capped(x, cap)
    z = (y - ref) * c if EXACT else tl.fma(y, c, -g)
    e = tl.exp2(z)
    d += e
    # A logit of -inf has e = 0 and must add 0, not 0 * -inf. NaN survives because e is NaN.
    w = tl.fma(e, tl.maximum(z, -1000.0), w)
    if LINEAR:
        q = tl.fma(z if counted is None else tl.where(counted, z, 0.0), LINEAR_UNIT, q)
    elif SQUARES:
        q = tl.fma(e, e, q)
    m, at = larger(x, k, m, at)
    return d, w, q, m, at


@triton.jit
def larger(x, k, m, at):
    """The largest logit m of each group of lanes, and the block ``at`` where it stood first.

    x may have any shape, and k a block for each group.
    A group is what one load of 128 bits gives a thread: one comparison for all of it, not each.
    """
    groups: tl.constexpr = m.shape[0]
    top = tl.max(tl.reshape(x, (groups, x.numel // groups)), 1)
    better = top > m
    return tl.where(better, top, m), tl.where(better, k, at)


@triton.jit
def no_largest(row, BLOCK: tl.constexpr):
    """What ``larger`` begins with."""
    groups: tl.constexpr = BLOCK * row.dtype.element_ty.primitive_bitwidth // 128
    return tl.full((groups,), MINUS_INF, tl.float32), tl.zeros((groups,), tl.int32)


@triton.jit
def largest(row, m, at, shift, begin, end, BLOCK: tl.constexpr):
    """(M, token): the largest of the logits begin..end-1, and the first of them, from ``larger``.

    token is 0 if M is -inf.
    """
    groups: tl.constexpr = m.shape[0]
    size: tl.constexpr = BLOCK // groups
    starts = at * BLOCK + tl.arange(0, groups) * size - shift
    return largest_of_groups(row, m, starts, begin, end, size)


@triton.jit
def largest_of_groups(row, m, starts, begin, end, SIZE: tl.constexpr):
    """The same of groups of SIZE logits that begin at the columns ``starts``."""
    M = tl.max(m, 0)
    # Groups do not overlap, so the first that has M has the first M.
    j = tl.min(tl.where(m == M, starts, end), 0) + tl.arange(0, SIZE)
    x = tl.load(row + j, mask=(j >= begin) & (j < end), other=MINUS_INF).to(tl.float32)
    token = tl.min(tl.where(x == M, j, end), 0)
    return M, tl.where(M > MINUS_INF, token, 0)


@triton.jit
def inside(k, shift, begin, end, BLOCK: tl.constexpr):
    """Lanes of block k that are logits begin..end-1."""
    j = k * BLOCK - shift + tl.arange(0, BLOCK)
    return (j >= begin) & (j < end)


@triton.jit
def edge_block(start, k, shift, begin, end, V, BLOCK: tl.constexpr):
    """Block k with everything outside the logits begin..end-1 replaced by -inf."""
    lanes = tl.arange(0, BLOCK)
    j = k * BLOCK - shift + lanes
    if (k * BLOCK >= shift) & ((k + 1) * BLOCK - shift <= V):
        x = tl.load(start + k * BLOCK + lanes)
    else:
        x = tl.load(start + k * BLOCK + lanes, mask=(j >= 0) & (j < V), other=MINUS_INF)
    return tl.where(inside(k, shift, begin, end, BLOCK), x.to(tl.float32), MINUS_INF)


@triton.jit
def rotated_sum(lanes, shift, BLOCK: tl.constexpr):
    """Sum of lanes, each turned to where it is for a row that begins at a 16-byte boundary."""
    if shift > 0:
        lanes = tl.gather(lanes, (tl.arange(0, BLOCK) + shift) % BLOCK, 0)
    return tl.sum(lanes, 0)


@triton.jit
def scan(
    row, first, last, V, c, ref,
    EXACT: tl.constexpr, SQUARES: tl.constexpr,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
    cap=None, LINEAR: tl.constexpr = False,
):  # fmt: skip
    """(D, W, Q, M, token) of partitions first..last-1, relative to ref; token is 0 if M is -inf."""
    shift = elements_past_boundary(row)
    start = tl.multiple_of(row - shift, 16)
    lanes = tl.arange(0, BLOCK)
    g = c * ref
    m, at = no_largest(row, BLOCK)
    D = 0.0
    W = 0.0
    Q = 0.0
    for p in range(first, last):
        begin = p * PARTITION
        end = tl.minimum(begin + PARTITION, V)
        k = begin // BLOCK
        tail = (end + shift) // BLOCK
        d = tl.zeros((BLOCK,), tl.float32)
        w = tl.zeros((BLOCK,), tl.float32)
        q = tl.zeros((BLOCK,), tl.float32)
        if shift > 0:
            x = edge_block(start, k, shift, begin, end, V, BLOCK)
            d, w, q, m, at = step(
                x, k, d, w, q, m, at, c, ref, g, EXACT, SQUARES, cap, LINEAR,
                inside(k, shift, begin, end, BLOCK),
            )  # fmt: skip
            k += 1
        whole = tl.maximum(tail - k, 0)
        together = whole // AHEAD * AHEAD
        if together > 0:
            ahead = load_blocks(start + k * BLOCK, BLOCK, AHEAD)
            for k0 in range(k, k + together, AHEAD):
                # At the end, the last ones again.
                following = start + tl.minimum(k0 + AHEAD, k + together - AHEAD) * BLOCK
                later = ()
                for i in tl.static_range(AHEAD):
                    x = unpacked(ahead[i], BLOCK)
                    # AHEAD blocks are always on their way while another is worked on.
                    later += (load_packed(following, i, BLOCK),)
                    d, w, q, m, at = step(
                        x, k0 + i, d, w, q, m, at, c, ref, g, EXACT, SQUARES, cap, LINEAR
                    )
                ahead = later
        for k0 in range(k + together, k + whole):
            x = unpacked(load_packed(start, k0, BLOCK), BLOCK)
            d, w, q, m, at = step(x, k0, d, w, q, m, at, c, ref, g, EXACT, SQUARES, cap, LINEAR)
        if (tail >= k) & (tail * BLOCK - shift < end):
            x = edge_block(start, tail, shift, begin, end, V, BLOCK)
            d, w, q, m, at = step(
                x, tail, d, w, q, m, at, c, ref, g, EXACT, SQUARES, cap, LINEAR,
                inside(tail, shift, begin, end, BLOCK),
            )  # fmt: skip
        if shift > 0:
            d = tl.gather(d, (lanes + shift) % BLOCK, 0)
            w = tl.gather(w, (lanes + shift) % BLOCK, 0)
            if SQUARES:
                q = tl.gather(q, (lanes + shift) % BLOCK, 0)
        D += tl.sum(d, 0)
        W += tl.sum(w, 0)
        if SQUARES:
            Q += tl.sum(q, 0)
    M, token = largest(row, m, at, shift, first * PARTITION, tl.minimum(last * PARTITION, V), BLOCK)
    return D, W, Q, M, token


@triton.jit
def largest_of_first_block(row, V, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    x = tl.load(row + lanes, mask=lanes < V, other=MINUS_INF).to(tl.float32)
    return tl.max(tl.where(x == x, x, MINUS_INF), 0)


@triton.jit
def keep_partition(sums_ptr, tokens_ptr, at, D, W, Q, M, token, SQUARES: tl.constexpr):
    """Store what one partition gave: sums (N, P, 3 or 4) = D, W, M and Q, tokens (N, P)."""
    numbers: tl.constexpr = 4 if SQUARES else 3
    tl.store(sums_ptr + numbers * at, D)
    tl.store(sums_ptr + numbers * at + 1, W)
    tl.store(sums_ptr + numbers * at + 2, M)
    if SQUARES:
        tl.store(sums_ptr + numbers * at + 3, Q)
    tl.store(tokens_ptr + at, token)


@triton.jit
def add_partitions(sums_ptr, tokens_ptr, n, P, SQUARES: tl.constexpr):
    """(D, W, Q, M, token) of row n: added in the order in which one program adds them."""
    numbers: tl.constexpr = 4 if SQUARES else 3
    D = 0.0
    W = 0.0
    Q = 0.0
    M = MINUS_INF
    token = 0
    for p in range(0, P):
        at = n * P + p
        D += tl.load(sums_ptr + numbers * at)
        W += tl.load(sums_ptr + numbers * at + 1)
        m = tl.load(sums_ptr + numbers * at + 2)
        if SQUARES:
            Q += tl.load(sums_ptr + numbers * at + 3)
        token = tl.where(m > M, tl.load(tokens_ptr + at), token)
        M = tl.maximum(M, m)
    return D, W, Q, M, token


@triton.jit
def bin_of(c, edges_ptr, B, mask):
    """Number of k in 1..B-1 with c >= t_k, where edges[k - 1] = t_k and c is in [0, 1]."""
    guess = tl.minimum((c * B).to(tl.int32), B - 1)
    # The guess is wrong by at most one; the table, not the product, decides.
    below = tl.load(edges_ptr + guess - 1, mask=mask & (guess > 0), other=0.0)
    above = tl.load(edges_ptr + guess, mask=mask & (guess < B - 1), other=2.0)
    return guess - (c < below).to(tl.int32) + (c >= above).to(tl.int32)


@triton.jit
def count_in_histogram(seen_ptr, edges_ptr, c, correct, valid, counted, B):
    """Add confidences c to seen (3B + 1,) int64: counts, correct, sums of trunc(c 2^32), invalid.

    Integer addition: any order of arrival gives the same bits.
    """
    good = counted & valid & (c >= 0.0) & (c <= 1.0)
    c = tl.where(good, c, 0.0)
    b = bin_of(c, edges_ptr, B, good)
    one = good.to(tl.int64)
    fixed = (c * FIXED_POINT).to(tl.int64)
    tl.atomic_add(seen_ptr + b, one, mask=good, sem="relaxed")
    tl.atomic_add(seen_ptr + B + b, one, mask=good & correct, sem="relaxed")
    tl.atomic_add(seen_ptr + 2 * B + b, fixed, mask=good, sem="relaxed")
    tl.atomic_add(seen_ptr + 3 * B + 0 * b, one + 1, mask=counted & ~good, sem="relaxed")
