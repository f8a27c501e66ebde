"""Temperature sweep: the likelihood of the labels at several temperatures, four to a read.

    nll_k = sum_n (ln sum_v exp(b_k x_nv) - b_k x_ny)        b_k = 1 / T_k

and its derivatives in b_k: with p = softmax(b_k x_n), E_p[x] - x_y and Var_p[x].

x (N, V) fp32/bf16/fp16, labels (N,) -> nll, grad, hess (K,) float64, count () int64, seen
(K, 3B + 1) int64. Reads x once for four temperatures (twice where a row's maximum lies more than
HEADROOM, or with a variance VARIANCE_HEADROOM, above its first block); between its kernels, 8 to 24
bytes a row and temperature. A row with a NaN, two +inf or only -inf is not counted. N = 0 never
comes here.

On a grid b, 2b, 3b, ... in 1/T one exponential serves the four temperatures of a read: powers of
e = 2^z. Sums are over z = c x - c r, whose unit is that of the read's first temperature, or of
each.

Axes: N rows, V vocabulary, O options, M spellings of an option, K temperatures, B bins.
"""

import torch
import triton
import triton.language as tl

from calib_kernels import grid

from . import tuning
from .device import (
    HEADROOM,
    LN2,
    MINUS_INF,
    PLUS_INF,
    count_in_histogram,
)
from .launch import architecture, launch_options, on_device
from .row_stats import first_reference
from .settling import blemishes
from .temperature_sweep_options import sweep_options_kernel
from .temperature_sweep_walk import UNSPECIALISED, keep, sweep_scan, usable_scale

# HEADROOM where a variance is wanted: a difference of squares of z, whose digits cancel sooner.
VARIANCE_HEADROOM = tl.constexpr(10.0)

# The reference lies LIFT bits above the largest logit of so many blocks, of half as many where no
# derivative narrows how far the maximum may lie above. A row whose maximum lies farther is read
# twice, and where all rows are worked on at once all wait for the one. As z grows, so do its
# roundings: in a row of equal logits they add up, to 4e-7 nats of b grad for each bit.
SAMPLED_BLOCKS = tl.constexpr(16)
LIFT = tl.constexpr(6.0)


@triton.jit
def finish_term(
    n, place, D, W, S, k, c, usable, facts, outputs, sizes, ORDER: tl.constexpr
):  # fmt: skip
    """From the sums of a row at the k-th multiple of c to what leaves the kernel."""
    terms_ptr, seen_ptr, edges_ptr = outputs
    N, K, B = sizes
    x, peak, zx, zM, counted, ignored, correct, certain = facts
    if place >= 0:
        # Relative to the row's maximum: differences of logits, never of products.
        D = tl.maximum(tl.where(certain, 1.0, D), 1.0e-37)
        on_top = tl.maximum(tl.where(certain, 1.0, D * tl.exp2(-k * zM)), 1.0)
        unit = c.to(tl.float64)
        gap = tl.where(x == peak, 0.0, (x.to(tl.float64) - peak) * (unit * k))
        nll = tl.maximum(tl.log2(on_top) - gap, 0.0) * LN2
        mean = tl.where(certain, 0.0, tl.cast(W, tl.float64) / D)
        grad = (mean - zx) / unit
        grad = tl.where(certain, tl.where(x == peak, 0.0, PLUS_INF), grad)
        hess = tl.maximum(tl.cast(S, tl.float64) / D - mean * mean, 0.0) / (unit * unit)
        hess = tl.where(certain, 0.0, hess)
        keep(terms_ptr, n, N, K, place, counted, usable, nll, grad, hess, ORDER)
        if seen_ptr is not None:
            seen = seen_ptr + place.to(tl.int64) * (3 * B + 1)
            valid = counted & usable
            count_in_histogram(seen, edges_ptr, 1.0 / on_top, correct, valid, ~ignored, B)


@triton.jit(do_not_specialize=UNSPECIALISED)
def sweep_kernel(
    x_ptr, labels_ptr, t_ptr, edges_ptr, terms_ptr, counted_ptr, seen_ptr, slow_ptr,
    N, V, K, B, x_stride, ignore_index, scale0, scale1, scale2, scale3,
    place0, place1, place2, place3,
    FIRST: tl.constexpr, TERMS: tl.constexpr, ORDER: tl.constexpr, PARTITION: tl.constexpr,
    BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """One program per row: FIRST .. FIRST + 3 times scale0, or with FIRST 0 the scales given."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    c0, usable0 = usable_scale(scale0, t_ptr, place0)
    c1, usable1 = c0, usable0
    c2, usable2 = c0, usable0
    c3, usable3 = c0, usable0
    most = c0
    if FIRST > 0:
        most = c0 * (FIRST + 3)
    elif TERMS > 1:
        c1, usable1 = usable_scale(scale1, t_ptr, place1)
        c2, usable2 = usable_scale(scale2, t_ptr, place2)
        c3, usable3 = usable_scale(scale3, t_ptr, place3)
        most = tl.maximum(tl.maximum(c0, c1), tl.maximum(c2, c3))
    c = (c0, c1, c2, c3)
    most_rise = VARIANCE_HEADROOM if ORDER > 1 else HEADROOM
    blocks: tl.constexpr = SAMPLED_BLOCKS if ORDER > 0 else SAMPLED_BLOCKS // 2
    ref = first_reference(row, V, blocks * BLOCK) + LIFT / most
    D, W, S, peak, token = sweep_scan(
        row, V, c, ref, False, FIRST, TERMS, ORDER, edges_ptr is not None, PARTITION, BLOCK, AHEAD
    )
    finite = (peak > MINUS_INF) & (peak < PLUS_INF)
    rise = tl.fma(peak, most, -(most * ref))
    # Also true for a NaN: most * ref overflowed.
    slow = finite & ~((rise >= -1.0 - LIFT) & (rise <= most_rise))
    if slow:
        D, W, S, _peak, _token = sweep_scan(
            row, V, c, peak, True, FIRST, TERMS, ORDER, False, PARTITION, BLOCK, 1
        )
    if slow_ptr is not None:
        tl.store(slow_ptr + n, slow.to(tl.int32))
    broken = peak == MINUS_INF
    certain = peak == PLUS_INF
    if certain | (D[0] != D[0]):
        nan_at, infinite = blemishes(row, V, BLOCK)
        broken = (nan_at < V) | (infinite != 1)
    label = tl.load(labels_ptr + n).to(tl.int64)
    ignored = label == ignore_index
    counted = ~ignored & (label >= 0) & (label < V) & ~broken
    correct = counted & (label == token)
    tl.store(counted_ptr + n, counted.to(tl.int32))
    x = tl.load(row + label, mask=counted, other=0.0).to(tl.float32)
    outputs = (terms_ptr, seen_ptr, edges_ptr)
    sizes = (N, K, B)
    for i in tl.static_range(TERMS):
        ci = c[0] if FIRST > 0 else c[i]
        place = (place0, place1, place2, place3)[i]
        usable = (usable0, usable1, usable2, usable3)[i]
        # Rounded as every other logit's, or where float32 does not reach as far, not at all.
        zx = tl.where(slow, (x - peak) * ci, tl.fma(x, ci, -(ci * ref))).to(tl.float64)
        far = (x.to(tl.float64) - tl.where(slow, peak, ref)) * ci.to(tl.float64)
        zx = tl.where(tl.abs(zx) < PLUS_INF, zx, far)
        zM = tl.where(slow, 0.0, tl.fma(peak, ci, -(ci * ref)))
        facts = (x, peak, zx, zM, counted, ignored, correct, certain)
        k = (FIRST + i) * 1.0 if FIRST > 0 else 1.0
        finish_term(n, place, D[i], W[i], S[i], k, ci, usable, facts, outputs, sizes, ORDER)


@triton.jit(do_not_specialize=["N", "K"])
def sweep_sum_kernel(terms_ptr, counted_ptr, nll_ptr, grad_ptr, hess_ptr, count_ptr, N, K,
                     BLOCK: tl.constexpr):  # fmt: skip
    """One program per temperature and derivative: its rows in an order that N alone decides."""
    k = tl.program_id(0)
    order = tl.program_id(1)
    lanes = tl.arange(0, BLOCK)
    start = terms_ptr + (order * K + k).to(tl.int64) * N
    sums = tl.zeros((BLOCK,), tl.float64)
    rows = tl.zeros((BLOCK,), tl.int64)
    for n in range(0, N, BLOCK):
        sums += tl.load(start + n + lanes, mask=n + lanes < N, other=0.0)
        rows += tl.load(counted_ptr + n + lanes, mask=n + lanes < N, other=0).to(tl.int64)
    total = tl.sum(sums, 0)
    if order == 0:
        tl.store(nll_ptr + k, total)
        if k == 0:
            tl.store(count_ptr, tl.sum(rows, 0))
    if grad_ptr is not None:
        tl.store(grad_ptr + k, total, mask=order == 1)
    if hess_ptr is not None:
        tl.store(hess_ptr + k, total, mask=order == 2)


def reads(temperatures):
    """(FIRST, four scales, four places) of each read; FIRST 0: temperatures of no grid."""
    if isinstance(temperatures, torch.Tensor):  # on the device: not to be looked at
        scales, groups, alone = None, (), list(range(temperatures.shape[0]))
    else:
        scales = grid.scales(temperatures)
        groups = grid.groups(scales, (range(1, 5), range(5, 9)), least=2)
        alone = [k for k, scale in enumerate(scales) if scale != scale]
    for group in groups:
        if not group.base:
            alone += group.places
            continue
        first = 1 if group.multiples[0] < 5 else 5
        places = [-1] * 4
        for multiple, place in zip(group.multiples, group.places, strict=True):
            places[multiple - first] = place
        yield first, [group.base] * 4, places
    alone.sort()
    for i in range(0, len(alone), 4):
        places = (alone[i : i + 4] + [-1] * 4)[:4]
        own = [0.0 if scales is None or k < 0 or scales[k] != scales[k] else scales[k]
               for k in places]  # fmt: skip
        # An empty place must not decide how far the row's maximum may lie above its first block.
        yield 0, [own[0] if k < 0 else value for k, value in zip(places, own, strict=True)], places


def temperature_sweep(rows, option_ids, temperatures, derivatives, out, *, tune=None, slow=None):
    """Launch; what the arguments are is written in the op's file. The last two are for tests:
    ``slow`` (N,) int32 receives 1 for each row that the last read had to read a second time."""
    logits, labels, _scale, _temperature, ignore_index, edges, seen = rows
    count, columns = logits.shape
    on_host = isinstance(temperatures, tuple)
    k = len(temperatures) if on_host else temperatures.shape[0]
    tune = tune or tuning.sweep(derivatives, architecture(logits.device))
    terms = logits.new_empty((derivatives + 1, k, count), dtype=torch.float64)
    counted = logits.new_empty((count,), dtype=torch.int32)
    device_temperatures = None if on_host else temperatures
    sizes = {
        "N": count,
        "V": columns,
        "K": k,
        "B": 0 if edges is None else edges.shape[0] + 1,
        "x_stride": logits.stride(0),
        "ignore_index": ignore_index,
        "ORDER": derivatives,
    }
    with on_device(logits):
        for first, scales, places in reads(temperatures):
            given = {f"scale{i}": min(max(c, 0.0), 1e37) for i, c in enumerate(scales)}
            given |= {f"place{i}": place for i, place in enumerate(places)}
            shared = (labels, device_temperatures, edges, terms, counted, seen)
            terms_of_read = 1 if first == 0 and places[1] < 0 else 4
            if option_ids is not None:
                options, spellings = option_ids.shape[1:]
                tile_o, tile_m = tuning.option_tile(spellings)
                sweep_options_kernel[(count,)](
                    logits, option_ids, *shared, **sizes, **given, O=options, M=spellings,
                    ids_stride=0 if option_ids.shape[0] == 1 else options * spellings,
                    FIRST=first, TERMS=terms_of_read, TILE_O=tile_o, TILE_M=tile_m,
                    **launch_options(logits, tune),
                )  # fmt: skip
                continue
            sweep_kernel[(count,)](
                logits, *shared, slow, **sizes, **given, FIRST=first, TERMS=terms_of_read,
                PARTITION=tune.partition, BLOCK=tune.block,
                # An exponential for each of four temperatures leaves no registers for more.
                AHEAD=tune.ahead if first or terms_of_read == 1 else 1,
                **launch_options(logits, tune),
            )  # fmt: skip
        sweep_sum_kernel[(k, derivatives + 1)](
            terms, counted, out.nll, out.grad, out.hess, out.count, count, k,
            BLOCK=tuning.HISTOGRAM.block, **launch_options(logits, tuning.HISTOGRAM),
        )  # fmt: skip
