"""Block sizes: the only magic numbers of the Triton kernels.

They fix the order of summation, so they may be keyed by architecture, dtype and V, never by the
number of rows. They were chosen by times on an H200 (``bench/findings/gpu-block-sizes.md``), but
for LOSS_CAPPED, GRADIENT_ENTROPY, BLOCK_SUMS_100, CUT, CUT_FLOAT32, DRAW, SWEEP_DERIVATIVES_100,
SAMPLE_WALK and the rows of LOSS_FORMED, which the counts below decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True, slots=True)
class RowTuning:
    """How a kernel walks along one row of the vocabulary.

    ``block`` logits are loaded at once; ``partition`` logits, a multiple of ``block``, are summed
    before their sum meets that of the next partition; ``warps`` run one program; ``registers`` is
    the most a thread may hold, before what ``registers`` adds for the architecture.
    """

    block: int = 512
    partition: int = 32768
    warps: int = 2
    registers: int = 128
    # Blocks that are on their way while as many are worked on.
    ahead: int = 4


def registers(tune: RowTuning, arch: int) -> int:
    """The most a thread may hold on sm_<arch>. Which values share registers is all that follows
    from it: not the order of summation, so not the bits."""
    # The same code needs up to 24 more on sm_120, and spills without: there six programs of two
    # warps fit on a multiprocessor instead of eight.
    more = min(tune.registers + 24, 255) if arch >= 120 else tune.registers
    return min(more, REGISTERS // (32 * tune.warps))


# What all threads of a multiprocessor have together.
REGISTERS = 65_536


# Eight programs fit on a multiprocessor: 1,024 rows are one wave on an H200.
ROW = RowTuning()
ROW_STATS = RowTuning()
LOSS = RowTuning()
# A cap needs two more numbers at a time.
LOSS_CAPPED = RowTuning(ahead=2)
# Nothing is summed; a program writes one partition.
GRADIENT = RowTuning(block=1024, warps=4, registers=64, ahead=2)
# The gradient of an entropy has a variance to sum, and spills at 80.
GRADIENT_ENTROPY = RowTuning(block=1024, warps=4, registers=112, ahead=2)
# The loss and its gradient in one program, by the warps of four partitions: with more than 128
# registers no second program fits on a multiprocessor, and the rows of all of them fit in the L2
# cache. Blocks, partitions and the warps of a partition are those of LOSS, for the bits are.
LOSS_FORMED = RowTuning(warps=8, registers=255, ahead=8)
# By the warps of eight partitions.
LOSS_FORMED_8 = RowTuning(warps=16, registers=128, ahead=4)
SWEEP = RowTuning()
# Twelve sums with both derivatives: three programs fit on a multiprocessor.
SWEEP_DERIVATIVES = RowTuning(block=1024, warps=4, registers=168, ahead=2)
# From sm_100 on these spill at 168.
SWEEP_DERIVATIVES_100 = RowTuning(block=1024, warps=4, registers=208, ahead=2)
# A program holds a block of the sampler in registers: 4,096 logits, which is not tuned (see
# ``sampling``), in pieces. With four warps a thread has too few logits to share what it does once;
# with one, 10 warps fit on a multiprocessor instead of 16.
BLOCK_SUMS = RowTuning(partition=4096)
# Two blocks of bfloat16 at a time, from sm_100 on, spill at 128.
BLOCK_SUMS_100 = RowTuning(partition=4096, registers=136)
CUT = RowTuning(block=1024, partition=4096, warps=4)
# Of float32 the search looks for more, and spills on sm_100 at 128.
CUT_FLOAT32 = RowTuning(block=1024, partition=4096, warps=4, registers=136)
DRAW = RowTuning(block=4096, partition=4096, warps=4)
HISTOGRAM = RowTuning(block=256, partition=256, warps=4, registers=64)


def block_sums(arch: int) -> RowTuning:
    """A block of the sampler on sm_<arch>."""
    return BLOCK_SUMS_100 if arch >= 100 else BLOCK_SUMS


def cut(bits: int) -> RowTuning:
    """The search for where a filter cuts rows of logits of so many bits."""
    return CUT_FLOAT32 if bits == 32 else CUT


def sweep(derivatives: int, arch: int) -> RowTuning:
    """The row of a temperature sweep on sm_<arch>."""
    if not derivatives:
        return SWEEP
    return SWEEP_DERIVATIVES_100 if arch >= 100 else SWEEP_DERIVATIVES


# Dtypes of logits of which a loss that is one number forms the gradient in its forward pass: of 16
# bits, for rows of more do not fit in the cache. None does: no GPU has timed it yet. ``make gpu
# GPU_OPS=cross_entropy`` times it either way (bench/findings/loss-with-gradient.md). Where what
# reaches the loss is not 1, as that of a float16 loss that is scaled, it costs a gradient more.
FORMED: tuple[torch.dtype, ...] = ()
# In 16 bits 320 KiB, of which 132 multiprocessors have 42 MiB at once.
FORMED_COLUMNS = 163_840


def forms(dtype: torch.dtype, rows: int, columns: int, capped: bool) -> bool:
    """Whether the loss of such logits forms their gradient; not where partitions are split."""
    if dtype not in FORMED or not 0 < columns <= FORMED_COLUMNS:
        return False
    # By the warps of eight partitions a cap would spill.
    fits = together(columns) <= 4 or not capped
    return fits and rows > (SPLIT_ROWS if columns > LOSS.partition else 0)


def together(columns: int) -> int:
    """Of a loss with its gradient: how many partitions are read at once, 1, 2, 4 or 8."""
    return 1 << (-(columns // -LOSS.partition) - 1).bit_length()


def loss_formed(partitions: int, shaped: bool) -> RowTuning:
    """The row of as many partitions at once; ``shaped``: by smoothing or a cap, which would spill
    with as many blocks ahead."""
    row = LOSS_FORMED if partitions <= 4 else LOSS_FORMED_8
    ahead = max(1, row.ahead // 2) if shaped else row.ahead
    return replace(row, warps=LOSS.warps * partitions, ahead=ahead)


# Up to this many rows, one program per row would leave most of a large GPU idle: the partitions of
# a row are read by programs of their own instead. The results are the same bits either way.
SPLIT_ROWS = 512
# Blocks of the sampler that one program walks where there are more rows than that.
SAMPLE_WALK = 8


def option_tile(spellings: int) -> tuple[int, int]:
    """Options and spellings gathered at once; three sizes, so three compiled variants at most."""
    if spellings == 1:
        return 256, 1
    return (64, 4) if spellings <= 4 else (32, 8)


# What the compiler makes of the rows, by architecture: registers a thread holds, instructions,
# and the bytes it spills at the next smaller limit, that of one more program on a multiprocessor.
# No row spills at its own. bfloat16; triton 3.9.0; the form of each kernel that needs most, but of
# sweeps a grid and of LOSS_FORMED what neither smoothing nor a cap shapes. A test compiles them
# again.
COUNTS: dict[str, dict[int, tuple[int, int, int]]] = {
    "ROW": {
        80: (122, 3896, 0),
        90: (128, 3688, 0),
        100: (127, 3536, 0),
        120: (146, 3472, 0),
    },
    "ROW_STATS": {
        80: (126, 2328, 0),
        90: (127, 2160, 0),
        100: (125, 2032, 0),
        120: (151, 2160, 0),
    },
    "LOSS": {
        80: (124, 2360, 0),
        90: (128, 2168, 0),
        100: (128, 2032, 0),
        120: (152, 2184, 0),
    },
    "LOSS_CAPPED": {
        80: (118, 3312, 0),
        90: (121, 3064, 0),
        100: (122, 2920, 0),
        120: (142, 3096, 0),
    },
    "GRADIENT": {
        80: (63, 2376, 0),
        90: (59, 2320, 0),
        100: (63, 2304, 0),
        120: (72, 2232, 0),
    },
    "GRADIENT_ENTROPY": {
        80: (96, 1736, 0),
        90: (96, 1712, 0),
        100: (88, 1608, 0),
        120: (122, 1680, 0),
    },
    "LOSS_FORMED": {
        80: (247, 4384, 0),
        90: (245, 4256, 16),
        100: (242, 3984, 32),
        120: (241, 4320, 16),
    },
    "LOSS_FORMED_8": {
        80: (128, 3808, 112),
        90: (127, 3688, 160),
        100: (128, 3512, 160),
        120: (127, 3768, 232),
    },
    "SWEEP": {
        80: (127, 3440, 0),
        90: (127, 3408, 0),
        100: (127, 3176, 0),
        120: (149, 3464, 0),
    },
    "SWEEP_DERIVATIVES": {
        80: (168, 5904, 88),
        90: (168, 5872, 176),
    },
    "SWEEP_DERIVATIVES_100": {
        100: (196, 5408, 8),
        120: (232, 6024, 96),
    },
    "BLOCK_SUMS": {
        80: (128, 3224, 32),
        90: (128, 2600, 64),
    },
    "BLOCK_SUMS_100": {
        100: (136, 2536, 8),
        120: (157, 2672, 0),
    },
    "CUT": {
        80: (128, 2192, 88),
        90: (127, 2056, 144),
        100: (122, 2240, 88),
        120: (132, 2040, 0),
    },
    "CUT_FLOAT32": {
        80: (134, 2176, 0),
        90: (128, 2008, 0),
        100: (122, 2208, 0),
        120: (138, 2048, 0),
    },
    "DRAW": {
        80: (120, 3720, 0),
        90: (124, 3176, 56),
        100: (124, 3160, 48),
        120: (128, 3128, 0),
    },
    "HISTOGRAM": {
        80: (22, 168, 0),
        90: (26, 168, 0),
        100: (24, 176, 0),
        120: (24, 168, 0),
    },
}
