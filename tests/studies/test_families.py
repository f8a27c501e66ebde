"""A study of a user's own: two tiny random models of different families, every step over models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calib.records import InputError
from calib.studies.read import read_study
from calib.studies.run import run_study
from tests.studies.declared import questions

OWN = """\
study: own
title: Two families
question: Do they run?
models:
  text: {text}
  pictures: {pictures}
tasks:
  mine: {{task: questions.jsonl, limit: 12}}
steps:
  scored:
    score: {{prompts: [letters, options]}}
  drawn:
    sample: {{samples: 3, max_new_tokens: 4}}
  measured:
    measures: {{runs: drawn, scores: scored/*/mine/letters}}
  pairs:
    compare: {{runs: "scored/*/*/letters"}}
  moved:
    transfer: {{runs: scored}}
  unknown:
    idk: {{samples: 3, max_new_tokens: 4, arms: [plain, permission]}}
  both:
    compare-idk: {{runs: unknown}}
finding: unknown
"""


@pytest.fixture
def own(tmp_path: Path, tiny_model: Path, tiny_image_model: Path) -> Path:
    questions(tmp_path, 12)
    path = tmp_path / "own.yaml"
    path.write_text(OWN.format(text=tiny_model, pictures=tiny_image_model))
    return path


def test_a_study_of_two_families_runs(own: Path, tmp_path: Path):
    page = run_study(own, out=tmp_path / "out")
    results: dict[str, Any] = json.loads((page.parent / "results.json").read_text())
    (run,) = results["runs"]
    names = [step["name"] for step in run["steps"]]
    assert names[:4] == [
        f"scored/{model}/mine/{form}"
        for model in ("text", "pictures")
        for form in ("letters", "options")
    ]
    done = {step["kind"] for step in run["steps"] if step["refused"] is None}
    assert {"score", "sample", "idk", "compare", "compare-idk"} <= done
    table = {t["name"]: t for t in run["found"]["tables"]}
    assert [row[0] for row in table["arms"]["rows"]] == [
        *["text/mine"] * 2, *["pictures/mine"] * 2,
    ]  # fmt: skip
    for step in run["steps"]:
        assert step["refused"] or (page.parent / step["page"]).is_file()


def test_a_wrong_key_is_refused_by_its_line(own: Path):
    own.write_text(own.read_text().replace("samples: 3, max_new", "sample: 3, max_new", 1))
    with pytest.raises(InputError, match=r"own.yaml, line 13: step drawn has no 'sample'; it has "):
        read_study(own)
