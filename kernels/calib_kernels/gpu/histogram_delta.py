"""Add N rows to a histogram of B bins.

confidence (N,) float32, correct (N,) bool, valid (N,) bool or None -> seen (3B + 1,) int64, laid
out as in ``bins``. Reads 5 or 6 bytes a row. A confidence that is NaN or outside [0, 1], or a row
that is not valid, adds to the invalid counter alone. N = 0: nothing is launched.
"""

import triton
import triton.language as tl

from . import tuning
from .device import count_in_histogram
from .launch import launch_options, on_device

UNSPECIALISED = ["confidence_ptr", "correct_ptr", "valid_ptr", "edges_ptr", "N", "B"]


@triton.jit(do_not_specialize=UNSPECIALISED)
def histogram_delta_kernel(
    confidence_ptr, correct_ptr, valid_ptr, edges_ptr, seen_ptr, N, B, BLOCK: tl.constexpr
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = n < N
    c = tl.load(confidence_ptr + n, mask=inside, other=0.0)
    correct = tl.load(correct_ptr + n, mask=inside, other=0) != 0
    valid = inside
    if valid_ptr is not None:
        valid = tl.load(valid_ptr + n, mask=inside, other=0) != 0
    count_in_histogram(seen_ptr, edges_ptr, c, correct, valid, inside, B)


def histogram_delta(confidence, correct, valid, edges, seen):
    """Launch; what the arguments are is written in the op's file."""
    rows = confidence.shape[0]
    tune = tuning.HISTOGRAM
    with on_device(confidence):
        histogram_delta_kernel[(triton.cdiv(rows, tune.block),)](
            confidence, correct, valid, edges, seen, rows, edges.shape[0] + 1,
            BLOCK=tune.block, **launch_options(confidence, tune),
        )  # fmt: skip
