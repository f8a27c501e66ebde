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
    # Blocks that are on their way while as many are worked on.
    ahead: int = 4


def registers(tune: RowTuning, arch: int) -> int:
    """The most a thread may hold on sm_<arch>. Which values share registers is all that follows
    from it: not the order of summation, so not the bits."""
    # The same code needs up to 16 more on sm_120, and spills without. There two programs of ROW fit
    # on a multiprocessor instead of three, and four of ROW_STATS instead of five.
    return min(tune.registers + 16, 255) if arch >= 120 else tune.registers


ROW = RowTuning()
# One more sum per logit, and 80 registers spill. At 88, five programs of half the size fit on a
# multiprocessor, but only two of the full size.
ROW_STATS = RowTuning(block=1024, warps=4, registers=88)
# As many programs fit on a multiprocessor as with 88.
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
# half the size four programs fit, and spill nothing.
SWEEP_DERIVATIVES_HALF = RowTuning(block=512, warps=4, registers=112)
# The gradient of an entropy has a variance to sum, and spills at 80.
GRADIENT_ENTROPY = RowTuning(block=1024, warps=4, registers=112)
# A program holds a block of the sampler in registers: 4,096 logits, which is not tuned (see
# ``sampling``), in pieces. With four warps a thread has too few logits to share what it does once;
# with one, 10 warps fit on a multiprocessor instead of 16.
BLOCK_SUMS = RowTuning(block=512, partition=4096, warps=2, registers=128)
# Two programs fit on a multiprocessor; for a third, both would spill.
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
# bfloat16, but float32 for SWEEP_DERIVATIVES_HALF; triton 3.9.0; the form of each kernel that needs
# most. A test compiles them again.
COUNTS: dict[str, dict[int, tuple[int, int, int]]] = {
    "ROW": {
        80: (80, 3520, 8),
        90: (79, 3416, 104),
        100: (78, 3344, 64),
        120: (86, 3120, 32),
    },
    "ROW_STATS": {
        80: (88, 2152, 0),
        90: (87, 1992, 40),
        100: (87, 1952, 32),
        120: (95, 2008, 0),
    },
    "LOSS": {
        80: (96, 2168, 8),
        90: (94, 2000, 40),
        100: (94, 1960, 40),
        120: (94, 2016, 0),
    },
    "LOSS_CAPPED": {
        80: (104, 3048, 0),
        90: (96, 2816, 0),
        100: (96, 2776, 0),
        120: (114, 2816, 0),
    },
    "GRADIENT": {
        80: (76, 1896, 0),
        90: (79, 1856, 0),
        100: (70, 1832, 0),
        120: (92, 1784, 0),
    },
    "GRADIENT_ENTROPY": {
        80: (96, 1544, 0),
        90: (96, 1560, 0),
        100: (96, 1488, 0),
        120: (119, 1504, 0),
    },
    "SWEEP": {
        80: (128, 2872, 0),
        90: (128, 2816, 0),
        100: (136, 2808, 8),
        120: (152, 2864, 0),
    },
    "SWEEP_DERIVATIVES": {
        80: (221, 4896, 0),
        90: (225, 4848, 32),
        100: (240, 4600, 8),
        120: (250, 5104, 160),
    },
    "SWEEP_DERIVATIVES_HALF": {
        120: (127, 3672, 120),
    },
    "BLOCK_SUMS": {
        80: (123, 1824, 0),
        90: (126, 1776, 0),
        100: (122, 1600, 0),
        120: (138, 1768, 0),
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
        120: (111, 2056, 0),
    },
    "HISTOGRAM": {
        80: (22, 168, 0),
        90: (26, 168, 0),
        100: (24, 176, 0),
        120: (24, 168, 0),
    },
}

# What the rows were chosen from: block, warps and limit of registers -> registers a thread holds,
# instructions per logit of the plain walk, bytes spilled. The row comes first, then what lost; on
# sm_90, else as above. 16 logits to a thread (2048, 4) save one instruction in 20, but spill with
# the registers of 8, and with more only half as many warps fit on a multiprocessor. Programs of
# twice the size (2048, 8) tie, and leave more of a multiprocessor empty where they do not fill it.
# Four bfloat16 to a thread (512, 4) would be loaded by 64 bits instead of 128.
TRIED: dict[str, dict[tuple[int, int, int], tuple[int, float, int]]] = {
    "ROW": {
        (2048, 8, 80): (79, 10.12, 0),
        (1024, 4, 80): (80, 10.12, 0),
        (2048, 4, 80): (80, 10.06, 264),
        (2048, 4, 168): (144, 9.69, 0),
    },
    "ROW_STATS": {
        (1024, 4, 88): (87, 11.12, 0),
        (2048, 8, 88): (87, 11.12, 0),
        (2048, 4, 88): (88, 12.12, 296),
        (2048, 4, 200): (167, 10.69, 0),
    },
    "LOSS": {
        (1024, 4, 96): (94, 11.12, 0),
        (2048, 8, 96): (94, 11.12, 0),
        (2048, 4, 96): (96, 11.25, 272),
        (2048, 4, 208): (168, 10.69, 0),
    },
    "LOSS_CAPPED": {
        (1024, 4, 104): (96, 26.0, 0),
        (2048, 8, 104): (96, 26.0, 0),
        (2048, 4, 104): (104, 25.62, 248),
        (2048, 4, 208): (180, 24.69, 0),
    },
    "GRADIENT": {
        (1024, 4, 80): (79, 28.88, 0),
        (2048, 8, 80): (66, 29.0, 0),
        (2048, 4, 80): (80, 28.81, 0),
        (2048, 4, 144): (143, 27.69, 0),
    },
    "GRADIENT_ENTROPY": {
        (1024, 4, 112): (96, 16.38, 0),
        (2048, 8, 112): (96, 16.5, 0),
        (2048, 4, 112): (112, 16.5, 8),
        (2048, 4, 184): (150, 16.5, 0),
    },
    "SWEEP": {
        (1024, 4, 136): (128, 17.12, 0),
        (2048, 8, 136): (128, 17.12, 0),
        (2048, 4, 136): (136, 16.94, 176),
        (2048, 4, 248): (247, 16.69, 0),
    },
    "SWEEP_DERIVATIVES": {
        (1024, 4, 247): (225, 33.12, 0),
        (2048, 8, 247): (225, 33.12, 0),
        (2048, 4, 255): (255, 32.94, 264),
    },
    "BLOCK_SUMS": {
        (512, 2, 128): (126, 11.83, 0),
        (1024, 4, 96): (94, 14.97, 0),
        (256, 1, 200): (193, 9.77, 0),
    },
    "CUT": {
        (2048, 8, 128): (109, 13.25, 0),
        (1024, 4, 128): (111, 13.25, 0),
        (2048, 4, 128): (128, 13.12, 88),
        (2048, 4, 200): (185, 13.56, 0),
    },
}
