"""The package as pip makes it: a wheel in a fresh environment, with and without a compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
LISTED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def build_wheel(folder: Path, env: Mapping[str, str] | None = None) -> Path:
    """A wheel of the tracked files, so that nothing built earlier can slip in."""
    if LISTED.returncode:
        pytest.skip("not a git checkout")
    source = folder / "source"
    for name in LISTED.stdout.split():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    wheel = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "dist", "./source"]
    run(*wheel, cwd=folder, env=env)
    (found,) = (folder / "dist").glob("mllm_calib-*.whl")
    return found


def fresh_environment(folder: Path, wheel: Path) -> Path:
    """Its Python. Only the wheel is installed; what it requires is found beside these tests."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--no-deps", wheel, cwd=folder)
    site = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
    ).strip()
    # A folder named in a .pth file has its own .pth files ignored: no editable install gets in.
    (Path(site) / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


SCORE = """
import calib, calib_kernels, torch, sys
assert "site-packages" in calib.__file__ and "site-packages" in calib_kernels.__file__
x = torch.randn(8, 1000, generator=torch.Generator().manual_seed(0))
found = calib_kernels.option_scores(x, torch.arange(4), torch.zeros(8, dtype=torch.long))
expected = x.double().log_softmax(1)[:, :4]
assert torch.allclose(found.logprob.double(), expected, atol=1e-5)
print(*calib_kernels.available_backends())
"""


def test_a_wheel_works_in_a_fresh_environment(tmp_path: Path) -> None:
    required = {**os.environ, "CALIB_KERNELS_REQUIRE_NATIVE": "1"}
    wheel = build_wheel(tmp_path, required)
    names = zipfile.ZipFile(wheel).namelist()
    for part in (
        "calib/py.typed",
        "calib_kernels/py.typed",
        "calib/report/templates/page.html.j2",
        "calib/report/templates/items.js",
    ):
        assert part in names
    for adapter in ("stage2", "admits"):
        assert f"calib/embedded/{adapter}/adapter_model.safetensors" in names
    assert not any(name.startswith(("tests/", "bench/", "training/")) for name in names)
    python = fresh_environment(tmp_path, wheel)
    assert "native" in run(python, "-c", SCORE, cwd=tmp_path)
    command = python.parent / "calib"
    assert "0.1.0" in run(command, "--version", cwd=tmp_path)
    assert "easy-vqa-letters" in run(command, "tasks", cwd=tmp_path)


def test_without_a_compiler_it_installs_and_says_so_once(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("git", "env", "sh", "uname"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    bare = {k: v for k, v in os.environ.items() if k not in ("CXX", "CC")} | {"PATH": str(tools)}
    wheel = build_wheel(tmp_path, bare)
    names = zipfile.ZipFile(wheel).namelist()
    assert not any("_native" in name and not name.endswith(".pyi") for name in names)
    python = fresh_environment(tmp_path, wheel)
    told = run(python, "-c", SCORE + SCORE, cwd=tmp_path)
    assert told.count("runs on its slower reference backend") == 1
    assert told.splitlines()[:2] == ["reference", "reference"]  # all that can run, twice asked
