"""``calib.Monitor`` against the finished sequences read by hand, and against ``output_scores``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import (
    CompileConfig,
    LogitsProcessor,
    StoppingCriteriaList,
    StopStringCriteria,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)
from transformers.generation.streamers import BaseStreamer

import calib
from bench.crossings import Readings
from calib.records import InputError
from tests.hf import families
from tests.hf.conftest import VOCABULARY, make_llama, make_tokenizer
from tests.hf.monitored import (
    GREEDY,
    OPTIONS,
    PADDED,
    SAMPLED,
    STEPS,
    agree,
    by_hand,
    ends_of,
    generated,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("how", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("way", ["given", "model", "drawn"])
@pytest.mark.parametrize("family", ["llama", "llava"])
def test_the_numbers_are_those_of_the_finished_sequences(
    family: str, way: str, how: dict[str, Any], llama: Any
) -> None:
    model, inputs = llama, dict(PADDED)
    if family == "llava":
        model, _ = families.llava()
        inputs = {**families.prompts([1, 1], 4), "pixel_values": families.pixels(2)}
    assert (inputs["attention_mask"] == 0).any()
    torch.manual_seed(3)
    output, seen = generated(model, calib.Monitor(OPTIONS), way, inputs, **how)
    tokens = output.sequences[:, inputs["input_ids"].shape[1] :]
    assert seen.distribution == way
    assert np.array_equal(seen.mask, ends_of(model, tokens).numpy())
    assert np.array_equal(seen.tokens, np.where(seen.mask, tokens.numpy(), -1))
    if way == "drawn":
        logp = torch.stack(output.scores, dim=1).double().log_softmax(-1)
    else:
        logp = by_hand(model, inputs, output.sequences)
    # Float32 logits of one token at a time differ from those of a whole sequence by about 1e-5.
    agree(seen, logp, tokens, 1e-4)


@pytest.mark.parametrize("way", ["given", "model", "drawn"])
def test_the_text_is_what_it_is_without_a_monitor(way: str, llama: Any) -> None:
    for how in (GREEDY, SAMPLED):
        torch.manual_seed(5)
        plain = llama.generate(**PADDED, max_new_tokens=STEPS, **how)
        torch.manual_seed(5)
        output, _ = generated(llama, calib.Monitor(OPTIONS), way, **how)
        assert torch.equal(plain, output.sequences)


def test_what_is_measured_depends_on_where_the_monitor_stands(llama: Any) -> None:
    before = [TemperatureLogitsWarper(0.5), TopPLogitsWarper(0.9)]
    how = {**SAMPLED, "top_k": 0, "logits_processor": before}
    torch.manual_seed(3)
    output, seen = generated(llama, calib.Monitor(OPTIONS), "given", **how)
    logits = torch.stack(output.logits, dim=1)
    given = torch.stack([TopPLogitsWarper(0.9)(None, step / 0.5) for step in output.logits], dim=1)
    tokens = output.sequences[:, 5:]
    agree(seen, given.double().log_softmax(-1), tokens, 1e-5)
    assert np.nanmax(abs(seen.confidence - logits.softmax(-1).amax(-1).numpy())) > 0.05
    torch.manual_seed(3)
    output, seen = generated(llama, calib.Monitor(OPTIONS), "drawn", **how)
    drawn = torch.stack(output.scores, dim=1)
    agree(seen, drawn.double().log_softmax(-1), output.sequences[:, 5:], 1e-5)
    assert np.nanmax(abs(seen.confidence - given.softmax(-1).amax(-1).numpy())) > 0.02


class Overwriting(LogitsProcessor):
    """Writes into the scores that it is given, as watermarks do."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        scores[:, 5:] -= 3.0
        return scores


@pytest.mark.parametrize("way", ["given", "model"])
def test_scores_that_a_later_processor_overwrites(way: str, llama: Any) -> None:
    monitor = calib.Monitor()
    asked: dict[str, Any] = {"max_new_tokens": STEPS, "do_sample": False}
    if way == "given":
        ids = llama.generate(**PADDED, **asked, logits_processor=[monitor, Overwriting()])
    else:
        asked |= {"logits_processor": [Overwriting()], "custom_generate": monitor.as_model}
        ids = llama.generate(**PADDED, **asked)
    seen = monitor.result(ids)
    logp = by_hand(llama, PADDED, ids)
    expected = logp.gather(-1, ids[:, 5:, None])[..., 0].numpy()
    np.testing.assert_allclose(seen.logprob[seen.mask], expected[seen.mask], atol=1e-4)
    assert (seen.tokens != logp.argmax(-1).numpy())[seen.mask].any()


def test_without_sequences_a_processor_does_not_know_the_last_token(llama: Any) -> None:
    monitor = calib.Monitor(OPTIONS)
    ids = llama.generate(**PADDED, **GREEDY, max_new_tokens=3, logits_processor=[monitor])
    known, unknown = monitor.result(ids), monitor.result()
    going = known.mask[:, -1]
    assert going.any()
    assert (unknown.tokens[:, -1] == -1).all() and np.isnan(unknown.logprob[:, -1]).all()
    assert np.array_equal(unknown.tokens[:, :-1], known.tokens[:, :-1])
    for name in ("confidence", "entropy", "mass", "option_prob"):
        assert np.array_equal(getattr(known, name), getattr(unknown, name), equal_nan=True)
    assert (known.lengths == known.mask.sum(1)).all()


def test_rows_end_at_their_end_token_and_at_stop_strings() -> None:
    """The first two steps are forced, so that where rows end is known."""
    model, tokenizer = make_llama(), make_tokenizer()
    stop = tokenizer.convert_tokens_to_ids("x")

    class Forcing(LogitsProcessor):
        def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
            step = input_ids.shape[1] - 5
            chosen = {0: [50, 51, 52], 1: [2, stop, 60], 2: [50, 51, 52]}.get(step)
            forced = scores.clone()
            for row, token in enumerate(chosen or [61, 62, 63]):
                forced[row, token] = 1000.0
            return forced

    inputs = {"input_ids": torch.full((3, 5), 44), "attention_mask": torch.ones(3, 5).long()}
    asked: dict[str, Any] = {
        **GREEDY,
        "max_new_tokens": 4,
        "logits_processor": [Forcing()],
        "stopping_criteria": StoppingCriteriaList([StopStringCriteria(tokenizer, ["x"])]),
    }
    monitor = calib.Monitor()
    model.generate(**inputs, **asked, custom_generate=monitor.as_model)
    assert monitor.result().mask.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
    assert monitor.result().tokens[:2, 2:].tolist() == [[-1, -1], [-1, -1]]
    asked["logits_processor"] = [monitor, Forcing()]
    seen = monitor.result(model.generate(**inputs, **asked))
    assert seen.mask[0].tolist() == [1, 1, 0, 0]


def test_every_call_of_generate_begins_anew(llama: Any) -> None:
    """Also one that begins with what the call before it returned, and one that broke off."""
    monitor = calib.Monitor(OPTIONS)
    how: dict[str, Any] = {"do_sample": False, "max_new_tokens": 1, "logits_processor": [monitor]}
    first = llama.generate(**PADDED, **how)
    mask = torch.cat([PADDED["attention_mask"], torch.ones(2, 1).long()], dim=1)
    second = llama.generate(input_ids=first, attention_mask=mask, **how)
    seen = monitor.result(second)
    assert seen.tokens.shape == (2, 1)
    expected = by_hand(llama, {"input_ids": first, "attention_mask": mask}, second)
    np.testing.assert_allclose(seen.confidence[:, 0], expected[:, 0].exp().amax(-1), atol=1e-5)
    with pytest.raises(InputError, match=r"sequences: expected shape \(2, 7\)"):
        monitor.result(first)


def test_behind_shared_prefix(llama: Any) -> None:
    monitor = calib.Monitor(OPTIONS)
    torch.manual_seed(3)
    ids = llama.generate(
        **PADDED, do_sample=True, top_k=0, max_new_tokens=STEPS, n_samples=4,
        custom_generate=calib.shared_prefix, logits_processor=[monitor],
    )  # fmt: skip
    seen = monitor.result(ids)
    agree(seen, by_hand(llama, PADDED, ids), ids[:, 5:], 1e-4)
    assert seen.mask.shape[0] == 8


@pytest.mark.parametrize("way", ["given", "drawn"])
def test_with_a_static_cache_and_a_compiled_forward(way: str) -> None:
    model = make_llama()
    model.generation_config.max_new_tokens = STEPS
    compiled = CompileConfig(backend="eager", fullgraph=False, mode=None)
    compiled._compile_all_devices = True
    how = {**GREEDY, "cache_implementation": "static", "compile_config": compiled}
    output, seen = generated(model, calib.Monitor(OPTIONS), way, **how)
    assert hasattr(model, "_compiled_call")
    agree(seen, by_hand(model, PADDED, output.sequences), output.sequences[:, 5:], 1e-4)


def test_prompts_that_are_embeddings(llama: Any) -> None:
    embedded = llama.get_input_embeddings()(PADDED["input_ids"])
    monitor, asked = calib.Monitor(OPTIONS), {**GREEDY, "max_new_tokens": STEPS}
    mask = PADDED["attention_mask"]
    ids = llama.generate(
        inputs_embeds=embedded, attention_mask=mask, **asked, logits_processor=[monitor]
    )
    whole = torch.cat([PADDED["input_ids"], ids], dim=1)
    agree(monitor.result(ids), by_hand(llama, PADDED, whole), ids, 1e-4)


class Listening(BaseStreamer):
    def __init__(self) -> None:
        self.put_tokens: list[int] = []

    def put(self, value: Tensor) -> None:
        self.put_tokens += value.flatten().tolist()

    def end(self) -> None:
        self.put_tokens.append(-1)


@pytest.mark.parametrize("way", ["given", "model", "drawn"])
def test_a_streamer_hears_every_token(way: str, llama: Any) -> None:
    one = {name: value[1:] for name, value in PADDED.items()}
    streamer = Listening()
    output, _ = generated(llama, calib.Monitor(), way, one, **GREEDY, streamer=streamer)
    assert streamer.put_tokens == [*output.sequences[0].tolist(), -1]


def test_a_loop_of_ones_own(llama: Any) -> None:
    """No end tokens are known there; another prompt begins anew."""
    monitor = calib.Monitor(OPTIONS)
    for prompt in ([[1, 40, 50, 60]], [[1, 70, 80]]):
        ids = torch.tensor(prompt)
        for _ in range(4):
            with torch.inference_mode():
                scores = monitor(ids, llama(ids).logits[:, -1].float())
            ids = torch.cat([ids, scores.argmax(-1, keepdim=True)], dim=1)
    inputs = {"input_ids": torch.tensor(prompt), "attention_mask": torch.ones(1, 3).long()}
    seen = monitor.result(ids)
    assert seen.mask.all()
    agree(seen, by_hand(llama, inputs, ids), ids[:, 3:], 1e-4)


@pytest.mark.parametrize("way", ["given", "model", "drawn"])
def test_steps_read_nothing_and_the_result_is_read_once(
    way: str, llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The op looks at option ids that lie on the host; those on a device it does not read.
    monkeypatch.setattr("calib_kernels.checks.host_option_ids", lambda *_: None)
    read = {}
    for steps in (4, 12):
        monitor, counts = calib.Monitor(OPTIONS), []
        how = {**SAMPLED, "min_new_tokens": steps, "max_new_tokens": steps}
        for watched in (False, True):
            asked: dict[str, Any] = {}
            if watched and way == "given":
                asked["logits_processor"] = [monitor]
            elif watched:
                asked["custom_generate"] = getattr(monitor, f"as_{way}")
            with Readings(VOCABULARY) as readings:
                ids = llama.generate(**PADDED, **how, **asked)
            assert readings.logits == 0
            counts.append(readings.bytes)
        with Readings(VOCABULARY) as readings:
            monitor.result(ids)
        # Three words a token, and its log-probability, confidence, entropy, mass and options;
        # ``cpu`` and ``numpy`` are both counted.
        words = 3 + 4 + len(OPTIONS)
        assert (readings.logits, readings.bytes) == (0, 2 * 6 * steps * 4 * words)
        read[steps] = counts[1] - counts[0]
    assert read[4] == read[12]


def test_what_is_kept_does_not_grow_with_the_vocabulary(llama: Any) -> None:
    """Tensors that the monitor holds while the last token is open: one step's scores at most."""
    monitor = calib.Monitor(OPTIONS)
    generated(llama, monitor, "drawn", **SAMPLED)
    assert sizes(monitor) <= 6 * STEPS * 4 * 12
    generated(llama, monitor, "given", **SAMPLED)
    assert sizes(monitor) <= 6 * STEPS * 4 * 12 + 6 * VOCABULARY * 4


def sizes(monitor: Any) -> int:
    """Bytes of the tensors that the monitor's watch holds."""

    def held(value: Any) -> int:
        if isinstance(value, Tensor):
            return value.untyped_storage().nbytes()
        return sum(map(held, value)) if isinstance(value, list | tuple) else 0

    return sum(held(value) for value in vars(monitor._watch).values())
