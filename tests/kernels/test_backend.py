"""Which backend runs: the environment, the override, and what is said when one cannot."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from calib_kernels import available_backends, backend, option_scores, use_backend

CPU = torch.device("cpu")


def chosen(dtype: torch.dtype = torch.float32) -> str:
    return backend.choose(CPU, dtype)


def test_the_environment_is_read_at_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALIB_KERNELS", "reference")
    assert chosen() == "reference"
    monkeypatch.setenv("CALIB_KERNELS", "auto")
    assert chosen() == ("native" if "native" in available_backends() else "reference")
    monkeypatch.setenv("CALIB_KERNELS", "fastest")
    with pytest.raises(ValueError, match=r"CALIB_KERNELS must be one of auto, .*'fastest'"):
        chosen()


def test_use_backend_overrides_and_restores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALIB_KERNELS", "native")
    with use_backend("reference"):
        assert chosen() == "reference"
        with use_backend("auto"):
            assert backend.requested() == "auto"
        assert chosen() == "reference"
    assert backend.requested() == "native"
    with pytest.raises(ValueError, match="backend must be one of"), use_backend("cuda"):
        pass


def test_float64_is_for_the_reference() -> None:
    assert chosen(torch.float64) == "reference"
    with use_backend("native"), pytest.raises(RuntimeError, match="takes no float64"):
        chosen(torch.float64)
    found = option_scores(torch.ones(1, 3, dtype=torch.float64), [0, 1])
    assert found.prob.dtype == torch.float64


def test_triton_on_cpu_tensors_needs_its_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(backend, "_triton_installed", lambda: True)
    with use_backend("triton"), pytest.raises(RuntimeError, match="TRITON_INTERPRET=1"):
        chosen()


def test_devices_without_kernels_use_the_reference_and_say_so_once() -> None:
    device = torch.device("meta")
    with use_backend("auto"):
        with pytest.warns(RuntimeWarning, match="slower reference backend for meta tensors"):
            assert backend.choose(device, torch.float32) == "reference"
        assert backend.choose(device, torch.float32) == "reference"  # a warning would be an error
    with use_backend("native"), pytest.raises(RuntimeError, match="must be on the CPU"):
        backend.choose(device, torch.float32)


WITHOUT_CORE = """
import sys, warnings
sys.modules["calib_kernels._native"] = None
import torch
from calib_kernels import available_backends, option_scores, use_backend
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(3):
        found = option_scores(torch.tensor([[2.0, 1.0, 0.0]]), [0, 1], torch.tensor([0]))
assert found.correct.item() and "native" not in available_backends()
assert len(caught) == 1, [str(w.message) for w in caught]
assert "C++ core is not built" in str(caught[0].message)
assert caught[0].filename == "<string>", caught[0].filename
try:
    with use_backend("native"):
        option_scores(torch.ones(1, 2), [0, 1])
except RuntimeError as error:
    assert "was asked for and cannot run" in str(error)
else:
    raise AssertionError("a named backend that cannot run must raise")
"""


def test_without_the_core_the_reference_runs_and_says_so_once() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "CALIB_KERNELS"}
    subprocess.run([sys.executable, "-c", WITHOUT_CORE], env=environment, check=True)
