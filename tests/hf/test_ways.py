"""Which way of sampling is exact is found by checking: kinds of model, errors, masks, inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from calib.hf.decoding.prefix import Rows
from calib.hf.decoding.row_inputs import CannotRepeat, expanded
from calib.hf.decoding.shared_prefix import shared_prefix
from tests.hf import families, more_families
from tests.hf.generated import ENDS, SAMPLES, TOKENS, agree, answers, both, decoded, way

pytestmark = pytest.mark.usefixtures("one_thread")


# Families.


@pytest.mark.parametrize("family", more_families.MAKERS)
def test_the_same_as_plain_generation(family: str) -> None:
    model, inputs = more_families.MAKERS[family]()
    plain, ours = both(model, inputs)
    agree(plain, ours)
    assert plain.logits[0].std() > 0.2  # wide enough for a wrong position to be seen
    assert way(model, inputs) == more_families.WAYS[family]


@pytest.mark.parametrize("family", more_families.MAKERS)
def test_answers_that_end_early(family: str) -> None:
    """A quarter of the tokens ends an answer; every other one goes on as it would alone."""
    model, inputs = more_families.MAKERS[family]()
    long = {**ENDS, "max_new_tokens": 12}
    found = decoded(model, inputs, **long)
    lengths = found.lengths.tolist()
    assert len(set(lengths)) > 2
    free = answers(decoded(model, inputs, max_new_tokens=12, eos_token_id=None))
    for answer, other, length in zip(answers(found), free, lengths, strict=True):
        assert answer == other[:length]


def test_pictures_of_cross_attention_are_seen() -> None:
    for family in ("mllama", "idefics"):
        model, inputs = more_families.MAKERS[family]()
        _, ours = both(model, inputs)
        _, other = both(model, {**inputs, "pixel_values": inputs["pixel_values"].flip(1) + 1.0})
        assert (ours.logits[-1] - other.logits[-1]).abs().max() > 1e-2


# What a step is checked for.


class Bent:
    """Llama's attention, with one thing done to what the cache returned."""

    def __init__(self, bend: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
        self.bend = bend

    def __call__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from transformers.cache_utils import Cache

        update = Cache.update

        def bent(cache: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
            return self.bend(*update(cache, *args, **kwargs))

        monkeypatch.setattr(Cache, "update", bent)


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (lambda k, v: (k, v), "shared"),
        (lambda k, v: (k[:], v.transpose(1, 2).transpose(1, 2)), "shared"),  # views of the same
        (lambda k, v: (k * 1.5, v), "repeated"),
        (lambda k, v: (k, v.clone()), "repeated"),
        (lambda k, v: (k.flip(1), v.flip(1)), "repeated"),
        (lambda k, v: (v, k), "repeated"),
    ],
    ids=["as they are", "views", "keys scaled", "values copied", "heads turned", "exchanged"],
)
def test_keys_and_values_are_those_of_the_cache(
    bend: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Bent(bend)(monkeypatch)
    model, inputs = families.llama()
    agree(*both(model, inputs))
    assert way(model, inputs) == expected


def llama_attention(monkeypatch: pytest.MonkeyPatch, forward: Callable[..., Any]) -> None:
    from transformers.models.llama.modeling_llama import LlamaAttention

    original = LlamaAttention.forward
    monkeypatch.setattr(
        LlamaAttention, "forward", lambda self, *a, **k: forward(original, self, *a, **k)
    )


def test_a_layer_that_is_passed_over_at_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cross-attention layer that finds no keys, say: nothing is raised, and nothing right."""

    def passing(original: Any, self: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        cache = kwargs["past_key_values"]
        step = bool(cache.get_seq_length())
        if step and self.layer_idx == 1 and cache.layers[1].keys is None:
            return torch.zeros_like(hidden_states), None
        return original(self, hidden_states, *args, **kwargs)

    llama_attention(monkeypatch, passing)
    model, inputs = families.llama()
    assert way(model, inputs) == "repeated"


def test_attention_with_an_argument_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a layer gives to its attention function, and the model was not given, is not ignored."""

    def biased(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, a_bias_that_nobody_knows=1.0, **kwargs)

    model, inputs = families.llama()
    with monkeypatch.context() as patch:
        llama_attention(patch, biased)
        assert way(model, inputs) == "repeated"
    assert way(model, inputs) == "shared"


@pytest.mark.parametrize("error", [RuntimeError, TypeError, AttributeError, IndexError])
def test_any_error_of_the_first_step_is_an_order_to_go_slower(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the model has changed what it keeps by then."""
    model, inputs = families.qwen2_5_vl()
    plain, _ = both(model, inputs)
    forward = type(model).forward
    raised: list[str] = []

    @functools.wraps(forward)
    def failing(self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs["input_ids"].shape[1] == 1 and len(raised) < 2:
            raised.append(type(kwargs["past_key_values"]).__name__)
            self.model.rope_deltas = torch.full((1, 1), 99)
            raise error("no")
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(type(model), "forward", failing)
    kept = model.model.rope_deltas
    torch.manual_seed(3)
    ours = model.generate(
        **inputs, do_sample=True, max_new_tokens=TOKENS, custom_generate=shared_prefix,
        n_samples=SAMPLES,
    )  # fmt: skip
    assert raised == ["SharedCache", "DynamicCache"]  # the expanded way is what was left
    assert torch.equal(ours, plain.sequences)
    assert kept is None or (model.model.rope_deltas != 99).all()


def test_an_error_of_every_way_goes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    model, inputs = families.llama()
    forward = type(model).forward

    @functools.wraps(forward)
    def failing(self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs["input_ids"].shape[1] == 1:
            raise RuntimeError("always")
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(type(model), "forward", failing)
    with pytest.raises(RuntimeError, match="always"):
        both_of = {"do_sample": True, "max_new_tokens": 3, "n_samples": 2}
        model.generate(**inputs, custom_generate=shared_prefix, **both_of)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, KeyboardInterrupt])
def test_some_errors_are_no_order(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def failing(self: Rows, inputs: dict[str, Any]) -> Any:
        calls.append(0)
        raise error("no")

    monkeypatch.setattr(Rows, "_forward", failing)
    model, inputs = families.llama()
    with pytest.raises(error):
        decoded(model, inputs)
    assert len(calls) == 1


def test_tensors_that_modules_keep_are_not_repeated_by_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A recurrence beside the cache: what a layer said of the token before is added."""

    def remembering(original: Any, self: Any, hidden_states: Tensor, *a: Any, **k: Any) -> Any:
        out, weights = original(self, hidden_states, *a, **k)
        if hidden_states.shape[1] == 1:
            out = out + self.__dict__["last"]
        self.__dict__["last"] = out[:, -1:]
        return out, weights

    llama_attention(monkeypatch, remembering)
    model, inputs = families.llama()
    agree(*both(model, inputs))
    assert way(model, inputs) == "expanded"


# Masks.

HOLES = {
    "a hole": [1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1],
    "right padding": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
    "a soft prompt": [1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    "left padding and a hole": [0, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1],
    "left padding": [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
}


@pytest.mark.parametrize("kind", HOLES)
def test_zeros_anywhere_in_the_mask(kind: str) -> None:
    model, inputs = families.llama()
    mask = torch.ones(2, 11, dtype=torch.long)
    mask[0] = torch.tensor(HOLES[kind])
    ids = torch.randint(10, 140, (2, 11), generator=torch.Generator().manual_seed(2))
    inputs = {"input_ids": ids, "attention_mask": mask}
    plain, ours = both(model, inputs)
    agree(plain, ours)
    assert way(model, inputs) == ("shared" if kind == "left padding" else "repeated")
    if kind == "right padding":
        return  # transformers counts positions on from the padding's own, and warns of it
    # By hand: one forward over prompt and answer.
    for row in range(2 * SAMPLES):
        seen = torch.cat([mask[row // SAMPLES], torch.ones(TOKENS, dtype=torch.long)])[None]
        positions = (seen.cumsum(1) - 1).clamp(min=0)
        with torch.no_grad():
            logits = model(
                ours.sequences[row : row + 1], attention_mask=seen, position_ids=positions
            ).logits[0]
        for step, given in enumerate(ours.logits):
            torch.testing.assert_close(given[row], logits[10 + step], rtol=0, atol=1e-4)


def test_embeddings_in_the_place_of_ids() -> None:
    """Soft prompts are given so; their mask has columns that ids have not."""
    model, inputs = families.llama()
    embeds = model.get_input_embeddings()(inputs["input_ids"]).detach()
    given = {"inputs_embeds": embeds, "attention_mask": inputs["attention_mask"]}
    agree(*both(model, given))


# Inputs of rows.


def test_pictures_of_one_prompt_are_repeated_as_a_group() -> None:
    model, _ = families.llama()
    pictures = torch.arange(2)[:, None]
    positions = torch.arange(5).expand(3, 1, 5)
    _, found = expanded(
        model,
        torch.zeros(1, 5, dtype=torch.long),
        {"pixel_values": pictures, "position_ids": positions, "listed": [pictures], "scale": 2.0},
        3,
    )
    assert found["pixel_values"][:, 0].tolist() == [0, 1] * 3
    assert found["position_ids"].shape == (3, 3, 5)
    assert len(found["listed"]) == 3 and found["scale"] == 2.0


def test_pictures_of_nobody_knows_which_prompt_are_refused() -> None:
    model, _ = families.llama()
    ids = torch.zeros(2, 5, dtype=torch.long)
    with pytest.raises(CannotRepeat, match="pixel_values: 3 entries for 2 prompts"):
        expanded(model, ids, {"pixel_values": torch.zeros(3, 1)}, 4)
    _, found = expanded(model, ids, {"pixel_values": torch.arange(2)[:, None]}, 2)
    assert found["pixel_values"][:, 0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("family", ["llava", "qwen2_vl", "gemma3", "mllama", "idefics"])
def test_every_prompt_for_itself(family: str) -> None:
    """The slowest way repeats pictures as the others do, for one prompt of two and for both."""
    made = {**families.FAMILIES, **more_families.MAKERS}[family]()
    found = {name: decoded(*made, way=name) for name in ("shared", "expanded")}
    assert found["expanded"].way == "expanded"
    assert torch.equal(found["shared"].ids, found["expanded"].ids)
    torch.testing.assert_close(
        found["shared"].logprob, found["expanded"].logprob, rtol=0, atol=1e-4
    )
