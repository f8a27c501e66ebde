"""Pages and numbers of what was measured: results.json, report.html and report.md."""
