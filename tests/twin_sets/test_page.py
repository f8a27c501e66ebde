"""The page of twins, its command, and ``docs/twins.md``: what they say is what was found."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.cli.twins import evaluate
from calib.idk.arms import IDK
from calib.records import InputError
from calib.report.kinds import Sources, write_again
from calib.report.twins import write_twins_report
from calib.report.twins_words import caveats, headline, lead
from calib.runs.config import kind_of
from calib.runs.kinds import TWINS
from calib.tasks import Task
from calib.twin_sets.file import make_twins
from calib.twin_sets.ways import ABOUT, LIMITS, WAYS
from tests.browser import axe, measured
from tests.house import ROOT
from tests.twin_sets.rooms import Knowing, rooms
from tests.twins import check_twins

HOSTILE = "<script>alert(1)</script> *a* | b [c](d)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    items = [
        replace(item, question=f"{item.question} {HOSTILE}", group=f"{item.group} {HOSTILE}")
        for item in rooms(root).items
    ]
    make_twins(Task("rooms", tuple(items), "letters"), root / "made")
    calib.evaluate_twins(Knowing(), root / "made", out=root / "out", idk=f"Unknown {HOSTILE}")
    write_again(Sources(root / "out"))
    return root / "out"


def results_of(page: Path) -> dict[str, Any]:
    return dict(json.loads((page / "results.json").read_text()))


def test_the_page_and_its_twins(page: Path):
    assert kind_of(page) == TWINS
    check_twins(page)
    for name in ("rates", "ways", "tests", "intervals", "examples", "made", "facts"):
        assert (page / "tables" / f"{name}.csv").is_file(), name
    html = (page / "report.html").read_text()
    assert "<script>alert(1)" not in html and html.count('role="img"') == 1
    assert html.count("no longer there") == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_the_page_in_a_browser(page: Path, open_page: Any, width: int, scheme: str):
    opened = open_page(page / "report.html", width=width, scheme=scheme)
    assert axe(opened.page) == []
    found = measured(opened.page)
    assert found["scroll"] <= width and found["wide"] == [] and found["broken"] == 0
    shown = opened.page.evaluate(
        "[...document.querySelectorAll('#examples img')].map(i => i.naturalWidth)"
    )
    assert len(shown) == 2 * 3 * 4 and all(shown)


def told(page: Path, **tests: tuple[float, float]) -> str:
    """The headline where abstention by each way differs by so much, with this corrected p."""
    results = results_of(page)
    for test in results["tests"]:
        value, p = tests.get(test["how"], (0.0, 1.0))
        test |= {"value": value, "p": p, "holm": p, "least_p": 0.0}
    return headline(results)


def test_the_headline_says_what_is_shown_whichever_way_it_falls(page: Path):
    assert told(page) == (
        "It is not shown to abstain more or less often from twins than from their questions."
    )
    assert told(page, swap=(0.1, 0.06)) == told(page)
    assert told(page, mask=(0.2, 0.01), remove=(-0.1, 0.02)) == (
        "It abstains more often from twins that nobody can answer than from their questions: mask "
        "by +20.0 points (p = 0.010). It abstains less often from twins that nobody can answer "
        "than from their questions: remove by −10.0 points (p = 0.020). It is not shown to abstain "
        "more or less often from twins than from their questions by swap and noun."
    )


def test_a_reader_is_told_what_a_way_does_not_make_sure_of(page: Path):
    results = results_of(page)
    assert set(ABOUT) == set(LIMITS) == set(WAYS)
    said = " ".join(caveats(results))
    assert "swapped twin may have an answer after all" in said and "no more than that" in said
    some = {**results, "ways": [row for row in results["ways"] if row["how"] == "mask"]}
    assert list(caveats(some)) == []
    unread = [{**row, "unread": row["pairs"]} for row in some["ways"]]
    assert "32 of 64 answers could not be read" in " ".join(caveats({**some, "ways": unread}))
    left = [{"reason": "it is alone", "number": 2, "first": ["a", "b"]}]
    assert list(caveats({**some, "left_out": left})) == ["2 left out: it is alone (a, b)."]
    for test in results["tests"]:
        test["holm"] = 0.5
    assert " ".join(lead(results)).count("no difference shown") == 4


def test_a_page_is_of_twins_alone(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read as the results of calib twins evaluate"):
        write_twins_report(tmp_path)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("calib.models.load.load_model", lambda *name, **how: Knowing())

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, ["twins", "evaluate", *arguments])

    return run


def test_the_command_says_what_the_page_says(page: Path, command: Any, tmp_path: Path):
    made = str(page.parent / "made")
    out = tmp_path / "out"
    done = command("--model", "m", "--tasks", made, "--output_path", str(out))
    assert done.exit_code == 0, done.stderr
    assert headline(results_of(out)).split(":")[0] in " ".join(done.output.split())
    assert "twin − question, points" in done.output and str(out / "report.html") in done.output
    again = command("--model", "m", "--tasks", made, "--output_path", str(out))
    assert again.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--tasks", "capitals"], 2, "it holds no whole pair; 185 left out, as the question names"),
        (["--tasks", "nowhere"], 2, "nowhere"),
        (["--tasks", "a,b"], 2, "--tasks: expected one task"),
    ],
)
def test_the_command_refuses_in_a_sentence(
    command: Any, arguments: list[str], code: int, said: str
):
    done = command("--model", "m", *arguments)
    assert done.exit_code == code and said in done.stderr and "Traceback" not in done.stderr


def test_the_command_adds_the_option_that_python_adds():
    defaults = inspect.signature(evaluate).parameters, inspect.signature(calib.evaluate_twins)
    assert defaults[0]["idk"].default == defaults[1].parameters["idk"].default == IDK


def test_the_document_names_every_way_and_its_limit():
    text = " ".join((ROOT / "docs" / "twins.md").read_text().split())
    for way in WAYS:
        assert f"| `{way}` |" in text
    for name in ("dual accuracy", "made.json", "pairs.jsonl", "`pair`", "masked_answer"):
        assert name in text
