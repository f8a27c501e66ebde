"""What other tools wrote down, read as runs: plain tables and the logs of evaluation harnesses."""

from __future__ import annotations

from calib.logs.read import read_log as read_log
