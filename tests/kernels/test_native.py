"""The C++ core: its instruction sets, its threads, and processes that fork."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from calib_kernels import (
    OptionScores,
    RowStats,
    Sample,
    available_backends,
    option_scores,
    row_stats,
    sample,
    use_backend,
)
from torch import Tensor

from bench.gate import compare, hard_rows, option_sets, row_labels

pytestmark = pytest.mark.skipif(
    "native" not in available_backends("cpu"), reason="the C++ core is not built here"
)
ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 70001  # three chunks, the last of them no multiple of anything


def example(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    rows = torch.stack(list(hard_rows(COLUMNS, 4096).values()))
    return rows.to(dtype), option_sets(len(rows), COLUMNS)["spellings"]


@contextmanager
def core(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with use_backend("native"):
            yield
    finally:
        torch.set_num_threads(before)


def native(x: Tensor, ids: Tensor, threads: int = 1) -> OptionScores:
    with core(threads):
        return option_scores(x, ids, torch.arange(len(x)) % 3)


def native_rows(x: Tensor, threads: int = 1) -> RowStats:
    with core(threads):
        return row_stats(x, row_labels(len(x), x.shape[1]), temperature=0.7)


def draws_of(x: Tensor) -> Sample:
    """Without filters and with them."""
    indices = torch.arange(2 * len(x)).view(-1, 2)
    plain = sample(x, seed=1, item=2, sample=indices, step=3)
    cut = sample(
        x, seed=1, item=2, sample=indices, step=3, top_k=3000, top_p=0.9, min_p=1e-3
    )  # fmt: skip
    return Sample(*(torch.cat(fields, 1) for fields in zip(plain, cut, strict=True)))


def native_draws(x: Tensor, threads: int = 1) -> Sample:
    with core(threads):
        return draws_of(x)


def digest(scores: OptionScores | RowStats | Sample) -> list[bytes]:
    return [f.nan_to_num(-7.0).numpy().tobytes() for f in scores if f is not None]


VARIANT = """
import sys, torch
from tests.kernels.test_native import DTYPES, example, native, native_draws, native_rows
from calib_kernels import native as core
scores = [list(native(*example(d), threads=2)) for d in DTYPES]
rows = [list(native_rows(example(d)[0], threads=2)) for d in DTYPES]
draws = [list(native_draws(example(d)[0], threads=2)) for d in DTYPES]
torch.save([core.simd(), scores, rows, draws], sys.argv[1])
"""
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


Results = tuple[list[OptionScores], list[RowStats], list[Sample]]  # by dtype


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
        used, scores, rows, draws = torch.load(path)
        assert used == name
        results[name] = (
            [OptionScores(*fields) for fields in scores],
            [RowStats(*fields) for fields in rows],
            [Sample(*fields) for fields in draws],
        )
    return results


def test_the_best_instruction_set_is_taken() -> None:
    from calib_kernels import native as launchers

    assert launchers.simd() == os.environ.get("CALIB_KERNELS_SIMD", runnable()[-1])


def test_every_instruction_set_keeps_the_contract(
    variants: dict[str, Results],
) -> None:
    for i, dtype in enumerate(DTYPES):
        x, ids = example(dtype)
        names = list(hard_rows(COLUMNS, 4096))
        with use_backend("reference"):
            truth = option_scores(x.double(), ids, torch.arange(len(x)) % 3)
            row_truth = row_stats(x.double(), row_labels(len(x), COLUMNS), temperature=0.7)
            draws = draws_of(x)
        for variant, (scores, stats, drawn) in variants.items():
            rows = [f"{name}, {variant}" for name in names]
            assert not list(compare(scores[i], truth, rows))
            assert not list(compare(stats[i], row_truth, rows))
            assert not list(compare(drawn[i], draws, rows))


def test_avx2_and_avx512_give_the_same_bits(variants: dict[str, Results]) -> None:
    if "v4" not in variants:
        pytest.skip("this processor has no AVX-512")
    for a, b in zip(variants["v3"], variants["v4"], strict=True):
        assert [digest(found) for found in a] == [digest(found) for found in b]


def test_an_instruction_set_that_is_not_there_is_named() -> None:
    code = "from calib_kernels import native; native.simd()"
    environment = {**os.environ, "CALIB_KERNELS_SIMD": "v9"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert ran.returncode and "CALIB_KERNELS_SIMD must be baseline, v3 or v4" in ran.stderr


@pytest.mark.parametrize("rows", [1, 2, 5, None])
def test_the_number_of_threads_changes_no_bit(rows: int | None) -> None:
    """Few rows are shared by chunks, many by rows."""
    x, ids = example()
    one = digest(native(x[:rows], ids, threads=1))
    stats = digest(native_rows(x[:rows], threads=1))
    draws = digest(native_draws(x[:rows], threads=1))
    for threads in (2, 3, 8):
        assert digest(native(x[:rows], ids, threads=threads)) == one
        assert digest(native_rows(x[:rows], threads=threads)) == stats
        assert digest(native_draws(x[:rows], threads=threads)) == draws


def test_calls_from_many_python_threads() -> None:
    x, ids = example()
    with use_backend("native"):
        expected = digest(option_scores(x, ids))

    def call(_: int) -> list[bytes]:
        with use_backend("native"):
            return digest(option_scores(x, ids))

    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(call, range(24)))


def _in_child(x: Tensor, ids: Tensor) -> list[bytes]:
    return digest(native(x, ids, threads=2))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    x, ids = example()
    parent = digest(native(x, ids, threads=2))  # the pool is running when the process forks
    with get_context("fork").Pool(2) as pool:
        children = [pool.apply_async(_in_child, (x, ids)) for _ in range(4)]
        assert all(child.get(timeout=60) == parent for child in children)
    assert digest(native(x, ids, threads=2)) == parent


def test_all_16_bit_floats_are_read_exactly() -> None:
    """Every bfloat16 and float16 bit pattern, as the only token: it is the row's maximum."""
    for dtype in (torch.bfloat16, torch.float16):
        x = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
        x = x[x.isfinite()]
        rows = torch.stack((x, x.roll(1)), 1)
        found = native(rows, torch.tensor([[0], [1]]))
        with use_backend("reference"):
            expected = option_scores(rows.double(), torch.tensor([[0], [1]]))
        assert torch.equal(found.token, expected.token)
        assert torch.equal(found.prediction, expected.prediction)
        assert torch.allclose(found.prob.double(), expected.prob, atol=2e-6, rtol=0)
