"""Compile the kernels of the loss and of gradients, and read what the compiler made of them.

As in ``test_compiled``; the figures were read with triton 3.9.0.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from calib_kernels.gpu import gradient, loss, rows, tuning

HOPPER = 90
DTYPES = ("*bf16", "*fp16", "*fp32")
# (smoothed, capped) -> instructions per exponential of the main loop, sm_90, by dtype. With a cap
# a logit takes two exponentials and a reciprocal.
FORWARD = {
    (False, False): (10.12, 10.12, 10.75),
    (True, False): (11.12, 11.12, 11.75),
    (False, True): (12.06, 12.25, 12.81),
    (True, True): (13.0, 13.06, 13.31),
}
# What comes from above -> the same for gradients, which read and write: memory is the limit up to
# about 30 for the 16-bit types. The second number is of rows whose blocks are turned into place.
BACKWARD = {
    "loss": ((12.75, 16.75), (12.38, 16.62), (10.75, 14.0)),
    "capped loss": ((15.0, 16.88), (14.69, 16.81), (14.0, 15.69)),
    "statistics": ((19.38, 23.75), (19.0, 23.5), (18.62, 21.88)),
}
STATISTICS = ("d_lse_ptr", "d_entropy_ptr", "entropy_ptr", "variance_ptr")


def forward(compiled: Any, arch: Any, dtype: str, smoothed: bool, capped: bool) -> Any:
    tune = tuning.LOSS_CAPPED if capped else tuning.LOSS
    constants = {"PARTITION": tune.partition, "BLOCK": tune.block, "SMOOTHED": smoothed}
    constants |= {"slow_ptr": None} | ({} if capped else {"cap": None})
    return compiled(loss.cross_entropy_kernel, arch, dtype, constants, tune), tune


def backward(compiled: Any, arch: Any, dtype: str, kind: str) -> Any:
    tune = tuning.GRADIENT_ENTROPY if kind == "statistics" else tuning.GRADIENT
    constants: dict[str, Any] = {"PARTITION": tune.partition, "BLOCK": tune.block}
    constants |= {} if kind == "capped loss" else {"cap": None}
    constants |= {} if kind == "statistics" else dict.fromkeys(STATISTICS)
    return compiled(gradient.logits_gradient_kernel, arch, dtype, constants, tune), tune


def narrow(body: list[str]) -> bool:
    """Whether a loop has loads of fewer than 128 bits."""
    return any("LDG" in line and ".128" not in line for line in body)


def marked(cases: Any, quick: set[Any]) -> list[Any]:
    return [pytest.param(*c, marks=[] if c in quick else pytest.mark.slow) for c in cases]


@pytest.mark.parametrize(
    ("arch", "dtype", "shape"),
    marked(
        itertools.product((80, HOPPER, 100, 120), DTYPES, FORWARD),
        {(HOPPER, "*bf16", (False, False)), (HOPPER, "*bf16", (True, True))},
    ),
)
def test_forward(compiled: Any, arch: int, dtype: str, shape: tuple[bool, bool]) -> None:
    """R9, R35: 128-bit loads for any V and stride; no spills; section 2.0's budget on sm_90."""
    code, tune = forward(compiled, arch, dtype, *shape)
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0
    assert code.resources["REG"] <= tuning.registers(tune, arch)
    # The plain walk and the second reading; on sm_80 a loop over partitions may come apart.
    loops = [body for body in code.main_loops() if not narrow(body)]
    assert len(loops) == 2
    for body in loops:
        assert not any("BAR" in line for line in body)
        if arch == HOPPER:
            exponentials = sum("MUFU.EX2" in line for line in body)
            assert sum("MUFU" in line for line in body) == exponentials * (1.5 if shape[1] else 1)
            measured = FORWARD[shape][DTYPES.index(dtype)]
            assert len(body) / exponentials <= measured * 1.05


@pytest.mark.parametrize(
    ("arch", "dtype", "kind"),
    marked(
        itertools.product((80, HOPPER, 100, 120), DTYPES, BACKWARD),
        {(HOPPER, "*bf16", "loss"), (HOPPER, "*bf16", "statistics")},
    ),
)
def test_backward(compiled: Any, arch: int, dtype: str, kind: str) -> None:
    """R9: loads and stores of 128 bits, whether x and its gradient lie alike or not."""
    code, tune = backward(compiled, arch, dtype, kind)
    assert code.resources["STACK"] == code.resources["LOCAL"] == 0
    assert code.resources["REG"] <= tuning.registers(tune, arch)
    wide = [b for b in code.main_loops() if any("STG.E.128" in line for line in b)]
    straight = [b for b in wide if not any("BAR" in line for line in b)]
    turned = [b for b in wide if b not in straight]
    assert len(straight) == len(turned) == 1
    for (body,), measured in zip(
        (straight, turned), BACKWARD[kind][DTYPES.index(dtype)], strict=True
    ):
        moves = [line for line in body if "LDG" in line or "STG" in line]
        assert moves and all(".128" in line for line in moves)
        if arch == HOPPER:
            exponentials = sum("MUFU.EX2" in line for line in body)
            assert len(body) / exponentials <= measured * 1.05


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
    for kernel in (rows.row_partition_kernel, loss.loss_combine_kernel, loss.reduce_kernel):
        code = compiled(kernel, HOPPER, dtype, constants, tune)
        assert code.resources["STACK"] == code.resources["LOCAL"] == 0
