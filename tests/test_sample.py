"""Sampled runs: what is written, what a resumed or divided run gives, what is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from markupsafe import escape

import calib
from calib.drive.sample import sample
from calib.hf.model import Model
from calib.records import CalibError, InputError, Item
from calib.report.answers import write_measures_report
from calib.runs.shards import read_items, whole_parts
from tests.hf.conftest import make_llama, make_llava, make_processor, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parent.parent
SETTINGS: dict[str, Any] = {"samples": 4, "max_new_tokens": 6, "seed": 3}


@pytest.fixture(scope="module")
def llama() -> Model:
    return Model("tiny", make_llama(), make_tokenizer(), None)


def questions(n: int = 5) -> calib.tasks.Task:
    return calib.load_task(
        [
            Item(f"q{i}", "What is " + "it" * i + "?", options=("yes", "no"), answer=i % 2)
            for i in range(n)
        ]
    )


def records(path: Path) -> list[dict[str, Any]]:
    """Every line of every file, by item and sample."""
    lines = [
        json.loads(line)
        for file in path.glob("records-*.jsonl")
        for line in file.read_text().splitlines()
    ]
    return sorted(lines, key=lambda row: (row["index"], row["sample"]))


def test_one_record_an_answer(llama: Model, tmp_path: Path) -> None:
    run = sample(llama, questions(), out=tmp_path, **SETTINGS)
    rows = records(tmp_path)
    assert [(row["index"], row["sample"]) for row in rows] == [
        (i, s) for i in range(5) for s in range(4)
    ]
    for row in rows:
        assert row["id"] == f"q{row['index']}" and isinstance(row["text"], str)
        assert 1 <= row["tokens"] <= 6 and row["logprob"] < 0 < row["entropy"]
        assert row["mean_logprob"] == pytest.approx(row["logprob"] / row["tokens"])
        assert row["finish"] == ("length" if row["tokens"] == 6 else "stop")
    assert len({row["text"] for row in rows}) > 4
    answers = run.answers()
    assert answers.text.tolist() == [row["text"] for row in rows]
    assert run.config["kind"] == "sample" and run.config["batching"] == "plan"
    assert read_items(tmp_path) == [
        Item(i.id, i.question, (), i.options, i.answer, None, {"cluster": i.id})
        for i in questions()
    ]


def test_answers_depend_on_their_address_alone(llama: Model, tmp_path: Path) -> None:
    """Neither on the other questions, nor on how many samples, nor on how many decode at once."""
    whole = sample(llama, questions(), out=tmp_path / "whole", **SETTINGS).answers()
    few = sample(llama, questions(), out=tmp_path / "few", limit=2, **SETTINGS).answers()
    for row in few.itertuples():
        same = whole[(whole.id == row.id) & (whole["sample"] == row.sample)]
        assert same.text.item() == row.text and same.logprob.item() == row.logprob
    narrow = sample(llama, questions(), out=tmp_path / "narrow", rows=2, **SETTINGS).answers()
    assert narrow.text.tolist() == whole.text.tolist()
    more = {**SETTINGS, "samples": 6}
    longer = sample(llama, questions(), out=tmp_path / "more", **more).answers()
    assert longer[longer["sample"] < 4].text.tolist() == whole.text.tolist()
    other = {**SETTINGS, "seed": 4}
    assert sample(llama, questions(), out=tmp_path / "o", **other).answers().text.tolist() != (
        whole.text.tolist()
    )


def test_packed_answers_are_the_same_up_to_rounding(llama: Model, tmp_path: Path) -> None:
    plan = sample(llama, questions(), out=tmp_path / "plan", **SETTINGS).answers()
    packed = sample(
        llama, questions(), out=tmp_path / "packed", batching="packed", rows=12, **SETTINGS
    )
    found = packed.answers()
    assert packed.config["batching"] == "packed"
    assert found.text.tolist() == plan.text.tolist()  # no draw lies that close to a boundary here
    assert found.logprob.tolist() == pytest.approx(plan.logprob.tolist(), abs=1e-4)


def test_a_packed_run_goes_on(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while some questions are under way: written ones stay, every one is there once."""
    from calib.runs import Run

    settings: dict[str, Any] = {**SETTINGS, "batching": "packed", "rows": 12}
    sample(llama, questions(14), out=tmp_path / "calm", **settings)
    append = Run.append
    calls: list[int] = []

    def stopped(self: Run, rows: Any) -> None:
        calls.append(len(rows))
        if len(calls) == 6:
            raise KeyboardInterrupt
        append(self, rows)

    monkeypatch.setattr(Run, "append", stopped)
    with pytest.raises(KeyboardInterrupt):
        sample(llama, questions(14), out=tmp_path / "run", **settings)
    assert calls == [4] * 6
    monkeypatch.undo()
    file = tmp_path / "run" / "records-0.jsonl"
    written = file.read_bytes()
    file.write_bytes(written[:-1])  # the last line is torn as well
    sample(llama, questions(14), out=tmp_path / "run", **settings)
    kept = b"".join(written.splitlines(keepends=True)[:16])
    assert file.read_bytes().startswith(kept)
    calm, found = records(tmp_path / "calm"), records(tmp_path / "run")
    assert [(row["index"], row["sample"], row["text"]) for row in found] == [
        (row["index"], row["sample"], row["text"]) for row in calm
    ]
    assert [row["logprob"] for row in found] == pytest.approx(
        [row["logprob"] for row in calm], abs=1e-4
    )


def test_prompts_are_those_of_the_model(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of several processes writes them."""
    task = questions()
    encoded = llama.encode(task.items, "letters", options=False, thinking="own")
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        run = sample(llama, task, out=tmp_path, **SETTINGS)
        assert run.prompts() == {item.id: one.text for item, one in zip(task, encoded, strict=True)}
    assert run.prompts()["q1"] == (
        "<bos>What is it?\n(A) yes\n(B) no\nAnswer with the option's letter.<eos>A:"
    )


def test_the_first_prompt_stands_in_the_report_of_samples(llama: Model, tmp_path: Path) -> None:
    run = sample(llama, questions(), out=tmp_path, **SETTINGS)
    page = write_measures_report(run)
    first = "<bos>What is ?\n(A) yes\n(B) no\nAnswer with the option's letter.<eos>A:"
    assert f"<pre>\n{escape(first)}</pre>" in page.read_text(encoding="utf-8")
    said = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "question 'q0'" in said and "\n    <bos>What is ?\n    (A) yes\n" in said
    (tmp_path / "prompts.jsonl").unlink()
    assert "What the model was asked" not in write_measures_report(run).read_text(encoding="utf-8")


def test_items_of_earlier_runs_say_instruction(llama: Model, tmp_path: Path) -> None:
    """Runs that kept no prompts called so what stands in prompts for words alone."""
    meta = {"ask_for_text": "Answer with one word."}
    item = Item("a", "?", options=("x", "y"), answer=0, meta=meta)
    run = sample(llama, calib.load_task([item]), out=tmp_path, **SETTINGS)
    assert run.items()[0].meta == {"cluster": "a", **meta}
    path = tmp_path / "items.jsonl"
    path.write_text(path.read_text().replace("ask_for_text", "instruction"))
    assert run.items()[0].meta == {"cluster": "a", "instruction": "Answer with one word."}
    (tmp_path / "prompts.jsonl").unlink()
    assert run.items()[0].meta == {"cluster": "a", **meta}


def test_with_images(tmp_path: Path) -> None:
    from PIL import Image

    model = Model("tiny llava", make_llava(), make_processor().tokenizer, make_processor())
    items = [
        Item(str(i), "red", (Image.new("RGB", (16, 16), colour),), ("yes", "no"), 0)
        for i, colour in enumerate(["red", "blue"])
    ]
    run = sample(model, calib.load_task(items), out=tmp_path, **SETTINGS)
    assert len(run.answers()) == 8
    kept = run.items()[1].images[0]
    assert isinstance(kept, Path) and Image.open(kept).getpixel((0, 0)) == (0, 0, 255)
    assert model.sample(items, n=2, max_new_tokens=6, seed=3)[1][1].text == (
        run.answers().query("id == '1' and sample == 1").text.item()
    )


def test_free_questions_are_sampled_and_not_scored(llama: Model, tmp_path: Path) -> None:
    task = calib.load_task([Item("a", "Capital of France?", meta={"aliases": ("Paris",)})])
    assert len(sample(llama, task, out=tmp_path / "s", **SETTINGS).answers()) == 4
    with pytest.raises(InputError, match="'a' has no options to score"):
        calib.score(llama, task, out=tmp_path / "scored")
    assert not (tmp_path / "scored").exists()


def test_stop_strings_end_and_are_cut_off(llama: Model, tmp_path: Path) -> None:
    free = sample(llama, questions(2), out=tmp_path / "free", **SETTINGS).answers()
    letter = next(text[1] for text in free.text if len(text) > 2)
    cut = sample(llama, questions(2), out=tmp_path / "cut", stop=(letter,), **SETTINGS).answers()
    for before, after in zip(free.itertuples(), cut.itertuples(), strict=True):
        assert letter not in after.text
        assert (after.finish == "stop_string") == (letter in before.text)


@pytest.mark.parametrize("where", ["end", "middle of a line", "between samples"])
def test_a_torn_item_is_drawn_again(llama: Model, tmp_path: Path, where: str) -> None:
    sample(llama, questions(), out=tmp_path, **SETTINGS)
    file = tmp_path / "records-0.jsonl"
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    torn = {
        "end": whole[:-1],
        "middle of a line": b"".join(lines[:9]) + lines[9][:30],
        "between samples": b"".join(lines[:10]),
    }[where]
    file.write_bytes(torn)
    assert whole_parts(file, [4])[0] == [set(range(torn.count(b"\n") // 4))]
    sample(llama, questions(), out=tmp_path, **SETTINGS)
    assert file.read_bytes() == whole


def test_processes_divide_the_questions(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = sample(llama, questions(), out=tmp_path / "one", **SETTINGS)
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        two = sample(llama, questions(), out=tmp_path / "two", **SETTINGS)
    assert len(list((tmp_path / "two").glob("records-*.jsonl"))) == 2
    assert records(tmp_path / "two") == records(tmp_path / "one")
    assert two.answers().equals(one.answers())
    # Begun by two, one of which was killed; ended by one.
    (tmp_path / "two" / "records-1.jsonl").unlink()
    monkeypatch.delenv("RANK")
    monkeypatch.delenv("WORLD_SIZE")
    sample(llama, questions(), out=tmp_path / "two", **SETTINGS)
    assert records(tmp_path / "two") == records(tmp_path / "one")


def test_a_run_goes_on_with_the_threads_it_was_begun_with(llama: Model, tmp_path: Path) -> None:
    """Products are summed in another order by another number of threads."""
    run = sample(llama, questions(), out=tmp_path, **SETTINGS)
    assert run.config["threads"] == 1
    file = tmp_path / "records-0.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:2000])
    torch.set_num_threads(2)
    sample(llama, questions(), out=tmp_path, **SETTINGS)
    assert torch.get_num_threads() == 2
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"temperature": 0.0},
            r"temperature: expected a positive number \(greedy=true .*\), got 0.0",
        ),
        ({"temperature": "hot"}, "temperature: expected a positive number"),
        ({"temperature": float("nan")}, "temperature: expected a positive number"),
        ({"top_k": 1.5}, "top_k: expected a whole number"),
        ({"top_p": "x"}, "top_p: expected above 0"),
        ({"greedy": 3}, "greedy: expected true or false"),
        ({"max_new_tokens": None}, "max_new_tokens: expected a positive whole number"),
        ({"samples": 2.5}, "samples: expected a positive whole number"),
        ({"seed": -1}, "seed: expected from 0 to"),
        ({"limit": 0.5}, "limit: expected a positive number of questions, got 0.5"),
        ({"top_p": 1.5}, "top_p: expected above 0"),
        ({"samples": 0}, "samples: expected"),
        ({"batching": "wild"}, "batching: expected one of plan, packed"),
        ({"prompt": "no"}, "prompt: expected one of"),
        ({"temperatur": 1.0}, "unexpected keyword argument 'temperatur'"),
    ],
)
def test_bad_arguments(
    llama: Model, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        sample(llama, questions(), out=tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_another_run(llama: Model, tmp_path: Path) -> None:
    sample(llama, questions(), out=tmp_path, **SETTINGS)
    with pytest.raises(InputError, match=r"temperature: 1\.0 there, 0\.5 now"):
        sample(llama, questions(), out=tmp_path, temperature=0.5, **SETTINGS)


def test_running_out_of_memory_halves_what_decodes_at_once(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calib.hf.decoding.loop import sampling

    expected = sample(llama, questions(), out=tmp_path / "plenty", **SETTINGS).answers()
    sizes: list[int] = []
    decode = sampling.decode

    def small(*args: Any, samples: int, **kwargs: Any) -> Any:
        sizes.append(samples)
        if samples > 1:
            raise torch.OutOfMemoryError("too much")
        return decode(*args, samples=samples, **kwargs)

    monkeypatch.setattr(sampling, "decode", small)
    found = sample(llama, questions(), out=tmp_path / "little", **SETTINGS).answers()
    assert sizes[:3] == [4, 2, 1]
    assert found.text.tolist() == expected.text.tolist()


# More samples of a run.


@pytest.mark.parametrize("batching", ["plan", "packed"])
def test_more_samples_are_drawn_without_the_first(
    llama: Model, tmp_path: Path, batching: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that are there stay, and the run is what one of all samples is."""
    settings: dict[str, Any] = {**SETTINGS, "batching": batching, "rows": 12}
    sample(llama, questions(), out=tmp_path / "run", **settings)
    file = tmp_path / "run" / "records-0.jsonl"
    before = file.read_bytes()
    sizes: list[int] = []
    monkeypatch.setattr(
        "calib.runs.Run.append",
        lambda self, rows, append=calib.runs.Run.append: (
            sizes.append(len(rows)),
            append(self, rows),
        ),
    )
    run = sample(llama, questions(), out=tmp_path / "run", **{**settings, "samples": 6})
    monkeypatch.undo()
    assert sizes == [2] * 5
    assert file.read_bytes().startswith(before)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config == run.config and config["samples"] == 6 and config["parts"] == [4, 6]
    fresh = sample(llama, questions(), out=tmp_path / "f", **{**settings, "samples": 6}).answers()
    found = run.answers()
    assert "parts" not in calib.open_run(tmp_path / "f").config
    # No draw lies within rounding of a boundary here; logits are rounded as fewer rows round them.
    for name in ("index", "sample", "id", "text", "tokens", "finish"):
        assert found[name].tolist() == fresh[name].tolist()
    assert found.logprob.tolist() == pytest.approx(fresh.logprob.tolist(), abs=1e-4)
    # Once more, by the same number and by a greater one.
    whole = file.read_bytes()
    sample(llama, questions(), out=tmp_path / "run", **{**settings, "samples": 6})
    assert file.read_bytes() == whole
    again = sample(llama, questions(), out=tmp_path / "run", **{**settings, "samples": 7})
    assert again.config["parts"] == [4, 6, 7] and len(again.answers()) == 35
    assert file.read_bytes().startswith(whole)


def test_fewer_samples_are_refused(llama: Model, tmp_path: Path) -> None:
    sample(llama, questions(), out=tmp_path, **SETTINGS)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(InputError, match="samples: 2 were asked for, and the run holds 4"):
        sample(llama, questions(), out=tmp_path, **{**SETTINGS, "samples": 2})
    with pytest.raises(InputError, match=r"temperature: 1\.0 there, 0\.5 now"):
        sample(llama, questions(), out=tmp_path, temperature=0.5, **{**SETTINGS, "samples": 9})
    assert (tmp_path / "config.json").read_bytes() == before


@pytest.mark.parametrize("stop", [0, 1, 3, 5])
def test_an_extended_run_goes_on_as_if_it_had_not_been_stopped(
    llama: Model, tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, though some items had the first part alone when it was extended."""
    for name in ("calm", "torn"):
        sample(llama, questions(), out=tmp_path / name, **SETTINGS)
    more = {**SETTINGS, "samples": 6}
    sample(llama, questions(), out=tmp_path / "calm", **more)
    calls: list[int] = []
    append = calib.runs.Run.append

    def stopped(self: Any, rows: Any) -> None:
        if len(calls) == stop:
            raise KeyboardInterrupt
        calls.append(len(rows))
        append(self, rows)

    monkeypatch.setattr("calib.runs.Run.append", stopped)
    if stop < 5:
        with pytest.raises(KeyboardInterrupt):
            sample(llama, questions(), out=tmp_path / "torn", **more)
    monkeypatch.undo()
    run = calib.open_run(tmp_path / "torn")
    assert run.config["samples"] == (6 if stop < 5 else 4)
    file = tmp_path / "torn" / "records-0.jsonl"
    if stop < 5:
        assert len(run.answers()) == 6 * stop  # of the items that have all
        file.write_bytes(file.read_bytes() + b'{"index": 4, "sample": 4, "id')
    sample(llama, questions(), out=tmp_path / "torn", **more)
    assert file.read_bytes() == (tmp_path / "calm" / "records-0.jsonl").read_bytes()


def test_a_run_that_was_never_finished_is_extended(llama: Model, tmp_path: Path) -> None:
    """Of an item that was not begun both parts are drawn, as they would have been."""
    for name in ("whole", "half"):
        sample(llama, questions(), out=tmp_path / name, **SETTINGS)
    file = tmp_path / "half" / "records-0.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:10]))
    for name in ("whole", "half"):
        sample(llama, questions(), out=tmp_path / name, **{**SETTINGS, "samples": 6})
    assert records(tmp_path / "half") == records(tmp_path / "whole")


def test_processes_extend_a_run(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample(llama, questions(), out=tmp_path / "one", **SETTINGS)
    sample(llama, questions(), out=tmp_path / "two", **SETTINGS)
    more = {**SETTINGS, "samples": 6}
    sample(llama, questions(), out=tmp_path / "one", **more)
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        run = sample(llama, questions(), out=tmp_path / "two", **more)
    assert len(list((tmp_path / "two").glob("records-*.jsonl"))) == 2
    assert records(tmp_path / "two") == records(tmp_path / "one")
    assert len(run.answers()) == 30


def test_a_folder_begins_with_sample_0(llama: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="first: a run holds its samples from 0 on, got 3"):
        sample(llama, questions(), out=tmp_path / "run", first=3, **SETTINGS)
    items = list(questions())
    more = llama.sample(items, n=2, first=4, max_new_tokens=6, seed=3)
    six = llama.sample(items, n=6, max_new_tokens=6, seed=3)
    assert [[a.text for a in answers] for answers in more] == [
        [a.text for a in answers[4:]] for answers in six
    ]


KILLED = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from tests.test_sample import SETTINGS, questions
from tests.hf.conftest import make_llama, make_tokenizer
from calib.hf.model import Model
from calib.drive.sample import sample
model = Model("tiny", make_llama(), make_tokenizer(), None)
sample(model, questions(200), out=sys.argv[1], **SETTINGS)
"""


@pytest.mark.slow
def test_killed_at_twenty_moments(llama: Model, tmp_path: Path) -> None:
    """kill -9 and the same command again, twenty times; then as if nothing had happened."""
    random.seed(0)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'kernels'}"}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    file = tmp_path / "killed" / "records-0.jsonl"
    size = 0
    for _ in range(20):
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        goal = size + random.randint(200, 9000)
        while process.poll() is None and (not file.exists() or file.stat().st_size < goal):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        size = file.stat().st_size
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    sample(llama, questions(200), out=tmp_path / "calm", **SETTINGS)
    assert records(tmp_path / "killed") == records(tmp_path / "calm")


@pytest.mark.slow
def test_a_hundred_thousand_items_open_in_a_minute(tmp_path: Path) -> None:
    """64 answers to each: 6.4 million lines are counted without being kept."""
    line = (
        '{"index": %d, "sample": %d, "id": "question-%d", "task": "synthetic", "text": '
        '"a short answer", "tokens": 4, "logprob": -3.25, "mean_logprob": -0.8125, '
        '"entropy": 1.5, "finish": "stop"}\n'
    )
    file = tmp_path / "records-0.jsonl"
    with file.open("w") as out:
        for index in range(100_000):
            out.write("".join(line % (index, s, index) for s in range(64)))
    code = (
        "import resource, sys, time; from pathlib import Path\n"
        "from calib.runs.shards import whole_parts\n"
        "start = time.perf_counter(); (done,), end = whole_parts(Path(sys.argv[1]), [64])\n"
        "print(len(done), end, time.perf_counter() - start,"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(said[0]) == 100_000 and int(said[1]) == file.stat().st_size
    assert float(said[2]) < 60 and int(said[3]) < 2 * 2**20


def test_a_full_disk_is_said_and_nothing_is_lost(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calib.runs import Run

    append = Run.append
    calls = []

    def full(self: Run, rows: Any) -> None:
        calls.append(len(rows))
        if len(calls) == 3:
            raise CalibError("writing failed")
        append(self, rows)

    monkeypatch.setattr(Run, "append", full)
    with pytest.raises(CalibError, match="writing failed"):
        sample(llama, questions(), out=tmp_path, **SETTINGS)
    assert len(records(tmp_path)) == 8
    monkeypatch.undo()
    assert len(sample(llama, questions(), out=tmp_path, **SETTINGS).answers()) == 20
