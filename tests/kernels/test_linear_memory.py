"""What linear_cross_entropy holds beyond its inputs and the gradients that it returns."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from calib_kernels import linear_cross_entropy, tiles
from torch import Tensor, testing

from tests.kernels.heads import head

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = 131_072
# What is held has its size in bytes: the smaller the hidden size, the more columns and rows a
# part has. The products are small, since PyTorch emulates those of bfloat16 on a processor without
# AVX-512: the gradient of hidden states at 1e9 operations a second (2.13, AMD EPYC, one core).
HIDDEN = 64


def peak(which: str, dtype: str, n: int, columns: int = VOCABULARY, hidden: int = HIDDEN) -> float:
    """In MiB, of a process that does nothing else."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the kernel does not let a process reset its peak")
    paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    script = str(Path(__file__).with_name("linear_peak.py"))
    done = subprocess.run(
        [sys.executable, script, which, dtype, str(n), str(columns), str(hidden)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


# Each peak is of a process of its own: one of each kind is daily.
long = partial(pytest.param, marks=pytest.mark.slow)
SIZES = [long("float32", 1024), ("float32", 64), long("bfloat16", 64)]


@pytest.mark.parametrize(("dtype", "hidden"), SIZES)
def test_peak_at_512_rows(dtype: str, hidden: int) -> None:
    """256 MiB; the logits and their gradient alone would be twice that in float32."""
    assert peak("ours", dtype, 512, hidden=hidden) <= 256


@pytest.mark.parametrize(
    ("dtype", "n"),
    [long("float32", 192), long("bfloat16", 384), ("float16", 128), long("float16", 192)],
)
def test_peak_where_logits_are_stored(dtype: str, n: int) -> None:
    """As many rows as have 96 MiB of logits; of float16, which is widened, 64 are stored."""
    assert peak("ours", dtype, n) <= 256


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_peak_of_many_rows(dtype: str) -> None:
    """So many that the sums of the gradient of hidden states take a second sweep: of the four
    fifths that count, 2^17 are summed at once."""
    assert peak("ours", dtype, 200_000, 512) <= 256


@pytest.mark.slow
def test_the_plain_loss_does_not_pass() -> None:
    """The measure sees what it is there to see."""
    assert peak("plain", "float32", 512) > 256


@pytest.mark.parametrize("ignored", [0, 5])
def test_few_logits_are_stored(backend: str, ignored: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And multiplied once; more are multiplied again, to the same gradients. Products are exact."""
    products = []

    def counted(*parts: Tensor | None) -> Tensor:
        products.append(parts)
        return multiply(*parts)

    multiply = tiles.multiply
    monkeypatch.setattr(tiles, "multiply", counted)
    found = []
    for most, times in ((40 * 128 * 4, 1), (40 * 128 * 4 - 1, 2)):
        monkeypatch.setattr(tiles, "STORED_BYTES", most)
        leaves = head(40).leaves()
        leaves.labels[:ignored] = -100
        products.clear()
        losses = linear_cross_entropy(
            *leaves[:2], leaves.labels, bias=leaves.bias, reduction="none"
        )
        losses.sum().backward()
        assert len(products) == times
        found.append([leaf.grad for leaf in leaves[:3]])
    for stored, again in zip(*found, strict=True):
        assert stored is not None and again is not None
        testing.assert_close(stored, again, rtol=1e-6, atol=1e-7)
