"""Run folders: whatever stops a run, the same call goes on and ends with the same records."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from calib.drive.score import score
from calib.models.protocol import ScoredBatch, Scoring
from calib.records import CalibError, InputError, Item
from calib.runs import begin as beginning
from calib.runs import open_run
from calib.runs.batches import whole_batches
from calib.runs.begin import begin
from calib.runs.durable import replace as write_whole
from calib.runs.prompts import first_prompt, title_of
from calib.tasks import Task
from tests.fake_model import Fake, Plan

QUESTIONS, ROWS = 50, 6
BATCHES = 9  # 50 questions in batches of 6
TASK = Task(
    "made-up",
    tuple(
        Item(
            f"q{k}",
            "why? " * (1 + 7 * k % 11),
            options=("yes", "no", "ünklar")[: 2 + k % 2],
            answer=None if k % 10 == 3 else k % 2,
            group="ab"[k % 2],
        )
        for k in range(QUESTIONS)
    ),
)


class Stub(Fake):
    """Stops at the batch it is told to, takes its time, and knows what it was asked."""

    def __init__(self, stop_at: int | None = None, seconds: float = 0, **facts: Any) -> None:
        super().__init__(**facts)
        self.stop_at, self.seconds = stop_at, seconds
        self.asked: list[str] = []
        self.batches = 0

    def scores(self, items: Sequence[Item], how: Scoring) -> Plan:
        plan = super().scores(items, how)
        run = plan.run

        def counted(numbers: Sequence[int], bins: int) -> Iterator[ScoredBatch]:
            for number in numbers:
                if self.batches == self.stop_at:
                    raise KeyboardInterrupt
                self.batches += 1
                time.sleep(self.seconds)
                self.asked += [items[i].id for i in plan.batches[number]]
                yield from run([number], bins)

        plan.run = counted
        return plan


def run(folder: Path, model: Stub | None = None, **given: Any) -> Stub:
    """Score TASK into ``folder``, if need be with the stub's own stop."""
    model = model or Stub()
    try:
        score(model, TASK, out=folder, **{"batch_size": ROWS, **given})
    except KeyboardInterrupt:
        assert model.stop_at is not None
    return model


def records(folder: Path) -> bytes:
    return (folder / "records.jsonl").read_bytes()


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(f.relative_to(folder)): (f.read_bytes(), f.stat().st_mtime_ns) for f in files}


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "uncut"
    model = run(folder)
    assert model.batches == BATCHES
    return folder


def test_every_question_has_one_record(uncut: Path):
    rows = open_run(uncut).rows()
    assert [row["id"] for row in rows] == [item.id for item in TASK]
    assert [row["index"] for row in rows] == list(range(QUESTIONS))
    for row, item in zip(rows, TASK, strict=True):
        assert row["question"] == item.question
        assert row["options"] == list(item.options)
        assert row["answer"] == item.answer
        assert row["group"] == item.group
        assert row["cluster"] == item.id
        assert len(row["prob"]) == len(item.options)
        if item.answer is None:
            assert row["correct"] is None
        else:
            assert row["correct"] == (row["prediction"] == item.answer)


def test_batches_are_written_whole_and_in_order(uncut: Path):
    numbers = [json.loads(line)["batch"] for line in records(uncut).splitlines()]
    assert numbers == sorted(numbers)
    for number in range(BATCHES):
        rows = [json.loads(line) for line in records(uncut).splitlines()]
        own = [row for row in rows if row["batch"] == number]
        assert {row["of_batch"] for row in own} == {len(own)}
        assert len(own) == (ROWS if number < BATCHES - 1 else 2)


def test_the_config_tells_what_was_asked_for(uncut: Path):
    config = json.loads((uncut / "config.json").read_text())
    asked = {"model": "fake", "task": "made-up", "questions": 50, "seed": 0, "limit": None}
    asked |= {"batch_size": 6, "prompt": "options", "variants": False, "confidence": "options"}
    asked |= {"temperature": 1.0, "normalize": "sum", "bins": 15, "dtype": "float32"}
    assert {name: config[name] for name in asked} == asked
    assert config["versions"]["torch"]
    names = ["config.json", "histogram.jsonl", "prompts.jsonl", "records.jsonl"]
    assert sorted(path.name for path in uncut.iterdir()) == names


def test_prompts_are_kept_word_for_word(tmp_path: Path, uncut: Path):
    assert open_run(uncut).prompts() == {item.id: f"{item.id} {item.question}" for item in TASK}
    hostile = "<b>\x1b[31m\n é" + "long " * 1000
    picture = Image.new("RGB", (30, 20))
    picture.save(tmp_path / "a.png")
    items = [Item("a", hostile, (picture, tmp_path / "a.png"), ("x", "y"), 0), TASK.items[0]]
    score(Stub(), Task("two", tuple(items)), out=tmp_path / "run")
    assert open_run(tmp_path / "run").prompts()["a"] == f"a {hostile}"
    row = first_prompt(tmp_path / "run")
    assert row and title_of(row) == "question 'a', 2 pictures: 30 x 20, 30 x 20"


def test_a_run_that_kept_no_prompts_goes_on_without(tmp_path: Path, uncut: Path):
    """As one does that an earlier version began."""
    folder = tmp_path / "run"
    run(folder, Stub(stop_at=4))
    (folder / "prompts.jsonl").unlink()
    run(folder)
    assert records(folder) == records(uncut)
    with pytest.raises(CalibError, match=r"^.*run: there is no prompts\.jsonl; an earlier version"):
        open_run(folder).prompts()
    assert first_prompt(folder) is None


@pytest.mark.parametrize(
    ("meta", "form", "goes_on"),
    [
        ({"hint": "Dusk."}, "letters", False),
        ({"turns": [("a", "b")]}, "options", False),
        ({"instruction": "Say it."}, "letters", False),
        ({"instruction": "Say it."}, "options", True),
        ({"hint": "", "ask_for_text": "Say it.", "solution": "Dusk."}, "letters", True),
    ],
)
def test_a_run_is_not_gone_on_with_what_was_not_shown_before(
    tmp_path: Path, meta: dict[str, Any], form: str, goes_on: bool
):
    items = [*TASK.items[:4], replace(TASK.items[4], meta=meta), *TASK.items[5:]]
    given: dict[str, Any] = {"out": tmp_path, "batch_size": ROWS, "prompt": form}
    with pytest.raises(KeyboardInterrupt):
        score(Stub(stop_at=2), Task("t", tuple(items)), **given)
    (tmp_path / "prompts.jsonl").unlink()
    if goes_on:
        score(Stub(), Task("t", tuple(items)), **given)
        assert len(open_run(tmp_path).rows()) == QUESTIONS
        return
    name = next(iter(meta))
    with pytest.raises(InputError, match=f"did not show the {name} of item 'q4'; choose another"):
        score(Stub(), Task("t", tuple(items)), **given)


def test_a_run_of_no_records_gets_its_prompts(tmp_path: Path):
    folder = tmp_path / "run"
    run(folder, Stub(stop_at=0))
    (folder / "prompts.jsonl").unlink()
    run(folder)
    assert len(open_run(folder).prompts()) == QUESTIONS


def test_a_run_with_other_prompts_is_refused(tmp_path: Path):
    """As where a model's chat template was changed meanwhile."""

    class Other(Stub):
        def scores(self, items: Sequence[Item], how: Scoring) -> Plan:
            changed = replace(items[1], question="otherwise")
            return super().scores([items[0], changed, *items[2:]], how)

    folder = tmp_path / "run"
    run(folder, Stub(stop_at=4))
    before = records(folder)
    with pytest.raises(InputError, match=r"with other prompts \(item 'q1' is not asked as in"):
        run(folder, Other())
    assert records(folder) == before
    run(folder)


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"id": "a", "text": "b"}', "\udcff"])
def test_damaged_prompts_are_named(tmp_path: Path, line: str):
    run(tmp_path)
    path = tmp_path / "prompts.jsonl"
    path.write_text(path.read_text() + json.dumps(line)[1:-1].replace('\\"', '"') + "\n")
    with pytest.raises(CalibError, match=r"prompts\.jsonl, line 51: "):
        open_run(tmp_path).prompts()


@pytest.mark.parametrize("stop", range(BATCHES + 1))
def test_a_stopped_run_goes_on_where_it_stopped(tmp_path: Path, uncut: Path, stop: int):
    folder = tmp_path / "run"
    first = run(folder, Stub(stop_at=stop))
    kept = len(records(folder).splitlines())
    assert records(uncut).startswith(records(folder))
    second = run(folder)
    assert records(folder) == records(uncut)
    # What was written is not asked again, and what was not is.
    assert len(second.asked) == QUESTIONS - kept
    assert {*first.asked, *second.asked} == {item.id for item in TASK}
    # At most the batch under way is lost.
    assert kept >= ROWS * (stop - 1)


def test_a_whole_run_asks_nothing_again(tmp_path: Path, uncut: Path):
    folder = shutil.copytree(uncut, tmp_path / "run")
    before = records(folder)
    assert run(folder).asked == []
    assert records(folder) == before


def test_a_run_cut_at_any_byte_ends_the_same(
    tmp_path: Path, uncut: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # some 500 of them would take long
    whole = records(uncut)
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]  # just behind a line
    around = [end + step for end in ends[4:14] for step in (-2, -1, 0, 1)]
    drawn = random.Random(0).sample(range(len(whole)), 40)
    for cut in {0, 1, len(whole) - 1, *around, *drawn}:
        folder = shutil.copytree(uncut, tmp_path / str(cut))
        (folder / "records.jsonl").write_bytes(whole[:cut])
        lines = sum(end <= cut for end in ends)
        model = run(folder)
        assert records(folder) == whole, cut
        done = QUESTIONS if lines == QUESTIONS else lines // ROWS * ROWS
        assert len(model.asked) == QUESTIONS - done


@pytest.mark.parametrize(
    "tail",
    [
        b'{"id": "q',
        b"\0" * 4096,
        b"\0" * 8 + b"\n",
        b"\xff\xfe\xfa\n",
        b"\xff\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
    ],
    ids=repr,
)
def test_what_a_crash_left_behind_is_dropped(tmp_path: Path, uncut: Path, tail: bytes):
    folder = shutil.copytree(uncut, tmp_path / "run")
    lines = records(uncut).splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(lines[: 2 * ROWS]) + tail)
    if tail != b"{}\n":
        assert len(open_run(folder).rows()) == 2 * ROWS
    run(folder)
    assert records(folder) == records(uncut)


def test_a_batch_that_is_missing_is_asked_with_all_behind_it(tmp_path: Path, uncut: Path):
    folder = shutil.copytree(uncut, tmp_path / "run")
    lines = records(uncut).splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(lines[: 2 * ROWS] + lines[3 * ROWS :]))
    assert len(run(folder).asked) == QUESTIONS - 2 * ROWS
    assert records(folder) == records(uncut)


def test_what_is_there_of_an_unfinished_batch_is_read(tmp_path: Path, uncut: Path):
    folder = shutil.copytree(uncut, tmp_path / "run")
    lines = records(uncut).splitlines(keepends=True)
    for kept in (0, 3, 6, 8, 12, 49, 50):
        (folder / "records.jsonl").write_bytes(b"".join(lines[:kept]))
        rows = open_run(folder).rows()
        read = {row["id"]: row["prob"] for row in rows}
        assert read == {row["id"]: row["prob"] for row in map(json.loads, lines[:kept])}
        assert [row["index"] for row in rows] == sorted(row["index"] for row in rows)
        (folder / "records.jsonl").write_bytes(b"".join(lines[:kept]) + lines[0][:40])
        assert len(open_run(folder).rows()) == kept
    (folder / "records.jsonl").write_bytes(b"".join(lines[:8]))
    assert len(run(folder).asked) == QUESTIONS - ROWS  # a batch that is not whole is asked again
    assert records(folder) == records(uncut)


@pytest.mark.parametrize(
    "given",
    [
        {"dtype": "bfloat16"},
        {"device": "cuda"},
        {"model": "other"},
        {"batch_size": 5},
        {"limit": 10},
        {"seed": 1},
        {"prompt": "letters"},
        {"variants": True},
        {"confidence": "vocab"},
        {"temperature": 1.5},
        {"normalize": "mean"},
        {"bins": 10},
    ],
    ids=lambda given: next(iter(given)),
)
def test_another_run_is_refused_and_left_untouched(
    tmp_path: Path, uncut: Path, given: dict[str, Any]
):
    folder = tmp_path / "run"
    run(folder, Stub(stop_at=3))
    before = contents(folder)
    name = next(iter(given))
    with pytest.raises(InputError, match=rf"belongs to another run \(.*{name}: .* there, .* now"):
        if name in ("model", "dtype", "device"):
            run(folder, Stub(**given))
        else:
            run(folder, **given)
    assert contents(folder) == before
    run(folder)
    assert records(folder) == records(uncut)


def test_other_questions_are_refused(tmp_path: Path):
    run(tmp_path / "run", Stub(stop_at=3))
    before = contents(tmp_path / "run")
    swapped = Task("made-up", TASK.items[1:] + TASK.items[:1])
    with pytest.raises(InputError, match="items: "):
        score(Stub(), swapped, out=tmp_path / "run", batch_size=ROWS)
    assert contents(tmp_path / "run") == before


def test_a_run_goes_on_under_other_circumstances(tmp_path: Path, uncut: Path):
    folder = tmp_path / "run"
    run(folder, Stub(stop_at=3))
    config = json.loads((folder / "config.json").read_text())
    config |= {"versions": {"torch": "0"}, "git": "other", "started": "then", "machine": {}}
    (folder / "config.json").write_text(json.dumps(config))
    run(folder)
    assert records(folder) == records(uncut)
    assert json.loads((folder / "config.json").read_text()) == config


def test_two_writers_of_one_folder(tmp_path: Path):
    folder = tmp_path / "run"
    first = begin(folder, {"a": 1})
    first.append([{"index": 0, "batch": 0, "of_batch": 1}])
    before = contents(folder)
    with pytest.raises(InputError, match=r"(process \d+|another process) is writing"):
        begin(folder, {"a": 1})
    assert contents(folder) == before
    first.close()
    second = begin(folder, {"a": 1})
    assert whole_batches(second.file, [[0], [1]])[0] == {0}
    second.close()


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path):
    code = (
        "import sys, pathlib, calib.runs.begin as r\n"
        "run = r.begin(pathlib.Path(sys.argv[1]), {'a': 1})\n"
        "print('open', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(InputError, match=r"(process \d+|another process) is writing"):
            begin(tmp_path / "run", {"a": 1})
        holder.kill()
    begin(tmp_path / "run", {"a": 1}).close()


def test_of_two_that_begin_at_once_one_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, plain, opened = tmp_path / "run", beginning.circumstances, []

    def begin_with(temperature: float) -> None:
        with contextlib.suppress(InputError):
            opened.append(begin(folder, {"temperature": temperature}))

    def meanwhile() -> dict[str, Any]:
        monkeypatch.setattr(beginning, "circumstances", plain)
        begin_with(1.0)  # after the other looked for a config, before it wrote its own
        return plain()

    monkeypatch.setattr(beginning, "circumstances", meanwhile)
    begin_with(2.0)
    (winner,) = opened
    winner.close()
    assert open_run(folder).config == winner.config


def test_not_a_number_is_null(tmp_path: Path):
    opened = begin(tmp_path / "run", {})
    nan, inf = float("nan"), float("inf")
    opened.append([{"index": 0, "a": nan, "b": [1.0, -inf, 0], "c": inf, "d": [[nan]], "e": True}])
    opened.close()

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    row = json.loads(records(tmp_path / "run"), parse_constant=refuse)
    expected = {"a": None, "b": [1.0, None, 0], "c": None, "d": [[None]], "e": True}
    assert row == {"index": 0, **expected}


def test_scores_are_a_data_frame(uncut: Path):
    frame = open_run(uncut).scores()
    assert len(frame) == QUESTIONS
    assert frame["id"].tolist() == [item.id for item in TASK]
    assert {"group", "prediction", "answer", "confidence", "correct", "mass"} <= {*frame.columns}


def test_results_are_read_where_they_are(tmp_path: Path, uncut: Path):
    folder = shutil.copytree(uncut, tmp_path / "run")
    assert open_run(folder).results is None
    (folder / "results.json").write_text('{"ece": 0.25}')
    assert open_run(folder).results == {"ece": 0.25}


@pytest.mark.parametrize("content", [None, "", "{", "[1]", b"\xff\xfe"])
def test_what_is_no_run_folder(tmp_path: Path, content: str | bytes | None):
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(InputError, match="config"):
        open_run(tmp_path)


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path):
    (tmp_path / "records.jsonl").write_text("mine\n")
    with pytest.raises(InputError, match="records but no config"):
        run(tmp_path)
    assert (tmp_path / "records.jsonl").read_text() == "mine\n"
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"expected a folder, but .* is none"):
        run(tmp_path / "file")
    with pytest.raises(InputError, match=r"run: expected a folder, but .*file is none"):
        run(tmp_path / "file" / "run")


def test_records_that_cannot_be_opened(tmp_path: Path):
    (tmp_path / "run" / "records.jsonl").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(CalibError, match=r"records\.jsonl"):
        begin(tmp_path / "run", {})


def test_progress_counts_questions(tmp_path: Path):
    told: list[tuple[int, int]] = []
    run(tmp_path / "run", Stub(stop_at=4), progress=lambda d, n, _: told.append((d, n)))
    assert told == [(0, 50), (6, 50), (12, 50), (18, 50), (24, 50)]
    told.clear()
    run(tmp_path / "run", progress=lambda d, n, _: told.append((d, n)))
    assert told == [(k, 50) for k in (24, 30, 36, 42, 48, 50)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prompt": "nope"}, "prompt: expected one of"),
        ({"confidence": "nope"}, "confidence: expected one of options, vocab"),
        ({"normalize": "nope"}, "normalize: expected one of sum, mean"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"limit": 0}, "limit"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_a_wrong_argument_begins_nothing(tmp_path: Path, given: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        run(tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def with_images(*pairs: tuple[str, Image.Image]) -> Task:
    items = [Item(n, "?", images=(i,), options=("yes", "no"), answer=0) for n, i in pairs]
    return Task("pictures", tuple(items))


def test_images_in_memory_are_kept_with_the_run(tmp_path: Path):
    # Names that are the same once what a file system dislikes is gone.
    names = {"a/b": "red", "a b": "lime", "a_b": "blue", "../x": "white", ".": "black"}
    task = with_images(*((n, Image.new("RGB", (4, 4), c)) for n, c in names.items()))
    opened = score(Stub(), task, out=tmp_path / "run")
    for row in opened.rows():
        (path,) = (opened.path / name for name in row["images"])
        assert (tmp_path / "run").resolve() in path.resolve().parents
        with Image.open(path) as image:
            expected = Image.new("RGB", (1, 1), names[row["id"]]).getpixel((0, 0))
            assert image.convert("RGB").getpixel((0, 0)) == expected


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "CMYK", "F"])
def test_images_of_any_mode_are_kept(tmp_path: Path, mode: str):
    task = with_images(("a", Image.new("RGB", (4, 4), "white").convert(mode)))
    opened = score(Stub(), task, out=tmp_path / "run")
    assert (opened.path / opened.rows()[0]["images"][0]).is_file()


def test_a_disk_that_fails_to_sync(tmp_path: Path, uncut: Path, monkeypatch: pytest.MonkeyPatch):
    folder, calls, real = tmp_path / "run", [], os.fsync

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 11:  # behind two files, their folder each time, and three batches of two
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CalibError, match=r"No space left on device.*goes on from there"):
        run(folder)
    assert records(folder) == b"".join(records(uncut).splitlines(keepends=True)[: 3 * ROWS])
    run(folder)
    assert records(folder) == records(uncut)


def test_a_config_that_cannot_be_written(
    tmp_path: Path, uncut: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "run"

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(CalibError, match=r"cannot be begun there \(No space left"):
            run(folder)
    assert {path.name for path in folder.iterdir()} <= {"records.jsonl"}
    run(folder)
    assert records(folder) == records(uncut)


def elsewhere(call: str, *arguments: object) -> subprocess.Popen[str]:
    """``call`` (an expression over this module ``t``) in a process of its own."""
    code = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('t', sys.argv[1])\n"
        "t = importlib.util.module_from_spec(spec); spec.loader.exec_module(t)\n"
        f"{call}\n"
    )
    command = [sys.executable, "-c", code, __file__, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def score_with_little_room(folder: Path, room: int) -> None:
    """Score where a file may not grow beyond ``room`` bytes; say what was raised."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        run(folder)
    except Exception as error:  # noqa: BLE001 - its class is what is asked for
        print(type(error).__name__, error)  # noqa: T201


def test_a_full_disk_is_one_error_and_the_run_goes_on(tmp_path: Path, uncut: Path):
    folder = tmp_path / "run"
    lines = records(uncut).splitlines(keepends=True)
    three = b"".join(lines[: 3 * ROWS])
    room = len(three) + len(lines[3 * ROWS]) // 2  # the fourth batch is torn in its first line
    call = "t.score_with_little_room(t.Path(sys.argv[2]), int(sys.argv[3]))"
    out, err = elsewhere(call, folder, room).communicate(timeout=60)
    assert err == ""
    assert out.startswith("CalibError "), out
    assert "writing failed (File too large)" in out
    assert out.count("\n") == 1
    assert records(folder) == three
    run(folder)
    assert records(folder) == records(uncut)


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path, uncut: Path):
    folder = tmp_path / "run"
    path = folder / "records.jsonl"
    for kill_at in (1, 3 * ROWS, 6 * ROWS):
        child = elsewhere("t.run(t.Path(sys.argv[2]), t.Stub(seconds=0.2))", folder)
        with child:
            limit = time.monotonic() + 60
            while not path.exists() or path.read_bytes().count(b"\n") < kill_at:
                assert child.poll() is None, child.communicate()
                assert time.monotonic() < limit
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        kept = path.read_bytes()
        assert kill_at <= kept.count(b"\n") < QUESTIONS
        assert records(uncut).startswith(kept)
    model = run(folder)
    assert records(folder) == records(uncut)
    assert len(model.asked) <= QUESTIONS - 6 * ROWS


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for number in (dead.pid, os.getpid()):
        (tmp_path / f".config.json.{number}.new").write_text("half")
    (tmp_path / ".other.json.1.new").write_text("half")
    write_whole(tmp_path / "config.json", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.json.1.new", "config.json"]


@pytest.mark.parametrize("bins", [0, -3, 10_001, 10**9])
def test_bins_that_no_report_has_are_refused_before_a_run(tmp_path: Path, bins: int):
    with pytest.raises(InputError, match="bins: expected a whole number from 1 to 10,000"):
        score(Stub(), TASK, out=tmp_path / "run", bins=bins)
    assert not (tmp_path / "run").exists()
