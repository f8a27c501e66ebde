"""docs/studies.md names what there is, and its file is a study."""

from __future__ import annotations

import re
from pathlib import Path

from calib.studies.findings import FINDINGS
from calib.studies.kinds import KINDS
from calib.studies.read import shipped
from tests.studies.declared import declared

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "studies.md").read_text(encoding="utf-8")


def named(head: str) -> list[str]:
    """The first cells of the table with this head."""
    rows = PAGE.partition(f"| {head} | ")[2].partition("\n\n")[0].splitlines()[2:]
    return [found[1] for row in rows if (found := re.match(r"\| `([^`]+)` \|", row))]


def test_every_step_and_finding_is_named():
    assert sorted(named("step")) == sorted(KINDS)
    assert sorted(named("finding")) == sorted(FINDINGS)


def test_the_example_is_a_study(tmp_path: Path):
    study = declared(tmp_path, PAGE.partition("```yaml\n")[2].partition("```")[0])
    assert list(study.steps) == ["scored", "compared"] and study.models["after"].arguments


def test_every_study_has_a_page():
    assert {path.stem for path in (DOCS / "studies").glob("*.md")} == set(shipped())
