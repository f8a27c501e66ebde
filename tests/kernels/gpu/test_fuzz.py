"""A few drawn calls in Triton's interpreter against the float64 reference."""

from __future__ import annotations

from typing import Any

import pytest
from calib_kernels import use_backend
from hypothesis import given

from bench.gate import compare
from tests.kernels import fuzz
from tests.kernels.test_fuzz import drawn


@pytest.mark.parametrize("examples", [6, pytest.param(150, marks=pytest.mark.slow)])
@pytest.mark.parametrize("op", fuzz.CALLS)
def test_triton_against_float64(interpreted: Any, op: str, examples: int) -> None:
    """Without the lowest floats, whose product with log2(e) leaves float32."""

    @drawn(examples)
    @given(case=fuzz.cases(op, fuzz.FEW_COLUMNS, fuzz.SPECIAL))
    def check(case: fuzz.Case) -> None:
        with use_backend("reference"):
            truth = fuzz.CALLS[op].run(case.logits.double(), **case.arguments)
        found, _ = interpreted(f"public_{op}", case.logits, **case.arguments)
        names = [f"row {i}" for i in range(len(case.logits))]
        assert not list(compare(type(truth)(*found), truth, names))

    check()
