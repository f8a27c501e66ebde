"""A few drawn calls in Triton's interpreter against the float64 reference."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given
from torch import Tensor

from tests.kernels import fuzz
from tests.kernels.fuzz import repeatable
from tests.kernels.fuzz_calls import CALLS, cases


def misread(x: Tensor) -> bool:
    """The interpreter takes a subnormal bfloat16 for another number: -9.2e-41 for 0."""
    subnormal = (x != 0) & (x.abs() < torch.finfo(torch.bfloat16).tiny)
    return x.dtype == torch.bfloat16 and bool(subnormal.any())


@pytest.mark.parametrize("examples", [12, pytest.param(80, marks=pytest.mark.slow)])
@pytest.mark.parametrize("op", CALLS)
def test_triton_against_float64(interpreted: Any, op: str, examples: int) -> None:
    """Without the lowest floats, whose product with log2(e) leaves float32."""
    call = CALLS[op]

    @repeatable(examples)
    @given(case=cases(op, fuzz.FEW_COLUMNS, fuzz.SPECIAL))
    def check(case: fuzz.Case) -> None:
        assume(not misread(case.logits))
        found = interpreted("drawn", op, case.logits, **case.arguments)
        assert not list(call.wrong(case, found, call.run))

    check()
