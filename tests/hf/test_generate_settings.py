"""What ``generate`` may be asked for beside the ways: honoured as plainly, or refused in words."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

from calib.hf.decoding.shared_prefix import shared_prefix
from tests.hf import families
from tests.hf.generated import ENDS, TOKENS, agree, answers, both, decoded, way

pytestmark = pytest.mark.usefixtures("one_thread")


class AfterThree(StoppingCriteria):
    """Ends all rows when it has been shown three steps' scores."""

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        enough = scores is not None and len(scores) >= 3 and isinstance(scores, tuple)
        return torch.full((len(input_ids),), enough, dtype=torch.bool)


def test_criteria_are_shown_scores_where_they_are_kept() -> None:
    model, inputs = families.llama()
    ends = StoppingCriteriaList([AfterThree()])
    plain, ours = both(model, inputs, stopping_criteria=ends)
    agree(plain, ours)
    assert len(ours.scores) == 3
    plain, ours = both(model, inputs, stopping_criteria=ends, output_scores=False)
    assert torch.equal(plain.sequences, ours.sequences) and len(ours.logits) == TOKENS


class Odd(StoppingCriteria):
    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        return input_ids[:, -1] % 3 == 0


def test_rows_that_end_by_other_criteria_than_tokens() -> None:
    """Without an end token plain sampling goes on with them until all have ended."""
    model, inputs = families.llama()
    model.generation_config.eos_token_id = None
    agree(*both(model, inputs, stopping_criteria=StoppingCriteriaList([Odd()])))


class Counting:
    """Keeps a number for every row from one step to the next, in their order."""

    def __init__(self) -> None:
        self.calls: Tensor | None = None

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        if self.calls is None:
            self.calls = torch.arange(len(ids))[:, None] * 0.5
        return scores + self.calls * torch.arange(scores.shape[1]) * 0.01


def test_processors_may_keep_something_of_every_row() -> None:
    model, inputs = families.llama()
    asked = {"n_samples": 4, "max_new_tokens": 12}
    free = decoded(model, inputs, logits_processor=LogitsProcessorList([Counting()]), **asked)
    ends = decoded(
        model, inputs, logits_processor=LogitsProcessorList([Counting()]), **asked, **ENDS
    )
    for answer, other in zip(answers(ends), answers(free), strict=True):
        assert answer == other[: len(answer)]


def test_guidance_and_watermarks_are_processors() -> None:
    from transformers import WatermarkingConfig

    model, inputs = families.llama()
    agree(*both(model, inputs, guidance_scale=1.5))
    marked = WatermarkingConfig(greenlist_ratio=0.5, bias=2.0, seeding_scheme="lefthash")
    agree(*both(model, inputs, watermarking_config=marked))


class Letters:
    def decode(self, ids: Any, **kwargs: Any) -> str:
        return " ".join(map(str, ids)) + " "


def test_a_streamer_is_refused_and_nobody_waits() -> None:
    model, inputs = families.llama()
    one = {name: value[1:] for name, value in inputs.items()}
    streamer = TextIteratorStreamer(Letters(), timeout=5.0)
    asked = {"do_sample": True, "max_new_tokens": 3, "streamer": streamer}
    with pytest.raises(ValueError, match="streamer: shared_prefix draws many answers side by side"):
        model.generate(**one, custom_generate=shared_prefix, n_samples=1, **asked)
    assert "".join(streamer)  # ends


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"assistant_model": None}, "assistant_model: shared_prefix drafts no tokens"),
        ({"prompt_lookup_num_tokens": 2}, "ask for assisted generation"),
        ({"dola_layers": "low", "do_sample": False}, "ask for dola generation"),
        ({"penalty_alpha": 0.6, "top_k": 4, "do_sample": False}, "ask for contrastive search"),
        ({"n_samples": True}, "n_samples must be a positive integer, got True"),
        ({"seed": 0.5}, "seed must be an integer or None, got 0.5"),
    ],
)
def test_what_would_be_ignored_is_refused(settings: dict[str, Any], message: str) -> None:
    model, inputs = families.llama()
    one = {name: value[1:] for name, value in inputs.items()}
    if "assistant_model" in settings:
        settings = {"assistant_model": families.llama()[0]}
    asked = {"do_sample": True, "max_new_tokens": 2, "n_samples": 2, **settings}
    with pytest.raises(ValueError, match=message):
        model.generate(**one, custom_generate=shared_prefix, **asked)


def test_training_mode() -> None:
    """Every row is prefilled by itself, to draw its own dropout: the ids are plain sampling's."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**families.TEXT, attention_dropout=0.3)
    model = families.built(LlamaForCausalLM, config).train()
    agree(*both(model, families.llama()[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of its name
        model.gradient_checkpointing_enable()
    with pytest.raises(ValueError, match=r"keeps no cache.*call model\.eval\(\)"):
        decoded(model, families.llama()[1])
    assert way(model.eval(), families.llama()[1]) == "shared"
