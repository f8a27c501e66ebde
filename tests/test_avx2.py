"""The tests of arithmetic once more, as they run on a processor that has AVX2 and no AVX-512.

A sum takes another order there, and its last bits are others; products of bfloat16 are emulated.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
# PyTorch's own loops, the matrix products of oneDNN and MKL, the project's core.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "CALIB_KERNELS_SIMD": "v3",
}
# Tests whose outcome hangs on sums and products: of the ops, of models that are read in several
# ways, of what is fitted, and of numbers that another processor has written.
OF_ARITHMETIC = [
    "tests/kernels",
    *(
        f"tests/hf/test_{name}.py"
        for name in ("batching", "embedded", "nli", "orders", "packing", "scoring", "ways")
    ),
    "tests/calibrators/test_stream.py",
    "tests/calibrators/test_vector.py",
    "tests/sample/test_sample.py",
    *(f"tests/test_{name}.py" for name in ("decision", "earlier_runs", "fit", "loss_module")),
]
# Of the ops' tests those that compute nothing, or nothing with the core, or nothing but on a GPU,
# or choose the instructions themselves; of the heads' those whose loops other heads run as well.
ELSEWHERE = [
    "tests/kernels/gpu",
    *(
        f"tests/kernels/test_{name}.py"
        for name in (
            *(
                "backend",
                "checks",
                "coarse",
                "native",
                "philox",
                "reference",
                "row_stats_reference",
            ),
            *("sanitized", "traps", "transforms", "vocab_parallel"),
            *("cross_entropy_ops", "linear_ops", "row_stats_ops", "sample_ops"),
            *("linear_memory", "linear_option_scores", "linear_sample"),
        )
    ),
]
USED = """
import torch
from calib_kernels import native
assert torch.backends.cpu.get_cpu_capability() == "AVX2"
assert not torch.ops.mkldnn._is_mkldnn_bf16_supported()
assert native.simd() == "v3"
"""


def test_what_is_named_is_there() -> None:
    assert all((ROOT / path).exists() for path in OF_ARITHMETIC + ELSEWHERE)


@pytest.mark.slow
@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512",
    reason="without AVX-512 the daily tests are these",
)
def test_the_same_holds_on_avx2() -> None:
    paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **AVX2, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    subprocess.run([sys.executable, "-c", USED], env=environment, check=True)
    selected = ["-m", "not slow and not gpu", *(f"--ignore={path}" for path in ELSEWHERE)]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *selected, *OF_ARITHMETIC],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-3000:]
