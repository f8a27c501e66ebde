"""The loss and the gradient of the logits in one kernel, where the loss is one number.

    dx = g / T ((1 + 2 z_loss lse) p - (1 - s) 1[y] - s / V) dsoftcap/dx

x (N, V) bf16/fp16, labels y (N,) -> all that ``cross_entropy`` gives, and dx (N, V), which lies as
x does. g is what reaches the loss of a row if 1 reaches the whole: 1, or of a mean 1 / the rows
that are kept. Both to the bit what the two kernels give.

One program works on one row. It reads the row for its sums, and again for the gradient; as many
rows as there are multiprocessors are at work, and what they have read is still in the L2 cache.
Sums are those of ``device.scan``, in the same order: partitions lie beside each other in tiles
(G, BLOCK), so that to each come the warps, and to each lane of BLOCK the logits, that it has there.

Axes: N rows, V vocabulary, G partitions of a row, B bins.
"""

import torch
import triton
import triton.language as tl

from . import tuning
from .cross_entropy import reduce_kernel, tell_loss
from .device import (
    MINUS_INF,
    capped,
    elements_past_boundary,
    largest_of_groups,
    no_largest,
    step,
    temperature_scale,
    unpacked,
)
from .launch import launch_options, on_device
from .logits_gradient import (
    gradient_block,
    gradient_blocks,
    gradient_edge,
    kept_label,
    slope_of_cap,
    weights_of,
    zeros,
)
from .row_stats import first_reference
from .settling import distance, settled

# One compiled kernel serves every size, stride and alignment.
UNSPECIALISED = [
    "x_ptr", "labels_ptr", "t_ptr", "edges_ptr", "dx_ptr", "V", "B", "x_stride", "t_stride",
    "dx_stride", "scale", "ignore_index", "cap", "smoothing", "z_loss",
]  # fmt: skip
# Two bfloat16 of -inf.
NO_PAIR = tl.constexpr(0xFF80FF80)


@triton.jit
def partition_tails(V, shift, PARTITION: tl.constexpr, BLOCK: tl.constexpr, G: tl.constexpr):
    """(G,): of the blocks of each partition, the first that is not whole at its end."""
    begin = tl.arange(0, G) * PARTITION
    return (tl.minimum(begin + PARTITION, V) + shift) // BLOCK - begin // BLOCK


@triton.jit
def load_tile(start, k, tails, PARTITION: tl.constexpr, BLOCK: tl.constexpr, G: tl.constexpr):
    """Block k of each partition, -inf from its tail on; as ``device.load_packed`` has blocks."""
    begin = (tl.arange(0, G) * PARTITION)[:, None]
    there = (k < tails)[:, None]
    if start.dtype.element_ty == tl.bfloat16:
        pairs = start.to(tl.pointer_type(tl.uint32))
        at = begin // 2 + k * (BLOCK // 2) + tl.arange(0, BLOCK // 2)[None, :]
        return tl.load(pairs + at, mask=there, other=NO_PAIR)
    else:
        at = begin + k * BLOCK + tl.arange(0, BLOCK)[None, :]
        return tl.load(start + at, mask=there, other=MINUS_INF)


@triton.jit
def load_edge(
    row, k, least, shift, V, PARTITION: tl.constexpr, BLOCK: tl.constexpr, G: tl.constexpr
):
    """(logits, whether they are there) of block k (G, 1) of each partition, if it is ``least``."""
    begin = (tl.arange(0, G) * PARTITION)[:, None]
    j = begin + k * BLOCK - shift + tl.arange(0, BLOCK)[None, :]
    there = (j >= begin) & (j < tl.minimum(begin + PARTITION, V)) & (k >= least)
    return tl.load(row + j, mask=there, other=MINUS_INF).to(tl.float32), there


@triton.jit
def first_tiles(
    row, V, PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr, G: tl.constexpr
):
    """What ``scan_together`` begins with, which may be on its way before the reference is known."""
    shift = elements_past_boundary(row)
    start = tl.multiple_of(row - shift, 16)
    tails = partition_tails(V, shift, PARTITION, BLOCK, G)
    first = tl.minimum(shift, 1)
    tiles = ()
    for i in tl.static_range(AHEAD):
        tiles += (load_tile(start, first + i, tails, PARTITION, BLOCK, G),)
    # Block 0 of a row that begins at no boundary is the edge at its beginning.
    return tiles, load_edge(row, tails[:, None], first, shift, V, PARTITION, BLOCK, G)


@triton.jit
def scan_together(
    row, V, c, ref, ahead, edge,
    EXACT: tl.constexpr, LINEAR: tl.constexpr,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr, G: tl.constexpr, cap=None,
):  # fmt: skip
    """What ``device.scan`` gives of a row of G partitions or fewer; all are read at once."""
    shift = elements_past_boundary(row)
    start = tl.multiple_of(row - shift, 16)
    tails = partition_tails(V, shift, PARTITION, BLOCK, G)
    g = c * ref
    m, at = no_largest(row, G * BLOCK)
    groups: tl.constexpr = m.shape[0] // G
    d = tl.zeros((G, BLOCK), tl.float32)
    w = tl.zeros((G, BLOCK), tl.float32)
    q = tl.zeros((G, BLOCK), tl.float32)
    if shift > 0:
        x, there = load_edge(row, 0, 0, shift, V, PARTITION, BLOCK, G)
        d, w, q, m, at = step(x, 0, d, w, q, m, at, c, ref, g, EXACT, LINEAR, cap, LINEAR, there)
    # The first partition has as many whole blocks as any. Of logits that are not there, -inf, all
    # sums stay what they are.
    for k in range(tl.minimum(shift, 1), (tl.minimum(PARTITION, V) + shift) // BLOCK, AHEAD):
        later = ()
        for i in tl.static_range(AHEAD):
            x = tl.reshape(unpacked(ahead[i], G * BLOCK), (G, BLOCK))
            later += (load_tile(start, k + AHEAD + i, tails, PARTITION, BLOCK, G),)
            d, w, q, m, at = step(
                x, k + i, d, w, q, m, at, c, ref, g, EXACT, LINEAR, cap, LINEAR,
                (k + i < tails)[:, None],
            )  # fmt: skip
        ahead = later
    x, there = edge
    own = tl.reshape(tl.broadcast_to(tails[:, None], (G, groups)), (G * groups,))
    d, w, q, m, at = step(x, own, d, w, q, m, at, c, ref, g, EXACT, LINEAR, cap, LINEAR, there)
    if shift > 0:
        d = turned(d, shift, BLOCK, G)
        w = turned(w, shift, BLOCK, G)
        if LINEAR:
            q = turned(q, shift, BLOCK, G)
    D, W = in_order(tl.sum(d, 1), tl.sum(w, 1), G)
    Q = 0.0
    if LINEAR:
        Q, _ = in_order(tl.sum(q, 1), tl.sum(q, 1), G)
    place = tl.arange(0, G * groups)
    size: tl.constexpr = BLOCK // groups
    starts = place // groups * PARTITION + at * BLOCK + place % groups * size - shift
    M, token = largest_of_groups(row, m, starts, 0, V, size)
    return D, W, Q, M, token


@triton.jit
def turned(lanes, shift, BLOCK: tl.constexpr, G: tl.constexpr):
    """Lanes (G, BLOCK) as ``device.scan`` turns them.

    Turned as one row: of several, Triton would give each to one warp, and their sum another tree.
    """
    place = tl.arange(0, G * BLOCK)
    from_ = place // BLOCK * BLOCK + (place + shift) % BLOCK
    flat = tl.gather(tl.reshape(lanes, (G * BLOCK,)), from_, 0)
    return tl.reshape(flat, (G, BLOCK))


@triton.jit
def in_order(a, b, G: tl.constexpr):
    """The sums of numbers a and b (G,), from left to right."""
    both = tl.join(a, b)
    sums = tl.zeros((2,), tl.float32)
    for i in tl.static_range(G):
        sums += tl.sum(tl.where((tl.arange(0, G) == i)[:, None], both, 0.0), 0)
    return tl.split(sums)


@triton.jit
def write_gradient(row, out, V, weights, column, cap, BLOCK: tl.constexpr, AHEAD: tl.constexpr):
    """The gradient of a row that lies as the row does."""
    shift = elements_past_boundary(out)
    tail = (V + shift) // BLOCK
    # Before it could be overwritten.
    x_label = tl.load(row + column, mask=column >= 0, other=0.0).to(tl.float32)
    v = tl.zeros((BLOCK,), tl.float32)
    k = 0
    if shift > 0:
        v = gradient_edge(row, out, k, shift, 0, V, weights, v, cap, False, False, BLOCK)
        k += 1
    v = gradient_blocks(
        tl.multiple_of(row - shift, 16), tl.multiple_of(out - shift, 16), k, tail, weights, v, cap,
        False, False, BLOCK, AHEAD, True,
    )  # fmt: skip
    for k0 in range(tl.maximum(tail, k), tail + 1):
        v = gradient_edge(row, out, k0, shift, 0, V, weights, v, cap, False, False, BLOCK)
    if column >= 0:
        # After what any thread has stored there.
        tl.debug_barrier()
        back, _v = gradient_block(x_label, weights, 0.0, cap, False, False)
        back -= slope_of_cap(x_label, cap, weights[8])
        tl.store(out + column, back.to(out.dtype.element_ty))


@triton.jit(do_not_specialize=UNSPECIALISED)
def loss_and_gradient_kernel(
    x_ptr, labels_ptr, t_ptr, edges_ptr, kept_ptr,
    losses_ptr, top_ptr, log2_d_ptr, slope_ptr, seen_ptr, slow_ptr, dx_ptr,
    V, B, x_stride, t_stride, dx_stride, scale, ignore_index, cap, smoothing, z_loss,
    SMOOTHED: tl.constexpr, MEAN: tl.constexpr,
    PARTITION: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr, G: tl.constexpr,
):  # fmt: skip
    """One program per row."""
    n = tl.program_id(0).to(tl.int64)
    row = x_ptr + n * x_stride
    c, usable = temperature_scale(scale, t_ptr, n, t_stride)
    tiles, edge = first_tiles(row, V, PARTITION, BLOCK, AHEAD, G)
    ref = capped(first_reference(row, V, BLOCK), cap)
    D, W, Q, M, token = scan_together(
        row, V, c, ref, tiles, edge, False, SMOOTHED, PARTITION, BLOCK, AHEAD, G, cap
    )
    top = capped(M, cap)
    z, slow = distance(top, M, c, ref)
    if slow:
        tiles, edge = first_tiles(row, V, PARTITION, BLOCK, AHEAD, G)
        D, W, Q, _m, _token = scan_together(
            row, V, c, top, tiles, edge, True, SMOOTHED, PARTITION, BLOCK, AHEAD, G, cap
        )
        z = 0.0
    if slow_ptr is not None:
        tl.store(slow_ptr + n, slow.to(tl.int32))
    told_top, log_d = tell_loss(
        row, n, settled(row, V, z, D, W, Q, M, token, BLOCK, SMOOTHED), c, usable, labels_ptr,
        edges_ptr, (losses_ptr, top_ptr, log2_d_ptr, slope_ptr, seen_ptr, slow_ptr),
        V, B, ignore_index, cap, smoothing, z_loss, SMOOTHED,
    )  # fmt: skip
    share = 1.0
    if MEAN:
        share = tl.div_rn(1.0, tl.maximum(tl.load(kept_ptr), 1).to(tl.float32))
    label = kept_label(n, V, labels_ptr, ignore_index)
    weights, column, silent = weights_of(
        V, c, told_top, log_d, 0.0, 0.0, 0.0, label, tl.where(label >= 0, share, 0.0), cap,
        smoothing, z_loss, True,
    )  # fmt: skip
    out = dx_ptr + n * dx_stride
    if silent:
        shift = elements_past_boundary(out)
        zeros(out, shift, 0, V, 0, (V + shift) // (G * BLOCK), G * BLOCK)
    else:
        write_gradient(row, out, V, weights, column, cap, G * BLOCK, AHEAD)


def cross_entropy_formed(rows, terms, reduction, out, d_logits, mean, *, slow=None):
    """Launch; what the arguments are is written in the op's file. The last one is for tests."""
    logits, labels, scale, temperature, ignore_index, edges, seen = rows
    count, columns = logits.shape
    partitions = tuning.together(columns)
    smoothed = terms.smoothing > 0
    tune = tuning.loss_formed(partitions, smoothed or terms.softcap > 0)
    losses = out.loss if reduction == "none" else torch.empty_like(out.top)

    def reduce(loss, as_mean):
        reduce_kernel[(1,)](
            losses, labels, loss, out.kept, count, columns, ignore_index, MEAN=as_mean, BLOCK=1024,
            **launch_options(logits, tuning.LOSS),
        )  # fmt: skip

    with on_device(logits):
        if mean:
            reduce(None, False)  # how many rows are kept, before one is read
        loss_and_gradient_kernel[(count,)](
            logits, labels, temperature, edges, out.kept,
            losses, out.top, out.log2_d, out.slope, seen, slow, d_logits,
            columns, 0 if edges is None else edges.shape[0] + 1, logits.stride(0),
            0 if temperature is None or temperature.shape[0] == 1 else 1, d_logits.stride(0),
            min(max(scale, 1e-37), 1e37), ignore_index, terms.softcap or None, terms.smoothing,
            terms.z_loss, SMOOTHED=smoothed, MEAN=mean, PARTITION=tune.partition,
            BLOCK=tune.block, AHEAD=tune.ahead, G=partitions, **launch_options(logits, tune),
        )  # fmt: skip
        reduce(None if reduction == "none" else out.loss, reduction == "mean")
