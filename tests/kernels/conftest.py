"""Every contract test runs on every backend that can run here.

Triton joins where its interpreter is switched on (TRITON_INTERPRET=1 before Python starts); its
own tests are in ``gpu/``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from calib_kernels import available_backends, use_backend

from tests.kernels.heads import few_at_once

BACKENDS = ["reference", "native"] + ["triton"] * ("triton" in available_backends("cpu"))


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    name: str = request.param
    if name not in available_backends("cpu"):
        pytest.skip(f"{name} cannot run here")
    with use_backend(name):
        yield name


@pytest.fixture(params=["whole", "few at once"])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """With bounds that hold everything, and with such that a few rows and columns fit."""
    if request.param == "few at once":
        few_at_once(monkeypatch)
    yield request.param
