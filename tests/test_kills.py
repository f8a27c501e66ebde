"""Killed runs go on as if nobody had stopped them."""

from __future__ import annotations

import pytest

from tests.kills import KINDS, survive


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_kills(kind: str):
    outcome = survive(kind, kills=5, seed=1)
    assert outcome.kills == 5
    assert outcome.files == ()
