"""calib idk on disk: built, resumed, labelled anew, exported, asked in arms, reported, refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import datasets
import pytest
from typer.testing import CliRunner

from calib import cli
from calib.hf.model import Model
from calib.idk import ask, draw
from calib.idk.ask import ask_set, label_of, stream
from calib.idk.draw import Subject
from calib.idk.folder import build_set, label_set, labels_of
from calib.records import Answer, InputError, Item
from calib.report.idk import write_idk_report
from calib.runs import open_run
from calib.tasks import Task
from tests.hf.conftest import make_llama, make_tokenizer
from tests.idk_cases import SETTINGS, Scripted, calls, questions


@pytest.fixture
def subject() -> Subject:
    calls.clear()
    return Subject.of(Scripted("scripted", make_llama(), make_tokenizer(), None))


@pytest.fixture
def made(subject: Subject, tmp_path: Path) -> Path:
    build_set(subject, questions(tmp_path), tmp_path / "set", **SETTINGS)
    return tmp_path / "set"


def test_counts_and_labels(made: Path) -> None:
    results = json.loads((made / "results.json").read_text())
    assert results["counts"]["questions"] == 12 and results["counts"]["unanswerable"] == 4
    assert results["counts"]["known"] == 4, "questions 0 of each picture alone are always right"
    assert [row["known"] for row in results["sweep"]] == [8] * 5 + [4] * 5
    assert {row["group"]: row["known"] for row in results["groups"]} == {"colour": 4, "nobody": 0}
    lacking = {"model", "prompt", "samples", "temperature", "top_p", "seed", "judge", "versions"}
    assert lacking <= set(results["provenance"])
    card = (made / "README.md").read_text()
    for said in ("scripted", "top_p", "letter where there are options", "12 questions, 4 known"):
        assert said in card


def test_what_nobody_can_answer_is_unknown_at_any_threshold(made: Path) -> None:
    for tau in (0.1, 1.0):
        label_set(made, tau=tau)
        labelled = labels_of(made)
        nobody = [i for i, d in enumerate(labelled.draws) if d.item.group == "nobody"]
        assert not any(labelled.known[i] for i in nobody)
        assert all(labelled.draws[i].correct == 0 for i in nobody)


def test_another_threshold_draws_nothing_and_loads_no_model(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (made / "samples" / "records-0.jsonl").read_bytes()
    monkeypatch.setattr(draw, "load_model", lambda *_: pytest.fail("a model was loaded"))
    monkeypatch.setattr(draw, "sample", lambda *_: pytest.fail("something was drawn"))
    again = build_set("scripted", questions(tmp_path), made, tau=0.5, **SETTINGS)
    assert again["counts"]["known"] == 8
    assert label_set(made, tau=0.75)["counts"]["known"] == 4
    assert label_set(made, judge="exact")["judge"] == "exact"
    assert (made / "samples" / "records-0.jsonl").read_bytes() == before
    with pytest.raises(InputError, match="belongs to another run"):
        build_set("scripted", questions(tmp_path), made, **{**SETTINGS, "samples": 5})


def test_a_stopped_build_goes_on(subject: Subject, made: Path, tmp_path: Path) -> None:
    records = made / "samples" / "records-0.jsonl"
    whole = records.read_bytes()
    with pytest.raises(InputError, match="answers are missing"):
        records.write_bytes(whole[: len(whole) // 2])
        labels_of(made)
    calls.clear()
    build_set(subject, questions(tmp_path), made, **SETTINGS)
    assert records.read_bytes() == whole
    assert 0 < len(calls) < 12


def test_exports_load_with_datasets(made: Path, tmp_path: Path) -> None:
    sizes = {}
    for name in ("labels", "sft", "preference"):
        loaded = datasets.load_dataset(str(made), name, cache_dir=str(tmp_path / "cache"))
        sizes[name] = sum(map(len, loaded.values()))
        by_part = {p: {row["id"] for row in rows} for p, rows in loaded.items()}
        pictures = [{int(i[1:]) // 3 for i in ids} for ids in by_part.values()]
        assert len(pictures) == 2 and not set.intersection(*pictures), "a picture in two parts"
    assert sizes == {"labels": 12, "sft": 12, "preference": 12}
    rows = {r["id"]: r for p in datasets.load_dataset(str(made), "sft").values() for r in p}
    assert rows["q0"]["messages"][1]["content"] == "red"
    assert (
        rows["q0"]["messages"][0]["content"]
        == "Which colour, 0?\nAnswer with one word or a short phrase."
    )
    assert rows["q2"]["messages"][1]["content"] == "I don't know."


def test_arms_are_counted(subject: Subject, made: Path) -> None:
    calls.clear()
    results = ask_set(subject, made)
    arms = {arm["name"]: arm for arm in results["arms"]}
    assert list(arms) == ["plain", "permission", "option"]
    assert arms["plain"]["quadrants"] == {"Ik-Ik": 8, "Ik-Idk": 0, "Idk-Ik": 0, "Idk-Idk": 4}
    assert arms["permission"]["quadrants"] == {"Ik-Ik": 8, "Ik-Idk": 2, "Idk-Ik": 0, "Idk-Idk": 2}
    assert arms["option"]["quadrants"] == {"Ik-Ik": 7, "Ik-Idk": 4, "Idk-Ik": 1, "Idk-Idk": 0}
    assert arms["option"]["rates"]["admit_rate"]["of"] == [4, 8]
    assert arms["option"]["rates"]["over_refusal"]["of"] == [1, 4]
    assert arms["option"]["prompt"] == "letters" and arms["plain"]["prompt"] == "options"
    truthful = [c for c in results["comparisons"] if c["rate"] == "truthful"]
    assert [(c["first"], c["second"]) for c in truthful] == [
        ("permission", "plain"),
        ("option", "plain"),
    ]
    assert truthful[0]["value"] == pytest.approx(2 / 12)
    built = int(labels_of(made).run.config["seed"])
    assert {seed for _, seed, _ in calls} == {stream(built, 0)} and stream(built, 0) != built


def test_an_arm_is_not_asked_twice(subject: Subject, made: Path) -> None:
    first = ask_set(subject, made, arms=["plain"])
    asked = list(calls)
    with_more = ask_set(subject, made, arms=["plain", "Say if you don't know. {question}"])
    assert len(calls) == len(asked) + 1
    assert with_more["arms"][0] == first["arms"][0]
    assert with_more["arms"][1]["name"].startswith("own-")
    calls.clear()
    ask_set(subject, made, arms=["plain"], tau=0.5)
    assert not calls


def test_arms_are_refused_before_one_is_asked(subject: Subject, made: Path, tmp_path: Path) -> None:
    calls.clear()
    for arms, word in ((["plain", "nonsense"], "nonsense"), (["plain", "plain"], "once")):
        with pytest.raises(InputError, match=word):
            ask_set(subject, made, arms=arms)
    with pytest.raises(InputError, match="labels are those of scripted"):
        ask_set("other", made)
    free = [Item(f"q{i}", "Capital?", meta={"aliases": ["Rome"]}) for i in range(3)]
    build_set(subject, Task("free", tuple(free)), tmp_path / "free", judge="contains", **SETTINGS)
    calls.clear()
    assert ask.default_arms(free) == ["plain", "permission"]
    with pytest.raises(InputError, match="no options"):
        ask_set(subject, tmp_path / "free", arms=["plain", "option"])
    assert not calls
    assert label_of("plain") == "plain" and label_of("a {question}") != label_of("b {question}")


def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    def refused(item: Item, match: str, **given: Any) -> None:
        with pytest.raises(InputError, match=match):
            build_set("no-model", Task("t", (item,)), tmp_path / "x", limit=None, **given)

    refused(Item("q", "?", options=("a", "b")), "answerable")
    refused(Item("q", "?", meta={"aliases": ["x"]}), "no letter", judge="letter")
    refused(Item("q", "?", options=("a", "b"), answer=0), "judge 'x'", judge="x")
    refused(Item("q", "?", options=("a", "b"), answer=0), "tau", tau=0.0)
    refused(Item("q", "?", options=("a", "b"), answer=0), "temperature", temperature=-1.0)
    assert not (tmp_path / "x").exists()


def test_the_report_and_its_twin(subject: Subject, made: Path, tmp_path: Path) -> None:
    ask_set(subject, made)
    page = write_idk_report(made / "evaluation")
    html, md = page.read_text(), page.with_suffix(".md").read_text()
    assert html.count("<figure>") == 1 and html.count("<img") >= 4
    assert 'src="data:image' in html and "http://" not in html.replace("http://www.w3.org", "")
    for text in (html, md):
        assert "It knows 4 of 12 questions" in text and "permission" in text
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    ran = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,1000",
         f"--screenshot={tmp_path / 'page.png'}", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert (tmp_path / "page.png").stat().st_size > 20_000, ran.stderr[-500:]


def test_the_command(made: Path) -> None:
    runner = CliRunner()
    shown = runner.invoke(cli.app, ["idk", "label", str(made), "--tau", "0.5"])
    assert shown.exit_code == 0, shown.output
    assert "At tau = 0.5: 8 known and 4 unknown" in shown.output
    assert labels_of(made).tau == 0.5
    for arguments in (
        ["label", str(made), "--tau", "1.5"],
        ["label", "no/such/set"],
        ["evaluate", "no/such/set"],
        ["evaluate", str(made), "--arm", "nonsense"],
        ["build", "--model", "m", "--tasks", "nonsense", "--output_path", "x"],
        ["build", "--model", "m", "--tasks", "capitals", "--output_path", "x", "--judge", "letter"],
        ["build", "--model", "m", "--tasks", "capitals", "--output_path", "x", "--tau", "0"],
        ["build", "--model", "m", "--tasks", "capitals"],
    ):
        ran = runner.invoke(cli.app, ["idk", *arguments])
        assert ran.exit_code == 2, (arguments, ran.output)
    assert not Path("x").exists()


def test_labels_that_are_all_alike_name_a_threshold_that_parts_them(
    subject: Subject, tmp_path: Path
) -> None:
    some = [item for item in questions(tmp_path) if int(item.id[1:]) % 3]
    for name, items in (("some", some), ("nobody", some[1::2])):
        build_set(subject, Task(name, tuple(items)), tmp_path / name, **SETTINGS)
        shown = CliRunner().invoke(cli.app, ["idk", "label", str(tmp_path / name)])
        assert "All questions are alike at this tau" in shown.output
        parted = "--tau 0.1 parts them into 4 known and 4 unknown." in shown.output
        assert parted == (name == "some")


@pytest.mark.parametrize("command", ["build", "label", "evaluate"])
def test_helps_fit_eighty_columns(command: str) -> None:
    shown = CliRunner().invoke(cli.app, ["idk", command, "--help"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0 and f"Example: calib idk {command}" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80 and "..." not in shown.output


def test_a_stated_confidence_is_not_judged(tmp_path: Path) -> None:
    class Stating(Scripted):
        def sample_batch(
            self, items: Any, prompt: str, how: Any, *, thinking: str = "own"
        ) -> list[list[Answer]]:
            return [[Answer("42\nConfidence: 80%")] * how.samples for _ in items]

    model = Stating("stating", make_llama(), make_tokenizer(), None)
    items = [Item(str(i), "6 x 7?", meta={"aliases": [str(42 + i)]}) for i in range(2)]
    settings = {**SETTINGS, "prompt": "verbalized", "judge": "numeric"}
    made = build_set(model, Task("sums", tuple(items)), tmp_path, **settings)
    assert made["counts"]["known"] == 1
    plain = ask_set(model, tmp_path, arms=["plain"])["arms"][0]
    assert plain["rates"]["truthful"]["of"] == [1, 2]


def test_a_real_model(tmp_path: Path) -> None:
    """A tiny random model, through the whole way; its answers are noise."""
    free = [Item(str(i), f"Capital {i}?", meta={"aliases": ["Rome"]}) for i in range(3)]
    model = Model("tiny", make_llama(), make_tokenizer(), None)
    build_set(model, Task("free", tuple(free)), tmp_path, **SETTINGS)
    results = ask_set(model, tmp_path)
    assert [arm["n"] for arm in results["arms"]] == [3, 3]
    assert len(open_run(tmp_path / "evaluation" / "arms" / "plain").answers()) == 3
    assert write_idk_report(tmp_path / "evaluation").exists()
