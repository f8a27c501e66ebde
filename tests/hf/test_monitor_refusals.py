"""What ``calib.Monitor`` refuses, each in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import calib
from calib.records import InputError
from tests.hf.conftest import VOCABULARY, make_llama, make_tokenizer
from tests.hf.monitored import GREEDY, PADDED, generated

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_monitor_stands_in_one_place(llama: Any) -> None:
    monitor = calib.Monitor()
    with pytest.raises(InputError, match="watches by custom_generate already"):
        generated(llama, monitor, "drawn", **GREEDY, logits_processor=[monitor])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "beams": ({"num_beams": 2}, "beam search"),
    "sampled beams": ({"num_beams": 2, "do_sample": True}, "beam sample"),
    "prompt lookup": ({"prompt_lookup_num_tokens": 2}, "assisted generation"),
}


@pytest.mark.parametrize("way", ["given", "model", "drawn"])
@pytest.mark.parametrize("case", REFUSED)
def test_other_ways_of_decoding_are_refused(case: str, way: str, llama: Any) -> None:
    how, words = REFUSED[case]
    with pytest.raises(InputError, match=f"sampling and greedy search.* {words}"):
        generated(llama, calib.Monitor(), way, {k: v[1:] for k, v in PADDED.items()}, **how)


@pytest.mark.parametrize("way", ["given", "model", "drawn"])
def test_an_assistant_is_refused(way: str, llama: Any) -> None:
    one = {k: v[1:] for k, v in PADDED.items()}
    with pytest.raises(InputError, match="assisted generation"):
        generated(llama, calib.Monitor(), way, one, assistant_model=make_llama(), do_sample=False)


def test_contrastive_search_is_refused(llama: Any) -> None:
    """As a processor it never gets there: transformers fetches that search from a repository."""
    with pytest.raises(InputError, match="contrastive search"):
        generated(llama, calib.Monitor(), "drawn", penalty_alpha=0.6, top_k=4, do_sample=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "expected a list of token ids or texts"),
        ("AB", "expected a list of token ids or texts"),
        (["A"], "needs the tokenizer"),
        ([[]], "got an empty list"),
        ([-3], "token ids from 0"),
        ([True], "token ids from 0"),
        ([1.5], "token ids from 0"),
        ([[3, 4], 4], "token 4 is in two of them"),
        ([VOCABULARY], f"option {VOCABULARY} is no token"),
    ],
)
def test_options_that_cannot_be_watched(options: Any, words: str, llama: Any) -> None:
    with pytest.raises(InputError, match=words):
        generated(llama, calib.Monitor(options), "given", **GREEDY)


def test_options_as_texts(llama: Any) -> None:
    tokenizer = make_tokenizer()
    ids = tokenizer.convert_tokens_to_ids(["A", "(A", "B"])
    _, by_id = generated(llama, calib.Monitor([ids[:2], ids[2]]), "drawn", **GREEDY)
    _, by_text = generated(llama, calib.Monitor([["A", "(A"], "B"], tokenizer), "drawn", **GREEDY)
    assert np.array_equal(by_id.option_prob, by_text.option_prob, equal_nan=True)
    with pytest.raises(InputError, match="'maybe' is 5 tokens"):
        calib.Monitor(["maybe"], tokenizer)


def test_sequences_and_results_that_are_not_there(llama: Any) -> None:
    monitor = calib.Monitor()
    with pytest.raises(InputError, match="nothing was watched yet"):
        monitor.result()
    output, _ = generated(llama, monitor, "given", **GREEDY)
    other = output.sequences.clone()
    other[0, 5] += 1
    with pytest.raises(InputError, match="these are not the ids"):
        monitor.result(other)
    with pytest.raises(InputError, match=r"expected shape \(2, 11\)"):
        monitor.result(output.sequences[:1])
