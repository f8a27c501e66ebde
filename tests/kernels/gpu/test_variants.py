"""Every kernel and every op: how many variants are compiled, and what may be left out of a call."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import calib_kernels
import pytest
import torch
from calib_kernels import gpu, use_backend
from torch import Tensor
from triton.runtime import JITFunction

from tests.kernels.gpu.conftest import kernel_unspecialised

MODULES = [
    importlib.import_module(f"{gpu.__name__}.{module.name}")
    for module in pkgutil.iter_modules(gpu.__path__)
]
KERNELS = {
    name: found
    for module in MODULES
    for name, found in vars(module).items()
    if name.endswith("_kernel") and isinstance(found, JITFunction)
}
# Memory that a launcher allocates and always hands over whole, hence always aligned.
OWN = {
    "block_sums_kernel": "sums",
    "combine_kernel": "logprob prob mass confidence prediction entropy vocab_entropy token correct "
    "valid seen slow sums tokens",
    "cross_entropy_kernel": "losses top log2_d slope seen slow",
    "cut_kernel": "sums value ties",
    "draw_kernel": "sums value ties left tied token logprob logprob_unfiltered entropy valid",
    "histogram_delta_kernel": "seen",
    "kept_sums_kernel": "sums value left tied",
    "logits_gradient_kernel": "variance",
    "loss_and_gradient_kernel": "kept losses top log2_d slope seen slow",
    "loss_combine_kernel": "losses top log2_d slope seen slow sums tokens",
    "option_scores_kernel": "logprob prob mass confidence prediction entropy vocab_entropy token "
    "correct valid seen slow",
    "partition_kernel": "sums tokens",
    "reduce_kernel": "loss kept",
    "row_combine_kernel": "lse confidence prediction entropy sum_p2 label_logprob correct valid "
    "log2_d seen slow sums tokens",
    "row_partition_kernel": "sums tokens",
    "row_stats_kernel": "lse confidence prediction entropy sum_p2 label_logprob correct valid "
    "log2_d seen slow",
    "sweep_kernel": "terms counted seen slow",
    "sweep_options_kernel": "terms counted seen",
    "sweep_sum_kernel": "terms counted nll grad hess count",
}


def test_no_kernel_is_forgotten() -> None:
    assert set(KERNELS) == set(OWN)


@pytest.mark.parametrize("name", KERNELS)
def test_compiled_variants_are_bounded(name: str) -> None:
    """R34: no size, stride, seed or input address is specialised on; no constant follows one."""
    kernel = KERNELS[name]
    free = {p.name for p in kernel.params} - kernel_unspecialised(kernel)
    assert free <= {f"{own}_ptr" for own in OWN[name].split()}


@pytest.mark.parametrize("name", KERNELS)
def test_no_global_differs_from_itself(name: str) -> None:
    """Triton compares a kernel's globals with those it was compiled with, and NaN is not NaN."""
    kernel = KERNELS[name]
    assert kernel.cache_key  # known globals are found on the way to it
    for (variable, _module), (value, _globals) in kernel.used_global_vals.items():
        assert not bool(value != value), variable


def rows() -> Tensor:
    return torch.randn(3, 70, generator=torch.Generator().manual_seed(0))


LABELS = torch.tensor([3, 69, -100])
BARE: dict[str, dict[str, Any]] = {
    "row_stats": {},
    "option_scores": {"option_ids": torch.arange(4)},
    "cross_entropy": {"labels": LABELS, "reduction": "none"},
    "temperature_sweep": {"labels": LABELS, "temperatures": [1.0, 0.3], "derivatives": 2},
    "sample": {"sample": torch.arange(3), "seed": 1, "item": 2, "step": 3},
}


@pytest.mark.parametrize("op", BARE)
def test_everything_optional_is_absent(interpreted: Any, op: str) -> None:
    """R36: no labels, no temperature of a device, no histogram, no filters."""
    found = interpreted("public", op, rows(), **BARE[op])
    with use_backend("reference"):
        want = getattr(calib_kernels, op)(rows(), **BARE[op])
    pairs = [(found, want)] if isinstance(want, Tensor) else zip(found, want, strict=True)
    for got, said in pairs:
        if said is None:
            assert got is None
        else:
            torch.testing.assert_close(got, said, atol=4e-6, rtol=4e-7)
