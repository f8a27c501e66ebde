"""Sampled runs: what is written, on what an answer depends, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from markupsafe import escape

import calib
from calib.drive.sample import sample
from calib.hf.model import Model
from calib.records import InputError, Item
from calib.report.measures import write_measures_report
from calib.runs.shards import read_items
from tests.hf.conftest import make_llava, make_processor
from tests.sample.questions import SETTINGS, questions, records

pytestmark = pytest.mark.usefixtures("one_thread")


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
    assert f'<pre tabindex="0" dir="auto">\n{escape(first)}</pre>' in page.read_text(
        encoding="utf-8"
    )
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
    from calib.hf.decoding import sampling

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
