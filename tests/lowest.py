"""Some tests with the lowest versions that ``pyproject.toml`` claims: ``make test-lowest``.

    python -m tests.lowest FOLDER

makes an environment in FOLDER and prints what was tried. torch alone is the one that is installed
here: its builds are too large to fetch another for this.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("calib", "demo")
TOOLS = ("pytest>", "hypothesis>")
LEFT_OUT = ("torch",)
# They require torch, and are installed without what they require; the rest of that stands below.
BESIDE_TORCH = ("accelerate", "peft", "torchmetrics")
REQUIRED_BESIDE = (
    *("lightning-utilities", "psutil", "pyyaml", "tqdm"),  # by those three
    *("filelock", "fsspec", "networkx", "sympy", "typing_extensions"),  # by torch
)
SELECTION = (
    *("tests/metrics/test_golden.py", "tests/metrics/test_torchmetric.py"),
    *("tests/task_files", "tests/test_tasks.py", "tests/judge/test_numeric.py"),
    *("tests/runs", "tests/test_earlier_runs.py", "tests/test_fit.py", "tests/test_cli.py"),
    *("tests/test_report.py", "tests/test_plots.py", "tests/test_intervals.py"),
    *("tests/hf/test_scoring.py", "tests/hf/test_loading.py", "tests/hf/test_adapters.py"),
    *("tests/sample/test_sample.py", "tests/hf/test_trainer_loss.py"),
)


def lowest() -> dict[str, str]:
    """Each direct requirement that states a lower bound, and that bound; torch left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    stated = [*project["dependencies"], *(line for name in EXTRAS for line in extras[name])]
    stated += [line for line in extras["test"] if line.startswith(TOOLS)]
    bounds = (re.fullmatch(r"([\w-]+)(?:>=|==)([\d.]+)", line) for line in stated)
    found = {match[1]: match[2] for match in bounds if match}
    return {name: version for name, version in found.items() if name not in LEFT_OUT}


def link_torch(site: Path) -> None:
    """torch as it is installed here, and nothing that is installed beside it."""
    torch = importlib.metadata.distribution("torch")
    for name in {path.parts[0] for path in torch.files or ()} - {"..", "__pycache__"}:
        (site / name).symlink_to(Path(str(torch.locate_file(name))))


def environment(folder: Path, versions: dict[str, str]) -> Path:
    """The Python of a new environment with these versions."""
    venv.create(folder, with_pip=True, clear=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    link_torch(site)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    pip += ["--only-binary", ":all:"]
    pins = {name: f"{name}=={version}" for name, version in versions.items()}
    alone = [pins.pop(name) for name in BESIDE_TORCH]
    easy_vqa = pins.pop("easy-vqa")
    subprocess.run([*pip, *pins.values(), *REQUIRED_BESIDE], check=True)
    subprocess.run([*pip, "--no-deps", *alone, easy_vqa], check=True)
    return python


INSTALLED = """
import importlib.metadata, platform, sys
print("Python", platform.python_version())
for name in sys.argv[1:]: print(name, importlib.metadata.version(name))
"""


def main(folder: Path) -> int:
    versions = lowest()
    python = environment(folder, versions)
    paths = f"{ROOT}:{ROOT / 'kernels'}"
    surroundings = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    surroundings["HF_HUB_OFFLINE"] = "1"
    subprocess.run([python, "-c", INSTALLED, "torch", *versions], check=True)
    # Warnings of old versions are those of their time.
    chosen = ["-m", "not slow and not gpu", "-k", "not browser and not dark", "-W", "ignore"]
    pytest = [python, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
    return subprocess.run([*pytest, *chosen, *SELECTION], cwd=ROOT, env=surroundings).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
