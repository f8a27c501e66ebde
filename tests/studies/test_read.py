"""What a study's file can mean; what it cannot is refused by its line, in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.records import InputError
from calib.studies.read import find_study, read_study, shipped
from calib.studies.study import CLAIMS
from tests.studies.declared import SMALL, declared


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        declared(tmp_path, text)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'study.yaml'}, line ") and "\n" not in said
    return said.partition(", line ")[2]


def test_a_study_is_what_its_file_says(tmp_path: Path):
    study = declared(tmp_path)
    assert study.models["two"].parameters == 7000 and study.models["one"].model == "fake-one"
    assert study.tasks["mine"].limit == 30 and study.tasks["all"].limit is None
    assert list(study.steps) == ["scored", "pairs", "moved"] and study.seeds == [0, 1]
    assert study.finding == "table" and study.claims == ["C1"]


@pytest.mark.parametrize(
    ("before", "after", "line", "why"),
    [
        ("title:", "titel:", 2, "a study has no 'titel'; it has study, title"),
        ("claims: [C1]", "claims: [C9]", 4, "claims: expected some of C1, C2"),
        ("study: small", "study: ../up", 1, "study: expected letters, digits"),
        ("  one: fake-one", "  one: 3", 6, "model one: expected names with values, got '3'"),
        ("parameters: 7000", "parameters: -1", 7, "parameters: expected millions above 0"),
        ("parameters: 7000", "dtype: [1]", 7, "dtype: expected text or a number"),
        ("{model: fake-two, parameters: 7000}", "{parameters: 7}", 7, "model is missing"),
        ("limit: 30", "limt: 30", 9, "task mine has no 'limt'; it has task, limit"),
        ("limit: 30", "limit: 0", 9, "limit: expected a whole number from 1, got '0'"),
        ("limit: 30", "limit: true", 9, "limit: expected a whole number from 1"),
        ("limit: 30", "wording: {cu: x}", 9, "wording: part 'cu': expected one of cue, instruct"),
        ("limit: 30", "wording: {permission: x}", 9, "permission: expected {question} in it"),
        ("limit: 30", "wording: {cue: 3}", 9, "wording cue: expected text, got '3'"),
        ("score: {}", "scor: {}", 13, "step scored: expected one of score, sample"),
        ("score: {}", "score: {modls: one}", 13, "step scored has no 'modls'; it has models"),
        ("score: {}", "score: {models: three}", 13, "models: expected some of one, two"),
        ("score: {}", "score: {tasks: [mine, mine]}", 13, "tasks: each may stand only once"),
        ("score: {}", "prompts: {elsewhere: [mine, none]}", 13, "elsewhere: expected some of mine"),
        ("score: {}", "score: {bins: 1.5}", 13, "bins: expected a whole number from 1"),
        ("score: {}", "score: {confidence: sure}", 13, "expected one of options, vocab"),
        ("runs: scored}", "by: task}", 15, "runs are missing: a step of score or import"),
        ("compare: {runs: scored}", "compare: {runs: moved}", 15, "got 'moved'"),
        ("runs: scored}", "runs: scored, by: model_}", 15, "by: expected one of all, task"),
        ("mine\"}", "mine\", calibrator: plat}", 17, "calibrator: expected one of temperature"),
        ("limit: 20", "limits: 20", 19, "quick has no 'limits'; it has limit, samples"),
        ("limit: 20", "without: gone", 19, "without: there is no step 'gone'"),
        ("limit: 20", "steps: {scored: {bins: x}}", 19, "bins: expected a whole number"),
        ("finding: table", "finding: tables", 20, "finding: expected one of table"),
        ("finding: table", "finding: modality", 20, "it needs a step of modality"),
        ("finding: table", "finding: {selective: {accuracy: 2}}", 20, "accuracy: expected a"),
        ("seeds: [0, 1]", "seeds: [0, 0]", 21, "seeds: each may stand only once, got '0' twice"),
        ("seeds: [0, 1]", "seeds: [-1]", 21, "seeds: expected whole numbers from 0, got '-1'"),
        ("seeds: [0, 1]", "seeds: []", 21, "seeds: expected whole numbers from 0"),
        ("seeds: [0, 1]", f"seeds: [\n 0,\n {'9' * 20}]", 23, "number has at most 18 digits"),
        ("limit: 30", "limit: '30'", 9, "expected a whole number from 1, got the text '30'"),
        ("score: {}", "score: {models:\n [one,\n three]}", 15, "expected some of one, two, got '"),
        ("runs: scored}", "runs: [scored,\n gone]}", 16, "above it (scored), got 'gone'"),
        ("score: {}", "twins: {how: [\n swap,\n swap]}", 15, "how: each may stand only once"),
        ("score: {}", "twins: {how: [\n swap,\n swop]}", 15, "remove, noun, got 'swop'"),
        ("score: {}", "score: {}\n    sample: {}", 14, "got score, sample together"),
        ("limit: 20", "without: [\n pairs,\n gone]", 21, "without: there is no step 'gone'"),
    ],
)  # fmt: skip
def test_what_it_cannot_mean_is_refused_by_its_line(
    tmp_path: Path, before: str, after: str, line: int, why: str
):
    assert before in SMALL
    said = refused(tmp_path, SMALL.replace(before, after))
    assert said.startswith(f"{line}: ") and why in said


def test_a_step_reads_only_steps_above_it(tmp_path: Path):
    lines = SMALL.splitlines()
    swapped = [*lines[:11], *lines[13:15], *lines[11:13], *lines[15:]]
    assert "expected a step of score or import above it, got 'scored'" in refused(
        tmp_path, "\n".join(swapped)
    )


def test_names_and_files(tmp_path: Path):
    assert {claim for path in shipped().values() for claim in read_study(path).claims} == set(
        CLAIMS
    )
    assert find_study("modality") == shipped()["modality"]
    with pytest.raises(InputError, match=r"study 'nothing': expected one of calibrated, "):
        find_study("nothing")
    with pytest.raises(InputError, match="there is no such file"):
        find_study(tmp_path / "gone.yaml")


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_study_has_its_files_name(name: str):
    study = read_study(shipped()[name])
    assert study.name == name and study.limits != "-" and study.design != "-"
    assert list(study.seeds) == [0, 1]
