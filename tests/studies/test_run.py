"""A study is run, goes on, shares its work, and says what failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from calib.records import CalibError, InputError
from calib.runs import open_run
from calib.studies.dry import dry_run
from calib.studies.run import run_study
from tests.studies.declared import SMALL, declared, load_fakes, questions


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return load_fakes(monkeypatch)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(page, folder) of the small study, run once with one seed; its files are left as they are."""
    folder = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patched:
        load_fakes(patched)
        return run_study(declared(folder), out=folder / "out", seeds=[0]), folder


def results(page: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((page.parent / "results.json").read_text())
    return found


def test_a_study_runs_and_is_read_again(tmp_path: Path, loaded: list[str]):
    study = declared(tmp_path)
    page = run_study(study, out=tmp_path / "out")
    # Each model once a seed; of all questions the second seed draws none.
    assert loaded == ["fake-one", "fake-two"] * 2
    found = results(page)
    assert [run["seed"] for run in found["runs"]] == [0, 1]
    first = found["runs"][0]
    assert [step["name"] for step in first["steps"]][:2] == ["scored/one/mine", "scored/one/all"]
    for step in first["steps"]:
        assert step["refused"] or (page.parent / step["page"]).is_file()
    told = []
    run_study(study, out=tmp_path / "out", announce=told.append)
    assert told == [] and len(loaded) == 4 and results(page) == found


def test_the_table_is_that_of_the_runs(done: tuple[Path, Path]):
    page, _ = done
    (run,) = results(page)["runs"]
    table = run["found"]["tables"][0]
    for row, step in zip(table["rows"], run["steps"][:4], strict=True):
        rows = open_run((page.parent / step["page"]).parent).scores()
        named = dict(zip([name for name, _ in table["columns"]], row, strict=True))
        assert named["n"] == len(rows)
        assert named["accuracy"][0] == pytest.approx(rows["correct"].mean())
        assert named["mean confidence"] == pytest.approx(rows["confidence"].mean())
    assert len(run["found"]["conclusions"]) == 4


def test_what_is_counted_before_is_not_called_read(tmp_path: Path, loaded: list[str]):
    """Not every question has a twin; notes of an earlier version do not say so."""
    text = SMALL.replace("  pairs:", "  asked:\n    twins: {how: [remove], models: one}\n  pairs:")
    study = declared(tmp_path, text)
    for _ in range(2):
        steps = results(run_study(study, out=tmp_path / "out", seeds=[0]))["runs"][0]["steps"]
        at_most = {step["name"]: step["at_most"] for step in steps}
        assert [name for name, most in at_most.items() if most] == [
            "asked/one/mine",
            "asked/one/all",
        ]
        for path in (tmp_path / "cache").glob("*/done.json"):
            known = json.loads(path.read_text())
            assert known.pop("at_most", known["kind"] == "twins") == (known["kind"] == "twins")
            path.write_text(json.dumps(known))


def test_tasks_of_one_file_name_have_the_studys_names(tmp_path: Path, loaded: list[str]):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        questions(tmp_path / name, 60 if name == "a" else 61)
    tasks, rest = SMALL.partition("tasks:")[0], SMALL.partition("steps:")[2]
    text = (
        f"{tasks}tasks:\n  first: a/questions.jsonl\n  second: b/questions.jsonl\n"
        f"steps:{rest.replace('scored/*/mine', 'scored/one')}"
    )
    page = run_study(declared(tmp_path, text), out=tmp_path / "out", seeds=[0])
    steps = {step["name"]: step for step in results(page)["runs"][0]["steps"]}
    moved = (page.parent / steps["moved"]["page"]).parent
    found = json.loads((moved / "results.json").read_text())
    assert [each["name"] for each in found["fitted"]] == ["one/first", "one/second"]
    tables = [p for p in (moved / "tables").glob("*.csv") if not p.name.startswith("facts")]
    assert tables and not any("score-" in path.read_text() for path in tables)
    told: list[str] = []
    other = text.replace("first", "erste").replace("small", "other")
    run_study(declared(tmp_path, other), out=tmp_path / "b", seeds=[0], announce=told.append)
    assert told == ["other: moved"]  # whose page has the names


def test_studies_share_their_work(done: tuple[Path, Path], loaded: list[str]):
    _, folder = done
    other = declared(folder, SMALL.replace("small", "other").replace("  moved:", "  carried:"))
    told: list[str] = []
    run_study(other, out=folder / "other", seeds=[0], announce=told.append)
    assert told == [] and loaded == []


def test_what_fails_is_named_and_what_is_done_stays(tmp_path: Path, monkeypatch: Any):
    loaded = load_fakes(monkeypatch)
    study = declared(tmp_path)

    def fails(name: str, **arguments: Any) -> Any:
        if name == "fake-two":
            raise CalibError("the weights are gone")
        return real(name, **arguments)

    import calib.models.load

    real = calib.models.load.load_model
    monkeypatch.setattr("calib.models.load.load_model", fails)
    with pytest.raises(CalibError, match="step scored/two/mine: the weights are gone"):
        run_study(study, out=tmp_path / "out", seeds=[0])
    monkeypatch.setattr("calib.models.load.load_model", real)
    told: list[str] = []
    run_study(study, out=tmp_path / "out", seeds=[0], announce=told.append)
    assert told[0] == "small: scored/two/mine" and loaded == ["fake-one", "fake-two"]


def test_steps_without_a_conclusion_are_told_with_their_reason(tmp_path: Path, loaded: list[str]):
    text = SMALL.replace("  moved:\n    transfer", "  ranked:\n    ranking")
    page = run_study(declared(tmp_path, text), out=tmp_path / "out", seeds=[0])
    ranked = [s for s in results(page)["runs"][0]["steps"] if s["kind"] == "ranking"]
    assert len(ranked) == 2
    assert all("calibrators are ranked on" in step["refused"] for step in ranked)


def test_a_folder_of_something_else_is_refused(done: tuple[Path, Path], loaded: list[str]):
    _, folder = done
    study = declared(folder)
    score = next((folder / "cache").glob("score-*/*"))
    with pytest.raises(InputError, match="something else than a study"):
        run_study(study, out=score)


def test_a_dry_run_counts_and_loads_nothing(
    tmp_path: Path, loaded: list[str], done: tuple[Path, Path]
):
    study = declared(tmp_path)
    lines = dry_run(study, out=tmp_path / "out")
    assert loaded == [] and not (tmp_path / "out").exists() and not any(x.done for x in lines)
    asked = [line.cost.prompts for line in lines if line.seed == 0]
    assert asked == [30, 40, 30, 40, 0, 0, 0]
    # The second seed asks 30 other questions; all 40 of the file are asked once.
    assert [line.cost.prompts for line in lines if line.seed == 1] == [30, 30, 0, 0, 0]
    assert all(line.seconds is None for line in lines if line.cost.prompts)
    _, folder = done
    after = dry_run(declared(folder), out=folder / "out")
    assert [line.done for line in after if line.seed == 0] == [True] * 7
    assert all(line.seconds is not None for line in after)


def test_progress_names_the_job(tmp_path: Path, loaded: list[str]):
    """Two jobs that ask one task are counted apart, in questions."""
    told: list[Any] = []
    run_study(
        declared(tmp_path),
        out=tmp_path / "out",
        seeds=[0],
        progress=lambda *news: told.append(news),
    )
    whats = {what: getattr(what, "unit", None) for _, _, what in told}
    assert "scored/one/mine: questions" in whats and "scored/two/mine: questions" in whats
    assert set(whats.values()) == {"questions"}


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (
            "limit: 30",
            "limit: 30, prompt: letterz",
            "line 13: step scored/one/mine: prompt: expected one of",
        ),
        (
            "  pairs:",
            "  asked:\n    idk: {arms: [plian]}\n  pairs:",
            "line 15: step asked/one/mine: arm 'plian': expected one of",
        ),
        (
            "fake-one",
            "./gone",
            "line 6: step scored/one/mine: model './gone': there is no such folder",
        ),
        (
            "{model: fake-two, parameters: 7000}",
            "\n    model: embedded:stage2\n    dtype: float33",
            "line 9: step scored/two/mine: dtype 'float33': expected one of auto",
        ),
    ],
)
def test_what_a_call_would_refuse_is_refused_before_a_model(
    tmp_path: Path, loaded: list[str], before: str, after: str, why: str
):
    study = declared(tmp_path, SMALL.replace(before, after))
    for call in (run_study, dry_run):
        with pytest.raises(InputError) as caught:
            call(study, out=tmp_path / "out")
        assert why in str(caught.value)
    assert loaded == []


def test_pictures_are_refused_before_a_model_that_sees_none(tmp_path: Path, loaded: list[str]):
    questions(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    row = {"id": "q", "question": "What?", "options": ["a", "b"], "answer": 0, "image": "a.png"}
    (tmp_path / "seen.jsonl").write_text(json.dumps(row) + "\n")
    text = SMALL.replace("fake-two", "embedded:base").replace(
        "  all:", "  seen: seen.jsonl\n  all:"
    )
    for call in (run_study, dry_run):
        with pytest.raises(InputError, match=r"line 7: step scored/two/seen: .* text only"):
            call(declared(tmp_path, text), out=tmp_path / "out")
    assert loaded == []


def test_no_page_of_another_study_is_written_over(done: tuple[Path, Path], loaded: list[str]):
    _, folder = done
    with pytest.raises(InputError, match="it holds a study whose quick is False and not True"):
        run_study(declared(folder), out=folder / "out", quick=True)
    other = declared(folder, SMALL.replace("small", "other"))
    with pytest.raises(InputError, match="it holds a study whose study is 'small'"):
        run_study(other, out=folder / "out")
    assert loaded == []


def test_a_damaged_note_of_a_job_says_what_to_delete(done: tuple[Path, Path], loaded: list[str]):
    _, folder = done
    study = declared(folder)
    note = next((folder / "cache").glob("score-*/done.json"))
    before = note.read_text()
    for text in ("", "{}", '{"job": 3}'):
        note.write_text(text)
        for call in (run_study, dry_run):
            with pytest.raises(
                InputError, match=f"delete {note.parent}, and its job is done again"
            ):
                call(study, out=folder / "out", seeds=[0])
    note.write_text(before)


def test_what_cannot_be_written_is_not_called_concluded(tmp_path: Path, monkeypatch: Any):
    """A comparison that a full disk stopped is done again, and no finding of the page."""
    load_fakes(monkeypatch)

    def full(*arguments: Any) -> Any:
        raise OSError(28, "No space left on device")

    study = declared(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("calib.report.page.replace", full)
        patched.setattr("calib.report.scores.write_page", lambda *_: None)
        with pytest.raises(CalibError, match=r"could not be written \(No space left"):
            run_study(study, out=tmp_path / "out", seeds=[0])
    page = run_study(study, out=tmp_path / "out", seeds=[0])
    steps = {step["name"]: step["refused"] for step in results(page)["runs"][0]["steps"]}
    assert steps["pairs/mine"] is None
