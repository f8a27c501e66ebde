"""What the sampler's blocks of 4,096 logits weigh: all of them, and what the filters leave.

A block's sums are the same bits whichever program makes them: lanes add their logits in order, then
meet in one tree.
"""

import triton
import triton.language as tl

from .device import (
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
from .sample_survivors import BLOCK

UNSPECIALISED = ["x_ptr", "t_ptr", "V", "B", "WALK", "x_stride", "t_stride", "scale"]


@triton.jit
def whole_pieces(start, k, PIECE: tl.constexpr):
    """The pieces of a block, from piece k on."""
    x = ()
    for i in tl.static_range(BLOCK // PIECE):
        x += (unpacked(load_packed(start, k + i, PIECE), PIECE),)
    return x


@triton.jit
def inner_piece(start, k, shift, V, PIECE: tl.constexpr):
    """Piece k of a row, not before its first column; beyond the row, -inf."""
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
    """Block b in pieces from the 16-byte boundary below it. The lanes before its first logit hold
    logits of the next piece, so that each lane has its logits in order and none of another block.
    """
    start = tl.multiple_of(row - shift, 16)
    k = b * (BLOCK // PIECE)
    begin = b * BLOCK
    if (begin >= shift) & (begin + BLOCK - shift <= V):
        x = whole_pieces(start, k, PIECE)
    else:
        x = cut_pieces(start, k, shift, begin, tl.minimum(begin + BLOCK, V), V, PIECE)
    if shift > 0:
        x += (inner_piece(start, k + BLOCK // PIECE, shift, V, PIECE),)
        x = pieces_in_order(x, tl.arange(0, PIECE) >= shift)
    return x


@triton.jit
def pieces_in_order(x, inside):
    """Pieces of which the lanes that are not inside hold what the next one has there."""
    y = ()
    for i in tl.static_range(len(x) - 1):
        y += (tl.where(inside, x[i], x[i + 1]),)
    return y


@triton.jit
def weigh(x, d, w, c, ref):
    """Add e and e z of a piece of logits to the lanes."""
    z = (x - ref) * c
    e = tl.exp2(z)
    # A logit of -inf has e = 0 and must add 0, not 0 * -inf. NaN survives because e is NaN.
    return d + e, tl.fma(e, tl.maximum(z, -1000.0), w)


@triton.jit
def add_both(a, b, x, y):
    return a + x, b + y


@triton.jit
def keep_sums(x, shift, c, to, PIECE: tl.constexpr):
    """Store (M, sum e, sum e z) of a block, in pieces as they were loaded, where ``to`` points."""
    PIECES: tl.constexpr = BLOCK // PIECE
    m = unpacked(x[0], PIECE)
    for i in tl.static_range(1, PIECES):
        m = tl.maximum(m, unpacked(x[i], PIECE))
    M = tl.max(m, 0)
    ref = tl.where((M > MINUS_INF) & (M < PLUS_INF), M, 0.0)
    d = tl.zeros((PIECE,), tl.float32)
    w = tl.zeros((PIECE,), tl.float32)
    for i in tl.static_range(PIECES):
        d, w = weigh(unpacked(x[i], PIECE), d, w, c, ref)
    if shift > 0:
        turned = (tl.arange(0, PIECE) + shift) % PIECE
        d = tl.gather(d, turned, 0)
        w = tl.gather(w, turned, 0)
    D, W = tl.reduce((d, w), 0, add_both)
    if (M == PLUS_INF) & (D == D):
        infinite = tl.zeros((PIECE,), tl.float32)
        for i in tl.static_range(PIECES):
            infinite += (unpacked(x[i], PIECE) == PLUS_INF).to(tl.float32)
        D = tl.sum(infinite, 0)
        W = 0.0
    tl.store(to, M)
    tl.store(to + 1, D)
    tl.store(to + 2, W)


@triton.jit(do_not_specialize=UNSPECIALISED)
def block_sums_kernel(
    x_ptr, t_ptr, sums_ptr, V, B, WALK, x_stride, t_stride, scale, PIECE: tl.constexpr
):  # fmt: skip
    """One program for every WALK blocks of a row, one unless logits are bfloat16: sums (N, B, 3) =
    a block's maximum M, sum e, sum e z beside M.

    A NaN makes the sums NaN. Where M is +inf, sum e is the number of +inf.
    """
    PIECES: tl.constexpr = BLOCK // PIECE
    # Of the other dtypes two blocks do not fit into the registers.
    AHEAD: tl.constexpr = x_ptr.dtype.element_ty == tl.bfloat16
    pid = tl.program_id(0)
    walks = tl.cdiv(B, WALK)
    n = (pid // walks).to(tl.int64)
    b = pid % walks * WALK
    last = tl.minimum(b + WALK, B)
    row = x_ptr + n * x_stride
    sums = sums_ptr + 3 * n * B
    c, _usable = temperature_scale(scale, t_ptr, n, t_stride)
    shift = elements_past_boundary(row)
    if AHEAD:
        whole = tl.minimum(last, V // BLOCK)
        if (shift == 0) & (b < whole):
            start = tl.multiple_of(row, 16)
            ahead = load_blocks(start + b * BLOCK, PIECE, PIECES)
            for k in range(b, whole):
                x = ahead
                # The next block is on its way while this one is added up.
                if k + 1 < whole:
                    ahead = load_blocks(start + (k + 1) * BLOCK, PIECE, PIECES)
                keep_sums(x, 0, c, sums + 3 * k, PIECE)
            b = whole
        for k in range(b, last):
            x = load_block(row, k, shift, V, PIECE)
            keep_sums(x, shift, c, sums + 3 * k, PIECE)
    else:
        x = load_block(row, b, shift, V, PIECE)
        keep_sums(x, shift, c, sums + 3 * b, PIECE)


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
