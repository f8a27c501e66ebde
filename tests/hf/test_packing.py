"""Batches that stay full: every answer is that of its question alone, whoever joins and leaves."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from calib.hf.decoding import graphs
from calib.hf.decoding.loop import Drafts, Running
from calib.hf.decoding.packing import CannotPack, Packing
from calib.hf.decoding.prefix import Rows
from calib.hf.decoding.sampling import Sampling
from calib.hf.encoding import collate
from calib.hf.model import Model
from calib.records import Answer, CalibError, Item
from tests.hf import families, more_families
from tests.hf.conftest import IMAGE, make_llama, make_llava, make_processor, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
QUESTIONS = 11
HOW = Sampling(samples=3, max_new_tokens=12, seed=5, rows=10)
ALONE = replace(HOW, rows=HOW.samples)  # a question at a time
ENDS = range(40, 80)


def make(name: str) -> Model:
    if name == "llama":
        model = Model("tiny", make_llama(), make_tokenizer(), None)
    else:
        model = Model("tiny", make_llava(), make_processor().tokenizer, make_processor())
    model.hf.generation_config.eos_token_id = list(ENDS)
    return model


def questions(model: Model) -> list[Item]:
    """Of lengths in no order."""
    return [
        Item(
            f"q{i}",
            "it" * (7 * i % 5) + "?",
            (Image.new("RGB", (16, 16), (20 * i, 0, 0)),) if model.processor else (),
            ("yes", "no"),
        )
        for i in range(QUESTIONS)
    ]


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows joined, each time."""
    counts: list[int] = []
    join = Rows.join

    def watched(self: Rows, others: Rows) -> None:
        counts.append(sum(others.counts))
        join(self, others)

    monkeypatch.setattr(Rows, "join", watched)
    return counts


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of every step."""
    found: list[int] = []
    step = Rows.step

    def watched(self: Rows, ids: Tensor) -> None:
        found.append(len(ids))
        step(self, ids)

    monkeypatch.setattr(Rows, "step", watched)
    return found


def equal(found: Sequence[Answer], alone: Sequence[Answer]) -> None:
    """The same tokens, and log-probabilities up to rounding."""
    for a, b in zip(found, alone, strict=True):
        assert (a.text, a.tokens, a.finish) == (b.text, b.tokens, b.finish)
        assert a.logprob == pytest.approx(b.logprob, abs=1e-4)
        assert a.entropy == pytest.approx(b.entropy, abs=1e-4)


@pytest.mark.parametrize("name", ["llama", "llava"])
@pytest.mark.parametrize("rows", [6, 10, 17])
def test_answers_are_those_of_each_question_alone(
    name: str, rows: int, joined: list[int], sizes: list[int]
) -> None:
    model = make(name)
    items = questions(model)
    how = replace(HOW, rows=rows)
    found = list(model.sample_packed(items, "options", how))
    assert sorted(i for i, _ in found) == list(range(QUESTIONS))
    assert len(joined) > 1 and max(sizes) <= rows
    alone = [model.sample_batch([item], "options", how)[0] for item in items]
    for i, answers in found:
        equal(answers, alone[i])
    lengths = {answer.tokens for _, answers in found for answer in answers}
    assert {"stop", "length"} == {a.finish for _, answers in found for a in answers}
    assert len(lengths) > 5 and max(lengths) == HOW.max_new_tokens


@pytest.mark.parametrize("name", ["llama", "llava"])
def test_log_probabilities_are_those_of_a_rescoring(
    name: str, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the tokens that were drawn, by one forward pass over prompt and answer."""
    model = make(name)
    items = questions(model)
    drawn: dict[int, tuple[Tensor, float]] = {}
    whole = Packing.whole

    def watched(self: Packing, ended: Drafts) -> Any:
        rows = zip(ended.numbers.tolist(), ended.lengths.tolist(), ended.logprob, strict=True)
        for (number, length, logprob), tokens in zip(rows, ended.answers(), strict=True):
            assert number not in drawn
            drawn[number] = tokens[:length], logprob.item()
        return whole(self, ended)

    monkeypatch.setattr(Packing, "whole", watched)
    encoded = model.encode(items, "options", options=False)

    def inputs(batch: Sequence[int]) -> dict[str, Any]:
        part = [encoded[i] for i in batch]
        return collate(part, model.speakers)

    names = [item.id for item in items]
    assert len(list(Packing(model.hf, model.tokenizer, names, inputs, HOW).answers())) == QUESTIONS
    assert len(joined) > 1 and len(drawn) == QUESTIONS * HOW.samples
    for number, (tokens, logprob) in drawn.items():
        if IMAGE in tokens:
            continue  # a forward pass over the whole would look for a picture there
        given = inputs([number // HOW.samples])
        given["input_ids"] = torch.cat([given["input_ids"], tokens[None]], dim=1)
        given["attention_mask"] = torch.ones_like(given["input_ids"])
        with torch.no_grad():
            logp = model.hf(**given).logits[0].double().log_softmax(-1)
        at = torch.arange(len(tokens)) + given["input_ids"].shape[1] - len(tokens) - 1
        assert logp[at, tokens].sum().item() == pytest.approx(logprob, abs=1e-4)


def test_the_batch_stays_full(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tokens in fewer steps than without joining."""
    model = make("llama")
    items = questions(model)
    list(model.sample_packed(items, "options", HOW))
    full = list(sizes)
    sizes.clear()
    monkeypatch.setattr(Rows, "joinable", False)
    list(model.sample_packed(items, "options", HOW))
    assert len(full) < 0.7 * len(sizes)
    # Until the last questions are under way, hardly a quarter of the places is free.
    assert sum(full[: len(full) // 2]) > 0.65 * HOW.rows * (len(full) // 2)


def test_stop_strings(joined: list[int]) -> None:
    model = make("llama")
    items = questions(model)
    free = [answer for _, found in model.sample_packed(items, "options", HOW) for answer in found]
    letter = next(answer.text[1] for answer in free if len(answer.text) > 2)
    how = replace(HOW, stop=(letter,))
    joined.clear()
    found = dict(model.sample_packed(items, "options", how))
    assert joined and any(a.finish == "stop_string" for answers in found.values() for a in answers)
    for i, item in enumerate(items):
        equal(found[i], model.sample_batch([item], "options", how)[0])


@pytest.mark.parametrize(
    "change", [{"rows": 2}, {"max_new_tokens": 1}, {"samples": 1}, {"greedy": True}]
)
def test_bounds(change: dict[str, Any]) -> None:
    model = make("llama")
    items = questions(model)
    how = replace(HOW, **change)
    found = dict(model.sample_packed(items, "options", how))
    assert len(found) == QUESTIONS
    for i, item in enumerate(items):
        equal(found[i], model.sample_batch([item], "options", how)[0])


def test_questions_with_and_without_images() -> None:
    model = make("llava")
    items = [
        Item(item.id, item.question, item.images if i % 2 else (), item.options)
        for i, item in enumerate(questions(model))
    ]
    found = dict(model.sample_packed(items, "options", HOW))
    for i, item in enumerate(items):
        equal(found[i], model.sample_batch([item], "options", HOW)[0])


def test_no_questions() -> None:
    assert list(make("llama").sample_packed([], "options", HOW)) == []


@pytest.mark.parametrize("where", ["prefilled", "join"])
def test_running_out_of_memory_loses_no_question(
    where: str, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner: Any = Packing if where == "prefilled" else Running
    original = getattr(owner, where)
    calls: list[int] = []

    def short(self: Any, given: Any) -> Any:
        calls.append(0)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("too much")
        return original(self, given)

    monkeypatch.setattr(owner, where, short)
    model = make("llama")
    items = questions(model)
    found = list(model.sample_packed(items, "options", HOW))
    assert len(calls) == 3 and joined
    assert sorted(i for i, _ in found) == list(range(QUESTIONS))
    for i, answers in found:
        equal(answers, model.sample_batch([items[i]], "options", HOW)[0])


# Families of models. Their questions take turns in being either of the two prompts.


def of_rows(inputs: dict[str, Tensor], rows: Sequence[int]) -> dict[str, Tensor]:
    """The inputs of some of two prompts, which have one image and two, or as many."""

    def part(value: Tensor, row: int) -> Tensor:
        if len(value) == 2:
            return value[row : row + 1]
        each = len(value) // 3
        return value[each:] if row else value[:each]

    return {name: torch.cat([part(value, row) for row in rows]) for name, value in inputs.items()}


def packed(family: str, how: Sampling, ends: Sequence[int] = ENDS) -> list[list[Answer]]:
    model, inputs = {**families.FAMILIES, **more_families.MAKERS}[family]()
    model.generation_config.eos_token_id = list(ends)

    def of(batch: Sequence[int]) -> dict[str, Tensor]:
        return of_rows(inputs, [number % 2 for number in batch])

    names = [str(number) for number in range(QUESTIONS)]
    found = dict(Packing(model, make_tokenizer(), names, of, how).answers())
    return [found[number] for number in range(QUESTIONS)]


# One has layers that slide, the others keep the distance of positions from tokens themselves.
NEVER_JOINING = {"gemma3", "qwen2_vl", "qwen2_5_vl", "qwen3_vl"}


@pytest.mark.parametrize("family", families.FAMILIES)
def test_families(family: str, joined: list[int]) -> None:
    found = packed(family, HOW)
    assert bool(joined) == (family not in NEVER_JOINING)
    joined.clear()
    for answers, alone in zip(found, packed(family, ALONE), strict=True):
        equal(answers, alone)
    assert not joined


# recurrent_gemma's recurrence is not masked, so that padding changes it.
@pytest.mark.parametrize("family", sorted(more_families.MAKERS.keys() - {"recurrent_gemma"}))
def test_families_whose_rows_cannot_join(family: str, joined: list[int]) -> None:
    """Some answers end early; a group decodes to its end, with or without the rows that ended."""
    found = packed(family, HOW)
    lengths = {answer.tokens for answers in found for answer in answers}
    assert len(lengths) > 3 and not joined
    for answers, alone in zip(found, packed(family, ALONE), strict=True):
        equal(answers, alone)


def test_models_that_padding_changes_are_not_packed() -> None:
    model = make("llama")
    with pytest.raises(CannotPack, match="padding changes what the model says"):
        Packing(model.hf, model.tokenizer, ["a"], lambda batch: {}, HOW, pads=False)


def test_samples_from_a_later_one_on() -> None:
    model = make("llama")
    items = questions(model)
    whole = dict(model.sample_packed(items, "options", replace(HOW, samples=5)))
    rest = dict(model.sample_packed(items, "options", replace(HOW, samples=2, first=3)))
    for i in whole:
        equal(rest[i], whole[i][3:])


def test_inputs_are_made_anew_where_rows_cannot_be_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three pictures for two prompts, and a way of going on that needs them for every row."""
    from calib.hf.decoding import sampling

    model, inputs = families.FAMILIES["llava"]()
    model.generation_config.eos_token_id = list(ENDS)
    names, tokenizer, asked = ["a", "b"], make_tokenizer(), replace(HOW, rows=50)
    expected = sampling.sample_answers(model, inputs, tokenizer, names, asked)
    # As in a transformers or a model that does not see to pictures before it repeats them.
    monkeypatch.setattr(type(model), "_supports_mm_encoder_outputs", lambda self: False)
    monkeypatch.setattr("calib.hf.decoding.prefix.way_of", lambda cache, use_cache: "expanded")
    with pytest.raises(CalibError, match="pixel_values: 3 entries for 2 prompts do not say"):
        sampling.sample_answers(model, inputs, tokenizer, names, asked)
    orders: list[list[int]] = []

    def again(rows: Sequence[int]) -> dict[str, Tensor]:
        orders.append(list(rows))
        return of_rows(inputs, rows)

    found = sampling.sample_answers(model, inputs, tokenizer, names, asked, again)
    assert orders == [[0, 0, 0, 1, 1, 1]]
    for answers, alone in zip(found, expected, strict=True):
        equal(answers, alone)
    with pytest.raises(CannotPack, match="3 entries for 2 prompts"):
        list(Packing(model, tokenizer, names, again, asked).answers())


@pytest.mark.parametrize("family", ["llama", "llava"])
def test_replayed_steps(family: str, joined: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where steps are replayed, graphs are made anew for the rows that have joined."""
    how, ends = replace(HOW, max_new_tokens=40), ENDS[:12]
    alone = packed(family, replace(how, rows=how.samples), ends)
    monkeypatch.setattr(graphs, "REPLAYING", {"cpu"})
    monkeypatch.setattr(graphs, "LEAST_SPAN", 4)
    seen: list[int] = []
    call = graphs.Replayed.__call__

    def watched(self: graphs.Replayed, inputs: Any, forward: Any) -> Any:
        outputs = call(self, inputs, forward)
        seen.append(self.steps)
        return outputs

    monkeypatch.setattr(graphs.Replayed, "__call__", watched)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "decoding goes on without")
        found = packed(family, replace(how, rows=16), ends)
    assert joined and max(seen) > 10
    for answers, one in zip(found, alone, strict=True):
        equal(answers, one)


def test_processors_of_the_models_own_are_not_packed() -> None:
    model = make("llama")
    model.hf.generation_config.suppress_tokens = [50, 51]
    items = questions(model)
    encoded = model.encode(items, "options", options=False)

    def inputs(batch: Sequence[int]) -> dict[str, Any]:
        part = [encoded[i] for i in batch]
        return collate(part, model.speakers)

    names = [item.id for item in items]
    with pytest.raises(CannotPack, match="processed"):
        list(Packing(model.hf, model.tokenizer, names, inputs, HOW).answers())
    found = dict(model.sample_packed(items, "options", HOW))
    for i, item in enumerate(items):
        equal(found[i], model.sample_batch([item], "options", HOW)[0])
