"""Block sizes: the only magic numbers of the Triton kernels.

They fix the order of summation, so they may be keyed by architecture, dtype and V, never by the
number of rows. No row here has been timed on a GPU yet: they were chosen from the instruction and
register counts of the compiled code (sm_90).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowTuning:
    """How a kernel walks along one row of the vocabulary.

    ``block`` logits are loaded at once; ``partition`` logits, a multiple of ``block``, are summed
    before their sum meets that of the next partition; ``warps`` run one program; ``registers`` is
    the most a thread may hold, before what ``registers`` adds for the architecture.
    """

    block: int = 2048
    partition: int = 32768
    warps: int = 8
    # Three programs fit on a multiprocessor. 64 would fit four and spills.
    registers: int = 80


def registers(tune: RowTuning, arch: int) -> int:
    """The most a thread may hold on sm_<arch>. Which values share registers is all that follows
    from it: not the order of summation, so not the bits."""
    # The same code needs a few more on sm_120, and spills without. There two programs of ROW fit on
    # a multiprocessor instead of three, and five of ROW_STATS as elsewhere.
    return tune.registers + 8 if arch >= 120 else tune.registers


ROW = RowTuning()
# One more sum per logit, and 80 registers spill. At 88, five programs of half the size fit on a
# multiprocessor, but only two of the full size.
ROW_STATS = RowTuning(block=1024, warps=4, registers=88)
# As many programs fit on a multiprocessor as with 88, which spill in float32 on sm_120.
LOSS = RowTuning(block=1024, warps=4, registers=96)
# A cap needs two more numbers at a time, and with the mean of the logits besides 88 spill.
LOSS_CAPPED = RowTuning(block=1024, warps=4, registers=104)
# Nothing is summed; a program writes one partition.
GRADIENT = RowTuning(block=1024, warps=4, registers=80)
# Four sums per logit. Four temperatures of no grid spill on sm_100 at 128 registers, the most with
# which four programs fit; a grid stays below.
SWEEP = RowTuning(block=1024, warps=4, registers=136)
# Twelve sums with both derivatives, which at 168 registers spill, and at 232 on sm_120. Two
# programs fit on a multiprocessor up to 256.
SWEEP_DERIVATIVES = RowTuning(block=1024, warps=4, registers=247)
# In float32 four temperatures of no grid spill on sm_120 with all the 255 registers there are. Of
# half the size three programs fit.
SWEEP_DERIVATIVES_HALF = RowTuning(block=512, warps=4, registers=160)
# The gradient of an entropy has a variance to sum, and spills at 80.
GRADIENT_ENTROPY = RowTuning(block=1024, warps=4, registers=112)
# A block of the sampler, 4,096 logits whatever is tuned here (see ``sampling``), is held in registers
# by one program, in pieces. A thread of four warps has too few logits to share what a program does
# once: 15.0 instructions per logit instead of 11.8. With one warp it is 9.8, but a thread holds 193
# registers, and 10 warps fit on a multiprocessor instead of 16.
BLOCK_SUMS = RowTuning(block=512, partition=4096, warps=2, registers=128)
CUT = RowTuning(block=2048, partition=4096, warps=8, registers=128)
DRAW = RowTuning(block=4096, partition=4096, warps=8, registers=128)
HISTOGRAM = RowTuning(block=256, partition=256, warps=4, registers=64)


def sweep(derivatives: int, item_bytes: int, arch: int) -> RowTuning:
    """The row of a temperature sweep on sm_<arch>."""
    if not derivatives:
        return SWEEP
    return SWEEP_DERIVATIVES_HALF if arch >= 120 and item_bytes == 4 else SWEEP_DERIVATIVES


# Up to this many rows, one program per row would leave most of a large GPU idle: the partitions of
# a row are read by programs of their own instead. The results are the same bits either way.
SPLIT_ROWS = 256


def option_tile(spellings: int) -> tuple[int, int]:
    """Options and spellings gathered at once; three sizes, so three compiled variants at most."""
    if spellings == 1:
        return 256, 1
    return (64, 4) if spellings <= 4 else (32, 8)


# What the compiler makes of the rows, by architecture: registers a thread holds, instructions,
# and the bytes it spills at the next smaller limit, that of one more program on a multiprocessor.
# No row spills at its own. Where this is 0 a smaller limit would do, and only a GPU can tell which
# is faster.
# bfloat16, triton 3.9.0, the form of each kernel that needs most; a test compiles them again.
COUNTS: dict[str, dict[int, tuple[int, int, int]]] = {
    "ROW": {
        80: (80, 3544, 8),
        90: (80, 3392, 96),
        100: (76, 3312, 56),
        120: (80, 3120, 0),
    },
    "ROW_STATS": {
        80: (88, 2160, 0),
        90: (88, 2008, 48),
        100: (88, 1984, 40),
        120: (96, 2008, 72),
    },
    "LOSS": {
        80: (96, 2184, 0),
        90: (91, 2008, 48),
        100: (88, 1984, 48),
        120: (96, 2000, 0),
    },
    "LOSS_CAPPED": {
        80: (103, 3072, 0),
        90: (100, 2816, 0),
        100: (96, 2720, 0),
        120: (110, 2808, 8),
    },
    "GRADIENT": {
        80: (76, 1896, 0),
        90: (79, 1856, 0),
        100: (70, 1832, 0),
        120: (88, 1800, 0),
    },
    "GRADIENT_ENTROPY": {
        80: (96, 1544, 0),
        90: (96, 1560, 0),
        100: (96, 1488, 0),
        120: (120, 1504, 0),
    },
    "SWEEP": {
        80: (101, 2624, 0),
        90: (96, 2584, 0),
        100: (104, 2496, 0),
        120: (118, 2608, 0),
    },
    "SWEEP_DERIVATIVES": {
        80: (194, 4344, 0),
        90: (196, 4352, 0),
        100: (194, 4096, 0),
        120: (234, 4488, 120),
    },
    "BLOCK_SUMS": {
        80: (96, 1168, 0),
        90: (94, 1168, 0),
        100: (92, 1080, 8),
        120: (96, 1176, 0),
    },
    "CUT": {
        80: (113, 2256, 16),
        90: (109, 1944, 48),
        100: (116, 1896, 80),
        120: (128, 1960, 0),
    },
    "DRAW": {
        80: (108, 2104, 0),
        90: (110, 2040, 8),
        100: (110, 2024, 8),
        120: (117, 2056, 0),
    },
    "HISTOGRAM": {
        80: (22, 168, 0),
        90: (26, 168, 0),
        100: (24, 176, 0),
        120: (24, 168, 0),
    },
}
