"""Flash kernels with their log-sum-exp: which one is taken, and that of the package flash-attn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from calib.hf.decoding import flash
from calib.hf.decoding.shared_attention import attention_and_lse, plainly


def inputs(keys: int = 100, size: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    q = torch.randn(2, 6, 5, size, generator=g)
    k, v = (torch.randn(2, 6, keys, size, generator=g) for _ in range(2))
    return q, k, v


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """A stand-in with the package's signature and layouts; yields how it was called."""
    calls = []

    def flash_attn_func(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> tuple[Any, ...]:
        """q (B, Q, H, D), k and v (B, P, H, D) -> (B, Q, H, D), padded (B, H, Q')."""
        calls.append(options)
        scores = torch.einsum("bqhd,bphd->bhqp", q, k) * options["softmax_scale"]
        lse = torch.nn.functional.pad(scores.logsumexp(-1), (0, 3))
        return torch.einsum("bhqp,bphd->bqhd", scores.softmax(-1), v), lse, None

    module = ModuleType("flash_attn")
    module.flash_attn_func = flash_attn_func  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    flash.of_package.cache_clear()
    yield calls
    flash.of_package.cache_clear()


def test_the_package_is_given_its_layout(package: list[dict[str, Any]]) -> None:
    q, k, v = inputs()
    kernel = flash.of_package()
    assert kernel is not None
    for found, expected in zip(kernel(q, k, v, 0.3), plainly(q, k, v, 0.3), strict=True):
        torch.testing.assert_close(found, expected)
    assert package == [{"softmax_scale": 0.3, "return_attn_probs": True}]


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    flash.of_package.cache_clear()
    assert flash.of_package() is None
    flash.of_package.cache_clear()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_kernel_of_the_cpu(dtype: torch.dtype) -> None:
    q, k, v = (x.to(dtype) for x in inputs())
    assert flash.flash_kernel(q, k, v) is flash.on_cpu
    near = {} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 2e-2}
    found, expected = attention_and_lse(q, k, v, 0.3), plainly(q, k, v, 0.3)
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, **near)


def test_few_keys_and_values_of_another_size_go_to_products() -> None:
    q, k, v = inputs(flash.SHORT)
    assert flash.flash_kernel(q, k, v) is None
    q, k, v = inputs()
    assert flash.flash_kernel(q, k, v[..., :8]) is None


@pytest.mark.gpu
@pytest.mark.parametrize("kernel", [flash.on_cuda, None], ids=["aten", "flash-attn"])
def test_the_kernels_of_a_gpu(kernel: flash.Flash | None) -> None:
    kernel = kernel or flash.of_package()
    if kernel is None:
        pytest.skip("flash-attn is not installed")
    q, k, v = (x.cuda().bfloat16() for x in inputs())
    for found, expected in zip(kernel(q, k, v, 0.3), plainly(q, k, v, 0.3), strict=True):
        torch.testing.assert_close(found.float(), expected.float(), rtol=2e-2, atol=2e-2)
