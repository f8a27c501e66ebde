"""Compile every Triton kernel for GPUs that are not here, and read what the compiler made of it.

The kernels specialise on no size, stride or address, so one compilation stands for V divisible by
16, odd V and every alignment alike. Figures below were read with triton 3.9.0.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from calib_kernels.gpu import histogram_delta, option_scores, row_stats, tuning

from tests.kernels.gpu.cases import ARCHITECTURES, HOPPER, TARGETS
from tests.kernels.gpu.conftest import per_element

KERNELS = {
    "option_scores": option_scores.option_scores_kernel,
    "partition": option_scores.partition_kernel,
    "combine": option_scores.combine_kernel,
}
ROWS = {
    "row_stats": row_stats.row_stats_kernel,
    "row_partition": row_stats.row_partition_kernel,
    "row_combine": row_stats.row_combine_kernel,
}
# Instructions per logit of the main loop, sm_90: memory is the limit up to about 15 for the
# 16-bit types and 30 for float32.
MEASURED = {"*bf16": 7.69, "*fp16": 7.69, "*fp32": 8.16}
MEASURED_ROWS = {"*bf16": 8.69, "*fp16": 8.69, "*fp32": 9.16}


def constants(spellings: int = 1, **changes: Any) -> dict[str, Any]:
    tile_o, tile_m = tuning.option_tile(spellings)
    return {
        "VOCAB_CONFIDENCE": False,
        "TILE_O": tile_o,
        "TILE_M": tile_m,
        "PARTITION": tuning.ROW.partition,
        "BLOCK": tuning.ROW.block,
        "slow_ptr": None,
        **changes,
    }


def row_constants(**changes: Any) -> dict[str, Any]:
    tune = tuning.ROW_STATS
    return {
        "PARTITION": tune.partition,
        "BLOCK": tune.block,
        "SQUARES": True,
        "LINEAR": False,
        "cap": None,
        "slow_ptr": None,
        **changes,
    }


QUICK = {("option_scores", HOPPER, "*bf16", 1), ("partition", HOPPER, "*bf16", 1)}
MATRIX = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in ((name, *target, m) for name in KERNELS for target in TARGETS for m in (1, 5))
    if case[1] == HOPPER or case[2:] != ("*fp32", 5)
]
ROW_MATRIX = [
    pytest.param(*case, marks=[] if case == ("row_stats", HOPPER, "*bf16") else pytest.mark.slow)
    for case in ((name, *target) for name in ROWS for target in TARGETS)
]


@pytest.mark.parametrize(("name", "arch", "dtype", "spellings"), MATRIX)
def test_row_kernels(compiled: Any, name: str, arch: int, dtype: str, spellings: int) -> None:
    code = compiled(KERNELS[name], arch, dtype, constants(spellings))
    walks_well(code, name, tuning.ROW, arch, MEASURED[dtype])


@pytest.mark.parametrize(("name", "arch", "dtype"), ROW_MATRIX)
def test_row_stats_kernels(compiled: Any, name: str, arch: int, dtype: str) -> None:
    tune = tuning.ROW_STATS
    code = compiled(ROWS[name], arch, dtype, row_constants(), tune)
    walks_well(code, name, tune, arch, MEASURED_ROWS[dtype])


def walks_well(
    code: Any, name: str, tune: tuning.RowTuning, arch: int, instructions: float
) -> None:
    """R9, R35: it compiles, so its globals are constants and no tensor decides a branch of Python.
    No spills; loops of 128-bit loads and few instructions, without barriers."""
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0
    assert code.resources["REG"] <= tuning.registers(tune, arch)
    plain, *others = code.walks()
    # What combines partitions reads only rows that have to be read again, a block at a time.
    combines = "combine" in name
    together = 1 if combines else tune.ahead
    assert len(per_element(plain)) == together * tune.block / (32 * tune.warps)
    for body in (plain, *others):
        assert not any("BAR" in line for line in body)
        assert sum("MUFU" in line for line in body) == len(per_element(body))
    if arch == HOPPER and not combines:
        assert len(plain) / len(per_element(plain)) <= instructions * 1.05


@pytest.mark.parametrize("spellings", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_labels_and_temperatures_may_be_absent(compiled: Any, spellings: int) -> None:
    """R36: no labels, no histogram, one temperature for all."""
    absent = dict.fromkeys(
        ("labels_ptr", "t_ptr", "edges_ptr", "correct_ptr", "seen_ptr", "slow_ptr")
    )
    code = compiled(
        option_scores.option_scores_kernel, HOPPER, "*bf16", constants(spellings, **absent)
    )
    absent["label_logprob_ptr"] = None
    rows_code = compiled(
        row_stats.row_stats_kernel, HOPPER, "*bf16", row_constants(**absent), tuning.ROW_STATS
    )
    for made in (code, rows_code):
        assert made.resources["STACK"] == 0
        assert not any(re.search(r"\b(REDG?|ATOMG?)\.", line) for line in made.instructions)


def test_the_histogram_needs_no_answer(compiled: Any) -> None:
    """Relaxed integer reductions: nothing is sent back, nothing waits."""
    for kernel, values, tune in (
        (option_scores.option_scores_kernel, constants(), tuning.ROW),
        (row_stats.row_stats_kernel, row_constants(), tuning.ROW_STATS),
        (histogram_delta.histogram_delta_kernel, {"BLOCK": tuning.HISTOGRAM.block}, tuning.ROW),
    ):
        code = compiled(kernel, HOPPER, "*bf16", values, tune)
        assert code.resources["STACK"] == 0
        atomics = [line for line in code.instructions if re.search(r"\b(REDG?|ATOMG?)\.", line)]
        assert len(atomics) >= 4
        for line in atomics:
            assert re.search(r"\bREDG?\.E\.ADD\.64", line), line


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_histogram_kernel_spills_nothing(compiled: Any, arch: int) -> None:
    tune = tuning.HISTOGRAM
    code = compiled(
        histogram_delta.histogram_delta_kernel, arch, "*fp32", {"BLOCK": tune.block}, tune
    )
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0
    assert code.resources["REG"] <= tuning.registers(tune, arch)


def test_both_paths_add_in_the_same_tree(compiled: Any) -> None:
    """R20: the reduction of a partition has one layout in the kernels that make it."""
    pairs = [
        (("option_scores", "partition"), KERNELS, constants(), tuning.ROW, 3),
        (("row_stats", "row_partition"), ROWS, row_constants(), tuning.ROW_STATS, 4),
    ]
    for names, kernels, values, tune, sums in pairs:
        layouts = set()
        for name in names:
            text = compiled(kernels[name], HOPPER, "*bf16", values, tune).asm["ttgir"]
            aliases = dict(re.findall(r"^(#\w+) = (#ttg\.blocked<.*>)", text, re.M))
            used = re.findall(rf"\(tensor<{tune.block}xf32, (#\w+)>\) -> f32", text)
            assert len(used) >= sums
            layouts |= {aliases[alias] for alias in used}
        assert len(layouts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [*KERNELS, *ROWS])
@pytest.mark.parametrize("dtype", ["*bf16", "*fp32"])
def test_amd(compiled: Any, name: str, dtype: str) -> None:
    if name in KERNELS:
        built = compiled(KERNELS[name], "gfx942", dtype, constants())
    else:
        built = compiled(ROWS[name], "gfx942", dtype, row_constants(), tuning.ROW_STATS)
    assembly = built.asm["amdgcn"]
    assert re.search(r"\.vgpr_spill_count:\s+0\b", assembly)
    assert re.search(r"\.sgpr_spill_count:\s+0\b", assembly)


def test_option_tiles_are_few() -> None:
    """R34: whatever the number of spellings."""
    assert {tuning.option_tile(m) for m in range(1, 200)} == {(256, 1), (64, 4), (32, 8)}


def test_contraction_is_never_left_to_the_compiler() -> None:
    """Unset, it changes from one version of triton to the next, and the bits with it."""
    from calib_kernels.gpu import launch

    assert '"enable_fp_fusion": False' in inspect.getsource(launch)
