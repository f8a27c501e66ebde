"""The C++ core: its instruction sets, its threads, and processes that fork."""

from __future__ import annotations

import ast
import functools
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from calib_kernels import (
    Sample,
    Sweep,
    available_backends,
    option_scores,
    row_stats,
    sample,
    temperature_sweep,
    use_backend,
)
from torch import Tensor

from bench.gate import compare, compare_sweeps, hard_rows, option_sets, row_labels
from bench.loss_gate import Outcome, disagreements, outcome, truth

pytestmark = pytest.mark.skipif(
    "native" not in available_backends("cpu"), reason="the C++ core is not built here"
)
ROOT = Path(__file__).resolve().parents[2]
# Three chunks, the last of them no multiple of anything; for 16 bits a few blocks, whose loops
# differ in their loads alone.
COLUMNS = {torch.float32: 70001, torch.bfloat16: 9001, torch.float16: 9001}
DTYPES = list(COLUMNS)
# Every op of the core, on rows (N, V) of any dtype: its results hold to every instruction set and
# to every number of threads.
OPS: dict[str, Callable[[Tensor], Any]] = {
    "option_scores": lambda x: option_scores(x, options_of(x), torch.arange(len(x)) % 3),
    "row_stats": lambda x: row_stats(x, row_labels(*x.shape), temperature=0.7),
    "sample": lambda x: draws_of(x),
}
# Further results, whose agreement with float64 has tests of its own: here, only their bits.
BITS: dict[str, Callable[[Tensor], Any]] = {
    **OPS,
    "cross_entropy": lambda x: losses_of(x),
    "temperature_sweep": lambda x: sweeps_of(x),
}


LOSS: dict[str, Any] = {"label_smoothing": 0.1, "softcap": 30.0, "z_loss": 1e-3}
LEAST = 0.7  # temperature of a loss


def loss_arguments(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    n = len(x)
    return x, row_labels(*x.shape), torch.full((n,), LEAST), torch.linspace(-1.0, 2.0, n)


def losses_of(x: Tensor) -> list[Tensor]:
    """Losses with everything switched on, their gradients and the histogram."""
    return list(outcome(*loss_arguments(x), reduction="none", **LOSS))


# On a grid in 1/T, on none, and so many that a row is counted first, unless it is of float16.
TEMPERATURES = ([4.0, 2.0, 4 / 3, 1.0], [0.7, 3.1], [0.3 * 1.05**k for k in range(48)])


def sweeps_of(x: Tensor) -> list[Tensor]:
    """Of every third row, then of all together: nll, both derivatives, count."""
    labels = row_labels(*x.shape)
    rows = [*(slice(i, i + 1) for i in range(0, len(x), 3)), slice(None)]
    swept = (
        temperature_sweep(x[own], labels[own], t, derivatives=2)
        for t in TEMPERATURES
        for own in rows
    )
    return [field for s in swept for field in (s.nll, s.grad, s.hess, s.count) if field is not None]


def draws_of(x: Tensor) -> Sample:
    """Without filters and with them."""
    indices = torch.arange(2 * len(x)).view(-1, 2)
    plain = sample(x, seed=1, item=2, sample=indices, step=3)
    cut = sample(
        x, seed=1, item=2, sample=indices, step=3, top_k=3000, top_p=0.9, min_p=1e-3
    )  # fmt: skip
    return Sample(*(torch.cat(fields, 1) for fields in zip(plain, cut, strict=True)))


def options_of(x: Tensor) -> Tensor:
    return option_sets(*x.shape)["spellings"]


ROWS = list(hard_rows(9001, 4096))


def example(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.stack(list(hard_rows(COLUMNS[dtype], 4096).values())).to(dtype)


@contextmanager
def core(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with use_backend("native"):
            yield
    finally:
        torch.set_num_threads(before)


def native(op: str, x: Tensor, threads: int = 1) -> Any:
    with core(threads):
        return BITS[op](x)


def digest(results: Any) -> list[bytes]:
    # NumPy has no bfloat16.
    wide = (f.float() if f.dtype == torch.bfloat16 else f for f in results if f is not None)
    return [f.nan_to_num(-7.0).numpy().tobytes() for f in wide]


VARIANT = """
import sys, torch
from tests.kernels.test_native import BITS, DTYPES, example, native
from calib_kernels import native as core
found = {op: [list(native(op, example(d), threads=2)) for d in DTYPES] for op in BITS}
torch.save([core.simd(), found], sys.argv[1])
"""
Results = dict[str, list[Any]]  # by op, then by dtype


@functools.cache
def runnable() -> tuple[str, ...]:
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    found = ["baseline"]
    if {"avx2", "fma", "f16c", "bmi2"} <= set(flags):
        found.append("v3")
        if {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= set(flags):
            found.append("v4")
    return tuple(found)


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    """Results of every instruction set this processor has, each from a process of its own."""
    results = {}
    for name in runnable():
        path = tmp_path_factory.mktemp("simd") / name
        environment = {
            **os.environ,
            "CALIB_KERNELS_SIMD": name,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        subprocess.run([sys.executable, "-c", VARIANT, path], cwd=ROOT, env=environment, check=True)
        used, results[name] = torch.load(path)
        assert used == name
    return results


def test_the_best_instruction_set_is_taken() -> None:
    from calib_kernels import native as launchers

    assert launchers.simd() == os.environ.get("CALIB_KERNELS_SIMD", runnable()[-1])


@pytest.mark.parametrize("op", OPS)
def test_every_instruction_set_keeps_the_contract(op: str, variants: dict[str, Results]) -> None:
    for i, dtype in enumerate(DTYPES):
        with use_backend("reference"):
            want = OPS[op](example(dtype).double())
        for variant, found in variants.items():
            rows = [f"{name}, {variant}" for name in ROWS]
            assert not list(compare(type(want)(*found[op][i]), want, rows))


def test_every_instruction_set_has_the_losses_and_gradients(variants: dict[str, Results]) -> None:
    for i, dtype in enumerate(DTYPES):
        want = truth(*loss_arguments(example(dtype)), reduction="none", **LOSS)
        for variant, found in variants.items():
            rows = [f"{name}, {variant}" for name in ROWS]
            got = Outcome(*found["cross_entropy"][i])
            assert not list(disagreements(got, want, rows, LOSS, LEAST))


def test_every_instruction_set_has_the_sweeps(variants: dict[str, Results]) -> None:
    for i, dtype in enumerate(DTYPES):
        with use_backend("reference"):
            want = sweeps_of(example(dtype).double())
        for variant, found in variants.items():
            got = found["temperature_sweep"][i]
            for at in range(0, len(want), 4):
                t, row = divmod(at // 4, len(ROWS[::3]) + 1)
                if row < len(ROWS[::3]):
                    pair = (
                        Sweep(*fields[:3], None, fields[3])
                        for fields in (got[at : at + 4], want[at : at + 4])
                    )
                    name = f"{ROWS[3 * row]}, {variant}"
                    assert not list(compare_sweeps(*pair, TEMPERATURES[t], name))


@pytest.mark.parametrize("op", BITS)
def test_avx2_and_avx512_give_the_same_bits(op: str, variants: dict[str, Results]) -> None:
    if "v4" not in variants:
        pytest.skip("this processor has no AVX-512")
    for a, b in zip(variants["v3"][op], variants["v4"][op], strict=True):
        assert digest(a) == digest(b)


def test_an_instruction_set_that_is_not_there_is_named() -> None:
    code = "from calib_kernels import native; native.simd()"
    environment = {**os.environ, "CALIB_KERNELS_SIMD": "v9"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert ran.returncode and "CALIB_KERNELS_SIMD must be baseline, v3 or v4" in ran.stderr


@pytest.mark.parametrize("op", BITS)
@pytest.mark.parametrize("rows", [1, 2, 5, None])
def test_the_number_of_threads_changes_no_bit(op: str, rows: int | None) -> None:
    """R20. Few rows are shared by chunks, many by rows."""
    x = example()[:rows]
    one = digest(native(op, x, threads=1))
    for threads in (2, 3, 8):
        assert digest(native(op, x, threads=threads)) == one


@pytest.mark.parametrize("op", OPS)
def test_calls_from_many_python_threads(op: str) -> None:
    x = example()

    def call(_: int) -> list[bytes]:
        with use_backend("native"):
            return digest(OPS[op](x))

    expected = call(0)
    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(call, range(24)))


def _in_process(op: str, x: Tensor) -> list[bytes]:
    return digest(native(op, x, threads=2))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    x = example()
    parent = _in_process("option_scores", x)  # the pool is running when the process forks
    with get_context("fork").Pool(2) as pool:
        children = [pool.apply_async(_in_process, ("option_scores", x)) for _ in range(4)]
        assert all(child.get(timeout=60) == parent for child in children)
    assert _in_process("option_scores", x) == parent


def test_all_16_bit_floats_are_read_exactly() -> None:
    """Every bfloat16 and float16 bit pattern, as the only token: it is the row's maximum."""
    for dtype in (torch.bfloat16, torch.float16):
        x = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
        x = x[x.isfinite()]
        rows = torch.stack((x, x.roll(1)), 1)
        with core(threads=1):
            found = option_scores(rows, torch.tensor([[0], [1]]))
        with use_backend("reference"):
            expected = option_scores(rows.double(), torch.tensor([[0], [1]]))
        assert torch.equal(found.token, expected.token)
        assert torch.equal(found.prediction, expected.prediction)
        assert torch.allclose(found.prob.double(), expected.prob, atol=2e-6, rtol=0)


def test_the_stub_is_what_the_core_says_of_itself() -> None:
    """``python -m nanobind.stubgen -m calib_kernels._native`` writes it anew, then ruff format."""
    stubgen = pytest.importorskip("nanobind.stubgen")
    core = importlib.import_module("calib_kernels._native")
    writer = stubgen.StubGen(core)
    writer.put(core)
    stub = ROOT / "kernels" / "calib_kernels" / "_native.pyi"
    assert ast.dump(ast.parse(writer.get())) == ast.dump(ast.parse(stub.read_text()))
