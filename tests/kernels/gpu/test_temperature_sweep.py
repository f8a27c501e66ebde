"""temperature_sweep in Triton's interpreter against float64, and as it is compiled."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from calib_kernels import Sweep
from calib_kernels.gpu import temperature_sweep, temperature_sweep_options, tuning

from tests.gate.agreement import compare_sweeps
from tests.gate.row_stats import hard_rows, row_labels
from tests.gate.truth import sweep_truth_of
from tests.kernels.cases import permuted_spellings
from tests.kernels.gpu.cases import BLOCK, TUNE, some_rows
from tests.kernels.gpu.conftest import per_element

GRID = [4.0, 2.0, 4 / 3, 1.0]
UPPER = [0.8, 2 / 3, 4 / 7, 0.5]
OTHERS = [0.4, 0.93, 3.1]
# (first multiple, temperatures, derivatives, whether histograms are asked for) -> instructions per
# logit of the plain walk in bfloat16 and in float32: sm_90, triton 3.9.0. The maximum and the guard
# of -inf are in every figure. Memory is the limit up to about 15, for float32 up to 30.
MEASURED = {
    (1, 4, 0, False): (9.53, 9.84),
    (1, 4, 1, False): (16.81, 17.19),
    (1, 4, 2, False): (21.12, 21.31),
    (5, 4, 0, False): (11.69, 11.78),
    (1, 4, 0, True): (9.69, 10.16),
    (1, 4, 1, True): (17.0, 17.56),
    (1, 4, 2, True): (21.31, 21.5),
    (5, 4, 2, True): (23.31, 23.5),
    (0, 4, 0, True): (15.36, 16.24),
    (0, 4, 2, True): (31.36, 32.24),
}
# On other architectures no instructions are counted, and the largest forms stand for the others: on
# a grid and on none, without derivatives and with both.
LARGEST = [(5, 4, 0, False), (5, 4, 2, True), (0, 4, 0, True), (0, 4, 2, True)]
# The design's budget of the plain walk, bfloat16, by derivatives; 24.4 for float32 and both.
BUDGET = {0: 10.3, 1: 17.1, 2: 25.6}


def one_by_one(
    interpreted: Any, x: torch.Tensor, labels: torch.Tensor, temperatures: Any, names: list[str]
) -> list[str]:
    found = []
    for i, name in enumerate(names):
        given = (x[i : i + 1], labels[i : i + 1], temperatures)
        out, _slow, _seen = interpreted("temperature_sweep", *given, TUNE)
        result = Sweep(*out[:3], None, out[3])
        found += compare_sweeps(result, sweep_truth_of(*given), temperatures, name)
    return found


@pytest.mark.parametrize("temperatures", [GRID, UPPER, OTHERS], ids=["grid", "upper", "others"])
def test_hard_rows(interpreted: Any, temperatures: list[float]) -> None:
    rows = hard_rows(300, BLOCK)
    x = torch.stack(list(rows.values())).to(torch.bfloat16)
    labels = row_labels(len(x), 300)
    assert not one_by_one(interpreted, x, labels, temperatures, list(rows))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("temperatures", [GRID + UPPER, [1e-3, 1e3]], ids=["grid", "extreme"])
def test_hard_rows_of_other_dtypes(
    interpreted: Any, dtype: torch.dtype, temperatures: list[float]
) -> None:
    """R17."""
    rows = hard_rows(837, BLOCK)
    x = torch.stack(list(rows.values())).to(dtype)
    labels = row_labels(len(x), 837)
    assert not one_by_one(interpreted, x, labels, temperatures, list(rows))


def test_the_second_reading_is_taken_where_it_is_needed(interpreted: Any) -> None:
    """R6: the highest power decides."""
    sampled = BLOCK * temperature_sweep.SAMPLED_BLOCKS.value
    x = some_rows(3, sampled + 100)
    top = x[:, :sampled].max(1).values.tolist()
    bits = (15.0, 17.0, 300.0)
    for row, peak, above in zip(x, top, bits, strict=True):
        row[sampled:] = row[sampled:].clamp(max=peak)
        row[-9] = peak + above * math.log(2)  # above the first blocks at T = 1, the coldest
    labels = torch.tensor([sampled + 91, sampled + 91, 3])
    out, slow, _seen = interpreted("temperature_sweep", x, labels, GRID, TUNE)
    assert slow.tolist() == [0, 1, 1]
    want = sweep_truth_of(x, labels, GRID)
    torch.testing.assert_close(out[0], want.nll, rtol=4e-7, atol=6e-6)


def test_sums_and_histograms_of_many_rows(interpreted: Any) -> None:
    """Ignored, mislabelled and lost rows; temperatures on the device, some of them unusable."""
    x = some_rows(9, 300)
    x[2, 7] = math.nan
    labels = torch.tensor([0, 299, 3, -100, 300, 5, 6, 7, 8])
    t = torch.tensor([1.0, 0.0, 2.5])
    out, _slow, seen = interpreted("temperature_sweep", x, labels, t, TUNE)
    want = sweep_truth_of(x, labels, t, bins=15)
    assert out[3] == want.count == 6 and out[0].isnan().tolist() == [False, True, False]
    torch.testing.assert_close(out[0], want.nll, rtol=4e-7, atol=2e-5, equal_nan=True)
    torch.testing.assert_close(out[1], want.grad, rtol=4e-7, atol=1e-4, equal_nan=True)
    assert want.histograms is not None
    for found, histogram in zip(seen, want.histograms, strict=True):
        sums = histogram.state_dict()["sums"]
        assert torch.equal(found[:30], sums[:30]) and found[-1] == sums[-1]
    assert seen[:, -1].tolist() == [2, 8, 2]


def test_options(interpreted: Any) -> None:
    x = some_rows(4, 90)
    ids = torch.tensor([[0, 5, 0, -1], [1, -1, -1, -1], [2, 7, 9, 89]])
    labels = torch.tensor([0, 1, 2, 0])
    for i in range(4):
        given = (x[i : i + 1], labels[i : i + 1], GRID)
        found = interpreted("public_temperature_sweep", *given, option_ids=ids, derivatives=2)
        want = sweep_truth_of(*given, option_ids=ids)
        assert not list(compare_sweeps(Sweep(*found), want, GRID, f"row {i}"))


@pytest.mark.parametrize("spellings", [5, 17])
def test_the_order_of_spellings_breaks_no_tie(interpreted: Any, spellings: int) -> None:
    """R22: the lowest of options with the same logits is the one that is correct."""
    x, ids = permuted_spellings(10, spellings)
    found = interpreted("swept_correct", x, torch.zeros(10).long(), GRID, ids)
    assert found.tolist() == [10] * len(GRID)


def main_walk(compiled: Any, arch: Any, dtype: str, shape: tuple[int, int, int, bool]) -> Any:
    first, terms, order, counted = shape
    nvidia = arch if isinstance(arch, int) else 0
    tune = tuning.sweep(order, nvidia)
    constants = {"FIRST": first, "TERMS": terms, "ORDER": order, "slow_ptr": None}
    constants |= {} if first else {"AHEAD": 1}
    constants |= {"PARTITION": tune.partition, "BLOCK": tune.block}
    constants |= {} if counted else {"edges_ptr": None, "seen_ptr": None}
    return compiled(temperature_sweep.sweep_kernel, arch, dtype, constants, tune)


@pytest.mark.parametrize(
    "arch", [90, *(pytest.param(a, marks=pytest.mark.slow) for a in (80, 100, 120))]
)
@pytest.mark.parametrize("dtype", ["*bf16", pytest.param("*fp32", marks=pytest.mark.slow)])
def test_main_loops(compiled: Any, arch: int, dtype: str) -> None:
    """R9, R35: no spills; loops of 128-bit loads and few instructions, without barriers."""
    for shape in MEASURED if arch == 90 else LARGEST:
        code = main_walk(compiled, arch, dtype, shape)
        assert code.resources["STACK"] == code.resources["LOCAL"] == 0
        plain, *others = code.walks()
        tune = tuning.sweep(shape[2], arch)
        each, together = (1, tune.ahead) if shape[0] else (shape[1], 1)
        assert len(per_element(plain)) == each * together * tune.block / (32 * tune.warps)
        for body in (plain, *others):
            assert not any("BAR" in line for line in body)
            assert sum("MUFU" in line for line in body) == len(per_element(body))
        if arch == 90:
            found = len(plain) * each / len(per_element(plain))
            assert found == pytest.approx(MEASURED[shape][dtype == "*fp32"], rel=0.05)


def test_a_grid_is_within_the_budget() -> None:
    """With the maximum and the guard of -inf, which the design's figures leave out."""
    for order, budget in BUDGET.items():
        half, full = MEASURED[1, 4, order, False]
        assert half <= budget and full <= 24.4


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["*bf16", "*fp32"])
def test_amd(compiled: Any, dtype: str) -> None:
    for shape in LARGEST:
        assembly = main_walk(compiled, "gfx942", dtype, shape).asm["amdgcn"]
        # The masks of the sample stay in lanes of vector registers; nothing goes to memory.
        assert re.search(r"\.vgpr_spill_count:\s+0\b", assembly)
        assert re.search(r"\.private_segment_fixed_size:\s+0\b", assembly)


def test_the_other_kernels_compile(compiled: Any) -> None:
    tile_o, tile_m = tuning.option_tile(5)
    constants = {"FIRST": 1, "TERMS": 4, "ORDER": 2, "TILE_O": tile_o, "TILE_M": tile_m}
    tune = tuning.SWEEP_DERIVATIVES
    code = compiled(temperature_sweep_options.sweep_options_kernel, 90, "*bf16", constants, tune)
    assert code.resources["LOCAL"] == 0
    assert any(re.search(r"\bREDG?\.E\.ADD\.64", line) for line in code.instructions)
    block = {"BLOCK": tuning.HISTOGRAM.block}
    code = compiled(temperature_sweep.sweep_sum_kernel, 90, "*bf16", block, tuning.HISTOGRAM)
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0


def test_reads_of_four() -> None:
    """Every temperature once, at most four to a read, grids first; bad ones are read, too."""
    for temperatures in (tuple(GRID + UPPER), (*OTHERS, *GRID, 0.0), (1.0,)):
        places = [k for _, _, some in temperature_sweep.reads(temperatures) for k in some if k >= 0]
        assert sorted(places) == list(range(len(temperatures)))
    assert [first for first, _, _ in temperature_sweep.reads(tuple(GRID + UPPER))] == [1, 5]
