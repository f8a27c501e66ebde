"""Orders that share what they have read, against each permuted prompt read whole and alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from PIL import Image

from calib.hf import reading
from calib.hf.encoding import collate
from calib.hf.model import Model
from calib.hf.orders import by_length
from calib.models.orders import planned, turned
from calib.models.protocol import Scoring
from calib.records import InputError, Item
from tests.hf.conftest import make_processor, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = ("red", "dark blue", "yes", "a long one indeed")


def questions(images: bool) -> list[Item]:
    """Of uneven length, with two to four options of uneven length."""
    return [
        Item(
            f"q{k}",
            "Which one is it? " * (1 + 3 * k % 5),
            images=(Image.new("RGB", (20, 20), (40 * k, 9, 255 - 40 * k)),) if images else (),
            options=OPTIONS[: 4 - k % 3],
            answer=None if k == 3 else k % 2,
        )
        for k in range(6)
    ]


@pytest.fixture(params=["llama", "llava"])
def model(request: pytest.FixtureRequest) -> Model:
    hf = request.getfixturevalue(request.param)
    processor = make_processor() if request.param == "llava" else None
    return Model(request.param, hf, make_tokenizer(), processor)


@pytest.fixture
def calls(model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, ...]]]:
    """The (rows, tokens) of each pass of the model."""
    passes: list[tuple[int, ...]] = []
    forward = model.hf.forward

    def watched(*arguments: Any, **given: Any) -> Any:
        passes.append(tuple(given["input_ids"].shape))
        return forward(*arguments, **given)

    watched.__signature__ = reading.inspect.signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(model.hf, "forward", watched)
    yield passes


def rows_of(model: Model, items: list[Item], how: Scoring) -> list[dict[str, Any]]:
    plan = planned(model, items, how)
    rows: dict[int, dict[str, Any]] = {}
    for batch in plan.run(range(len(plan.batches))):
        rows.update(zip(plan.batches[batch.number], batch.rows, strict=True))
    return [rows[i] for i in range(len(items))]


def by_hand(model: Model, item: Item, form: str, temperature: float) -> list[float]:
    """Log-probabilities of the letters behind the whole prompt: one forward, in float64."""
    (encoded,) = model.encode([item], form)
    inputs = collate([encoded], model.speakers)
    inputs = {n: v.double() if v.is_floating_point() else v for n, v in inputs.items()}
    hf = copy.deepcopy(model.hf).double()
    with torch.no_grad():
        logits = hf(**inputs, use_cache=False).logits[0]
    assert logits.dtype == torch.float64
    result = []
    for ((first, *others),) in encoded.options:
        assert not others
        result.append((logits[-1] / temperature).log_softmax(0)[first].item())
    return result


@pytest.mark.parametrize("form", ["letters", "llava"])
@pytest.mark.parametrize(("size", "temperature"), [(12, 1.0), (4, 2.5), ("auto", 1.0)])
def test_every_order_has_the_scores_of_its_own_prompt(
    model: Model, form: str, size: int | str, temperature: float
) -> None:
    items = questions(images=model.processor is not None)
    how = Scoring(form, temperature=temperature, batch_size=size, orders=4)
    rows = rows_of(model, items, how)
    spread = 0.0
    for row, item in zip(rows, items, strict=True):
        assert len(row["orders"]) == len(item.options)
        mean = torch.zeros(len(item.options), dtype=torch.float64)
        for order in row["orders"]:
            shift = order["shift"]
            expected = by_hand(model, turned(item, shift), form, temperature)
            # As tests/hf/test_scoring.py: float32 against float64, through two layers.
            assert order["logprob"] == pytest.approx(expected, abs=1e-4, rel=1e-4)
            prob = torch.tensor(expected, dtype=torch.float64).softmax(0)
            assert order["prob"] == pytest.approx(prob.tolist(), abs=1e-4)
            mean += prob.roll(shift) / len(row["orders"])
            spread = max(spread, float((prob.roll(shift) - mean).abs().max()))
        assert row["prob"] == pytest.approx(mean.tolist(), abs=1e-4)
    assert spread > 0.01  # the order matters to these models
    keys = [key for key in model.reader.learned if key[0] == "orders"]
    assert keys and all(model.reader.learned[key] for key in keys)


def test_what_orders_share_is_read_once(model: Model, calls: list[tuple[int, ...]]) -> None:
    items = questions(images=model.processor is not None)
    how = Scoring("letters", batch_size=4, orders=4)
    rows_of(model, items[:1], how)  # what is tried once
    del calls[:]
    plan = planned(model, items[:1], how)
    list(plan.run([0]))
    (_, prefix), (orders, rest) = calls
    (encoded,) = model.encode([items[0]], "letters")
    pictures = 4 - 1 if items[0].images else 0  # tokens beyond the one that stands for a picture
    assert orders == 4 and prefix + rest == encoded.length + pictures
    assert rest < encoded.length


def test_each_picture_is_encoded_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    if model.processor is None:
        pytest.skip("a text model")
    items, encoded = questions(images=True), []
    how = Scoring("letters", batch_size=12, orders=4)
    rows_of(model, items, how)
    tower = model.hf.model.vision_tower
    forward = tower.forward

    def watched(pixels: Any, **given: Any) -> Any:
        encoded.append(len(pixels))
        return forward(pixels, **given)

    monkeypatch.setattr(tower, "forward", watched)
    rows_of(model, items, how)
    assert sum(encoded) == len(items)


def test_a_cache_that_cannot_be_shared(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    items = questions(images=model.processor is not None)
    how = Scoring("letters", batch_size=12, orders=4)
    expected = rows_of(model, items, how)
    model.reader.learned.clear()
    monkeypatch.setattr(reading, "way_of", lambda cache, use_cache: "expanded")
    with pytest.warns(UserWarning, match="each prompt of a question is read whole") as told:
        rows = rows_of(model, items, how)
    rows_of(model, items, how)
    assert len(told) == 1  # and warnings are errors outside
    for row, other in zip(rows, expected, strict=True):
        assert row["prob"] == pytest.approx(other["prob"], abs=1e-4)


def test_a_model_that_reads_on_wrongly_is_noticed(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch of a kind is compared with a whole prompt."""
    items = questions(images=model.processor is not None)
    how = Scoring("letters", batch_size=12, orders=4)
    expected = rows_of(model, items, how)
    model.reader.learned.clear()
    ends = reading.ReadPrompts.ends
    monkeypatch.setattr(
        reading.ReadPrompts, "ends", lambda *given: ends(*given) + torch.arange(200) / 1000
    )
    with pytest.warns(UserWarning, match="cannot go on from what a question's prompts share"):
        rows = rows_of(model, items, how)
    for row, other in zip(rows, expected, strict=True):
        assert row["prob"] == pytest.approx(other["prob"], abs=1e-4)


def test_letters_of_several_tokens_are_read_whole(model: Model) -> None:
    """In ``paper`` a letter merges with the bracket before it."""
    items = questions(images=model.processor is not None)
    with pytest.warns(UserWarning, match="options are several tokens") as told:
        rows = rows_of(model, items, Scoring("paper", orders=4, batch_size=12))
    assert len(told) == 1
    for row, item in zip(rows, items, strict=True):
        for order in row["orders"]:
            (one,) = model.option_scores([turned(item, order["shift"])], prompt="paper")
            assert order["logprob"] == pytest.approx(one["logprob"], abs=1e-4)


def test_option_scores_are_of_one_order(model: Model) -> None:
    with pytest.raises(InputError, match="averages over them"):
        model.option_scores(questions(False)[:1], prompt="letters", orders=2)


def test_short_rests_are_read_apart_where_that_spares_much() -> None:
    assert by_length([5, 6, 5]) == [[0, 1, 2]]
    assert by_length([30, 5, 5, 30, 5]) == [[1, 2, 4], [0, 3]]
    assert by_length([7]) == [[0]]
    lengths = [5] * 12 + [8] * 12 + [13]
    short, long = by_length(lengths)
    assert len(short) == 24 and len(long) == 1
