"""The walk of a temperature sweep along one row: sums of e, z e and z^2 e at four temperatures.

In the terms of ``sweep``: on a grid b, 2b, 3b, ... one exponential e = 2^z serves the four, as
powers; of other temperatures each has its own. The walk itself is that of ``device.scan``.
Before it, what ``sweep`` and ``sweep_options`` share: a temperature's scale, storing a row's share.
"""

import triton
import triton.language as tl

from .device import (
    LOG2E,
    PLUS_INF,
    edge_block,
    elements_past_boundary,
    larger,
    largest,
    load_blocks,
    load_packed,
    no_largest,
    rotated_sum,
    unpacked,
)

# One compiled kernel serves every size, stride, alignment and temperature.
UNSPECIALISED = [
    "x_ptr", "labels_ptr", "t_ptr", "edges_ptr", "ids_ptr", "N", "V", "K", "B", "O", "M",
    "x_stride", "ids_stride", "ignore_index", "scale0", "scale1", "scale2", "scale3",
    "place0", "place1", "place2", "place3",
]  # fmt: skip


@triton.jit
def usable_scale(scale, t_ptr, place):
    """(c, whether the temperature is usable); c is 1 where it is not."""
    c = scale
    usable = scale > 0.0
    if t_ptr is not None:
        T = tl.load(t_ptr + place, mask=place >= 0, other=1.0)
        usable = (T >= 1.0e-38) & (T < PLUS_INF)
        c = tl.div_rn(LOG2E, tl.where(usable, T, LOG2E))
    c = tl.where(usable, c, 1.0)
    return tl.minimum(tl.maximum(c, 1.0e-37), 1.0e37), usable


@triton.jit
def keep(terms_ptr, n, N, K, place, counted, usable, nll, grad, hess, ORDER: tl.constexpr):
    """Store one row's share at one temperature: terms (3, K, N) float64."""
    at = place.to(tl.int64) * N + n
    tl.store(
        terms_ptr + at, tl.where(usable, tl.where(counted, nll, 0.0), float("nan")).to(tl.float64)
    )
    if ORDER > 0:
        value = tl.where(usable, tl.where(counted, grad, 0.0), float("nan"))
        tl.store(terms_ptr + K.to(tl.int64) * N + at, value)
    if ORDER > 1:
        value = tl.where(usable, tl.where(counted, hess, 0.0), float("nan"))
        tl.store(terms_ptr + 2 * K.to(tl.int64) * N + at, value)


@triton.jit
def distance(x, c, ref, EXACT: tl.constexpr):
    """z. EXACT: ref is the row's maximum, and the difference comes first: nothing overflows."""
    return (x - ref) * c if EXACT else tl.fma(x, c, -(c * ref))


@triton.jit
def term(x, c, ref, d, w, s, EXACT: tl.constexpr, ORDER: tl.constexpr):
    """Add the logits x to the sums of one temperature."""
    z = distance(x, c, ref, EXACT)
    e = tl.exp2(z)
    d += e
    # A logit of -inf has e = 0 and must add 0, not 0 * -inf. NaN survives because e is NaN.
    z = tl.maximum(z, -1000.0)
    if ORDER > 0:
        w = tl.fma(e, z, w)
    if ORDER > 1:
        s = tl.fma(e, z * z, s)
    return d, w, s


@triton.jit
def first_powers(e, z, D, W, S, ORDER: tl.constexpr):
    """Add to the sums of e^k, z e^k and z^2 e^k, k = 1 to 4: each last product with its sum."""
    square = e * e
    ez = e * z
    square_z = square * z
    D = (D[0] + e, tl.fma(e, e, D[1]), tl.fma(square, e, D[2]), tl.fma(square, square, D[3]))
    if ORDER > 0:
        W = (
            W[0] + ez,
            tl.fma(ez, e, W[1]),
            tl.fma(square_z, e, W[2]),
            tl.fma(square_z, square, W[3]),
        )
    if ORDER > 1:
        S = (
            tl.fma(ez, z, S[0]),
            tl.fma(ez, ez, S[1]),
            tl.fma(square_z, ez, S[2]),
            tl.fma(square_z, square_z, S[3]),
        )
    return D, W, S


@triton.jit
def times_powers(f, e, square, cube, fourth, A):
    """Add f times each power to four sums."""
    return (
        tl.fma(f, e, A[0]), tl.fma(f, square, A[1]), tl.fma(f, cube, A[2]), tl.fma(f, fourth, A[3])
    )  # fmt: skip


@triton.jit
def upper_powers(e, z, D, W, S, ORDER: tl.constexpr):
    """As ``first_powers``, k = 5 to 8: the fourth times the first four."""
    square = e * e
    cube = square * e
    fourth = square * square
    D = times_powers(fourth, e, square, cube, fourth, D)
    if ORDER > 0:
        W = times_powers(fourth * z, e, square, cube, fourth, W)
    if ORDER > 1:
        S = times_powers(fourth * z * z, e, square, cube, fourth, S)
    return D, W, S


@triton.jit
def sweep_step(
    x, k, m, at, D, W, S, c, ref,
    EXACT: tl.constexpr, FIRST: tl.constexpr, TERMS: tl.constexpr, ORDER: tl.constexpr,
):  # fmt: skip
    """Add block k of logits x to the lanes: sums D, W, S of four temperatures, maximum m."""
    if FIRST > 0:
        z = distance(x, c[0], ref, EXACT)
        e = tl.exp2(z)
        z = tl.maximum(z, -1000.0)  # as in ``term``
        if FIRST == 1:
            D, W, S = first_powers(e, z, D, W, S, ORDER)
        else:
            D, W, S = upper_powers(e, z, D, W, S, ORDER)
    else:
        d0, w0, s0 = term(x, c[0], ref, D[0], W[0], S[0], EXACT, ORDER)
        d1, w1, s1 = D[1], W[1], S[1]
        d2, w2, s2 = D[2], W[2], S[2]
        d3, w3, s3 = D[3], W[3], S[3]
        if TERMS > 1:
            d1, w1, s1 = term(x, c[1], ref, d1, w1, s1, EXACT, ORDER)
            d2, w2, s2 = term(x, c[2], ref, d2, w2, s2, EXACT, ORDER)
            d3, w3, s3 = term(x, c[3], ref, d3, w3, s3, EXACT, ORDER)
        D, W, S = (d0, d1, d2, d3), (w0, w1, w2, w3), (s0, s1, s2, s3)
    m, at = larger(x, k, m, at)
    return m, at, D, W, S


@triton.jit
def sweep_scan(
    row, V, c, ref,
    EXACT: tl.constexpr, FIRST: tl.constexpr, TERMS: tl.constexpr, ORDER: tl.constexpr,
    TOKEN: tl.constexpr, PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """(D, W, S, M, token) of a row, the first three of four temperatures; walks as ``scan``."""
    shift = elements_past_boundary(row)
    start = tl.multiple_of(row - shift, 16)
    m, at = no_largest(row, BLOCK)
    D0, D1, D2, D3 = 0.0, 0.0, 0.0, 0.0
    W0, W1, W2, W3 = 0.0, 0.0, 0.0, 0.0
    S0, S1, S2, S3 = 0.0, 0.0, 0.0, 0.0
    for p in range(0, tl.cdiv(V, PARTITION)):
        begin = p * PARTITION
        end = tl.minimum(begin + PARTITION, V)
        k = begin // BLOCK
        tail = (end + shift) // BLOCK
        zero = tl.zeros((BLOCK,), tl.float32)
        d = (zero, zero, zero, zero)
        w = (zero, zero, zero, zero)
        s = (zero, zero, zero, zero)
        if shift > 0:
            x = edge_block(start, k, shift, begin, end, V, BLOCK)
            m, at, d, w, s = sweep_step(x, k, m, at, d, w, s, c, ref, EXACT, FIRST, TERMS, ORDER)
            k += 1
        whole = tl.maximum(tail - k, 0)
        together = whole // AHEAD * AHEAD
        if together > 0:
            ahead = load_blocks(start + k * BLOCK, BLOCK, AHEAD)
            for k0 in range(k, k + together, AHEAD):
                following = start + tl.minimum(k0 + AHEAD, k + together - AHEAD) * BLOCK
                later = ()
                for i in tl.static_range(AHEAD):
                    x = unpacked(ahead[i], BLOCK)
                    later += (load_packed(following, i, BLOCK),)
                    m, at, d, w, s = sweep_step(
                        x, k0 + i, m, at, d, w, s, c, ref, EXACT, FIRST, TERMS, ORDER
                    )
                ahead = later
        for k0 in range(k + together, k + whole):
            x = unpacked(load_packed(start, k0, BLOCK), BLOCK)
            m, at, d, w, s = sweep_step(x, k0, m, at, d, w, s, c, ref, EXACT, FIRST, TERMS, ORDER)
        if (tail >= k) & (tail * BLOCK - shift < end):
            x = edge_block(start, tail, shift, begin, end, V, BLOCK)
            m, at, d, w, s = sweep_step(x, tail, m, at, d, w, s, c, ref, EXACT, FIRST, TERMS, ORDER)
        D0 += rotated_sum(d[0], shift, BLOCK)
        if ORDER > 0:
            W0 += rotated_sum(w[0], shift, BLOCK)
        if ORDER > 1:
            S0 += rotated_sum(s[0], shift, BLOCK)
        if TERMS > 1:
            D1 += rotated_sum(d[1], shift, BLOCK)
            D2 += rotated_sum(d[2], shift, BLOCK)
            D3 += rotated_sum(d[3], shift, BLOCK)
            if ORDER > 0:
                W1 += rotated_sum(w[1], shift, BLOCK)
                W2 += rotated_sum(w[2], shift, BLOCK)
                W3 += rotated_sum(w[3], shift, BLOCK)
            if ORDER > 1:
                S1 += rotated_sum(s[1], shift, BLOCK)
                S2 += rotated_sum(s[2], shift, BLOCK)
                S3 += rotated_sum(s[3], shift, BLOCK)
    M, token = largest(row, m, at, shift, 0, V, BLOCK) if TOKEN else (tl.max(m, 0), 0)
    return (D0, D1, D2, D3), (W0, W1, W2, W3), (S0, S1, S2, S3), M, token
