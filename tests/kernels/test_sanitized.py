"""The C++ core under AddressSanitizer and UndefinedBehaviorSanitizer: a build of its own, in which
the contract's tests and the fuzzing run in a process that ends at the first finding."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Of every op: drawn calls, and layouts and labels of every kind.
OF_ALL = ["tests/kernels/test_every_op.py", "tests/kernels/test_fuzz.py"]
REST = [
    *(
        f"tests/kernels/test_{name}.py"
        for name in (
            *("bins", "contract", "cross_entropy", "linear_sample", "row_stats"),
            *("sample", "sample_draws", "temperature_sweep", "temperature_sweep_counted"),
        )
    )
]


def runtime() -> Path | None:
    """AddressSanitizer's library, which must be in a process before anything else is."""
    compiler = shutil.which("g++")
    if compiler is None:
        return None
    asked = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True
    )
    path = Path(asked.stdout.strip())
    return path if path.is_absolute() else None


def run(arguments: list[str], tree: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tree), str(ROOT)]),
            "LD_PRELOAD": str(runtime()),
            "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
            "UBSAN_OPTIONS": "print_stacktrace=1",
            **environment,
        },
    )


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package, its core built with both sanitizers."""
    if runtime() is None or shutil.which("cmake") is None:
        pytest.skip("needs g++ with its sanitizers, and cmake")
    folder = tmp_path_factory.mktemp("sanitized")
    build, package = folder / "build", folder / "tree" / "calib_kernels"
    for command in (
        ["cmake", "-S", str(ROOT), "-B", str(build), "-DCALIB_SANITIZE=ON",
         "-DCMAKE_CXX_COMPILER=g++", f"-DPython_EXECUTABLE={sys.executable}"],
        ["cmake", "--build", str(build), "--parallel", "2"],
    ):  # fmt: skip
        built = subprocess.run(command, capture_output=True, text=True)
        assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    source = ROOT / "kernels" / "calib_kernels"
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("_native*", "__pycache__"))
    (core,) = build.glob("_native*.so")
    shutil.copy(core, package)
    return folder / "tree"


BEYOND = """
import torch
from calib_kernels import _native, native
x = torch.zeros(1, 1000)
fields = [torch.zeros(1, dtype=torch.int64) for _ in range(9)]
outputs = tuple(field.data_ptr() for field in fields)
rows = (x.data_ptr(), 0, 1, 2000, 2000)
_native.row_stats(rows, (0, False, -100), (1.0, 0, False), (0, 0, 0), outputs, 1)
"""


def test_what_is_named_is_there() -> None:
    assert all((ROOT / path).exists() for path in OF_ALL + REST)


@pytest.mark.slow
def test_the_sanitizer_would_tell(sanitized: Path) -> None:
    """A call that claims more columns than there are."""
    ran = run(["-c", BEYOND], sanitized)
    assert ran.returncode and "ERROR: AddressSanitizer" in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("simd", "tests"), [("", OF_ALL + REST), ("v3", OF_ALL), ("baseline", OF_ALL)]
)
def test_nothing_is_found(sanitized: Path, simd: str, tests: list[str]) -> None:
    """R13: nor is a label out of range read."""
    quick = ["-m", "not slow", "-k", "native or fuzz", "--capture=no", "-p", "no:cacheprovider"]
    ran = run(["-m", "pytest", "-q", "-x", *quick, *tests], sanitized, CALIB_KERNELS_SIMD=simd)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
