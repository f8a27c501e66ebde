"""The jobs that steps come to, and where their work lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calib.records import InputError
from calib.studies.keys import Places
from calib.studies.plan import plan
from calib.studies.study import Job, Study
from tests.studies.declared import SMALL, declared


def names(jobs: list[Job]) -> list[str]:
    return [job.name for job in jobs]


def test_models_and_tasks_are_multiplied_and_runs_grouped(tmp_path: Path):
    jobs = plan(declared(tmp_path), 0)
    assert names(jobs) == [
        *("scored/one/mine", "scored/one/all", "scored/two/mine", "scored/two/all"),
        *("pairs/mine", "pairs/all", "moved"),
    ]
    at = {job.name: job for job in jobs}
    assert names(list(at["pairs/mine"].inputs["runs"])) == ["scored/one/mine", "scored/two/mine"]
    assert names(list(at["moved"].inputs["runs"])) == ["scored/one/mine", "scored/two/mine"]


def test_prompt_forms_are_a_third_factor(tmp_path: Path):
    text = SMALL.replace("score: {}", "score: {prompts: [letters, options], tasks: mine}")
    jobs = plan(declared(tmp_path, text.replace("scored/*/mine", "scored/one")), 0)
    assert names(jobs)[:2] == ["scored/one/mine/letters", "scored/one/mine/options"]
    assert [job.task.prompt for job in jobs[:2] if job.task] == ["letters", "options"]
    assert names(list(jobs[-1].inputs["runs"])) == names(jobs)[:2]


def test_quick_asks_less(tmp_path: Path):
    jobs = plan(declared(tmp_path), 0, quick=True)
    assert [job.task.limit for job in jobs[:4] if job.task] == [20] * 4
    text = SMALL.replace("  limit: 20", "  without: [scored]")
    with pytest.raises(StopIteration):
        next(iter(plan(declared(tmp_path, text), 0, quick=True)))  # all the rest reads it


def test_quick_draws_fewer_answers(tmp_path: Path):
    drawn = "  drawn:\n    sample: {samples: 20, tasks: mine}\n  few:\n    sample: {samples: 3}\n"
    text = SMALL.replace("quick:", f"{drawn}quick:\n  samples: 4\n  steps: {{few: {{top_p: 0.5}}}}")
    jobs = {job.name: job for job in plan(declared(tmp_path, text), 0, quick=True)}
    assert jobs["drawn/one/mine"].options == {"samples": 4}
    assert jobs["few/one/mine"].options == {"samples": 3, "top_p": 0.5}


def test_a_step_that_comes_to_nothing_is_refused(tmp_path: Path):
    text = SMALL.replace("scored/*/mine", "scored/one/mine")
    with pytest.raises(
        InputError, match=r"line 17: step moved: .* transfer takes 2 or more, got 1$"
    ):
        plan(declared(tmp_path, text), 0)
    text = SMALL.replace('"scored/*/mine"', '"scored/*/mine", by: model')
    with pytest.raises(InputError, match=r"2 or more of one model, got 1 in one, 1 in two$"):
        plan(declared(tmp_path, text), 0)
    text = SMALL.replace("scored/*/mine", "scored/*/none")
    with pytest.raises(InputError, match=r"2 or more, got none$"):
        plan(declared(tmp_path, text), 0)


def keys(study: Study, seed: int = 0) -> dict[str, str]:
    places = Places(study.path.parent / "cache", study.path.parent)
    return {job.name: places.key(job) for job in plan(study, seed)}


def test_a_key_changes_with_what_decides_the_work_and_with_nothing_else(tmp_path: Path):
    first = keys(declared(tmp_path))
    assert len(set(first.values())) == len(first)
    # Names of the study's own decide nothing.
    renamed = keys(declared(tmp_path, SMALL.replace("one:", "uno:").replace("small", "other")))
    assert list(renamed.values()) == list(first.values())
    # A model, an option, a limit: what they decide gets another key, and what reads it.
    for before, after, changed in (
        (
            "fake-one",
            "fake-uno",
            {"scored/one/mine", "scored/one/all", "pairs/mine", "pairs/all", "moved"},
        ),
        ("limit: 30", "limit: 29", {"scored/one/mine", "scored/two/mine", "pairs/mine", "moved"}),
        ('{runs: "scored/*/mine"}', '{runs: "scored/*/mine", calibrator: platt}', {"moved"}),
    ):
        assert before in SMALL
        now = keys(declared(tmp_path, SMALL.replace(before, after)))
        assert {name for name in first if first[name] != now[name]} == changed


def test_a_seed_decides_which_questions_are_asked_and_what_is_drawn(tmp_path: Path):
    study = declared(tmp_path)
    zero, one = keys(study, 0), keys(study, 1)
    assert zero["scored/one/all"] == one["scored/one/all"]  # all questions, and nothing drawn
    assert zero["scored/one/mine"] != one["scored/one/mine"]
    drawn = declared(tmp_path, SMALL.replace("score: {}", "score: {}\n  drawn:\n    sample: {}"))
    assert keys(drawn, 0)["drawn/one/all"] != keys(drawn, 1)["drawn/one/all"]


def test_what_a_search_is_judged_on_elsewhere_decides(tmp_path: Path):
    text = SMALL.partition("steps:")[0] + (
        "steps:\n  found:\n    prompts: {models: one, tasks: mine, elsewhere: [all]}\n"
        "finding: remedies\n"
    )
    before = keys(declared(tmp_path, text))["found/one/mine"]
    less = text.replace("all: questions.jsonl", "all: {task: questions.jsonl, limit: 9}")
    assert keys(declared(tmp_path, less))["found/one/mine"] != before
    renamed = text.replace("all:", "every:").replace("[all]", "[every]")
    assert keys(declared(tmp_path, renamed))["found/one/mine"] == before


def test_questions_and_weights_decide(tmp_path: Path):
    before = keys(declared(tmp_path))
    path = tmp_path / "questions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["answer"] = 1
    study = declared(tmp_path)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert keys(study)["scored/one/all"] != before["scored/one/all"]
    folder = tmp_path / "fake-one"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"1")
    first = keys(declared(tmp_path))
    (folder / "model.safetensors").write_bytes(b"2")
    second = keys(declared(tmp_path))
    assert first["scored/one/all"] != second["scored/one/all"]
    assert first["scored/two/all"] == second["scored/two/all"] == before["scored/two/all"]


def test_an_adapter_beside_the_file_decides(tmp_path: Path):
    text = SMALL.replace("one: fake-one", "one: {model: fake-one, peft: tuned}")
    before = keys(declared(tmp_path, text))["scored/one/all"]
    (tmp_path / "tuned").mkdir()
    found = []
    for weights in (b"1", b"2"):
        (tmp_path / "tuned" / "adapter_config.json").write_text("{}")
        (tmp_path / "tuned" / "adapter_model.safetensors").write_bytes(weights)
        found.append(keys(declared(tmp_path, text))["scored/one/all"])
    assert len({before, *found}) == 3
    study = declared(tmp_path, text)
    arguments = Places(tmp_path, tmp_path).arguments(study.models["one"])
    assert arguments == {"peft": str(tmp_path / "tuned")}


@pytest.mark.parametrize(
    "name", ["tokenizer_config.json", "chat_template.jinja", "processor_config.json"]
)
def test_what_a_folder_asks_with_decides(tmp_path: Path, name: str):
    (tmp_path / "fake-one").mkdir()
    (tmp_path / "fake-one" / "config.json").write_text("{}")
    before = keys(declared(tmp_path))
    (tmp_path / "fake-one" / name).write_text("{}")
    after = keys(declared(tmp_path))
    assert {n for n in before if before[n] != after[n]} == {
        *("scored/one/mine", "scored/one/all", "pairs/mine", "pairs/all", "moved")
    }


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("{model: mine, subfolder: sub}", "mine/sub"),
        ("~/mine", "mine"),
        ("tuned", "mine"),  # an adapter, which names it
        ("tuned2", "tuned2/mine"),  # beside an adapter
    ],
)
def test_weights_decide_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, weights: str
):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, base in (("tuned", str(tmp_path / "mine")), ("tuned2", "mine")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(
            json.dumps({"peft_type": "LORA", "base_model_name_or_path": base})
        )
    text = SMALL.replace("fake-one", model)
    (tmp_path / weights).mkdir(parents=True)
    found = set()
    for content in (b"1", b"2"):
        (tmp_path / weights / "model.safetensors").write_bytes(content)
        found.add(keys(declared(tmp_path, text))["scored/one/all"])
    assert len(found) == 2
