"""From the sums of a whole row to numbers that can be told: far rows, NaN and infinities.

Sums are those of ``device.scan``, relative to a reference logit. Where the row's maximum lies too
far above it, the row is read again, relative to the maximum.
"""

import triton
import triton.language as tl

from .device import HEADROOM, LINEAR_UNIT, MINUS_INF, PLUS_INF, capped, scan


@triton.jit
def blemishes(row, V, BLOCK: tl.constexpr):
    """Index of the row's first NaN (V if there is none) and its number of +inf."""
    lanes = tl.arange(0, BLOCK)
    nan_at = tl.full((BLOCK,), 2147483647, tl.int32)
    infinite = tl.zeros((BLOCK,), tl.int32)
    for j in range(0, V, BLOCK):
        x = tl.load(row + j + lanes, mask=j + lanes < V, other=0.0).to(tl.float32)
        nan_at = tl.minimum(nan_at, tl.where(x != x, j + lanes, 2147483647))
        infinite += (x == PLUS_INF).to(tl.int32)
    return tl.minimum(tl.min(nan_at, 0), V), tl.sum(infinite, 0)


@triton.jit
def distance(top, M, c, ref):
    """(how many bits top lies above ref, whether that is too far); M is top before a cap."""
    z = tl.fma(top, c, -(c * ref))
    finite = (M > MINUS_INF) & (M < PLUS_INF)
    # Also true for a NaN in z: c * ref overflowed.
    return z, finite & ~((z >= -1.0) & (z <= HEADROOM))


@triton.jit
def settle(
    row, n, V, c, ref, D, W, Q, M, token, slow_ptr,
    SQUARES: tl.constexpr, PARTITION: tl.constexpr, BLOCK: tl.constexpr,
    cap=None, LINEAR: tl.constexpr = False,
):  # fmt: skip
    """``settled`` of the sums of a row, which is read again where it has to be."""
    top = capped(M, cap)
    z, slow = distance(top, M, c, ref)
    if slow:
        partitions = tl.cdiv(V, PARTITION)
        D, W, Q, _m, _token = scan(
            row, 0, partitions, V, c, top, True, SQUARES, PARTITION, BLOCK, 1, cap, LINEAR
        )  # fmt: skip
        z = 0.0
    if slow_ptr is not None:
        tl.store(slow_ptr + n, slow.to(tl.int32))
    return settled(row, V, z, D, W, Q, M, token, BLOCK, LINEAR)


@triton.jit
def settled(row, V, z, D, W, Q, M, token, BLOCK: tl.constexpr, LINEAR: tl.constexpr):
    """Turn sums relative to z bits below the row's maximum M into ones relative to it.

    Returns (M, D, W, Q, token, broken). ``broken``: a NaN, several +inf, or nothing but -inf. A
    single +inf is the limit: M = +inf, D = Q = 1, W = 0. token is a column, whatever the row.
    """
    scale = tl.exp2(-z)
    W = tl.fma(-z, D, W) * scale
    D = D * scale
    Q = tl.fma(-z, V * LINEAR_UNIT, Q) if LINEAR else Q * scale * scale
    broken = M == MINUS_INF
    if (M == PLUS_INF) | (D != D):
        nan_at, infinite = blemishes(row, V, BLOCK)
        if nan_at < V:
            token = nan_at
        broken = (nan_at < V) | (infinite != 1)
        D = 1.0
        W = 0.0
        Q = 1.0
    return M, D, W, Q, token, broken
