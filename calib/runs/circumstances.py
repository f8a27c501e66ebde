"""Facts of the machine and the code that began a run: no arguments of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from calib.runs.config import CONFIG as CONFIG

CIRCUMSTANCES = ("source", "versions", "machine", "git", "started")
"""Facts in config.json that may differ when a run goes on; everything else must be the same.

``source`` is the file that the questions came from, which may move; ``items`` says what is in it.
"""

LATER = ("revision", "template")
"""Facts of a model that runs begun earlier do not say. One that is not known, there or now, makes
no difference; two that are known must be the same."""


def circumstances() -> dict[str, Any]:
    """Versions, machine and git revision, none of which an argument sets."""
    names = ("mllm-calib", "torch", "transformers", "numpy", "triton")
    return {
        "versions": {"python": platform.python_version(), **{n: known(n) for n in names}},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "git": revision(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def known(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def revision() -> str | None:
    """The git revision this code was checked out at, if it was."""
    # Without locks: a describe that is ended for its time would leave the index locked.
    where = ["git", "--no-optional-locks", "-C", str(Path(__file__).parent)]
    command = [*where, "describe", "--always", "--dirty"]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return completed.stdout.strip() or None
