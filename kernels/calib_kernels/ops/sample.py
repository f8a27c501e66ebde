"""``sample``: tokens drawn from rows of logits, with what is to be known of each draw.

Launchers, ``native.sample`` and ``gpu.sample.sample``::

    sample(
        rows,          # Launch, without labels
        addresses,     # Addresses of contiguous tensors; None where uniforms are given
        uniforms,      # (N, S, 2) float64, contiguous; or None
        filters,       # Filters; their ``gap`` is float32(T ln min_p), or ln min_p where
                       # temperature is a tensor: the float32 product with a row's T is its gap
        greedy,        # bool
        out,           # Sample of allocated contiguous (N, S) tensors
    ) -> None          # S >= 1

The draw. Tokens that the filters leave have weight e = 2^(c x - c max x), the others 0. The first
block of BLOCK = 4096 columns is taken whose sum, with the blocks before it, exceeds u_0 times the
whole; in it the first token whose sum, with the tokens of the block before it, exceeds u_1 times
the block's. Sums and comparisons in float64. Where rounding leaves no such block or token, the last
one that has weight. u_0, u_1 are those of ``philox.uniforms``.

The filters leave the first tokens in the order of falling logits, equal logits by rising id: the
first top_k; of these, those before which there is less than top_p of their mass; of these, those
with x - max x >= gap in float32. The first token stays in any case.

A row is *lost* if it holds a NaN, two +inf, nothing but -inf, or has a bad temperature: token is
the argmax as in ``row_stats``, real results NaN, valid False. One +inf is drawn with certainty.
greedy: the argmax instead of the draw; the log-probabilities say of it what they say of any token.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import checks, dispatch, philox, reference
from calib_kernels import rows as all_rows
from calib_kernels.results import BOOL, INT, Field, Table
from calib_kernels.rows import Rows, given, ready

NO_LABELS = -100  # an ignore_index that nothing is compared with


class Sample(NamedTuple):
    """What ``sample`` returns, in the shape of ``sample``; real fields as in ``RowStats``."""

    token: Tensor  # int64
    logprob: Tensor  # ln p of the token in the distribution drawn from: T and filters applied
    logprob_unfiltered: Tensor  # ln p of the token at T, nothing filtered
    entropy: Tensor  # at T, nothing filtered
    valid: Tensor  # bool


class Addresses(NamedTuple):
    """Where in the stream of random numbers each draw stands."""

    seed: int  # 64 bits as a signed number
    item: Tensor  # (1 or N,) int64
    sample: Tensor  # (N, S) int64
    step: Tensor  # (1 or N,) int64


class Draws(NamedTuple):
    """What is drawn of each row, and how; the last arguments of a registered op, in this order."""

    sample: Tensor  # (N, S) int64
    item: Tensor  # (1 or N,) int64
    step: Tensor  # (1 or N,) int64
    uniforms: Tensor | None  # (N, S, 2) float64 in place of the addresses
    seed: int  # 64 bits as a signed number
    top_k: int
    top_p: float
    min_p: float
    greedy: bool

    def at(self, some: slice) -> Draws:
        """Those of some rows."""
        item, step, uniforms = self.item, self.step, self.uniforms
        return self._replace(
            sample=self.sample[some],
            item=item if item.shape[0] == 1 else item[some],
            step=step if step.shape[0] == 1 else step[some],
            uniforms=None if uniforms is None else uniforms[some],
        )


SCHEMA = (
    "Tensor sample, Tensor item, Tensor step, Tensor? uniforms, int seed, SymInt top_k, "
    "float top_p, float min_p, bool greedy"
)


class Filters(NamedTuple):
    top_k: int  # 0: off
    top_p: float  # 1.0: off
    gap: float  # -inf: off


TABLE: Table[Sample] = Table(
    Sample,
    token=Field("NS", INT),
    logprob=Field("NS"),
    logprob_unfiltered=Field("NS"),
    entropy=Field("NS"),
    valid=Field("NS", BOOL),
)


def outputs(like: Tensor, sample: Tensor) -> Sample:
    """Room for the draws (N, S), on the device of ``like``."""
    return TABLE.empty(like, N=sample.shape[0], S=sample.shape[1])


def read(rows: Rows, draws: Draws) -> Sample:
    """Draw from rows of logits."""
    checks.host_range("sample", draws.sample, 32)
    checks.host_range("step", draws.step, philox.STEP_BITS)
    logits, uniforms = rows.logits, draws.uniforms
    item, sample, step = (
        dispatch.beside(logits, x).contiguous() for x in (draws.item, draws.sample, draws.step)
    )
    if uniforms is not None:
        uniforms = dispatch.beside(logits, uniforms).contiguous()
    if sample.numel() == 0:
        return outputs(logits, sample)
    name, filters = rows.backend, draws[5:8]
    if name == "reference":
        where = (sample, item, step, uniforms, draws.seed)
        return Sample(*reference.sample(rows.cut(), *where, rows.t, *filters, draws.greedy))
    out = outputs(logits, sample)
    top_k, top_p, min_p = filters
    log_min_p = math.log(min_p) if min_p > 0 else -math.inf
    dispatch.launcher(name, "sample")(
        ready(rows),
        Addresses(draws.seed, item, sample, step) if uniforms is None else None,
        uniforms,
        Filters(
            top_k if 0 < top_k < rows.vocab_size else 0,
            min(top_p, 1.0),
            rows.temperature * log_min_p,
        ),
        draws.greedy,
        out,
    )
    return out


def _sample(*arguments: Any) -> tuple[Tensor, ...]:
    count = len(Rows._fields)
    return read(Rows(*arguments[:count]), Draws(*arguments[count:]))


def _fake_sample(*arguments: Any) -> tuple[Tensor, ...]:
    return outputs(arguments[0], arguments[len(Rows._fields)])


_sample_op = dispatch.register(
    "sample",
    f"({all_rows.SCHEMA}, {SCHEMA}) -> {TABLE.schema()}",
    _sample,
    _fake_sample,
)


def drawn(
    count: int,
    device: torch.device,
    sample: Tensor,
    item: int | Tensor,
    step: int | Tensor,
    uniforms: Tensor | None,
    seed: int,
    top_k: int,
    top_p: float,
    min_p: float,
    greedy: bool,
) -> Draws:
    """What a public op is to draw from ``count`` rows, checked."""
    indices = checks.sample_indices(sample, count)
    seed = checks.whole("seed", seed, 0, 2**64 - 1)
    return Draws(
        indices,
        _tensor(checks.address("item", item, count, 64), device),
        _tensor(checks.address("step", step, count, philox.STEP_BITS), device),
        checks.uniforms(uniforms, sample.shape),
        seed - 2**64 if seed >= 2**63 else seed,
        checks.whole("top_k", top_k, -(2**63), 2**63 - 1),
        checks.share("top_p", top_p, math.inf),
        checks.share("min_p", min_p, 1.0),
        bool(greedy),
    )


def shaped(found: tuple[Tensor, ...], sample: Tensor) -> Sample:
    """In the shape of ``sample``, (N,) or (N, S)."""
    return Sample(*(found if sample.dim() == 2 else [field.squeeze(1) for field in found]))


def sample(
    logits: Tensor,
    *,
    temperature: float | Tensor = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    greedy: bool = False,
    seed: int,
    item: int | Tensor,
    sample: Tensor,
    step: int | Tensor,
    uniforms: Tensor | None = None,
    vocab_size: int | None = None,
) -> Sample:
    """Draw tokens from softmax(logits / T), filtered, each a function of its address alone.

    logits (N, V); sample (N,) or (N, S): the index of each draw, so S draws of a row share one pass
    over it. The bits of a draw come from (seed, item, sample, step): item and step are a number or
    (N,). seed has 64 bits, item 64, sample 32, step 28; numbers and CPU tensors that do not fit
    raise, of other tensors the low bits are used. uniforms, float64 of the shape of ``sample`` and
    a last axis of 2, take the place of those bits.

    Filters act in the order temperature, top_k, top_p, min_p and leave one token at least. top_k of
    0 or less, top_p of 1 or more and min_p of 0 filter nothing. greedy takes the first of the
    largest logits instead of a draw. No gradient flows.
    """
    rows, _ = given("sample", logits, None, temperature, NO_LABELS, vocab_size, 0)
    draws = drawn(
        rows.logits.shape[0], rows.logits.device, sample, item, step, uniforms, seed, top_k, top_p,
        min_p, greedy,
    )  # fmt: skip
    call = _sample_op if dispatch.traced(logits) else _sample
    return shaped(call(*rows, *draws), sample)


def _tensor(value: int | Tensor, device: torch.device) -> Tensor:
    """(1 or N,) int64. Filled on the device: a copy from the host would wait."""
    if isinstance(value, Tensor):
        return value
    return torch.full((1,), value, dtype=torch.int64, device=device)
