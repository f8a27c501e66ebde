"""One batch, one forward: the answer position's logits go straight into ``option_scores``.

The full logits of a prompt never exist: the model computes those of its last position only, and
these (N, V) logits stay on the device. One small tensor per batch leaves it.

Options of several tokens are scored behind the shared prompt: their first tokens come from the same
logits, the rest from a further forward (``calib.hf.reading``). For such a batch ``logprob`` is the
sum over an option's tokens; ``token``, ``parsed`` and ``vocab_entropy`` speak of the answer's first
token.

An option stands for the answers that begin with it, and ``mass`` is the probability that an answer
begins with one of them. Where one spelling of a question begins another ("apple", "apple pie"),
this would count one event twice. There every option of the question stands for the answer that ends
behind it: the end of the answer is scored as its last token, and ``ended`` is true.

Axis legend: N rows, V vocabulary, O options, M spellings, C = O M candidates, R candidates of more
than one token, L their longest rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from calib_kernels import CalibrationHistogram, option_scores
from torch import Tensor

from calib.hf.ends import END, closed, end_tokens
from calib.hf.reading import ReadPrompts, Source
from calib.models.protocol import check_scoring

Options = Sequence[Sequence[tuple[int, ...]]]

REAL = ("mass", "confidence_options", "confidence_vocab", "entropy", "vocab_entropy")
WHOLE = ("prediction", "token", "step")
FLAGS = ("correct", "parsed", "valid", "ended")


@dataclass(frozen=True)
class Scores:
    """A scored batch on its device: logprob and prob (N, O), and ``columns`` (N,) by name.

    ``ranked`` (N, O) is what prob is the softmax of, where that is not logprob.
    """

    logprob: Tensor
    prob: Tensor
    columns: dict[str, Tensor]
    counts: tuple[int, ...]  # options of each row
    confidence: str
    ranked: Tensor | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One dict per row, after the batch's one copy to the host."""
        options = {"logprob": self.logprob, "prob": self.prob}
        if self.ranked is not None:
            options["ranked"] = self.ranked
        parts = [*options.values(), *(c[:, None] for c in self.columns.values())]
        # Token ids and indices are far below 2^24: float32 holds them exactly.
        table = torch.cat([part.float() for part in parts], dim=1).tolist()
        width = self.logprob.shape[1]
        rows = []
        for values, count in zip(table, self.counts, strict=True):
            row: dict[str, Any] = {
                name: values[k * width : k * width + count] for k, name in enumerate(options)
            }
            for name, value in zip(self.columns, values[len(options) * width :], strict=True):
                row[name] = int(value) if name in WHOLE else bool(value) if name in FLAGS else value
            row["confidence"] = row[f"confidence_{self.confidence}"]
            rows.append(row)
        return rows


def joined(parts: Sequence[Scores], numbers: Sequence[Sequence[int]]) -> Scores:
    """The parts of a batch, whose rows are ``numbers``, as one batch in order."""
    if len(parts) == 1:
        return parts[0]
    width = max(part.logprob.shape[1] for part in parts)
    place = torch.tensor([n for own in numbers for n in own]).argsort()

    def whole(tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(tensors))[place.to(tensors[0].device)]

    def widened(scores: Tensor, value: float) -> Tensor:
        return torch.nn.functional.pad(scores, (0, width - scores.shape[1]), value=value)

    counts = [count for part in parts for count in part.counts]
    ranked = [widened(part.ranked, -torch.inf) for part in parts if part.ranked is not None]
    return Scores(
        whole([widened(part.logprob, -torch.inf) for part in parts]),
        whole([widened(part.prob, 0.0) for part in parts]),
        {name: whole([part.columns[name] for part in parts]) for name in parts[0].columns},
        tuple(counts[n] for n in place.tolist()),
        parts[0].confidence,
        whole(ranked) if ranked else None,
    )


@torch.inference_mode()
def score_batch(
    hf: Any,
    inputs: Mapping[str, Any],
    options: Sequence[Options],
    answers: Sequence[int | None],
    *,
    confidence: str = "options",
    temperature: float = 1.0,
    normalize: str = "sum",
    histogram: CalibrationHistogram | None = None,
    source: Source | None = None,
) -> Scores:
    """Score N prompts, all with one token per spelling or all taken as longer.

    ``confidence`` fills the histogram and the rows' ``confidence``: "options" is the predicted
    option's probability among the options, "vocab" among all tokens. ``normalize="mean"`` ranks
    longer options by their mean token log-probability (``ranked`` in their rows) instead of the
    sum; tokens are the model's, the end of the answer counted where it is scored. An item without
    an answer is scored but not counted. ``source`` reads prompts anew, which longer options behind
    pictures need where the model's cache cannot be divided into rows. Raises ValueError where the
    end of an answer has to be scored and the model has no end token.
    """
    check_scoring(confidence, temperature, normalize)
    device = inputs["input_ids"].device
    labels = torch.tensor([-100 if a is None else a for a in answers], device=device)
    single = all(len(ids) == 1 for row in options for option in row for ids in option)
    prompts = ReadPrompts(hf, inputs, source, keep=not single)
    if single:
        return of_single_tokens(prompts.logits, options, labels, confidence, temperature, histogram)
    counts = tuple(len(row) for row in options)
    ends = end_tokens(hf)
    whole = [closed(row, ends) for row in options]
    logprob, ranked, columns = of_longer_options(
        prompts, whole, ends, labels, normalize, temperature
    )
    columns["ended"] = torch.tensor(
        [row[0][0][-1] == END for row in whole], dtype=torch.bool, device=device
    )
    if histogram is not None:
        # Known on the host: picking rows by a mask on the device would wait for it.
        labelled = [i for i, answer in enumerate(answers) if answer is not None]
        histogram.update(
            columns[f"confidence_{confidence}"][labelled], columns["correct"][labelled]
        )
    other = ranked if normalize == "mean" else None
    return Scores(logprob, ranked.softmax(1), columns, counts, confidence, other)


def of_single_tokens(
    logits: Tensor,
    options: Sequence[Options],
    labels: Tensor,
    confidence: str = "options",
    temperature: float = 1.0,
    histogram: CalibrationHistogram | None = None,
) -> Scores:
    """The scores of options of one token, from the answer position's logits (N, V) alone."""
    ids = padded_ids([[[s[0] for s in o] for o in row] for row in options]).to(logits.device)
    counts = tuple(len(row) for row in options)
    scored = of_ids(logits, ids, labels, confidence, temperature, histogram)
    return Scores(*scored, counts, confidence)


def of_ids(
    logits: Tensor,
    ids: Tensor,
    labels: Tensor,
    confidence: str = "options",
    temperature: float = 1.0,
    histogram: CalibrationHistogram | None = None,
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """logprob (N, O), prob (N, O) and the columns of options whose tokens are ``ids`` (N, O, M)."""
    scores = option_scores(
        logits, ids, labels, temperature=temperature, confidence=confidence, histogram=histogram
    )
    assert scores.correct is not None  # labels were passed
    best = scores.prediction[:, None]
    columns = {
        "mass": scores.mass,
        "confidence_options": scores.prob.gather(1, best)[:, 0],
        "confidence_vocab": scores.logprob.gather(1, best)[:, 0].exp(),
        "entropy": scores.entropy,
        "vocab_entropy": scores.vocab_entropy,
        "prediction": scores.prediction,
        "token": scores.token,
        "correct": scores.correct,
        "parsed": (ids == scores.token[:, None, None]).flatten(1).any(1),
        "valid": scores.valid,
        "ended": torch.zeros_like(scores.valid),
    }
    return scores.logprob, scores.prob, columns


def of_longer_options(
    prompts: ReadPrompts,
    options: Sequence[Options],
    ends: Sequence[int],
    labels: Tensor,
    normalize: str,
    temperature: float,
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """logprob (N, O), what options are ranked by (N, O), and the columns, for longer options.

    First tokens come from the prompts' logits, the rest is read behind them.
    """
    device = labels.device
    firsts, where = first_tokens(options)
    shape = where.shape
    ids = padded_ids(firsts).to(device)
    start = option_scores(prompts.logits, ids, temperature=temperature)
    candidates = start.logprob.gather(1, where.flatten(1).clamp(min=0).to(device))
    candidates = candidates.masked_fill((where.flatten(1) < 0).to(device), -torch.inf)
    rest = rest_of(prompts, options, ends, shape[2], temperature)
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
    return logprob, ranked, columns


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
        places: dict[int, int] = {}
        for o, option in enumerate(row):
            for m, ids in enumerate(option):
                where[n, o, m] = places.setdefault(ids[0], len(places))
        firsts.append([[token] for token in places])
    return firsts, where


def lengths_of(options: Sequence[Options], shape: torch.Size) -> Tensor:
    tokens = torch.ones(shape)
    for n, row in enumerate(options):
        for o, option in enumerate(row):
            for m, ids in enumerate(option):
                tokens[n, o, m] = len(ids)
    return tokens


def rest_of(
    prompts: ReadPrompts,
    options: Sequence[Options],
    ends: Sequence[int],
    spellings: int,
    temperature: float,
) -> Tensor:
    """(N, O, M) summed log-probability of every token after the first; 0 where there is none."""
    device = prompts.ids.device
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
    width = max(len(ids) for *_, ids in longer) - 1
    fed = torch.zeros(len(longer), width, dtype=torch.long)
    real = torch.zeros(len(longer), width, dtype=torch.long)
    following = torch.full((len(longer), width, max(1, len(ends))), -1)
    for r, (*_, ids) in enumerate(longer):
        fed[r, : len(ids) - 1] = torch.tensor(ids[:-1])
        real[r, : len(ids) - 1] = 1
        following[r, : len(ids) - 1, 0] = torch.tensor(ids[1:])
        if ids[-1] == END:  # any of the tokens that end an answer
            following[r, len(ids) - 2, : len(ends)] = torch.tensor(ends)
    fed, real, following = fed.to(device), real.to(device), following.to(device)
    logits = prompts.behind([n for n, *_ in longer], fed, real)  # (R, L, V)
    scored = option_scores(
        logits.flatten(0, 1), following.flatten(0, 1)[:, None], temperature=temperature
    )
    per_token = scored.logprob.view(len(longer), width).masked_fill(real == 0, 0.0)
    flat = [(n * shape[1] + o) * shape[2] + m for n, o, m, _ in longer]
    total.view(-1)[torch.tensor(flat, device=device)] = per_token.sum(1)
    return total
