"""Replayed steps: the same tensors, masks and counts as on a GPU, where replaying is calling."""

from __future__ import annotations

import gc
import warnings
import weakref
from itertools import pairwise
from typing import Any

import pytest
import torch

from calib.hf.decoding import graphs, prefix
from calib.hf.decoding import loop as decoding
from calib.hf.decoding.shared_prefix import shared_prefix
from tests.hf import families
from tests.hf.generated import SHARED, agree, answers, both, decoded

pytestmark = pytest.mark.usefixtures("one_thread")
ENDS: dict[str, Any] = {"eos_token_id": list(range(10, 60)), "pad_token_id": 0}


@pytest.fixture
def replaying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps on the CPU are replayed, in a room of two tokens at first."""
    monkeypatch.setattr(graphs, "REPLAYING", {"cpu"})
    monkeypatch.setattr(graphs, "LEAST_SPAN", 2)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[decoding.Decoded]:
    found: list[decoding.Decoded] = []
    original = decoding.decode

    def watched(*args: Any, **kwargs: Any) -> decoding.Decoded:
        found.append(original(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr("calib.hf.decoding.shared_prefix.decode", watched)
    return found


@pytest.mark.usefixtures("replaying")
@pytest.mark.parametrize("family", sorted(SHARED))
def test_the_same_as_plain_generation(family: str, kept: list[decoding.Decoded]) -> None:
    """Logits of every step, with places that are hidden, read, and outgrown."""
    model, inputs = families.FAMILIES[family]()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "decoding goes on without")
        plain, ours = both(model, inputs)
    agree(plain, ours)
    assert kept[0].way == "shared"
    # Place 0 is no graph's. Rooms of 2, 4 and 8 begin at places 1, 2 and 4, are proved at the next
    # and replayed from then on, which is at place 6 alone.
    assert kept[0].replayed == 1


@pytest.mark.usefixtures("replaying")
def test_rows_that_ended_leave_at_half(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    step = prefix.Rows.step

    def counting(self: prefix.Rows, ids: torch.Tensor) -> None:
        sizes.append(len(ids))
        step(self, ids)

    model, inputs = families.llava()
    settings = {**ENDS, "max_new_tokens": 30, "n_samples": 20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs, "REPLAYING", set())
        expected = decoded(model, inputs, **settings)
    monkeypatch.setattr(prefix.Rows, "step", counting)
    found = decoded(model, inputs, **settings)
    assert answers(found) == answers(expected)
    torch.testing.assert_close(found.logprob, expected.logprob, rtol=0, atol=1e-4)
    assert expected.replayed == 0 < found.replayed
    counts = sorted(set(sizes), reverse=True)
    assert len(counts) > 2 and all(b <= a / 2 for a, b in pairwise(counts))


class Failing(graphs.Graph):
    """Fails in one of the three ways a graph can."""

    how = ""

    def warm(self, run: graphs.Run) -> Any:
        if self.how == "warming":
            raise RuntimeError("no room")
        return super().warm(run)

    def capture(self, run: graphs.Run) -> None:
        if self.how == "capturing":
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        super().capture(run)

    def replay(self, run: graphs.Run) -> Any:
        outputs = super().replay(run)
        if self.how == "replaying":  # what a graph would do that had a position captured in it
            outputs.logits = outputs.logits.roll(1, dims=-1)
        return outputs


@pytest.mark.usefixtures("replaying")
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("warming", "no room$"),
        ("capturing", "operation not permitted when stream is capturing$"),
        ("replaying", "a replayed step's logits are not those of the step"),
    ],
)
def test_a_failure_loses_no_answer(how: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, inputs = families.qwen2_5_vl()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs, "REPLAYING", set())
        expected = decoded(model, inputs)
    monkeypatch.setattr(graphs, "LEAST_SPAN", 64)
    monkeypatch.setattr(Failing, "how", how)
    monkeypatch.setattr(graphs, "Graph", Failing)
    with pytest.warns(UserWarning, match=f"decoding continues without a CUDA graph: {reason}"):
        found = decoded(model, inputs)
    assert torch.equal(found.ids, expected.ids) and found.way == "shared"
    assert found.replayed == 0
    torch.testing.assert_close(found.logprob, expected.logprob, rtol=0, atol=1e-4)


@pytest.mark.usefixtures("replaying")
def test_inputs_that_change_are_not_replayed(
    monkeypatch: pytest.MonkeyPatch, kept: list[decoding.Decoded]
) -> None:
    model, inputs = families.llama()
    prepare = type(model).prepare_inputs_for_generation
    seen: list[int] = []

    def counting(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        seen.append(0)
        return {**prepare(self, *args, **kwargs), "a_number": len(seen)}

    monkeypatch.setattr(graphs, "LEAST_SPAN", 64)
    monkeypatch.setattr(type(model), "prepare_inputs_for_generation", counting)
    asked = {"do_sample": True, "max_new_tokens": 6, "n_samples": 2, "seed": 1}
    with pytest.warns(UserWarning, match="a_number is another than in the step before"):
        model.generate(**inputs, custom_generate=shared_prefix, **asked)
    assert kept[0].replayed == 0


@pytest.mark.usefixtures("replaying")
def test_nothing_is_kept_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph in a circle of references would hold the device's memory until a collection."""
    made: list[Any] = []
    original = graphs.Replayed.__init__

    def watched(self: graphs.Replayed, cache: Any) -> None:
        made.extend((weakref.ref(self), weakref.ref(cache)))
        original(self, cache)

    monkeypatch.setattr(graphs.Replayed, "__init__", watched)
    model, inputs = families.llama()
    gc.disable()
    try:
        decoded(model, inputs)
        assert len(made) == 2 and all(reference() is None for reference in made)
    finally:
        gc.enable()


@pytest.mark.gpu
@pytest.mark.parametrize("family", ["llama", "llava", "qwen2_5_vl"])
def test_a_gpu_replays(family: str) -> None:
    model, inputs = families.FAMILIES[family]()
    model.cuda()
    inputs = {name: value.cuda() for name, value in inputs.items()}
    settings = {**ENDS, "eos_token_id": [10], "max_new_tokens": 40, "n_samples": 20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs, "REPLAYING", set())
        expected = decoded(model, inputs, **settings)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "decoding goes on without")
        found = decoded(model, inputs, **settings)
    assert found.replayed > 10
    assert answers(found) == answers(expected)
