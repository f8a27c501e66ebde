"""Answers of a model to some prompts, as text: one call of ``generate`` with our decode loop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, StoppingCriteriaList, StopStringCriteria

from calib.hf.decoding.draws import by_address
from calib.hf.decoding.loop import Decoded, Drafts, decode
from calib.hf.decoding.row_inputs import CannotRepeat
from calib.models.protocol import Sampling as Sampling
from calib.records import Answer, CalibError


def address(name: str) -> int:
    """The number that addresses an item: 63 bits of its id alone."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) >> 1


def sample_answers(
    hf: Any,
    inputs: dict[str, Any],
    tokenizer: Any,
    names: Sequence[str],
    how: Sampling,
    again: Callable[[Sequence[int]], dict[str, Any]] | None = None,
) -> list[list[Answer]]:
    """``how.samples`` answers to each prompt of a batch; ``names`` are the items' ids.

    Where memory runs out, half as many rows decode at once, down to one of each prompt. ``again``
    collates the inputs of some prompts, by their numbers, anew. A model calls for it that needs a
    prompt's inputs once for each row, where ``inputs`` do not say which entries belong to which
    prompt. Raises CalibError where that is so and there is no ``again``.
    """
    items = torch.tensor([address(name) for name in names], device=inputs["input_ids"].device)
    answers: list[list[Answer]] = [[] for _ in names]
    each = max(1, min(how.samples, how.rows // len(names)))
    first = 0
    while first < how.samples:
        count = min(each, how.samples - first)
        try:
            results = decoded(hf, inputs, tokenizer, items, how, how.first + first, count, again)
        except torch.OutOfMemoryError:
            if each == 1:
                raise
            each = (each + 1) // 2
            torch.cuda.empty_cache()
            continue
        drawn = as_answers(results.ids[:, results.prompt :], results, tokenizer, hf, how)
        for n, rows in enumerate(answers):
            rows += drawn[n * count : (n + 1) * count]
        first += count
    return answers


def decoded(
    hf: Any,
    inputs: dict[str, Any],
    tokenizer: Any,
    items: Tensor,
    how: Sampling,
    first: int,
    count: int,
    again: Callable[[Sequence[int]], dict[str, Any]] | None = None,
) -> Decoded:
    """Samples first..first + count - 1 of every prompt; ``again`` as in ``sample_answers``."""
    numbers = torch.full_like(items, first)

    def method(
        model: Any,
        input_ids: Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> Decoded:
        draw = by_address(
            logits_processor, generation_config, how.seed, items, count, numbers, False
        )
        return decode(
            model, input_ids, draw, stopping_criteria, generation_config, model_kwargs,
            samples=count,
        )  # fmt: skip

    stop = stop_strings(tokenizer, how)
    try:
        result: Decoded = generated(hf, inputs, tokenizer, how, stop, method)
    except CannotRepeat as error:
        if again is None:
            raise CalibError(str(error)) from error
        # Every answer as a prompt of its own.
        inputs = again([b for b in range(len(items)) for _ in range(count)])
        numbers = (first + torch.arange(count, device=items.device)).repeat(len(items))
        items, count = items.repeat_interleave(count), 1
        result = generated(hf, inputs, tokenizer, how, stop, method)
    return result


def stop_strings(tokenizer: Any, how: Sampling) -> StoppingCriteriaList:
    """What ends at ``how.stop``. Reads the whole vocabulary."""
    # A tokenizer given to generate() would not reach a decoding method of one's own.
    return StoppingCriteriaList([StopStringCriteria(tokenizer, list(how.stop))] if how.stop else [])


def generated(
    hf: Any,
    inputs: dict[str, Any],
    tokenizer: Any,
    how: Sampling,
    stop: StoppingCriteriaList,
    method: Callable[..., Any],
) -> Any:
    """What the decoding method returns."""
    return hf.generate(
        **inputs,
        generation_config=settings_of(hf, tokenizer, how),
        stopping_criteria=stop,
        custom_generate=method,
    )


def settings_of(hf: Any, tokenizer: Any, how: Sampling) -> GenerationConfig:
    """Ours alone: a model's own filters and penalties would sample another distribution."""
    own = hf.generation_config
    filters: dict[str, Any] = {}
    if not how.greedy:
        filters = {
            "temperature": how.temperature,
            "top_k": how.top_k,
            "top_p": how.top_p,
            "min_p": how.min_p,
        }
    return GenerationConfig(
        do_sample=not how.greedy,
        max_new_tokens=how.max_new_tokens,
        eos_token_id=own.eos_token_id,
        bos_token_id=own.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        num_beams=1,
        **filters,
    )


def as_answers(
    tokens: Tensor, results: Decoded | Drafts, tokenizer: Any, hf: Any, how: Sampling
) -> list[Answer]:
    """The rows of ``results``, whose tokens are (R, L), as text, after one copy to the host."""
    ends = hf.generation_config.eos_token_id
    ends = {ends} if isinstance(ends, int) else set(ends or ())
    width = tokens.shape[1]
    # Token ids, counts and float32 sums are all exact in float64.
    table = torch.cat(
        [
            tokens.double(),
            results.lengths[:, None].double(),
            results.logprob[:, None].double(),
            results.entropy[:, None].double(),
        ],
        dim=1,
    ).tolist()
    ids = [[int(token) for token in row[: int(row[width])]] for row in table]
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    answers = []
    for own, text, row in zip(ids, texts, table, strict=True):
        finish = "stop" if own[-1] in ends else "length"
        cut = min((text.find(s) for s in how.stop if s in text), default=-1)
        if cut >= 0:
            text, finish = text[:cut], "stop_string"
        entropy = row[width + 2] / len(own)
        answers.append(Answer(text.strip(), len(own), row[width + 1], entropy, finish))
    return answers
