"""The counts beside the rows of ``tuning`` are those of the code that the compiler makes now.

They were read with triton 3.9.0, for bfloat16, of the form of each kernel that needs most.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from calib_kernels.gpu import (
    cross_entropy,
    cross_entropy_formed,
    histogram_delta,
    logits_gradient,
    option_scores,
    row_stats,
    sample,
    sample_survivors,
    temperature_sweep,
    tuning,
)

TILE_O, TILE_M = tuning.option_tile(1)
SAMPLER: dict[str, Any] = {"BLOCKS": 64, "GREEDY": False}
NO_STATISTICS = dict.fromkeys(("d_lse_ptr", "d_entropy_ptr", "entropy_ptr", "variance_ptr"))
BOTH = {"SMOOTHED": False, "MEAN": True, "cap": None, "slow_ptr": None}
SWEPT = {"FIRST": 5, "TERMS": 4, "slow_ptr": None}
# Row of the table -> kernel and constants beside BLOCK and PARTITION.
FORMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ROW": (
        option_scores.option_scores_kernel,
        {"VOCAB_CONFIDENCE": False, "TILE_O": TILE_O, "TILE_M": TILE_M, "slow_ptr": None},
    ),
    "ROW_STATS": (
        row_stats.row_stats_kernel,
        {"SQUARES": True, "LINEAR": False, "cap": None, "slow_ptr": None},
    ),
    "LOSS": (cross_entropy.cross_entropy_kernel, {"SMOOTHED": True, "cap": None, "slow_ptr": None}),
    "LOSS_CAPPED": (cross_entropy.cross_entropy_kernel, {"SMOOTHED": True, "slow_ptr": None}),
    "GRADIENT": (logits_gradient.logits_gradient_kernel, NO_STATISTICS),
    "GRADIENT_ENTROPY": (logits_gradient.logits_gradient_kernel, {"cap": None}),
    "LOSS_FORMED": (cross_entropy_formed.loss_and_gradient_kernel, {**BOTH, "G": 4}),
    "LOSS_FORMED_8": (cross_entropy_formed.loss_and_gradient_kernel, {**BOTH, "G": 8}),
    "SWEEP": (temperature_sweep.sweep_kernel, {**SWEPT, "ORDER": 0}),
    "SWEEP_DERIVATIVES": (temperature_sweep.sweep_kernel, {**SWEPT, "ORDER": 2}),
    "SWEEP_DERIVATIVES_100": (temperature_sweep.sweep_kernel, {**SWEPT, "ORDER": 2}),
    "BLOCK_SUMS": (sample.block_sums_kernel, SAMPLER),
    "BLOCK_SUMS_100": (sample.block_sums_kernel, SAMPLER),
    "CUT": (sample_survivors.cut_kernel, SAMPLER),
    "CUT_FLOAT32": (sample_survivors.cut_kernel, SAMPLER),
    "DRAW": (sample.draw_kernel, SAMPLER),
    "HISTOGRAM": (histogram_delta.histogram_delta_kernel, {}),
}
REGISTER_FILE = 65_536


def next_limit(registers: int, warps: int) -> int:
    """The most registers a thread may hold for one more program to fit on a multiprocessor."""
    programs = REGISTER_FILE // (registers * 32 * warps)
    return REGISTER_FILE // ((programs + 1) * 32 * warps) // 8 * 8


def built(compiled: Any, name: str, arch: int, tune: tuning.RowTuning) -> Any:
    kernel, constants = FORMS[name]
    constants = {"PARTITION": tune.partition, "BLOCK": tune.block, **constants}
    constants |= {"PIECE": tune.block}
    return compiled(kernel, arch, "*bf16", constants, tune)


def counted(compiled: Any, name: str, arch: int) -> tuple[int, int, int]:
    """(registers, instructions, bytes of stack at the next smaller limit) of one row."""
    tune: tuning.RowTuning = getattr(tuning, name)
    code = built(compiled, name, arch, tune)
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0
    allowed = tuning.registers(tune, arch)
    added = tuning.registers(replace(tune, registers=0), arch)
    smaller = next_limit(allowed, tune.warps) - added
    less = built(compiled, name, arch, replace(tune, registers=smaller))
    return code.resources["REG"], len(code.instructions), less.resources["STACK"]


CASES = [
    pytest.param(name, arch, marks=[] if (name, arch) == ("ROW_STATS", 90) else pytest.mark.slow)
    for name, counts in tuning.COUNTS.items()
    for arch in counts
]


@pytest.mark.parametrize(("name", "arch"), CASES)
def test_the_table_is_true(compiled: Any, name: str, arch: int) -> None:
    found = counted(compiled, name, arch)
    assert found == pytest.approx(tuning.COUNTS[name][arch], rel=0.05), found


def test_every_row_has_its_counts() -> None:
    table = {name for name, row in vars(tuning).items() if isinstance(row, tuning.RowTuning)}
    assert table == set(FORMS) == set(tuning.COUNTS)
