"""Pictures decoded at once: a batch ends before they are too many, and no answer changes by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from calib import open_run, score
from calib.hf import batching, encoding
from calib.hf.batching import BATCH_PIXELS, fitting, plan
from calib.hf.model import Model
from calib.images import MAX_PIXELS
from calib.images.check import ITEM_PIXELS
from calib.records import CalibError, InputError, Item
from calib.tasks import Task

SIDE = 40
PIXELS = SIDE * SIDE


def test_pictures_end_a_batch():
    assert plan([5] * 6, ["x"] * 6, 8, "cpu", [60_000_000] * 6) == [[0, 1], [2, 3], [4, 5]]
    alone = plan([5] * 3, ["x"] * 3, 8, "cpu", [2 * BATCH_PIXELS] * 3)
    assert alone == [[0], [1], [2]], "a question that is too large by itself is asked by itself"


@pytest.mark.parametrize("size", [7, "auto"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_batches_of_ordinary_pictures_are_what_they_were(size: int | str, device: str):
    lengths = [1 + 7 * i % 300 for i in range(500)]
    kinds = ["a" if i % 3 else "b" for i in range(500)]
    before = plan(lengths, kinds, size, device)
    assert plan(lengths, kinds, size, device, [1_000_000] * 500) == before
    assert plan(lengths, kinds, size, device, [0] * 500) == before


def test_only_a_batch_that_is_too_large_is_divided():
    pixels = [1] * 16 + [BATCH_PIXELS] * 2 + [1] * 6
    assert plan([5] * 24, ["x"] * 24, 8, "cpu", pixels) == [
        list(range(8)), list(range(8, 16)), [16], [17], list(range(18, 24)),
    ]  # fmt: skip


def test_how_many_questions_fit():
    assert fitting([1, 1, 1], 2) == 2
    assert fitting([1, 1, 1], 5) == 3
    assert fitting([BATCH_PIXELS + 1, 1], 5) == 1
    assert fitting([BATCH_PIXELS - 1, 1, 1], 5) == 2
    assert fitting([], 5) == 0


def test_the_limits_fit_one_another():
    assert MAX_PIXELS <= BATCH_PIXELS <= ITEM_PIXELS


@pytest.fixture
def model(llava: Any, processor: Any) -> Model:
    return Model("tiny", llava, processor.tokenizer, processor)


def questions(folder: Path, options: tuple[str, ...], count: int = 8) -> list[Item]:
    items = []
    for number in range(count):
        path = folder / f"{number}.png"
        Image.new("RGB", (SIDE, SIDE), (number * 30, 255 - number * 30, 90)).save(path)
        items.append(Item(f"q{number}", "ab", (path,), options, answer=0))
    return items


Together = Callable[[], int]


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> Together:
    """The most pictures that were decoded for one call of a processor."""
    counts = [0]
    plain = encoding.pictures_of

    def counted(batch: Sequence[Any]) -> Any:
        pictures = plain(batch)
        counts.append(sum(map(len, pictures)))
        return pictures

    monkeypatch.setattr(encoding, "pictures_of", counted)
    return lambda: max(counts)


@pytest.mark.parametrize("options", [("x", "y"), ("ab", "cde", "y")])
def test_a_score_with_little_room_is_the_same(
    tmp_path: Path,
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    most: Together,
    options: tuple[str, ...],
):
    task = Task("t", tuple(questions(tmp_path, options)))
    score(model, task, out=tmp_path / "whole", batch_size=8)
    assert most() == 8
    monkeypatch.setattr(batching, "BATCH_PIXELS", 3 * PIXELS)
    score(model, task, out=tmp_path / "parts", batch_size=8)
    whole, parts = (open_run(tmp_path / name).rows() for name in ("whole", "parts"))
    assert sorted({row["of_batch"] for row in whole}) == [8]
    assert sorted({row["of_batch"] for row in parts}) == [2, 3]
    for a, b in zip(whole, parts, strict=True):
        assert a["prediction"] == b["prediction"]
        assert a["logprob"] == pytest.approx(b["logprob"], abs=1e-5)  # float32, other shapes


@pytest.mark.parametrize("way", ["score", "generate", "packed"])
def test_no_processor_is_handed_more_than_fits(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch, most: Together, way: str
):
    from calib.hf.decoding.sampling import Sampling

    monkeypatch.setattr(batching, "BATCH_PIXELS", 3 * PIXELS)
    items = questions(tmp_path, ("ab", "cde", "y"))
    if way == "score":
        assert len(model.option_scores(items, batch_size=8)) == 8
    elif way == "generate":
        assert len(model.generate(items, max_new_tokens=2)) == 8
    else:
        how = Sampling(samples=2, max_new_tokens=2, rows=32)
        assert sorted(i for i, _ in model.sample_packed(items, "options", how)) == list(range(8))
    assert 1 < most() <= 3


def test_a_picture_that_questions_share_is_decoded_once(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
):
    (item,) = questions(tmp_path, ("x", "y"), count=1)
    (path,) = item.images
    decoded: list[Any] = []
    plain = encoding.open_image
    monkeypatch.setattr(encoding, "open_image", lambda image: decoded.append(image) or plain(image))
    items = [Item(f"q{n}", "ab", (path,), ("x", "y"), answer=0) for n in range(4)]
    encoding.collate(model.encode(items, "options"), model.speakers)
    assert decoded == [path]


def test_a_picture_that_breaks_later_is_named_with_its_item(tmp_path: Path, model: Model):
    items = questions(tmp_path, ("x", "y"), count=2)
    batch = model.encode(items, "options")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:-30])
    with pytest.raises(CalibError, match=r"^item 'q1', image .*1\.png: it cannot be decoded") as no:
        model.score_batch(batch, [0, 0])
    assert not isinstance(no.value, InputError)
