"""The page of a study: what it asked, what tests conclude, its tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calib.fields import read_saved
from calib.report.blocks import Page
from calib.report.page import write_page
from calib.runs.kinds import RESULTS

FORMAT = "calib.study/1"


def write_study_report(folder: Path) -> Path:
    """Write the page of a study from its results.json; return it. InputError where that is gone or
    no study's."""
    results = read_saved(folder / RESULTS, "the results of calib study", FORMAT)
    return write_page(folder, study_page(results))


def study_page(results: Mapping[str, Any]) -> Page:
    return Page(title=results["title"], headline=results["question"], sections=[])
