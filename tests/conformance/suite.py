"""Families run in a process of their own, and what became of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.start import LATE, LIMIT

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ROOT / ".torchvision"  # where `make` puts what processors need beside a CPU torch


@dataclass
class Outcome:
    """What became of one family; ``checks`` are the fields of ``records.Check``."""

    name: str
    built: str = ""
    seconds: float = 0.0
    checks: list[dict[str, Any]] = field(default_factory=list)

    def by_name(self) -> dict[str, str]:
        return {check["name"]: check["outcome"] for check in self.checks}


def run_families(
    names: Sequence[str],
    workers: int = 2,
    packages: Path | None = None,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> dict[str, Outcome]:
    """The outcome of each, ``workers`` at a time; what is not done in time has failed.

    ``packages`` is a folder with torchvision and what else processors need.
    """
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", "-m", "tests.conformance.start", folder]
        with subprocess.Popen(
            [*command, str(workers), *names],
            cwd=ROOT, env=surroundings(packages), stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                place, status = line.split()
                outcome = read(names[int(place)], Path(folder) / f"{place}.jsonl", status)
                outcomes[outcome.name] = outcome
                tell(outcome)
        if code := process.returncode:  # families that it has not come to have failed with it
            for number, name in enumerate(names):
                lines = Path(folder) / f"{number}.jsonl"
                outcomes.setdefault(name, read(name, lines, str(code)))
    return {name: outcomes[name] for name in names}


def surroundings(packages: Path | None) -> dict[str, str]:
    packages = packages or (PACKAGES if PACKAGES.is_dir() else None)
    before = os.environ.get("PYTHONPATH")
    paths = [ROOT, ROOT / "kernels", *filter(None, (packages, before))]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
    }


def read(name: str, lines: Path, status: str) -> Outcome:
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
    if status != "0":
        said = lines.with_suffix(".txt")
        last = (said.read_text().strip() if said.exists() else "").splitlines()[-1:]
        told = f"the process ended with {status}: {' '.join(last)}"
        if status == LATE:
            told = f"not done within {LIMIT:.0f} s"
        failed = {"name": "process", "outcome": "failed", "error": None, "reason": told}
        outcome.checks.append(failed)
    return outcome
