"""What ends a command from outside: one line, an exit code of its own, and nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# The command waits in place of its work and is sent a signal.
STOPPED = """
import os, signal, sys, threading, time
from calib.report import scores
number = int(sys.argv.pop(1))
def write_report(run, progress=None):
    threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    time.sleep(60)
scores.write_report = write_report
from calib.cli import main
# The background jobs of a shell ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_command(make_run, tmp_path: Path, number: int, code: int):
    folder = make_run(tmp_path / "run", n=20)
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(int(number)), "report", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.splitlines()[-1].startswith("calib: stopped; what was done is kept")
    assert "Traceback" not in done.stderr


def test_another_locale_changes_no_file(make_run, tmp_path: Path):
    """A locale that is not UTF-8, as LC_ALL=C without Python's UTF-8 mode."""
    folder = make_run(tmp_path / "run", n=60, task="Größe – 大きさ")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "calib.cli", "report", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Größe – 大きさ" in (folder / "report.html").read_text(encoding="utf-8")
