"""Families in processes of their own, some at a time, each with its time limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ROOT / ".torchvision"  # where `make` puts what processors need beside a CPU torch
LIMIT = 120.0  # seconds for one family


@dataclass
class Outcome:
    """What became of one family; ``checks`` are the fields of ``records.Check``."""

    name: str
    built: str = ""
    seconds: float = 0.0
    checks: list[dict[str, Any]] = field(default_factory=list)

    def by_name(self) -> dict[str, str]:
        return {check["name"]: check["outcome"] for check in self.checks}


def run_family(name: str, packages: Path | None = None) -> Outcome:
    """Build and check family ``name``; what is not done in time has failed."""
    packages = packages or (PACKAGES if PACKAGES.is_dir() else None)
    paths = [str(ROOT), str(ROOT / "kernels"), *([str(packages)] if packages else [])]
    before = os.environ.get("PYTHONPATH")
    surroundings = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*paths, *([before] if before else [])]),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
    }
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "records.jsonl"
        command = [sys.executable, "-W", "ignore", "-m", "tests.conformance.start"]
        told = ""
        try:
            done = subprocess.run(
                [*command, name, str(lines)],
                cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=LIMIT,
            )  # fmt: skip
            if done.returncode:
                last = (done.stderr.strip() or "nothing said").splitlines()[-1]
                told = f"the process ended with {done.returncode}: {last}"
        except subprocess.TimeoutExpired:
            told = f"not done within {LIMIT:.0f} s"
        outcome = read(name, lines)
    if told:
        failed = {"name": "process", "outcome": "failed", "error": None, "reason": told}
        outcome.checks.append(failed)
    return outcome


def read(name: str, lines: Path) -> Outcome:
    outcome = Outcome(name)
    for line in lines.read_text().splitlines() if lines.exists() else ():
        record = json.loads(line)
        kind = record.pop("kind")
        if kind == "check":
            outcome.checks.append(record)
        elif kind == "built":
            outcome.built = record["what"]
        else:
            outcome.seconds = record["seconds"]
    return outcome


def run_families(
    names: Sequence[str],
    workers: int = 2,
    packages: Path | None = None,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> dict[str, Outcome]:
    """The outcome of each, ``workers`` at a time."""

    def one(name: str) -> Outcome:
        outcome = run_family(name, packages)
        tell(outcome)
        return outcome

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))
