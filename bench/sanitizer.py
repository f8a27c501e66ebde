"""A small selection of the gate under NVIDIA's compute-sanitizer, where that is installed.

compute-sanitizer --error-exitcode 86 python -m bench.sanitizer
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

import torch

from bench.results import ROOT
from tests.gate import checks

WIDTHS = (100, 33_001)  # less than a block; a partition and a bit, odd
LEAST_SECONDS = 20.0


def row(device: torch.device, seconds: float) -> dict[str, Any]:
    """The outcome, in a sentence, within ``seconds``."""
    base = {"kind": "compute-sanitizer", "failed": False}
    tool = shutil.which("compute-sanitizer")
    if device.type != "cuda":
        return {**base, "outcome": "skipped: there is no CUDA device"}
    if tool is None:
        return {**base, "outcome": "skipped: compute-sanitizer is not installed"}
    if seconds < LEAST_SECONDS:
        return {**base, "outcome": "skipped: time is up"}
    # Without PyTorch's own cache an access beyond a tensor is one beyond an allocation.
    environment = {**os.environ, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    command = [tool, "--error-exitcode", "86", sys.executable, "-m", "bench.sanitizer"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {**base, "outcome": f"no result: {type(error).__name__}"}
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode:
        said = [line for line in lines if "Invalid" in line or "ERROR" in line]
        return {**base, "failed": done.returncode == 86, "outcome": "; ".join(said[:4]) or "failed"}
    return {**base, "outcome": lines[-1] if lines else "passed"}


def main() -> int:
    device = torch.device("cuda", torch.cuda.current_device())
    chosen = checks.Selection(WIDTHS, (torch.bfloat16,), many=5, histogram_sizes=(1000,))
    found = checks.in_turn(device, chosen)
    return int(any(problems for _name, problems in found))


if __name__ == "__main__":
    sys.exit(main())
