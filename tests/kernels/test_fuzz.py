"""Drawn calls: the C++ core against the float64 reference, and against itself.

The views are surrounded by NaN, which no valid row could hide if it were read. The slow tier draws
thousands; ``test_sanitized`` runs this file on a build that checks every access.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    available_backends,
    histogram_delta,
    use_backend,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.gate.agreement import differing_bits, same_bits
from tests.kernels.fuzz import Case, repeatable
from tests.kernels.fuzz_calls import CALLS, cases

pytestmark = pytest.mark.skipif(
    "native" not in available_backends("cpu"), reason="the C++ core is not built here"
)
TIERS = [100, pytest.param(1500, marks=pytest.mark.slow)]


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def counted(op: str, case: Case) -> tuple[Any, CalibrationHistogram]:
    """The call with a histogram of the same pass, and one filled from what it returned."""
    fused, after = CalibrationHistogram(7), CalibrationHistogram(7)
    found = CALLS[op].run(case.logits, **case.arguments, histogram=fused)
    counts = case.arguments["labels"] != case.arguments["ignore_index"]
    after.update(found.confidence[counts], found.correct[counts])
    assert torch.equal(fused.state_dict()["sums"], after.state_dict()["sums"])
    return found, fused


@pytest.mark.parametrize("examples", TIERS)
@pytest.mark.parametrize("op", CALLS)
def test_native_against_float64(op: str, examples: int) -> None:
    call = CALLS[op]

    @repeatable(examples)
    @given(case=cases(op))
    def check(case: Case) -> None:
        with use_backend("native"), threads(1):
            found = call.run(case.logits, **case.arguments)
            again = call.run(case.logits, **case.arguments)
            own = call.run(case.on_its_own(), **case.arguments)
            if call.histogram and case.arguments["labels"] is not None:
                same_bits(counted(op, case)[0], found)
        with use_backend("native"), threads(3):
            shared = call.run(case.logits, **case.arguments)
        assert not list(call.wrong(case, found, call.run))
        same_bits(again, found)
        for other in (own, shared):
            same_bits(call.same(other), call.same(found))
            if differing_bits(other, found):  # in what no bits are promised of
                assert not list(call.wrong(case, other, call.run))

    check()


@pytest.mark.parametrize("examples", TIERS)
def test_histograms(examples: int) -> None:
    """Edges, their neighbours and what lies outside [0, 1]: equal to the definition, to the bit."""
    near = st.tuples(st.integers(0, 20), st.sampled_from([-2, -1, 0, 1, 2]))
    inside = near.map(
        lambda k: (torch.tensor(k[0] / 20).view(torch.int32) + k[1]).view(torch.float32).item()
    )
    values = st.one_of(inside, st.floats(width=32), st.floats(0, 1, width=32))
    rows = st.lists(st.tuples(values, st.booleans(), st.booleans()), max_size=40)

    @repeatable(examples)
    @given(rows=rows, bins=st.sampled_from([1, 2, 3, 5, 10, 15, 20, 4096]), partly=st.booleans())
    def check(rows: list[tuple[float, bool, bool]], bins: int, partly: bool) -> None:
        confidence = torch.tensor([r[0] for r in rows], dtype=torch.float32)
        correct = torch.tensor([r[1] for r in rows], dtype=torch.bool)
        valid = torch.tensor([r[2] for r in rows], dtype=torch.bool) if partly else None
        sums = []
        for backend in ("native", "reference"):
            with use_backend(backend):
                sums.append(histogram_delta(confidence, correct, valid, bins=bins))
        assert torch.equal(*sums)

    check()
