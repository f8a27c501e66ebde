"""A small part of the gate, and tiny drives, under NVIDIA's compute-sanitizer where there is one.

compute-sanitizer --error-exitcode 86 python -m bench.sanitizer gate
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any
from unittest import mock

import torch
from calib_kernels import use_backend

from bench import drives
from bench.clock import CpuClock
from bench.results import ROOT
from calib.hf.decoding import graphs
from tests.gate import checks

WIDTHS = (100, 33_001)  # less than a block; a partition and a bit, odd
LEAST_SECONDS = 20.0


def row(what: str, device: torch.device, seconds: float) -> dict[str, Any]:
    """The outcome of one of SELECTIONS, in a sentence, within ``seconds``."""
    base = {"kind": "compute-sanitizer", "what": what, "failed": False}
    tool = shutil.which("compute-sanitizer")
    if device.type != "cuda":
        return {**base, "outcome": "skipped: there is no CUDA device"}
    if tool is None:
        return {**base, "outcome": "skipped: compute-sanitizer is not installed"}
    if seconds < LEAST_SECONDS:
        return {**base, "outcome": "skipped: time is up"}
    # Without PyTorch's own cache an access beyond a tensor is one beyond an allocation.
    environment = {**os.environ, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    command = [tool, "--error-exitcode", "86", sys.executable, "-m", "bench.sanitizer", what]
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


def of_gate(device: torch.device) -> bool:
    """Whether every check passes."""
    chosen = checks.Selection(WIDTHS, (torch.bfloat16,), many=5, histogram_sizes=(1000,))
    found = checks.in_turn(device, chosen)
    return not any(problems for _name, problems in found)


def of_drives(device: torch.device) -> bool:
    """Whether every drive runs that can run here."""
    # A capture fails without PyTorch's cache, and the tool would call that an error.
    with mock.patch.object(graphs, "REPLAYING", set()):
        found = [drives.row(name, drives.TINY, device, CpuClock()) for name in drives.DRIVES]
    failed = [row for row in found if not row.get("error", "skipped").startswith("skipped")]
    for row in failed:
        print(f"ERROR {drives.line(row)}")
    return not failed


SELECTIONS = {"gate": of_gate, "drives": of_drives}


def main(words: list[str]) -> int:
    (what,) = words
    device = torch.device("cuda", torch.cuda.current_device())
    with use_backend("triton"):
        return int(not SELECTIONS[what](device))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
