"""Batches: a function of the whole list alone, each question in one of them."""

from __future__ import annotations

import random

import pytest

from calib.hf.batching import AUTO_ROWS, AUTO_TOKENS, plan
from calib.records import InputError


def lengths(count: int, seed: int = 0) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(1, 300) for _ in range(count)]


def kinds(count: int, seed: int = 1) -> list[str]:
    return random.Random(seed).choices(["image", "text", "longer"], k=count)


@pytest.mark.parametrize("size", [1, 3, 8, 1000, "auto"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_question_is_in_one_batch_of_its_kind(size: int | str, device: str):
    long, kind = lengths(500), kinds(500)
    batches = plan(long, kind, size, device)
    assert sorted(index for batch in batches for index in batch) == list(range(500))
    assert all(len({kind[i] for i in batch}) == 1 for batch in batches)
    if isinstance(size, int):
        assert max(map(len, batches)) <= size


@pytest.mark.parametrize("size", [7, "auto"])
def test_the_longest_come_first(size: int | str):
    long = lengths(300)
    flat = [index for batch in plan(long, ["x"] * 300, size, "cpu") for index in batch]
    assert [long[i] for i in flat] == sorted(long, reverse=True)
    # Equal lengths stay in the order of the questions.
    assert flat == sorted(range(300), key=lambda i: (-long[i], i))


def test_a_number_is_the_rows_of_a_batch():
    assert plan([5, 9, 7, 1, 3], ["x"] * 5, 2, "cpu") == [[1, 2], [0, 4], [3]]


def test_kinds_follow_the_order_in_which_they_appear():
    assert plan([1, 9, 2, 8], ["b", "a", "b", "a"], 8, "cpu") == [[2, 0], [1, 3]]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_auto_keeps_to_the_devices_share_of_tokens(device: str):
    long = [1 + 7 * i % 5000 for i in range(2000)]
    batches = plan(long, ["x"] * 2000, "auto", device)
    for batch, following in zip(batches, [*batches[1:], None], strict=True):
        widest = max(long[i] for i in batch)
        assert len(batch) == 1 or len(batch) * widest <= AUTO_TOKENS[device]
        assert len(batch) <= AUTO_ROWS
        if following is not None:  # and no batch is smaller than it need be
            full = len(batch) == AUTO_ROWS or (len(batch) + 1) * widest > AUTO_TOKENS[device]
            assert full


def test_auto_takes_one_question_that_is_longer_than_the_share():
    assert plan([10**6, 10**6, 1], ["x"] * 3, "auto", "cpu") == [[0], [1], [2]]


def test_a_device_that_is_not_known_is_treated_as_a_cpu():
    long = lengths(100)
    assert plan(long, ["x"] * 100, "auto", "mps") == plan(long, ["x"] * 100, "auto", "cpu")


def test_batches_do_not_depend_on_names_of_kinds_or_on_earlier_calls():
    long, kind = lengths(100), kinds(100)
    first = plan(long, kind, "auto", "cpu")
    plan(lengths(50, seed=9), kinds(50, seed=9), 3, "cuda")
    renamed = {"image": (True, 0), "text": (False, 0), "longer": (False, 1)}
    assert plan(long, [renamed[k] for k in kind], "auto", "cpu") == first


def test_no_questions_make_no_batches():
    assert plan([], [], "auto", "cpu") == []


@pytest.mark.parametrize("size", [0, -3, 1.5, "8", "Auto", None])
def test_a_size_is_auto_or_a_positive_number(size: object):
    with pytest.raises(InputError, match="batch_size: expected auto or a positive number"):
        plan([1], ["x"], size, "cpu")  # type: ignore[arg-type]
