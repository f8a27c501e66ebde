"""Temperature sweep over the options of a question: no read of the vocabulary.

    score_o = ln sum_m exp(b x_om)        nll = ln sum_o exp(score_o) - score_y        b = 1 / T

x (N, V), ids (1 or N, O, M), labels (N,) -> as ``sweep``. Derivatives in b: E[x] over all spellings
less E[x] over the label's, and the same difference of variances. Reads the options' logits, several
times. A NaN, two +inf or only -inf among them, or a wrong id: the row is not counted.

Axes: as in ``sweep``.
"""

import triton
import triton.language as tl

from .device import LN2, MINUS_INF, PLUS_INF, count_in_histogram, fraction, whole
from .temperature_sweep_walk import UNSPECIALISED, keep, usable_scale


@triton.jit
def distinct_logits(row, ids_ptr, o, m, O, M, V):
    """Logits of a tile of spellings: -inf for padding, wrong ids and repeats inside an option."""
    inside = (o < O)[:, None] & (m < M)[None, :]
    ids = tl.load(ids_ptr + o[:, None] * M + m[None, :], mask=inside, other=-1)
    x = tl.load(row + ids, mask=(ids >= 0) & (ids < V), other=MINUS_INF).to(tl.float32)
    repeated = ids < 0
    for earlier in range(0, M - 1):
        other = tl.load(ids_ptr + o * M + earlier, mask=o < O, other=-1)
        repeated |= (ids == other[:, None]) & (m > earlier)[None, :]
    return ids, tl.where(repeated, MINUS_INF, x)


@triton.jit
def survey(row, ids_ptr, O, M, V, TILE_O: tl.constexpr, TILE_M: tl.constexpr):
    """The largest logit of the options, and whether nothing can be said of the row."""
    best = tl.full((TILE_O, TILE_M), MINUS_INF, tl.float32)
    wrong = tl.zeros((TILE_O, TILE_M), tl.int32)
    infinite = tl.zeros((TILE_O, TILE_M), tl.int32)
    for o0 in range(0, O, TILE_O):
        for m0 in range(0, M, TILE_M):
            o = o0 + tl.arange(0, TILE_O)
            ids, x = distinct_logits(row, ids_ptr, o, m0 + tl.arange(0, TILE_M), O, M, V)
            best = tl.maximum(best, tl.where(x == x, x, MINUS_INF))
            wrong += ((ids < -1) | (ids >= V) | (x != x)).to(tl.int32)
            infinite += (x == PLUS_INF).to(tl.int32)
    largest = tl.max(tl.max(best, 1), 0)
    broken = (tl.sum(tl.sum(wrong, 1), 0) > 0) | (tl.sum(tl.sum(infinite, 1), 0) > 1)
    return largest, broken | (largest == MINUS_INF)


@triton.jit
def plain(x, spike):
    """With ``spike``, +inf is read as 0 and every other logit as -inf: the limit."""
    return tl.where(spike, tl.where(x == PLUS_INF, 0.0, MINUS_INF), x)


@triton.jit
def option_sums(
    row, ids_ptr, o, O, M, V, c, spike, TILE_O: tl.constexpr, TILE_M: tl.constexpr
):  # fmt: skip
    """Per option of a tile its largest logit, and d, w, s over y = x - largest: weights 2^(c y).

    d, and so the score, does not depend on the order of spellings: options with the same logits
    tie.
    """
    largest = tl.full((TILE_O,), MINUS_INF, tl.float32)
    for m0 in range(0, M, TILE_M):
        _ids, x = distinct_logits(row, ids_ptr, o, m0 + tl.arange(0, TILE_M), O, M, V)
        largest = tl.maximum(largest, tl.max(plain(x, spike), 1))
    centre = tl.where(largest == MINUS_INF, 0.0, largest)
    d = tl.zeros((TILE_O,), tl.int64)
    w = tl.zeros((TILE_O,), tl.float32)
    s = tl.zeros((TILE_O,), tl.float32)
    for m0 in range(0, M, TILE_M):
        _ids, x = distinct_logits(row, ids_ptr, o, m0 + tl.arange(0, TILE_M), O, M, V)
        y = plain(x, spike) - centre[:, None]
        e = tl.exp2(y * c)
        y = tl.where(e > 0.0, y, 0.0)
        d += tl.sum(whole(e), 1)
        w += tl.sum(e * y, 1)
        s += tl.sum(e * y * y, 1)
    return largest, fraction(d), w, s


@triton.jit
def one_temperature(
    row, n, ids_ptr, place, c, usable, facts, outputs, sizes,
    ORDER: tl.constexpr, TILE_O: tl.constexpr, TILE_M: tl.constexpr,
):  # fmt: skip
    best, spike, label, counted, ignored = facts
    terms_ptr, seen_ptr, edges_ptr = outputs
    N, K, B, O, M, V = sizes
    D, W, S = 0.0, 0.0, 0.0
    top = MINUS_INF
    prediction = 0
    gold, gold_mean, gold_spread = MINUS_INF, MINUS_INF, 0.0
    for o0 in range(0, O, TILE_O):
        o = o0 + tl.arange(0, TILE_O)
        largest, d, w, s = option_sums(row, ids_ptr, o, O, M, V, c, spike, TILE_O, TILE_M)
        there = largest > MINUS_INF
        shift = tl.where(there, largest - best, 0.0)
        score = tl.where(there, shift * c + tl.log2(tl.maximum(d, 1.0)), MINUS_INF)
        a = tl.where(there, tl.exp2(shift * c), 0.0)
        D += tl.sum(a * d, 0)
        moved = tl.where(a > 0.0, shift, 0.0)
        W += tl.sum(a * (w + moved * d), 0)
        S += tl.sum(a * (s + moved * (2.0 * w + moved * d)), 0)
        tile_top = tl.max(score, 0)
        first = tl.min(tl.where(score == tile_top, o, O), 0)
        prediction = tl.where(tile_top > top, first, prediction)
        top = tl.maximum(tile_top, top)
        mine = (o == label) & there
        if tl.max(mine.to(tl.int32), 0) > 0:
            gold = tl.sum(tl.where(mine, score, 0.0), 0)
            own = tl.where(mine, w / tl.maximum(d, 1.0), 0.0)
            gold_mean = tl.sum(tl.where(mine, shift + own, 0.0), 0)
            gold_spread = tl.sum(tl.where(mine, s / tl.maximum(d, 1.0) - own * own, 0.0), 0)
    D = tl.maximum(D, 1.0)
    nll = tl.maximum(tl.log2(D) - gold, 0.0) * LN2
    mean = W.to(tl.float64) / D
    spread = tl.maximum(S.to(tl.float64) / D - mean * mean, 0.0)
    grad = mean - gold_mean
    hess = spread - tl.maximum(gold_spread, 0.0)
    keep(terms_ptr, n, N, K, place, counted, usable, nll, grad, hess, ORDER)
    if seen_ptr is not None:
        confidence = tl.minimum(tl.exp2(top) / D, 1.0)
        correct = counted & (label == prediction)
        seen = seen_ptr + place.to(tl.int64) * (3 * B + 1)
        count_in_histogram(
            seen, edges_ptr, tl.where(counted, confidence, float("nan")), correct, counted & usable,
            ~ignored, B,
        )  # fmt: skip


@triton.jit(do_not_specialize=UNSPECIALISED)
def sweep_options_kernel(
    x_ptr, ids_ptr, labels_ptr, t_ptr, edges_ptr, terms_ptr, counted_ptr, seen_ptr,
    N, V, K, B, O, M, x_stride, ids_stride, ignore_index, scale0, scale1, scale2, scale3,
    place0, place1, place2, place3,
    FIRST: tl.constexpr, TERMS: tl.constexpr, ORDER: tl.constexpr, TILE_O: tl.constexpr,
    TILE_M: tl.constexpr,
):  # fmt: skip
    """One program per row."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    ids = ids_ptr + n * ids_stride
    best, broken = survey(row, ids, O, M, V, TILE_O, TILE_M)
    spike = best == PLUS_INF
    label = tl.load(labels_ptr + n).to(tl.int64)
    ignored = label == ignore_index
    counted = ~ignored & (label >= 0) & (label < O) & ~broken
    tl.store(counted_ptr + n, counted.to(tl.int32))
    best = tl.where(spike | broken, 0.0, best)
    facts = (best, spike, label, counted, ignored)
    outputs = (terms_ptr, seen_ptr, edges_ptr)
    sizes = (N, K, B, O, M, V)
    for i in tl.static_range(TERMS):
        place = (place0, place1, place2, place3)[i]
        if place >= 0:
            scale = (scale0, scale1, scale2, scale3)[i]
            c, usable = usable_scale(scale, t_ptr, place)
            if FIRST > 0:
                c = c * (FIRST + i)
            one_temperature(
                row, n, ids, place, c, usable, facts, outputs, sizes, ORDER, TILE_O, TILE_M
            )
