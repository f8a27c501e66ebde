"""``calib.shared_prefix`` against plain ``generate`` of the same model, family by family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor
from transformers import LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from calib.hf.decoding import loop as decoding
from calib.hf.decoding import shared_attention
from calib.hf.decoding.prefix import Rows
from calib.hf.decoding.shared_prefix import shared_prefix
from tests.hf import families
from tests.hf.generated import SAMPLES, SHARED, TOKENS, agree, answers, both, decoded

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The way that each call really took."""
    taken: list[str] = []
    original = decoding.decode

    def watched(*args: Any, **kwargs: Any) -> Any:
        found = original(*args, **kwargs)
        taken.append(found.way)
        return found

    monkeypatch.setattr("calib.hf.decoding.shared_prefix.decode", watched)
    yield taken


@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_same_as_plain_generation(family: str, ways: list[str]) -> None:
    """Ids, logits of every step and processed scores; left padding, several images."""
    model, inputs = families.FAMILIES[family]()
    assert (inputs["attention_mask"] == 0).any() or family in ("idefics3", "smolvlm")
    plain, ours = both(model, inputs)
    agree(plain, ours)
    assert ways == ["shared" if family in SHARED else "repeated"]
    assert plain.logits[0].std() > 0.5  # wide enough for a wrong position to be seen


@pytest.mark.parametrize("family", ["llava", "llava_next", "qwen2_5_vl", "qwen3_vl", "internvl"])
def test_the_images_are_seen(family: str) -> None:
    model, inputs = families.FAMILIES[family]()
    _, ours = both(model, inputs)
    changed = {**inputs, "pixel_values": inputs["pixel_values"].flip(0) + 1.0}
    _, other = both(model, changed)
    assert (ours.logits[0] - other.logits[0]).abs().max() > 1e-2


@pytest.mark.parametrize("family", families.OTHERS)
def test_caches_that_cannot_be_shared(family: str, ways: list[str]) -> None:
    """Hybrid and state-space caches are expanded; attention with more than keys is repeated."""
    model, inputs = families.OTHERS[family]()
    agree(*both(model, inputs))
    assert ways == ["repeated" if family in ("gemma2", "gpt_oss") else "expanded"]


@pytest.mark.parametrize("settings", [{"cache_implementation": "static"}, {"use_cache": False}])
def test_caches_that_are_asked_for(settings: dict[str, Any], ways: list[str]) -> None:
    model, inputs = families.llama()
    agree(*both(model, inputs, **settings))
    agree(*both(model, inputs, **settings))  # some caches are kept from one call to the next
    assert ways == ["expanded", "expanded"]


@pytest.mark.parametrize("way", ["repeated", "expanded"])
def test_every_way_gives_the_same(way: str) -> None:
    model, inputs = families.qwen2_5_vl()
    found = {name: decoded(model, inputs, way=name) for name in ("shared", way)}
    assert torch.equal(found["shared"].ids, found[way].ids)
    torch.testing.assert_close(found["shared"].logprob, found[way].logprob, rtol=0, atol=1e-4)


def test_attention_that_is_not_asked_falls_back(
    ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model whose layers do not use the interface would see its own tokens only."""
    from transformers.models.llama import modeling_llama

    def deaf(self: Any, name: str, default: Any) -> Any:
        return default

    model, inputs = families.llama()
    monkeypatch.setattr(type(modeling_llama.ALL_ATTENTION_FUNCTIONS), "get_interface", deaf)
    model.set_attn_implementation("eager")
    agree(*both(model, inputs))
    assert ways == ["repeated"]


def test_the_configuration_is_given_back() -> None:
    model, inputs = families.llava()
    before = model.config.text_config._attn_implementation
    both(model, inputs)
    assert model.config.text_config._attn_implementation == before != shared_attention.NAME


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7, "top_k": 11, "top_p": 0.9},
        {"repetition_penalty": 1.3, "min_new_tokens": 4},
        {"eos_token_id": list(range(10, 90)), "pad_token_id": 0},
    ],
    ids=["filters", "processors", "early ends"],
)
def test_generation_settings_are_honoured(settings: dict[str, Any]) -> None:
    model, inputs = families.llava()
    agree(*both(model, inputs, **settings))


def test_greedy_answers_are_all_the_same() -> None:
    model, inputs = families.llava()
    asked = {"do_sample": False, "max_new_tokens": TOKENS}
    plain = model.generate(**inputs, **asked)
    ours = model.generate(**inputs, **asked, custom_generate=shared_prefix, n_samples=SAMPLES)
    assert torch.equal(ours, plain.repeat_interleave(SAMPLES, dim=0))


class AfterTwo(StoppingCriteria):
    """Ends a row behind its second token of a kind."""

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        return (input_ids[:, -TOKENS:] % 2 == 0).sum(1) >= 4


def test_stopping_criteria_and_processors_of_the_callers() -> None:
    def tilt(ids: Tensor, scores: Tensor) -> Tensor:
        return scores + torch.arange(scores.shape[1]) * 0.01

    model, inputs = families.llama()
    extra = {
        "stopping_criteria": StoppingCriteriaList([AfterTwo()]),
        "logits_processor": LogitsProcessorList([tilt]),
    }
    agree(*both(model, inputs, **extra))


def test_a_plain_call_returns_ids() -> None:
    model, inputs = families.llama()
    torch.manual_seed(0)
    ids = model.generate(
        **inputs, do_sample=True, max_new_tokens=4, custom_generate=shared_prefix, n_samples=2
    )
    assert isinstance(ids, Tensor) and ids.shape == (4, inputs["input_ids"].shape[1] + 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_beams": 2, "do_sample": False}, "num_beams=2"),
        ({"num_return_sequences": 2}, "use n_samples"),
        ({"n_samples": 0}, "n_samples must be a positive integer"),
        ({"seed": 1, "item": torch.arange(5)}, "one for each of 2 prompts"),
        ({"output_attentions": True, "return_dict_in_generate": True}, "output_attentions"),
    ],
)
def test_what_it_does_not_do_is_refused(settings: dict[str, Any], message: str) -> None:
    model, inputs = families.llama()
    asked = {"do_sample": True, "max_new_tokens": 2, "n_samples": 2, **settings}
    with pytest.raises(ValueError, match=message):
        model.generate(**inputs, custom_generate=shared_prefix, **asked)


# Addressed draws.


def test_an_answer_does_not_depend_on_the_others() -> None:
    """Whichever rows have left, whatever prompts are beside it, whatever torch's generator says."""
    model, inputs = families.llava()
    ends = {"eos_token_id": list(range(10, 60)), "pad_token_id": 0, "max_new_tokens": 12}
    together = answers(decoded(model, inputs, item=40, **ends))
    assert len({len(answer) for answer in together}) > 2  # rows did leave at different times
    torch.manual_seed(99)
    alone = {k: v[1:] for k, v in inputs.items() if k != "pixel_values"}
    second = {**alone, "pixel_values": inputs["pixel_values"][1:]}
    assert answers(decoded(model, second, item=41, **ends)) == together[SAMPLES:]
    assert answers(decoded(model, inputs, item=40, n_samples=1, **ends)) == together[::SAMPLES]
    other = answers(decoded(model, inputs, item=40, seed=6, **ends))
    assert other != together


def test_rows_that_ended_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    step = Rows.step

    def counting(self: Rows, ids: Tensor) -> None:
        sizes.append(len(ids))
        step(self, ids)

    monkeypatch.setattr(Rows, "step", counting)
    model, inputs = families.llama()
    ends = {"eos_token_id": list(range(10, 60)), "pad_token_id": 0, "max_new_tokens": 30}
    found = decoded(model, inputs, n_samples=20, **ends)
    assert sizes[0] == 40 and sizes[-1] < 10
    assert sizes == sorted(sizes, reverse=True)
    assert (found.ids[:, -1] == 0).sum() >= 30  # padding behind an answer's end


def rescored(model: Any, inputs: dict[str, Tensor], found: decoding.Decoded) -> Tensor:
    """(R,) log-probability of each answer, by one forward pass over prompt and answer."""
    totals = []
    for row, answer in enumerate(answers(found)):
        prompt = row // SAMPLES
        skip = int((inputs["attention_mask"][prompt] == 0).sum())
        ids = torch.cat([inputs["input_ids"][prompt, skip:], torch.tensor(answer)])[None]
        with torch.no_grad():
            logp = model(input_ids=ids).logits[0].double().log_softmax(-1)
        at = torch.arange(len(answer)) + ids.shape[1] - len(answer) - 1
        totals.append(logp[at, torch.tensor(answer)].sum())
    return torch.stack(totals)


def test_log_probabilities_are_those_of_a_rescoring() -> None:
    model, inputs = families.llama()
    found = decoded(model, inputs, eos_token_id=list(range(10, 40)), pad_token_id=0, top_k=0)
    expected = rescored(model, inputs, found)
    torch.testing.assert_close(found.logprob.double(), expected, rtol=0, atol=1e-4)


def test_scores_leave_the_draws_as_they_are() -> None:
    """With scores to keep, filters run as processors: the same ids for the same address."""
    model, inputs = families.llama()
    filters = {"temperature": 0.8, "top_k": 20}
    fused = decoded(model, inputs, **filters)
    kept = {"return_dict_in_generate": True, "output_scores": True}
    assert answers(decoded(model, inputs, **filters, **kept)) == answers(fused)


@pytest.mark.parametrize("temperature", [0.7, 1.5])
def test_first_tokens_follow_the_softmax(temperature: float) -> None:
    model, inputs = families.llama()
    draws = 4000
    found = decoded(
        model, inputs, n_samples=draws, max_new_tokens=1, temperature=temperature, top_k=0
    )
    with torch.no_grad():
        logits = model(**inputs, logits_to_keep=1).logits[:, -1].double()
    for row in range(2):
        tokens = found.ids[row * draws : (row + 1) * draws, -1]
        counts = torch.bincount(tokens, minlength=families.VOCABULARY).double()
        expected = (logits[row] / temperature).softmax(-1) * draws
        # Tokens expected fewer than five times are taken together.
        rare = expected < 5
        observed = torch.cat([counts[~rare], counts[rare].sum()[None]])
        wanted = torch.cat([expected[~rare], expected[rare].sum()[None]])
        assert chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 1e-3
