"""Compile the kernels of the loss and of gradients, and read what the compiler made of them.

As in ``test_compiled``; the figures were read with triton 3.9.0.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from calib_kernels.gpu import (
    cross_entropy,
    cross_entropy_formed,
    logits_gradient,
    row_stats,
    tuning,
)

from tests.kernels.gpu.cases import TARGETS
from tests.kernels.gpu.conftest import per_element

HOPPER = 90
DTYPES = ("*bf16", "*fp16", "*fp32")
# (smoothed, capped) -> instructions per exponential of the main loop, sm_90, by dtype. With a cap
# a logit takes two exponentials and a reciprocal.
FORWARD = {
    (False, False): (7.69, 7.69, 8.16),
    (True, False): (8.69, 8.69, 9.16),
    (False, True): (11.06, 10.81, 11.34),
    (True, True): (11.56, 11.31, 11.84),
}
# What comes from above -> the same for gradients, which read and write: memory is the limit up to
# about 30 for the 16-bit types. The second number is of rows whose blocks are turned into place.
BACKWARD = {
    "loss": ((7.81, 12.12), (7.81, 11.88), (6.81, 10.38)),
    "capped loss": ((12.97, 14.94), (12.91, 14.81), (11.91, 13.69)),
    "statistics": ((12.81, 17.12), (12.81, 16.88), (11.81, 15.38)),
}
# (smoothed, capped) -> the same of the loss with its gradient, in bfloat16 and float16: of the loop
# of sums, and of that of gradients.
FORMED = {
    (False, False): ((8.53, 9.08), (7.45, 7.45)),
    (True, False): ((11.19, 11.5), (7.59, 7.59)),
    (False, True): ((12.97, 14.3), (12.31, 12.31)),
    (True, True): ((13.94, 15.55), (12.31, 12.31)),
}
STATISTICS = ("d_lse_ptr", "d_entropy_ptr", "entropy_ptr", "variance_ptr")


def forward(compiled: Any, arch: Any, dtype: str, smoothed: bool, capped: bool) -> Any:
    tune = tuning.LOSS_CAPPED if capped else tuning.LOSS
    constants = {"PARTITION": tune.partition, "BLOCK": tune.block, "SMOOTHED": smoothed}
    constants |= {"slow_ptr": None} | ({} if capped else {"cap": None})
    return compiled(cross_entropy.cross_entropy_kernel, arch, dtype, constants, tune), tune


def backward(compiled: Any, arch: Any, dtype: str, kind: str) -> Any:
    tune = tuning.GRADIENT_ENTROPY if kind == "statistics" else tuning.GRADIENT
    constants: dict[str, Any] = {"PARTITION": tune.partition, "BLOCK": tune.block}
    constants |= {} if kind == "capped loss" else {"cap": None}
    constants |= {} if kind == "statistics" else dict.fromkeys(STATISTICS)
    return compiled(logits_gradient.logits_gradient_kernel, arch, dtype, constants, tune), tune


def formed(compiled: Any, arch: Any, dtype: str, shape: tuple[bool, bool], together: int) -> Any:
    smoothed, capped = shape
    tune = tuning.loss_formed(together, smoothed or capped)
    constants = {"PARTITION": tune.partition, "BLOCK": tune.block, "SMOOTHED": smoothed}
    constants |= {"MEAN": True, "slow_ptr": None, "G": together} | ({} if capped else {"cap": None})
    return compiled(
        cross_entropy_formed.loss_and_gradient_kernel, arch, dtype, constants, tune
    ), tune


def marked(cases: Any, quick: set[Any]) -> list[Any]:
    return [pytest.param(*c, marks=[] if c in quick else pytest.mark.slow) for c in cases]


@pytest.mark.parametrize(
    ("arch", "dtype", "shape"),
    marked(
        ((*target, shape) for target, shape in itertools.product(TARGETS, FORWARD)),
        {(HOPPER, "*bf16", (False, False)), (HOPPER, "*bf16", (True, True))},
    ),
)
def test_forward(compiled: Any, arch: int, dtype: str, shape: tuple[bool, bool]) -> None:
    """R9, R35: 128-bit loads for any V and stride; no spills; section 2.0's budget on sm_90."""
    code, tune = forward(compiled, arch, dtype, *shape)
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0
    assert code.resources["REG"] <= tuning.registers(tune, arch)
    plain, *others = code.walks()
    each = 2 if shape[1] else 1
    assert len(per_element(plain)) == each * tune.ahead * tune.block / (32 * tune.warps)
    for body in (plain, *others):
        assert not any("BAR" in line for line in body)
        exponentials = len(per_element(body))
        assert sum("MUFU" in line for line in body) == exponentials * (1.5 if shape[1] else 1)
    if arch == HOPPER:
        measured = FORWARD[shape][DTYPES.index(dtype)]
        assert len(plain) / len(per_element(plain)) <= measured * 1.05


@pytest.mark.parametrize(
    ("arch", "dtype", "kind"),
    marked(
        ((*target, kind) for target, kind in itertools.product(TARGETS, BACKWARD)),
        {(HOPPER, "*bf16", "loss"), (HOPPER, "*bf16", "statistics")},
    ),
)
def test_backward(compiled: Any, arch: int, dtype: str, kind: str) -> None:
    """R9: loads and stores of 128 bits, whether x and its gradient lie alike or not."""
    code, tune = backward(compiled, arch, dtype, kind)
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0
    assert code.resources["REG"] <= tuning.registers(tune, arch)
    wide = [b for b in code.main_loops() if any("STG.E.128" in line for line in b)]
    for body in wide:
        moves = [line for line in body if "LDG" in line or "STG" in line]
        assert moves and all(".128" in line for line in moves)
    turned = [b for b in wide if any("BAR" in line for line in b)]
    assert len(turned) == 1
    straight = max((b for b in wide if b not in turned), key=lambda b: len(per_element(b)))
    assert sum("LDG" in line for line in straight) >= tune.ahead
    if arch == HOPPER:
        found = [len(body) / len(per_element(body)) for body in (straight, *turned)]
        measured = BACKWARD[kind][DTYPES.index(dtype)]
        assert all(n <= limit * 1.05 for n, limit in zip(found, measured, strict=True)), found


def test_a_gradient_that_is_there_costs_one_number(compiled: Any) -> None:
    """Of each program: it reads what reached the loss, and ends."""
    code, _ = backward(compiled, HOPPER, "*bf16", "loss")
    way = [line for line in code.instructions if "LDG" in line or "EXIT" in line]
    assert "LDG" in way[0] and "EXIT" in way[1]


@pytest.mark.parametrize(
    ("arch", "dtype", "shape", "together"),
    marked(
        (
            (arch, dtype, shape, together)
            for (arch, dtype), shape, together in itertools.product(TARGETS, FORMED, (4, 8))
            if dtype != "*fp32" and (together <= 4 or not shape[1])
        ),
        {(HOPPER, "*bf16", (False, False), 4)},
    ),
)
def test_formed(
    compiled: Any, arch: int, dtype: str, shape: tuple[bool, bool], together: int
) -> None:
    """R9, R20, R35: three loops, of sums, of sums relative to the maximum, of gradients, and what
    is left of the last. One program on a multiprocessor. The trees of the two kernels' sums."""
    code, tune = formed(compiled, arch, dtype, shape, together)
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0
    limit = tuning.registers(tune, arch)
    assert tuning.REGISTERS / 2 < code.resources["REG"] * 32 * tune.warps <= tuning.REGISTERS
    assert code.resources["REG"] <= limit
    loops = code.walks()
    assert len(loops) == 4
    for body in loops:
        assert not any("BAR" in line for line in body)
        moves = [line for line in body if "LDG" in line or "STG" in line]
        assert all(".128" in line for line in moves)
    blocks = [body for body in loops if sum("LDG" in line for line in body) == tune.ahead]
    sums = [body for body in blocks if not any("STG" in line for line in body)]
    written = [body for body in blocks if any("STG" in line for line in body)]
    assert len(sums) == 2 and len(written) == 1
    if arch == HOPPER and together == 4:
        measured = [limits[dtype == "*fp16"] for limits in FORMED[shape]]
        for body, most in zip((sums[0], *written), measured, strict=True):
            assert len(body) / len(per_element(body)) <= most * 1.05
    layouts = trees(code.asm["ttgir"], f"{together}x{tune.block}", f"tensor<{together}xf32")
    per_thread = r"sizePerThread = \[1, 8\], threadsPerWarp = \[1, 32\]"
    warps = rf"warpsPerCTA = \[{together}, 2\], order = \[1, 0\]"
    assert layouts and all(re.search(f"{per_thread}, {warps}", layout) for layout in layouts)
    plain, _ = forward(compiled, arch, dtype, *shape)
    layouts = trees(plain.asm["ttgir"], str(tune.block), "f32")
    assert layouts
    for layout in layouts:
        assert re.search(r"= \[8\], threadsPerWarp = \[32\], warpsPerCTA = \[2\]", layout)


def trees(text: str, shape: str, result: str) -> list[str]:
    """The layouts of what is summed: of floating-point numbers of a shape, to others."""
    aliases = dict(re.findall(r"^(#\w+) = (#ttg\.\w+<.*>)", text, re.M))
    sums = re.findall(
        r"arith\.addf [^\n]*\n[^\n]*tt\.reduce\.return[^\n]*\n"
        rf"\s*}}\) : \(tensor<{shape}xf32, (#\w+)>\) -> {result}",
        text,
    )
    return [aliases[alias] for alias in sums]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["*bf16", "*fp32"])
def test_amd(compiled: Any, dtype: str) -> None:
    built = [forward(compiled, "gfx942", dtype, *shape)[0] for shape in FORWARD]
    built += [backward(compiled, "gfx942", dtype, kind)[0] for kind in BACKWARD]
    for code in built:
        assert re.search(r"\.vgpr_spill_count:\s+0\b", code.asm["amdgcn"])
        assert re.search(r"\.sgpr_spill_count:\s+0\b", code.asm["amdgcn"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["*bf16", "*fp32"])
def test_few_rows_and_sums(compiled: Any, dtype: str) -> None:
    """The partitions of a row, their combination and the sum over rows."""
    tune = tuning.LOSS_CAPPED
    constants = {"PARTITION": tune.partition, "BLOCK": tune.block, "SMOOTHED": True}
    constants |= {"SQUARES": True, "LINEAR": True, "MEAN": True, "slow_ptr": None}
    for kernel in (
        row_stats.row_partition_kernel,
        cross_entropy.loss_combine_kernel,
        cross_entropy.reduce_kernel,
    ):
        code = compiled(kernel, HOPPER, dtype, constants, tune)
        assert code.resources["STACK"] == code.resources["LOCAL"] == 0
