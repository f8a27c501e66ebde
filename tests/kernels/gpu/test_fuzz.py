"""A few drawn calls in Triton's interpreter against the float64 reference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.kernels import fuzz
from tests.kernels.fuzz_calls import CALLS, cases
from tests.kernels.test_fuzz import drawn


@pytest.mark.parametrize("examples", [6, pytest.param(150, marks=pytest.mark.slow)])
@pytest.mark.parametrize("op", CALLS)
def test_triton_against_float64(interpreted: Any, op: str, examples: int) -> None:
    """Without the lowest floats, whose product with log2(e) leaves float32."""
    call = CALLS[op]

    @drawn(examples)
    @given(case=cases(op, fuzz.FEW_COLUMNS, fuzz.SPECIAL))
    def check(case: fuzz.Case) -> None:
        found = interpreted("drawn", op, case.logits, **case.arguments)
        assert not list(call.wrong(case, found, call.run))

    check()
