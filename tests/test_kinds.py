"""Every reader on every kind of folder: it reads, or says in one sentence what the folder holds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.checks.crosscheck import crosscheck_run
from calib.records import InputError
from calib.report.comparison import write_comparison
from calib.report.kinds import Sources, write_again
from calib.runs import Run, open_run
from calib.runs.begin import begin
from calib.runs.config import kind_of, read_config
from calib.runs.kinds import (
    BOOK,
    COMPARISON,
    HISTOGRAM,
    IDK_COMPARISON,
    IDK_EVALUATION,
    IDK_SET,
    IMPORTED,
    KINDS,
    MODALITY,
    PROMPT_SEARCH,
    RANKING,
    READERS,
    RUNS,
    SAMPLE,
    SCORE,
    STUDY,
    TRAINING,
    TRAJECTORY,
    TRANSFER,
    TWINS,
    need,
)
from calib.summary.remedies import fit_runs
from calib.summary.transfer import transfer_runs
from calib.uncertainty.p_true import questions
from calib.uncertainty.side_by_side import side_by_side
from tests.sampled import SAID, make
from tests.trained import checkpoint

EARLIER = Path(__file__).with_name("data") / "earlier_runs"


def written(folder: Path, **files: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory, make_run) -> dict[str, Path]:
    """A folder of each kind."""
    root = tmp_path_factory.mktemp("kinds")
    scored = make_run(root / "scored", n=120)
    imported = make_run(root / "imported", n=120, kind=IMPORTED, model="b")
    idk = written(root / "idk", results={"format": "calib.idk/1"})
    texts = {f"{name}{i}": said for i in range(20) for name, said in SAID.items()}
    shutil.copytree(make(root / "sampled", texts), idk / "samples")
    compared = calib.compare([open_run(scored), open_run(imported)])
    write_comparison(compared, root / "compared")
    return {
        SCORE: scored,
        IMPORTED: imported,
        HISTOGRAM: written(root / "histogram", config={"kind": HISTOGRAM, "model": "m"}),
        SAMPLE: root / "sampled",
        COMPARISON: root / "compared",
        IDK_SET: idk,
        IDK_EVALUATION: written(root / "evaluated", results={"format": "calib.idk.evaluation/1"}),
        TRANSFER: written(root / "transferred", results={"format": "calib.transfer/1"}),
        RANKING: written(root / "ranked", results={"format": "calib.ranking/1"}),
        TRAINING: checkpoint(root / "checkpoint-10"),
        PROMPT_SEARCH: written(root / "searched", config={"kind": PROMPT_SEARCH, "model": "m"}),
        MODALITY: written(root / "modality", config={"kind": MODALITY, "model": "m"}),
        TRAJECTORY: written(root / "trajectory", config={"kind": TRAJECTORY, "model": "m"}),
        TWINS: written(root / "twins", config={"kind": TWINS, "model": "m"}),
        IDK_COMPARISON: written(root / "idks", results={"format": "calib.idk.comparison/1"}),
        STUDY: written(root / "study", results={"format": "calib.study/1"}),
        BOOK: written(root / "book", results={"format": "calib.book/1"}),
    }


def beside(folder: Path) -> Path:
    """The run of questions to compare one with."""
    return folder.parent / ("imported" if folder.name == "scored" else "scored")


def prompts_of(folder: Path) -> dict[str, str]:
    """Of a run that kept one; runs made up in tests keep none."""
    (folder / "prompts.jsonl").write_text('{"id": "a", "text": "?", "images": []}\n')
    return open_run(folder).prompts()


CALLS: dict[str, Callable[[Path], Any]] = {
    "Run.rows()": lambda folder: open_run(folder).rows(),
    "Run.scores()": lambda folder: open_run(folder).scores(),
    "Run.answers()": lambda folder: open_run(folder).answers(),
    "Run.items()": lambda folder: open_run(folder).items(),
    "Run.prompts()": prompts_of,
    "calib.open_run": open_run,
    "calib.summarize": lambda folder: calib.summarize(open_run(folder)),
    "calib fit": lambda folder: fit_runs(folder, None, method="exact", seed=0),
    "calib transfer": lambda folder: transfer_runs([open_run(beside(folder)), open_run(folder)]),
    "calib compare": lambda folder: calib.compare([open_run(beside(folder)), open_run(folder)]),
    "calib trajectory": lambda folder: calib.trajectory([beside(folder), folder]),
    "calib crosscheck": lambda folder: crosscheck_run(folder, 15),
    "calib p_true": lambda folder: questions(open_run(folder), None, shown=1),
    "the table of measures": lambda folder: side_by_side(open_run(folder)),
    "--scores of calib report": lambda folder: need(open_run(folder), "--scores of calib report"),
}


def test_every_reader_is_called():
    assert set(CALLS) == set(READERS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_of_its_kind(folders, kind):
    assert kind_of(folders[kind]) == kind
    if kind in RUNS:
        assert open_run(folders[kind]).kind == kind


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_takes_its_kinds_and_refuses_the_others(folders, kind, reader):
    if kind in READERS[reader]:
        CALLS[reader](folders[kind])
        return
    with pytest.raises(InputError) as refused:
        CALLS[reader](folders[kind])
    told = str(refused.value)
    assert told.startswith(f"{folders[kind]}: it holds {KINDS[kind].holds}, which calib report")
    assert " takes " in told and "\n" not in told and ". " not in told


COMMANDS = {
    "fit": "calib fit",
    "crosscheck": "calib crosscheck",
    "compare": "calib compare",
    "transfer": "calib transfer",
    "p_true": "calib p_true",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_command_refuses_the_wrong_kind_with_exit_code_2(folders, kind, command):
    if kind in READERS[COMMANDS[command]]:
        return
    more = [str(folders[SCORE])] if command in ("compare", "transfer") else []
    done = CliRunner().invoke(cli.app, [command, str(folders[kind]), *more])
    assert done.exit_code == 2
    assert f"it holds {KINDS[kind].holds}" in done.stderr and "Traceback" not in done.stderr


def test_answers_of_a_report_are_sampled(folders):
    arguments = ["report", str(folders[SAMPLE]), "--scores", str(folders[SAMPLE])]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 2 and "--scores of calib report takes scored" in done.stderr


def test_what_is_no_folder_of_ours_is_told(tmp_path):
    for path, told in (
        (tmp_path, "not a run folder"),
        (tmp_path / "gone", "no such file or folder"),
    ):
        done = CliRunner().invoke(cli.app, ["report", str(path)])
        assert done.exit_code == 2 and told in done.stderr
    (tmp_path / "a.csv").write_text("confidence,correct\n0.5,1\n")
    with pytest.raises(InputError, match="this is a file and not a run folder; calib import"):
        open_run(tmp_path / "a.csv")


def test_a_kind_of_a_later_version_is_refused(tmp_path):
    folder = written(tmp_path, config={"kind": "video"})
    for read in (open_run, kind_of, lambda path: write_again(Sources(path))):
        with pytest.raises(
            InputError, match=r"config\.json: kind: expected one of score, .*'video'"
        ):
            read(folder)


def test_runs_that_say_no_kind_are_scored(tmp_path):
    run = open_run(EARLIER / "scored")
    assert "kind" not in json.loads((EARLIER / "scored" / "config.json").read_text())
    assert run.kind == SCORE and len(run.scores()) == 24
    assert read_config(written(tmp_path, config={"model": "m"}))["kind"] == SCORE


def test_new_runs_say_their_kind(tmp_path):
    run = begin(tmp_path / "run", {"model": "m"})
    run.close()
    assert json.loads((run.path / "config.json").read_text())["kind"] == SCORE
    again = begin(run.path, {"model": "m"})
    again.close()
    assert isinstance(again, Run) and again.kind == SCORE


def test_a_comparison_is_written_again(folders, tmp_path):
    folder = Path(shutil.copytree(folders[COMPARISON], folders[COMPARISON].parent / "again"))
    page, numbers = folder / "report.html", folder / "results.json"
    before, told = page.read_text(), numbers.read_text()
    page.unlink()
    assert CliRunner().invoke(cli.app, ["report", str(folder)]).exit_code == 0
    assert page.read_text() == before
    for left in (page, numbers):
        left.unlink()
    done = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert done.exit_code == 0, done.stderr
    assert json.loads(numbers.read_text())["pairs"] == json.loads(told)["pairs"]
    assert "<h1>" in page.read_text()


def test_a_comparison_of_an_earlier_version_is_written_again(tmp_path):
    folder = Path(shutil.copytree(EARLIER / "compared", tmp_path / "compared"))
    assert kind_of(folder) == COMPARISON
    done = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert done.exit_code == 0, done.stderr
    assert "<h1>" in (folder / "report.html").read_text()


def test_a_comparison_whose_runs_are_gone_says_which(folders, tmp_path):
    folder = Path(shutil.copytree(folders[COMPARISON], tmp_path / "moved"))
    (folder / "results.json").unlink()
    done = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert done.exit_code == 2 and "scored: there is no such file" in done.stderr


def test_a_comparison_does_not_overwrite_a_run(folders):
    compared = json.loads((folders[COMPARISON] / "results.json").read_text())
    with pytest.raises(InputError, match="holds sampled answers"):
        write_comparison(compared, folders[SAMPLE])


@pytest.mark.parametrize("command", ["fit", "compare", "crosscheck", "p_true"])
def test_a_command_names_itself(folders, command):
    arguments = [command, str(folders[COMPARISON])] + (
        [str(folders[SCORE])] * (command == "compare")
    )
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 2 and f"calib {command} takes" in done.stderr.replace("\n", " ")
