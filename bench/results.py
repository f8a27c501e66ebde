"""What a number was measured on, and the file it is kept in."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "bench" / "results"


def output_of(*command: str) -> str | None:
    """The first line a command prints, or None where it is missing or fails."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None


def commit() -> str:
    """CALIB_COMMIT, for copies that do not know theirs; else the checkout's, with ``+`` where files
    differ from it."""
    if told := os.environ.get("CALIB_COMMIT"):
        return told
    head = output_of("git", "rev-parse", "--short=12", "HEAD")
    if head is None:
        return "unknown"
    changed = output_of("git", "status", "--porcelain", "--untracked-files=no")
    return head + ("+" if changed else "")


def cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found[1].strip() if found else platform.processor() or platform.machine()


def version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def facts(device: torch.device) -> dict[str, Any]:
    """Machine, versions, commit and date; every row carries them."""
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": version("triton"),
    }
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        versions["cuda"] = torch.version.cuda or f"rocm {torch.version.hip}"
        versions["driver"] = output_of(
            "nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"
        )
    else:
        name = f"{cpu_name()}, {os.cpu_count()} CPUs"
    return {
        "machine": name,
        "versions": versions,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def tracked(folder: Path, pattern: str) -> list[Path]:
    """Its files of this pattern that git knows; all where git knows nothing of it, by name."""
    command = ["git", "ls-files", "--", "."]
    try:
        listed = subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout
    except OSError:
        listed = ""
    known = listed.splitlines()
    return [path for path in sorted(folder.glob(pattern)) if not known or path.name in known]


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


class Results:
    """Rows of one run, in one JSON file that is complete after every row.

    {"facts": {...}, "rows": [{..., "machine", "versions", "commit", "date"}, ...]}
    """

    def __init__(self, name: str, device: torch.device, folder: Path | None = None) -> None:
        self.facts = facts(device)
        self.rows: list[dict[str, Any]] = []
        folders = [folder or FOLDER]
        if os.environ.get("OUT"):
            folders.append(Path(os.environ["OUT"]))
        file = f"{name}-{self.facts['date']}.json"
        self.paths = [folder / file for folder in folders]

    def add(self, **row: Any) -> dict[str, Any]:
        """Append a row and write the file."""
        whole = {**row, **self.facts}
        self.rows.append(whole)
        text = json.dumps({"facts": self.facts, "rows": self.rows}, indent=1) + "\n"
        for path in self.paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A run that is cut while it writes leaves the file of the row before.
            part = path.with_suffix(".part")
            part.write_text(text)
            part.replace(path)
        return whole
