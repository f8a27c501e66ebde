"""The two stories, whoever runs the model: a tiny torch model, and one that is no torch at all."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import calib
from calib.hf.model import Model
from calib.models.protocol import Answering, Sampling, Scoring
from calib.records import InputError
from calib.runs import Run
from tests.drives import DRIVES, TASK, as_rank, by_processes, drive, lines, stop_after
from tests.fake_model import Fake
from tests.hf.conftest import make_llama, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module", params=["hf", "fake"])
def model(request: pytest.FixtureRequest) -> Any:
    return (
        Fake() if request.param == "fake" else Model("tiny", make_llama(), make_tokenizer(), None)
    )


@pytest.mark.parametrize("name", DRIVES)
@pytest.mark.parametrize("appended", [0, 1, 5])
def test_a_stopped_run_goes_on(
    model: Any, name: str, appended: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive(name, model, tmp_path / "calm")
    with monkeypatch.context() as patch:
        stop_after(patch, appended)
        with pytest.raises(KeyboardInterrupt):
            drive(name, model, tmp_path / "run")
    assert len(lines(tmp_path / "run")) == 3 * appended
    drive(name, model, tmp_path / "run")
    assert lines(tmp_path / "run") == lines(tmp_path / "calm")


@pytest.mark.parametrize("name", DRIVES)
def test_processes_divide_the_work(
    model: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are those of one process, to the bit, and are read as theirs."""
    one = drive(name, model, tmp_path / "one")
    three = by_processes(monkeypatch, 3, name, model, tmp_path / "three")
    files = sorted(path.name for path in (tmp_path / "three").glob("records*"))
    assert files == [f"records-{rank}.jsonl" for rank in range(3)]
    assert lines(tmp_path / "three") == lines(tmp_path / "one")
    assert table(three).equals(table(one))


@pytest.mark.parametrize("name", DRIVES)
@pytest.mark.parametrize("worlds", [(2, 1), (1, 2), (2, 3), (3, 1, 2)])
def test_another_number_of_processes_goes_on(
    name: str, worlds: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is stopped after two writes, and every file's last line is torn."""
    model, folder = Fake(), tmp_path / "run"
    calm = table(drive(name, model, tmp_path / "calm"))
    for world in worlds:
        for rank in range(world):
            with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
                as_rank(patch, rank, world)
                stop_after(patch, 2)
                drive(name, model, folder)
        for file in folder.glob("records*.jsonl"):
            file.write_bytes(file.read_bytes()[:-1])
    assert len(table(calib.open_run(folder))) < len(calm)
    assert table(by_processes(monkeypatch, worlds[-1], name, model, folder)).equals(calm)
    written = lines(folder)
    by_processes(monkeypatch, worlds[0], name, model, folder)
    assert len(lines(folder)) <= len(written), "all was done"


def table(run: Run) -> pd.DataFrame:
    """What a reader takes: no batch that is torn, none twice."""
    return run.answers() if run.config.get("kind") == "sample" else run.scores()


def test_processes_at_once(tmp_path: Path) -> None:
    """Real processes, of which one is killed: the same command brings back its part."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom calib.runs import Run\n"
        "from tests.fake_model import Fake\nfrom tests.drives import drive\n"
        "append = Run.append\n"
        "Run.append = lambda self, rows: (time.sleep(0.1), append(self, rows))\n"
        "drive('score', Fake(), Path(sys.argv[1]))\n"
    )
    folder = tmp_path / "run"

    def begun(rank: int) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": "2"}
        environment["PYTHONPATH"] = f"{ROOT}:{ROOT / 'kernels'}"
        return subprocess.Popen([sys.executable, "-c", code, str(folder)], env=environment)

    first, second = begun(0), begun(1)
    file = folder / "records-1.jsonl"
    while not (file.exists() and file.stat().st_size):
        assert second.poll() is None
        time.sleep(0.01)
    second.kill()
    second.wait()
    assert first.wait() == 0
    assert len(calib.open_run(folder).rows()) < 23
    assert [begun(rank).wait() for rank in (0, 1)] == [0, 0]
    drive("score", Fake(), tmp_path / "calm")
    assert lines(folder) == lines(tmp_path / "calm")


def test_a_run_that_named_its_device_by_number_goes_on(tmp_path: Path) -> None:
    """As earlier versions did; every process has another one."""
    drive("score", Fake(device="cuda:0"), tmp_path)
    config = calib.open_run(tmp_path).config
    assert config["device"] == "cuda"
    (tmp_path / "config.json").write_text(json.dumps({**config, "device": "cuda:0"}))
    drive("score", Fake(device="cuda:3"), tmp_path)
    assert calib.open_run(tmp_path).config["device"] == "cuda:0"
    with pytest.raises(InputError, match="device: 'cuda:0' there, 'cpu' now"):
        drive("score", Fake(device="cpu"), tmp_path)


@pytest.mark.parametrize("name", DRIVES)
def test_progress_is_told_from_what_is_done_to_all(
    model: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    total = 23 * DRIVES[name].get("samples", 1)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            drive(name, model, tmp_path)
    drive(name, model, tmp_path, progress=lambda done, of, _: told.append((done, of)))
    assert told[0] == (6, total) and told[-1] == (total, total)
    assert told == sorted(told)


def test_a_run_of_either_model_is_read_and_reported(model: Any, tmp_path: Path) -> None:
    scored = drive("score", model, tmp_path / "scored")
    calib.write_report(scored)
    assert scored.results["overall"]["n"] == 23
    answers = drive("sample", model, tmp_path / "sampled").answers()
    assert answers["id"].value_counts().unique().tolist() == [3]


def test_more_samples_are_drawn(model: Any, tmp_path: Path) -> None:
    first = drive("sample", model, tmp_path).answers()
    more = drive("sample", model, tmp_path, samples=5).answers()
    assert more[more["sample"] < 3].text.tolist() == first.text.tolist()
    assert len(more) == 5 * 23


def test_a_model_is_asked_for_what_it_can(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="thinking: expected off or own, as this model's chat"):
        drive("score", Fake(), tmp_path / "run", thinking="on")
    assert not (tmp_path / "run").exists()


def test_the_next_batch_is_under_way_before_one_is_told() -> None:
    """The device computes while the host copies and writes."""
    model = Model("tiny", make_llama(), make_tokenizer(), None)
    plan = model.scores(TASK.items, Scoring("options", batch_size=3))
    launched: list[int] = []
    launch = type(plan).launch

    class Watched(type(plan)):  # type: ignore[misc]
        def launch(self, number: int, **more: Any) -> Any:
            launched.append(number)
            return launch(self, number, **more)

    watched = Watched(plan.model, plan.encoded, plan.answers, plan.how, plan.batches)
    for batch in watched.run(range(4)):
        assert launched == list(range(min(batch.number + 2, 4)))


def test_plans_are_those_of_the_questions_alone(model: Any) -> None:
    """A run that goes on must find the batches that it was begun with."""
    how = Scoring("options", batch_size=4)
    assert list(model.scores(TASK.items, how).batches) == list(
        model.scores(TASK.items, how).batches
    )
    plan = model.answers(TASK.items, Answering("options", Sampling(samples=2, max_new_tokens=3)))
    whole = dict(plan.run(range(6), 2, 0))
    assert dict(plan.run([5, 1], 2, 0)) == {i: whole[i] for i in (1, 5)}


def test_the_protocol_needs_no_torch() -> None:
    code = "import sys, calib.models.protocol, calib.models.load; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
