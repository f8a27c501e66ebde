"""The C++ core: its instruction sets, its threads, and processes that fork."""

from __future__ import annotations

import ast
import functools
import importlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from calib_kernels import (
    Sweep,
    available_backends,
    option_scores,
    use_backend,
)

from tests.gate.agreement import compare, compare_sweeps, same_bits
from tests.gate.cross_entropy import Outcome, disagreements, truth
from tests.kernels.core_calls import (
    BITS,
    DTYPES,
    LEAST,
    LOSS,
    OPS,
    ROWS,
    TEMPERATURES,
    core,
    example,
    loss_arguments,
    native,
    sweeps_of,
)

pytestmark = pytest.mark.skipif(
    "native" not in available_backends("cpu"), reason="the C++ core is not built here"
)
ROOT = Path(__file__).resolve().parents[2]


VARIANT = """
import sys, torch
from tests.kernels.core_calls import BITS, DTYPES, example, native
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
        same_bits(a, b)


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
    one = list(native(op, x, threads=1))
    for threads in (2, 3, 8):
        same_bits(list(native(op, x, threads=threads)), one)


@pytest.mark.parametrize("op", OPS)
def test_calls_from_many_python_threads(op: str) -> None:
    x = example()

    def call(_: int) -> Any:
        with use_backend("native"):
            return OPS[op](x)

    first = call(0)
    with ThreadPoolExecutor(8) as pool:
        for other in pool.map(call, range(24)):
            same_bits(other, first)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    x = example()
    call = ("option_scores", x, 2)
    parent = native(*call)  # the pool is running when the process forks
    with get_context("fork").Pool(2) as pool:
        children = [pool.apply_async(native, call) for _ in range(4)]
        for child in children:
            same_bits(child.get(timeout=60), parent)
    same_bits(native(*call), parent)


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
