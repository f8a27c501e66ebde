"""One batch, one forward: the answer position's logits go straight into ``option_scores``.

The full logits of a prompt never exist: the model is asked for its last position only, and those
(N, V) logits stay on the device. What leaves it is one small tensor per batch.

Options of several tokens are scored over the shared prompt: their first tokens come from the same
logits, the rest from one further forward over the prompt's cache. For such a batch ``logprob`` is
the sum over an option's tokens, and so ``mass`` is the probability that the answer begins with one
of the options (where one option begins another, the longer one counts in both); ``token``,
``parsed`` and ``vocab_entropy`` speak of the answer's first token.

Axis legend: N rows, V vocabulary, O options, M spellings, C = O M candidates, R candidates of more
than one token, L their longest rest.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from calib_kernels import CalibrationHistogram, option_scores
from torch import Tensor

Options = Sequence[Sequence[tuple[int, ...]]]

REAL = ("mass", "confidence_options", "confidence_vocab", "entropy", "vocab_entropy")
WHOLE = ("prediction", "token")
FLAGS = ("correct", "parsed", "valid")


@dataclass(frozen=True)
class Scores:
    """A scored batch on its device: logprob and prob (N, O), and ``columns`` (N,) by name."""

    logprob: Tensor
    prob: Tensor
    columns: dict[str, Tensor]
    counts: tuple[int, ...]  # options of each row
    confidence: str

    def rows(self) -> list[dict[str, Any]]:
        """One dict per row, after the batch's one copy to the host."""
        parts = [self.logprob, self.prob, *(c[:, None] for c in self.columns.values())]
        # Token ids and indices are far below 2^24: float32 holds them exactly.
        table = torch.cat([part.float() for part in parts], dim=1).tolist()
        width = self.logprob.shape[1]
        rows = []
        for values, count in zip(table, self.counts, strict=True):
            row: dict[str, Any] = {
                "logprob": values[:count],
                "prob": values[width : width + count],
            }
            for name, value in zip(self.columns, values[2 * width :], strict=True):
                row[name] = int(value) if name in WHOLE else bool(value) if name in FLAGS else value
            row["confidence"] = row[f"confidence_{self.confidence}"]
            rows.append(row)
        return rows


@torch.inference_mode()
def score_batch(
    hf: Any,
    inputs: dict[str, Tensor],
    options: Sequence[Options],
    answers: Sequence[int | None],
    *,
    confidence: str = "options",
    temperature: float = 1.0,
    normalize: str = "sum",
    histogram: CalibrationHistogram | None = None,
) -> Scores:
    """Score N prompts, all with one token per spelling or all taken as longer.

    ``confidence`` fills the histogram and the rows' ``confidence``: "options" is the predicted
    option's probability among the options, "vocab" among all tokens. ``normalize="mean"`` ranks
    longer options by their mean token log-probability instead of the sum. An item without an
    answer is scored but not counted.
    """
    device = inputs["input_ids"].device
    labels = torch.tensor([-100 if a is None else a for a in answers], device=device)
    single = all(len(ids) == 1 for row in options for option in row for ids in option)
    outputs = hf(**with_positions(hf, inputs), use_cache=not single, logits_to_keep=1)
    counts = tuple(len(row) for row in options)
    if single:
        logprob, prob, columns = of_single_tokens(
            outputs.logits[:, -1], options, labels, confidence, temperature, histogram
        )
        return Scores(logprob, prob, columns, counts, confidence)
    logprob, prob, columns = of_longer_options(
        hf, inputs, outputs, options, labels, normalize, temperature
    )
    if histogram is not None:
        # Known on the host: picking rows by a mask on the device would wait for it.
        labelled = [i for i, answer in enumerate(answers) if answer is not None]
        histogram.update(
            columns[f"confidence_{confidence}"][labelled], columns["correct"][labelled]
        )
    return Scores(logprob, prob, columns, counts, confidence)


def of_single_tokens(
    logits: Tensor,
    options: Sequence[Options],
    labels: Tensor,
    confidence: str,
    temperature: float,
    histogram: CalibrationHistogram | None,
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """logprob and prob (N, O) and the columns, from the answer position's logits (N, V) alone."""
    ids = padded_ids([[[s[0] for s in o] for o in row] for row in options]).to(logits.device)
    found = option_scores(
        logits, ids, labels, temperature=temperature, confidence=confidence, histogram=histogram
    )
    assert found.correct is not None  # labels were given
    best = found.prediction[:, None]
    columns = {
        "mass": found.mass,
        "confidence_options": found.prob.gather(1, best)[:, 0],
        "confidence_vocab": found.logprob.gather(1, best)[:, 0].exp(),
        "entropy": found.entropy,
        "vocab_entropy": found.vocab_entropy,
        "prediction": found.prediction,
        "token": found.token,
        "correct": found.correct,
        "parsed": (ids == found.token[:, None, None]).flatten(1).any(1),
        "valid": found.valid,
    }
    return found.logprob, found.prob, columns


def of_longer_options(
    hf: Any,
    inputs: dict[str, Tensor],
    outputs: Any,
    options: Sequence[Options],
    labels: Tensor,
    normalize: str,
    temperature: float,
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The same for options of several tokens: first tokens from the logits, the rest read anew."""
    device = labels.device
    firsts, where = first_tokens(options)
    shape = where.shape
    ids = padded_ids(firsts).to(device)
    start = option_scores(outputs.logits[:, -1], ids, temperature=temperature)
    candidates = start.logprob.gather(1, where.flatten(1).clamp(min=0).to(device))
    candidates = candidates.masked_fill((where.flatten(1) < 0).to(device), -torch.inf)
    rest = rest_of(hf, inputs, outputs.past_key_values, options, shape[2], temperature)
    spelled = (candidates + rest.flatten(1)).view(shape)  # (N, O, M)
    logprob = spelled.logsumexp(2)
    ranked = logprob
    if normalize == "mean":
        ranked = (spelled / lengths_of(options, shape).to(device)).logsumexp(2)
    prob = ranked.softmax(1)
    prediction = ranked.argmax(1)
    best = prediction[:, None]
    columns = {
        "mass": logprob.exp().sum(1).clamp(max=1.0),
        "confidence_options": prob.gather(1, best)[:, 0],
        "confidence_vocab": logprob.gather(1, best)[:, 0].exp(),
        "entropy": -torch.special.xlogy(prob, prob).sum(1),
        "vocab_entropy": start.vocab_entropy,
        "prediction": prediction,
        "token": start.token,
        "correct": (prediction == labels) & start.valid,
        "parsed": (ids == start.token[:, None, None]).flatten(1).any(1),
        "valid": start.valid,
    }
    return logprob, prob, columns


def with_positions(hf: Any, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Positions that skip the left padding, for models that take plain ones."""
    if not plain_positions(hf):
        return inputs
    mask = inputs["attention_mask"]
    return {**inputs, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}


def plain_positions(hf: Any) -> bool:
    """Whether positions are one number per token (Qwen-VL and its kin use three, made inside)."""
    inner = getattr(hf, "model", hf)
    return not hasattr(inner, "get_rope_index") and (
        "position_ids" in inspect.signature(hf.forward).parameters
    )


def padded_ids(rows: Sequence[Sequence[Sequence[int]]]) -> Tensor:
    """(N, O, M) int64 token ids, -1 where a row has fewer options or an option fewer spellings."""
    options = max(len(row) for row in rows)
    spellings = max(len(option) for row in rows for option in row)
    ids = torch.full((len(rows), options, spellings), -1)
    for n, row in enumerate(rows):
        for o, option in enumerate(row):
            ids[n, o, : len(option)] = torch.tensor(option)
    return ids


def first_tokens(options: Sequence[Options]) -> tuple[list[list[list[int]]], Tensor]:
    """The distinct first tokens of each row, each as an option of its own, and where they went.

    Options may share a first token ("New York", "New Delhi"), which ``option_scores`` rightly
    refuses in two options; so tokens are scored once and looked up: (N, O, M), -1 pads.
    """
    where = torch.full(
        (len(options), max(map(len, options)), max(len(o) for row in options for o in row)), -1
    )
    firsts = []
    for n, row in enumerate(options):
        seen: dict[int, int] = {}
        for o, option in enumerate(row):
            for m, ids in enumerate(option):
                where[n, o, m] = seen.setdefault(ids[0], len(seen))
        firsts.append([[token] for token in seen])
    return firsts, where


def lengths_of(options: Sequence[Options], shape: torch.Size) -> Tensor:
    tokens = torch.ones(shape)
    for n, row in enumerate(options):
        for o, option in enumerate(row):
            for m, ids in enumerate(option):
                tokens[n, o, m] = len(ids)
    return tokens


def rest_of(
    hf: Any,
    inputs: dict[str, Tensor],
    cache: Any,
    options: Sequence[Options],
    spellings: int,
    temperature: float,
) -> Tensor:
    """(N, O, M) summed log-probability of every token after the first; 0 where there is none."""
    device = inputs["input_ids"].device
    shape = (len(options), max(map(len, options)), spellings)
    total = torch.zeros(shape, device=device)
    longer = [
        (n, o, m, ids)
        for n, row in enumerate(options)
        for o, option in enumerate(row)
        for m, ids in enumerate(option)
        if len(ids) > 1
    ]
    if not longer:
        return total
    rows = torch.tensor([n for n, *_ in longer], device=device)
    width = max(len(ids) for *_, ids in longer) - 1
    fed = torch.zeros(len(longer), width, dtype=torch.long)
    real = torch.zeros(len(longer), width, dtype=torch.long)
    wanted = torch.full((len(longer), width), -1)
    for r, (*_, ids) in enumerate(longer):
        fed[r, : len(ids) - 1] = torch.tensor(ids[:-1])
        real[r, : len(ids) - 1] = 1
        wanted[r, : len(ids) - 1] = torch.tensor(ids[1:])
    fed, real, wanted = fed.to(device), real.to(device), wanted.to(device)
    logits = continued(hf, inputs, cache, rows, fed, real)  # (R, L, V)
    scored = option_scores(logits.flatten(0, 1), wanted.view(-1, 1, 1), temperature=temperature)
    per_token = scored.logprob.view(len(longer), width).masked_fill(real == 0, 0.0)
    flat = [(n * shape[1] + o) * shape[2] + m for n, o, m, _ in longer]
    total.view(-1)[torch.tensor(flat, device=device)] = per_token.sum(1)
    return total


def continued(
    hf: Any, inputs: dict[str, Tensor], cache: Any, rows: Tensor, fed: Tensor, real: Tensor
) -> Tensor:
    """(R, L, V) logits after feeding ``fed`` (R, L) behind the prompts ``rows`` (R,)."""
    mask = torch.cat([inputs["attention_mask"][rows], real], dim=1)
    if repeatable(cache) and plain_positions(hf):
        cache.batch_select_indices(rows)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -fed.shape[1] :]
        outputs = hf(
            input_ids=fed, attention_mask=mask, position_ids=positions, past_key_values=cache
        )
        logits: Tensor = outputs.logits
        return logits
    # Caches that cannot be repeated exactly: read prompt and option together, option by option.
    whole = {name: select(value, rows, len(inputs["input_ids"])) for name, value in inputs.items()}
    whole["input_ids"] = torch.cat([whole["input_ids"], fed], dim=1)
    whole["attention_mask"] = mask
    for name in ("token_type_ids", "mm_token_type_ids"):
        if name in whole:
            whole[name] = torch.cat([whole[name], torch.zeros_like(fed)], dim=1)
    # One position more than is fed: the prompt's last one is not asked for again.
    logits = hf(**with_positions(hf, whole), use_cache=False, logits_to_keep=fed.shape[1]).logits
    return logits


def repeatable(cache: Any) -> bool:
    """Whether every layer keeps plain keys and values, which rows may be picked from.

    Sliding, linear-attention, hybrid, static and quantised layers are refused by exact type:
    some of them repeat only half of their state, silently.
    """
    from transformers.cache_utils import DynamicCache, DynamicLayer

    return type(cache) is DynamicCache and all(
        type(layer) is DynamicLayer for layer in cache.layers
    )


def select(value: Tensor, rows: Tensor, count: int) -> Tensor:
    """Rows of an input that has one entry, or a whole number of entries, per prompt."""
    each = value.shape[0] // count
    if each * count != value.shape[0]:
        raise ValueError(f"an input of {value.shape[0]} entries does not divide among {count} rows")
    return value.view(count, each, *value.shape[1:])[rows].flatten(0, 1)
