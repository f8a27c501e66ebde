"""Pages and numbers of what was measured: results.json, report.html and report.md."""

from __future__ import annotations

from calib.report.page import write_report as write_report
