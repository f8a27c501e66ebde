"""Peak memory of ``linear_cross_entropy(memory=2**28)`` on a CPU, in a process of its own.

    python -m bench.memory ROWS COLUMNS HIDDEN DTYPE

Prints one JSON object: bytes that were resident at the peak of a forward and backward pass beyond
the inputs and the gradients returned, and the bytes the whole logits would have taken.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from bench.cases import Case
from bench.ops import OPS
from bench.results import ROOT
from bench.timing import sentence, size_of

SECONDS = 300


def resident(which: str) -> int:
    """Bytes of this process that are in memory now (VmRSS) or were at most (VmHWM), on Linux.

    Not ``ru_maxrss``: that begins with what the parent held when it started this process.
    """
    found = re.search(rf"{which}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def measured(case: Case) -> dict[str, Any]:
    """In this process, which must not have held more before."""
    op = OPS[case.op]
    run = op.ours(case)
    generator = torch.Generator().manual_seed(0)
    # Libraries and threads are there before anything is counted.
    run(*op.inputs(Case(case.op, 8, 64, case.dtype, hidden=16), torch.device("cpu"), generator))
    given = op.inputs(case, torch.device("cpu"), generator)
    before = resident("VmRSS")
    results = run(*given)
    beyond = resident("VmHWM") - before - size_of(results)
    return {"peak_bytes": beyond, "logit_bytes": case.logit_bytes}


def in_a_child(case: Case) -> dict[str, Any]:
    """The same from a process of its own, or why there is no number."""
    words = [str(case.rows), str(case.columns), str(case.hidden), str(case.dtype).split(".")[1]]
    command = [sys.executable, "-m", "bench.memory", *words]
    paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it ended without a word"]
            return {"error": lines[-1]}
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"error": sentence(error)}


def main(words: list[str]) -> None:
    rows, columns, hidden = map(int, words[:3])
    dtype = getattr(torch, words[3])
    case = Case("linear_cross_entropy", rows, columns, dtype, "256 MiB", hidden=hidden)
    print(json.dumps(measured(case)))


if __name__ == "__main__":
    main(sys.argv[1:])
