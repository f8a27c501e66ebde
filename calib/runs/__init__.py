"""Run folders: what was asked, one durable record per question or answer, and what came of it."""

from __future__ import annotations

from calib.runs.folder import Run as Run
from calib.runs.folder import open_run as open_run
