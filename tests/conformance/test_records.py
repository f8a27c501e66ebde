"""What counts as passed, and what as worse than before."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from calib import CalibError
from tests.conformance.expected import worse
from tests.conformance.hand import apart, extended
from tests.conformance.records import Unsettled, checked
from tests.conformance.suite import Outcome
from tests.conformance.table import cell, is_right


def refuse(kind: type[Exception]) -> Any:
    raise kind("no")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(0.0, "passed"), (1e-4, "passed"), (2e-4, "failed"), (math.nan, "failed")],
)
def test_an_error_above_the_bound_fails(error: float, outcome: str) -> None:
    assert checked("a", lambda: (error, 1e-4, "")).outcome == outcome


def test_what_is_raised_is_told_apart() -> None:
    kinds = {
        CalibError: "refused",
        Unsettled: "unsettled",
        ValueError: "failed",
        KeyError: "failed",
    }
    for kind, outcome in kinds.items():
        assert checked("a", refuse, kind).outcome == outcome


def test_equal_infinities_do_not_differ_and_a_nan_does() -> None:
    a = torch.tensor([-torch.inf, 1.0])
    assert apart(a, a.clone()) == 0.0
    assert apart(a, torch.tensor([-torch.inf, torch.nan])) == math.inf
    assert apart(a, a[:1]) == math.inf


def test_only_inputs_of_tokens_are_extended() -> None:
    inputs = {
        "input_ids": torch.tensor([[5, 6]]),
        "token_type_ids": torch.tensor([[0, 0]]),
        "cross_attention_mask": torch.ones(1, 2, 3),
        "pixel_values": torch.ones(1, 2, 4),
    }
    longer = extended(inputs, (7,), 1)
    assert longer["input_ids"].tolist() == [[5, 6, 7]]
    assert longer["token_type_ids"].tolist() == [[0, 0, 1]]
    assert longer["cross_attention_mask"].shape == (1, 3, 3)
    assert longer["pixel_values"] is inputs["pixel_values"]


NAMES = {"a": "one token", "b": "several tokens", "c": "one first token"}


def outcome_of(**outcomes: str) -> Outcome:
    checks = [
        {"name": f"score: {NAMES[name]}", "outcome": value, "error": 1e-6, "reason": ""}
        for name, value in outcomes.items()
    ]
    return Outcome("a", checks=checks)


def test_worse_is_what_passed_before() -> None:
    before = {"checks": 2, "not passed": {"score: several tokens": "failed"}}
    assert not worse(outcome_of(a="passed", b="failed"), before)
    assert worse(outcome_of(a="failed", b="passed"), before)
    assert worse(outcome_of(a="unsettled", b="passed"), before)
    assert worse(outcome_of(a="passed"), before)


def test_a_family_is_right_where_nothing_fails_and_something_was_compared() -> None:
    assert is_right(outcome_of(a="passed", b="passed", c="unsettled"))
    assert not is_right(outcome_of(a="passed", b="passed", c="failed"))
    assert not is_right(outcome_of(a="passed", b="passed", c="refused"))
    assert not is_right(outcome_of(a="passed", b="unsettled"))
    assert cell(outcome_of(a="passed", b="unsettled", c="failed").checks) == "**1/3** 1e-06 1 ?"
