"""sample in Triton's interpreter against the definition; compiled, what became of its kernels.

The block of 4,096 logits is part of the contract, so rows are long enough for three of them and
few enough for the interpreter.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import torch
from calib_kernels import Sample, sample, use_backend
from calib_kernels.gpu import sample as kernels
from calib_kernels.gpu import sample_survivors, tuning
from torch import Tensor

from tests.gate.agreement import compare, same_bits
from tests.gate.row_stats import hard_rows, laid_out
from tests.kernels.gpu.cases import TARGETS

COLUMNS = 9001
NAMES = (
    "plain", "offset +1e4", "late spike", "first block -inf", "all but one -inf", "all -inf",
    "NaN late", "+inf, no option", "+inf twice", "zeros of both signs", "ties of the maximum",
)  # fmt: skip
FILTERS: list[dict[str, Any]] = [
    {},
    {"top_k": 50},
    {"top_p": 0.9},
    {"min_p": 0.05},
    {"top_k": 900, "top_p": 0.8, "min_p": 0.01},
    {"greedy": True},
]
QUICK = [(torch.bfloat16, 0), (torch.float32, 4)]
GRID = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in itertools.product((torch.float32, torch.bfloat16, torch.float16), range(6))
]


def some_rows(dtype: torch.dtype) -> Tensor:
    rows = hard_rows(COLUMNS, 4096)
    return torch.stack([rows[name] for name in NAMES]).to(dtype)


def both(interpreted: Any, x: Tensor, **options: Any) -> tuple[Sample, Sample]:
    options = {
        "seed": 2**63 + 5, "item": 2**40 + 1, "step": 3, "sample": torch.arange(len(x)), **options
    }  # fmt: skip
    found = Sample(*interpreted("public", "sample", x, **options))
    with use_backend("reference"):
        return found, sample(x, **options)


@pytest.mark.parametrize(("dtype", "chosen"), GRID, ids=str)
def test_hard_rows(interpreted: Any, dtype: torch.dtype, chosen: int) -> None:
    found, expected = both(interpreted, some_rows(dtype), **FILTERS[chosen])
    assert not list(compare(found, expected, list(NAMES)))


def rows_of_few_values() -> dict[str, Tensor]:
    """Where a cut falls among equal logits, or no logit lies between most floats."""
    x = torch.randn(COLUMNS, generator=torch.Generator().manual_seed(4)) * 3
    few = torch.full((COLUMNS,), -torch.inf)
    few[::900] = x[::900]
    peaked = x.clone()
    peaked[[7, 4096, 9000]] = torch.tensor([22.0, 20.5, 20.0])
    return {
        "one value": torch.full((COLUMNS,), 1.5),
        "two values": torch.where(x > 1, 2.0, 1.0),
        "halves": (x * 2).round() / 2,
        "of bfloat16": x.bfloat16().float(),
        "few": few,
        "peaked": peaked,
    }


CUTS: list[dict[str, Any]] = [
    {"top_p": 0.9}, {"top_k": 50}, {"top_k": 1000, "top_p": 0.5}, {"top_p": 0.99, "min_p": 0.3},
]  # fmt: skip


QUICK_CUTS = [(torch.bfloat16, 2), (torch.float32, 0)]
FEW = [
    pytest.param(*case, marks=[] if case in QUICK_CUTS else pytest.mark.slow)
    for case in itertools.product((torch.float32, torch.bfloat16, torch.float16), range(4))
]


@pytest.mark.parametrize(("dtype", "chosen"), FEW, ids=str)
def test_cuts_among_few_values(interpreted: Any, dtype: torch.dtype, chosen: int) -> None:
    """R22: more ties than are kept, of which the first stay; and fewer logits than top_k."""
    rows = rows_of_few_values()
    x = torch.stack(list(rows.values())).to(dtype)
    indices = torch.arange(4 * len(x)).view(len(x), 4)
    # At 1.3 no mass lies at a cut but for rounding.
    found, expected = both(interpreted, x, sample=indices, temperature=1.3, **CUTS[chosen])
    assert not list(compare(found, expected, list(rows)))


def test_injected_uniforms_and_temperatures(interpreted: Any) -> None:
    """And draws of one row by several programs; seeds whose halves look negative."""
    x = some_rows(torch.float32)[:2]
    u = torch.rand(2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    indices = torch.arange(6).view(2, 3)
    t = torch.tensor([0.5, 2.0])
    for options in ({"uniforms": u}, {"seed": 2**64 - 1}, {"seed": 2**32 - 1, "min_p": 0.2}):
        found, expected = both(interpreted, x, sample=indices, temperature=t, **options)
        assert not list(compare(found, expected, ["a", "b"])), options


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_bits_do_not_depend_on_where_a_row_lies(interpreted: Any, dtype: torch.dtype) -> None:
    """R9, R20: copies of a row at every distance from a 16-byte boundary, NaN between them."""
    x = torch.randn(1, 4200, generator=torch.Generator().manual_seed(0)).to(dtype).expand(8, -1)
    shifted = laid_out(x, 4201, 3, "cpu")
    options = {"sample": torch.full((8,), 9), "top_p": 0.9}
    found, expected = both(interpreted, shifted, **options)
    alone, _ = both(interpreted, x[:1].clone(), **{**options, "sample": torch.tensor([9])})
    assert not list(compare(found, expected, ["row"] * 8))
    for a, b in zip(found, alone, strict=True):
        assert torch.equal(a, b.expand(8))


@pytest.mark.parametrize("columns", [3 * 4096 + 8, 2 * 4096, 4099])
def test_bits_do_not_depend_on_how_far_a_program_walks(interpreted: Any, columns: int) -> None:
    """R20: as long as rows are few a program has one block, else eight, of which the last may be
    cut short or out of line."""
    x = torch.randn(2, columns, generator=torch.Generator().manual_seed(5)).bfloat16() * 3
    options = {"seed": 1, "item": 2, "step": 3, "sample": torch.arange(8).view(2, 4)}
    alone = interpreted("public", "sample", x, **options)
    for walk in (2, 8):
        same_bits(interpreted("sampled_in_walks", walk, x, **options), tuple(alone))


CONSTANTS = {"PIECE": tuning.BLOCK_SUMS.block, "BLOCKS": 64, "GREEDY": False}
BARE = dict.fromkeys(("value_ptr", "ties_ptr", "left_ptr", "tied_ptr", "uniforms_ptr"))
KERNELS: dict[str, tuple[Any, dict[str, Any], tuning.RowTuning]] = {
    "block_sums": (kernels.block_sums_kernel, CONSTANTS, tuning.BLOCK_SUMS),
    "kept_sums": (kernels.kept_sums_kernel, CONSTANTS, tuning.BLOCK_SUMS),
    "cut": (sample_survivors.cut_kernel, {**CONSTANTS, "PIECE": tuning.CUT.block}, tuning.CUT),
    "draw": (kernels.draw_kernel, {**CONSTANTS, **BARE}, tuning.DRAW),
    "draw of what is left": (kernels.draw_kernel, CONSTANTS, tuning.DRAW),
}
# Instructions per logit of the first pass, sm_90, triton 3.9.0: of whole blocks, in bfloat16 of one
# round of the walk, and of those of odd rows.
MEASURED = {"*bf16": (9.81, 13.52), "*fp16": (12.23, 13.02), "*fp32": (10.61, 11.19)}
COMPILED = [
    pytest.param(*case, marks=[] if case[1:] == (90, "*bf16") else pytest.mark.slow)
    for case in ((name, *target) for name in KERNELS for target in TARGETS)
]


@pytest.mark.parametrize(("name", "arch", "dtype"), COMPILED)
def test_nothing_spills(compiled: Any, name: str, arch: int, dtype: str) -> None:
    """R9, R35, R36: with what filters need, and without it."""
    kernel, constants, tune = KERNELS[name]
    tune = tuning.cut(32) if (name, dtype) == ("cut", "*fp32") else tune
    tune = tuning.block_sums(arch) if tune is tuning.BLOCK_SUMS else tune
    code = compiled(kernel, arch, dtype, constants, tune)
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0
    assert code.resources["REG"] <= tuning.registers(tune, arch)
    pieces = {"block_sums": kernels.BLOCK.value // tune.block + 1, "kept_sums": 1}
    if name in pieces:
        # Each piece by 128-bit loads where it is not cut short; whole blocks have a path of theirs.
        assert len(wide(code.instructions)) >= pieces[name]


def wide(instructions: list[str]) -> list[str]:
    return [line for line in instructions if re.search(r"LDG\S*\.128", line)]


@pytest.mark.parametrize("dtype", ["*bf16", pytest.param("*fp16", marks=pytest.mark.slow), "*fp32"])
def test_budget(compiled: Any, dtype: str) -> None:
    """R9: the first pass, on the way that all blocks of a row take but its last, sm_90.

    The design's figure was 8.8 without the maximum of each block and the guard of -inf. A maximum
    and the guard take an instruction each, and so does the difference that cannot overflow: its
    place is the block's own maximum, so nothing is ever read twice. Memory is the limit up to about
    15, for float32 up to 30. Odd rows, that begin at no 16-byte boundary, choose each logit from
    two pieces and turn their lanes.
    """
    kernel, constants, tune = KERNELS["block_sums"]
    code = compiled(kernel, 90, dtype, constants, tune)
    logits = kernels.BLOCK.value // (32 * tune.warps)
    odd = code.shortest_way("STS.128")
    if dtype == "*bf16":
        # Blocks in turn: the next one's loads come before the first sum of this one.
        plain = code.round(min(code.main_loops(), key=len))
        assert (
            sum("LDG" in line for line in plain)
            == len(wide(plain))
            == kernels.BLOCK.value // tune.block
        )
        loads = [i for i, line in enumerate(plain) if "LDG" in line]
        assert max(loads) < min(i for i, line in enumerate(plain) if "MUFU.EX2" in line)
    else:
        plain = code.shortest_way()
        assert sum("LDG" in line for line in plain) == len(wide(plain)) + 1  # the one temperature
    assert sum("LDG" in line for line in odd) == len(wide(odd)) + 1
    for way, measured in zip((plain, odd), MEASURED[dtype], strict=True):
        assert sum("MUFU.EX2" in line for line in way) == logits
        assert sum("MUFU" in line for line in way) <= 1.05 * logits
        assert 0.95 * measured <= len(way) / logits <= 1.05 * measured


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", ["*bf16", "*fp32"])
def test_amd(compiled: Any, name: str, dtype: str) -> None:
    kernel, constants, tune = KERNELS[name]
    assembly = compiled(kernel, "gfx942", dtype, constants, tune).asm["amdgcn"]
    # ``cut`` keeps scalars in lanes of vector registers; nothing goes to memory.
    assert re.search(r"\.vgpr_spill_count:\s+0\b", assembly)
    assert re.search(r"\.private_segment_fixed_size:\s+0\b", assembly)
