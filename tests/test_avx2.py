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
# Tests that compute nothing with PyTorch or the core, or nothing but on a GPU, or choose the
# instructions themselves.
ELSEWHERE = [
    "tests/bench",
    "tests/kernels/gpu",
    *(f"tests/kernels/test_{name}.py" for name in ("backend", "native", "sanitized", "traps")),
    *(
        f"tests/test_{name}.py"
        for name in (
            *("avx2", "bad_input", "cli", "compare", "doctor", "house", "images", "packaging"),
            *("package", "plots", "prompts", "report", "task_files", "tasks", "own_files"),
            *("preview", "image_files", "image_colours", "image_flow", "interval_levels"),
            *("intervals", "measures", "thresholds", "kinds", "doctests", "record_rows"),
            *("browser", "pages", "items", "items_page", "lost_pictures", "own_text", "captions"),
            *("compare_page", "idk_page", "samples_page", "training_page", "reliability_plots"),
            *("conformal", "cost", "drift", "deploying_page", "transfer_page", "ranking_page"),
            *("sorted_tables", "drawn_tasks", "text_tasks", "idk_comparison", "meaning"),
        )
    ),
    *(
        f"tests/{folder}"
        for folder in (
            *("judge", "logs", "task_files", "summary", "metrics", "prompts", "modalities"),
            *("trajectories", "twin_sets", "studies"),
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
    assert all((ROOT / path).exists() for path in ELSEWHERE)


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
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *selected],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-3000:]
