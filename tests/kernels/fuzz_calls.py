"""The ops as fuzzing calls them: how arguments are drawn, and what a result has to agree with.

An op joins with a strategy for its keyword arguments and a line in ``CALLS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from calib_kernels import (
    CalibrationHistogram,
    Sample,
    Sweep,
    cross_entropy,
    linear_cross_entropy,
    option_scores,
    reference,
    row_stats,
    sample,
    temperature_sweep,
    use_backend,
)
from hypothesis import strategies as st
from torch import Tensor

from bench.gate import TOLERANCE, compare, compare_sweeps
from bench.loss_gate import Outcome, disagreements
from tests.kernels import fuzz
from tests.kernels.fuzz import Case


def names_of(case: Case) -> list[str]:
    return [f"row {i}" for i in range(len(case.logits))]


def in_float64(case: Case, run: Callable[..., Any]) -> Any:
    wide = {
        name: value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in case.arguments.items()
    }
    with use_backend("reference"):
        return run(case.logits.double(), **wide)


def everything(found: Any) -> Any:
    return found


def by_field(case: Case, found: Any, run: Callable[..., Any]) -> Iterable[str]:
    return compare(found, in_float64(case, run), names_of(case))


@st.composite
def _size(draw: st.DrawFn, columns: int) -> int | None:
    return draw(st.one_of(st.none(), st.integers(1, columns)))


@st.composite
def _row_stats(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
    size = draw(_size(columns))
    return {
        "labels": draw(fuzz.any_labels(n, columns if size is None else size)),
        "temperature": draw(fuzz.any_temperature(n)),
        "vocab_size": size,
        "ignore_index": draw(st.sampled_from([-100, -100, 0, columns])),
    }


@st.composite
def _option_scores(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
    size = draw(_size(columns))
    ids = draw(fuzz.any_option_ids(columns if size is None else size, n))
    return {
        "option_ids": ids,
        "labels": draw(fuzz.any_labels(n, ids.shape[-1] if ids.dim() == 1 else ids.shape[-2])),
        "temperature": draw(fuzz.any_temperature(n)),
        "vocab_size": size,
        "confidence": draw(st.sampled_from(["options", "vocab"])),
        "ignore_index": draw(st.sampled_from([-100, -100, 0, 9])),
    }


# cross_entropy: losses of the rows, their gradients, the histogram.


@st.composite
def _upstream(draw: st.DrawFn, n: int) -> Tensor:
    """A gradient for each row's loss; one number expanded to them all; every second of many."""
    sizes = st.sampled_from([1.0, -1.0, 0.25, 0.0])
    if draw(st.booleans()):
        return torch.tensor(draw(sizes)).expand(n)
    return torch.tensor(draw(st.lists(sizes, min_size=2 * n, max_size=2 * n)))[::2]


@st.composite
def _cross_entropy(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
    size = draw(_size(columns))
    return {
        "labels": draw(fuzz.present_labels(n, columns if size is None else size)),
        "temperature": draw(fuzz.any_temperature(n)),
        "upstream": draw(_upstream(n)),
        "vocab_size": size,
        "ignore_index": draw(st.sampled_from([-100, -100, 0, columns])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.0, 0.1, 1.0])),
        "softcap": draw(st.sampled_from([None, None, 30.0, 0.5])),
        "z_loss": draw(st.sampled_from([0.0, 0.0, 1e-3])),
    }


def losses(
    logits: Tensor, labels: Tensor, temperature: float | Tensor, upstream: Tensor, **options: Any
) -> Outcome:
    """Of leaves that hold the values given, by row."""
    x, histogram = logits.detach().requires_grad_(), CalibrationHistogram(15)
    t = temperature
    if isinstance(t, Tensor):
        t = t.detach().clone().requires_grad_()
    loss = cross_entropy(x, labels, temperature=t, reduction="none", histogram=histogram, **options)
    loss.backward(upstream.to(loss.dtype))
    assert x.grad is not None
    slope = t.grad if isinstance(t, Tensor) else torch.zeros(len(x))
    assert slope is not None
    return Outcome(loss.detach(), slope.reshape(-1), x.grad, histogram.state_dict()["sums"])


def of_losses(case: Case, found: Outcome, run: Callable[..., Any]) -> Iterable[str]:
    """A temperature that rows share has the sum of their gradients, which is not compared, and a
    z-loss that leaves float32 has no gradient in it."""
    want = in_float64(case, run)
    n = len(case.logits)
    if n == 0:
        return []
    beyond = want.loss.float().isinf() & want.loss.isfinite()
    slopes = (
        o.d_temperature if len(o.d_temperature) == n else torch.zeros(n) for o in (found, want)
    )
    found, want = (
        o._replace(
            d_logits=o.d_logits.masked_fill(beyond[:, None], 0.0),
            d_temperature=slope.masked_fill(beyond, 0.0),
        )
        for o, slope in zip((found, want), slopes, strict=True)
    )
    options = {k: v for k, v in case.arguments.items() if v is not None}
    return disagreements(found, want, names_of(case), options, _least(case))


def _least(case: Case) -> float:
    """The smallest temperature that is one."""
    t = torch.as_tensor(case.arguments["temperature"])
    good = t[(t >= 1e-38) & t.isfinite()]
    return float(good.min()) if good.numel() else 1.0


# temperature_sweep: each row alone, then together.


class Sweeps(NamedTuple):
    alone: list[Sweep]
    together: Sweep


@st.composite
def _temperatures(draw: st.DrawFn) -> list[float] | Tensor:
    """On a grid in 1/T, also one with holes; any; on the device, where they may be bad; many."""
    kind = draw(st.sampled_from(["grid", "grid", "grid", "any", "any", "tensor", "many"]))
    if kind == "many":  # so many that the C++ core counts values first
        return [0.3 * 1.05**k for k in range(40)]
    if kind == "grid":
        base = draw(st.sampled_from([0.25, 1.0, 1e-3, 7.3]))
        return [1 / (base * k) for k in draw(st.lists(st.integers(1, 9), min_size=1, max_size=9))]
    good = st.sampled_from([*fuzz.TEMPERATURES, 0.93, 1.1, 2.2])
    if kind == "any":
        return draw(st.lists(good, min_size=1, max_size=6))
    some = st.one_of(good, st.sampled_from(fuzz.BAD_TEMPERATURES))
    return torch.tensor(draw(st.lists(some, min_size=1, max_size=5)))


@st.composite
def _temperature_sweep(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
    size = draw(_size(columns))
    there = columns if size is None else size
    ids = draw(fuzz.any_option_ids(there, n)) if draw(st.integers(0, 2)) == 0 else None
    if ids is not None:
        ids = ids[None] if ids.dim() == 2 else ids if ids.dim() == 3 else ids[None, :, None]
    return {
        "labels": draw(fuzz.present_labels(n, there if ids is None else ids.shape[1])),
        "temperatures": draw(_temperatures()),
        "option_ids": ids,
        "vocab_size": size,
        "ignore_index": draw(st.sampled_from([-100, -100, 0, columns])),
    }


def sweeps(logits: Tensor, labels: Tensor, option_ids: Tensor | None, **options: Any) -> Sweeps:
    def swept(rows: slice) -> Sweep:
        own = option_ids
        if own is not None and own.shape[0] > 1:
            own = own[rows]
        return temperature_sweep(
            logits[rows], labels[rows], option_ids=own, bins=9, derivatives=2, **options
        )

    return Sweeps([swept(slice(i, i + 1)) for i in range(len(logits))], swept(slice(None)))


def of_sweeps(case: Case, found: Sweeps, run: Callable[..., Any]) -> Iterator[str]:
    t = case.arguments["temperatures"]
    truth = in_float64(case, run)
    t = t.tolist() if isinstance(t, Tensor) else t
    for name, got, want in zip(names_of(case), found.alone, truth.alone, strict=True):
        yield from compare_sweeps(got, want, t, name)
        for mine, theirs in zip(got.histograms or (), want.histograms or (), strict=True):
            if mine.invalid != theirs.invalid or mine.count.sum() != theirs.count.sum():
                yield f"{name} is counted as {mine.count.tolist()}, {mine.invalid}"
    for field in ("nll", "grad", "hess"):
        parts = [getattr(one, field) for one in found.alone]
        total = sum(parts, torch.zeros(len(t), dtype=torch.float64))
        size = sum((part.abs() for part in parts), torch.zeros(len(t), dtype=torch.float64))
        got = getattr(found.together, field)
        same = (
            (got == total) | (got.isnan() & total.isnan()) | ((got - total).abs() <= 1e-12 * size)
        )
        # A bad temperature has no sum, whatever the rows are, if there are any.
        if not same[~got.isnan()].all() or (parts and not same.all()):
            yield f"{field} of all rows is {got.tolist()}, of each added {total.tolist()}"


# sample: at injected uniforms, where a cut or a boundary may lie within rounding.

ROUNDING = 4e-6  # of the whole


@st.composite
def _sample(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    draws = draw(st.integers(1, 4))
    u = torch.rand(n, draws, 2, generator=generator, dtype=torch.float64)
    if draw(st.integers(0, 3)) == 0:
        u = u.round() * (1 - 2.0**-53)
    k = st.one_of(st.sampled_from([0, 0, 1, columns]), st.integers(1, columns))
    return {
        "uniforms": u,
        "temperature": draw(fuzz.any_temperature(n)),
        "top_k": draw(k),
        "top_p": draw(st.sampled_from([1.0, 1.0, 0.0, 0.3, 0.5, 0.9, 0.999999])),
        "min_p": draw(st.sampled_from([0.0, 0.0, 0.1, 1e-6, 1.0])),
        "greedy": draw(st.integers(0, 5)) == 0,
        "vocab_size": draw(_size(columns)),
    }


def draws(logits: Tensor, uniforms: Tensor, **options: Any) -> Sample:
    places = torch.zeros(uniforms.shape[:2], dtype=torch.int64)
    return sample(logits, sample=places, seed=0, item=0, step=0, uniforms=uniforms, **options)


def of_draws(case: Case, found: Sample, run: Callable[..., Any]) -> Iterator[str]:
    """The definition compares min_p in the dtype of the row, hence not in float64."""
    with use_backend("reference"):
        truth = run(case.logits, **case.arguments)
    for field in ("valid", "entropy"):
        column = [getattr(of, field)[:, :1].flatten() for of in (found, truth)]
        rows = Sample(*(column[0] if f == field else None for f in Sample._fields))
        want = Sample(*(column[1] if f == field else None for f in Sample._fields))
        yield from compare(rows, want, names_of(case))
    for i, valid in enumerate(truth.valid[:, 0].tolist()):
        for s in range(found.token.shape[1]):
            one = Sample(*(field[i : i + 1, s] for field in found))
            want = Sample(*(field[i : i + 1, s] for field in truth))
            wrong = list(compare(one, want, [f"{i}, draw {s}"]))
            if wrong and not (valid and within_rounding(case, i, s, one)):
                yield from wrong


def within_rounding(case: Case, i: int, s: int, found: Sample) -> bool:
    """Whether a draw differs only because its uniforms or top_p lie within rounding of a cut."""
    a = case.arguments
    t = a["temperature"]
    own = t[i : i + 1] if isinstance(t, Tensor) and t.numel() > 1 else t
    token, logprob = int(found.token), float(found.logprob)
    x = case.logits[i : i + 1, : a["vocab_size"]]
    if not 0 <= token < x.shape[1]:
        return False
    kept = []
    for nudge in (-ROUNDING, 0.0, ROUNDING):
        top_p = a["top_p"] * (1 + nudge) if a["top_p"] < 1 else 1.0
        kept.append(reference.sampling.filtered(x, own, a["top_k"], top_p, a["min_p"]))
    p = float((kept[1].z - kept[1].log_norm)[0, token])
    if abs(float(found.logprob_unfiltered) - p) > 2e-6 + 4e-7 * abs(p):
        return False
    weights = [row.weight[0] for row in kept]
    if weights[-1][token] == 0:
        return False
    z = float(kept[1].z[0, token])
    said = [z - float(w.sum().log()) for w in weights]
    bound = TOLERANCE["logprob"][0] + TOLERANCE["logprob"][1] * abs(z)
    if not min(said) - bound <= logprob <= max(said) + bound:
        return False
    if a["greedy"]:
        return token == int(kept[1].token)
    u = a["uniforms"][i, s].tolist()
    return any(_near(w, token, u) for w in weights)


def _near(weight: Tensor, token: int, u: list[float]) -> bool:
    """Whether ``token`` is where u points in the weights (V,), give or take ROUNDING."""
    start = token // reference.sampling.BLOCK * reference.sampling.BLOCK
    block = weight[start : start + reference.sampling.BLOCK]
    inside = token - start
    before, own, whole = float(weight[:start].sum()), float(block.sum()), float(weight.sum())
    first = float(block[:inside].sum())
    return all(
        low - ROUNDING * total <= at * total <= low + size + ROUNDING * total
        for at, low, size, total in (
            (u[0], before, own, whole),
            (u[1], first, float(block[inside]), own),
        )
    )


# linear_cross_entropy: of whole numbers, so that float64's logits are those of every dtype.


class Head(NamedTuple):
    loss: Tensor  # (N,)
    d_hidden: Tensor
    d_weight: Tensor
    d_bias: Tensor


def whole_numbers(values: Tensor) -> Tensor:
    """-1, 0 and 1; NaN where NaN is."""
    return values.clamp(-1.0, 1.0).round()


@st.composite
def _head(draw: st.DrawFn, n: int, width: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    columns = draw(st.integers(1, 130))
    bias = torch.randint(-3, 4, (columns,), generator=generator).float()
    for where in draw(st.lists(st.integers(0, columns - 1), max_size=3)):
        bias[where] = draw(st.sampled_from([-fuzz.INF, 20.0]))
    size = draw(_size(columns))
    return {
        "weight": torch.randint(-2, 3, (columns, width), generator=generator).float(),
        "bias": bias,
        "labels": draw(fuzz.present_labels(n, columns if size is None else size)),
        "temperature": draw(fuzz.any_temperature(n)),
        "upstream": draw(_upstream(n)),
        "vocab_size": size,
        "ignore_index": draw(st.sampled_from([-100, -100, 0, columns])),
    }


def heads(
    logits: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, upstream: Tensor, **options: Any
) -> Head:
    """What is drawn as logits are the hidden states, the weight's columns as many as theirs."""
    leaves = [logits.detach().requires_grad_()]
    leaves += [leaf.to(logits.dtype).clone().requires_grad_() for leaf in (weight, bias)]
    loss = linear_cross_entropy(*leaves[:2], labels, bias=leaves[2], reduction="none", **options)
    loss.backward(upstream.to(loss.dtype))
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    return Head(loss.detach(), *gradients)


def without_gradients(found: Head) -> Tensor:
    """What of a head has the same bits in any layout and on any number of threads.

    The logits do, since products of whole numbers are exact however a GEMM adds them up, and with
    them the loss. Gradients are products of probabilities, which are rounded in the order in which
    the GEMM adds: it may choose another for other strides or another number of threads.
    """
    return found.loss


def of_heads(case: Case, found: Head, run: Callable[..., Any]) -> Iterator[str]:
    """Gradients within the roundings of the dtype, for the size that their terms may have."""
    want = in_float64(case, run)
    tolerance = TOLERANCE["label_logprob"]
    size = 4 * max(len(case.logits), 1) / _least(case)
    bound = (4e-6 + 3 * torch.finfo(case.logits.dtype).eps) * size
    for field, got, said in zip(Head._fields, found, want, strict=True):
        absolute, relative = tolerance if field == "loss" else (bound, 0.0)
        got, said = got.double(), said.to(got.dtype).double()
        near = torch.isclose(got, said, atol=absolute, rtol=relative, equal_nan=True)
        if not near.all():
            yield f"{field} is {got.tolist()}, float64 says {said.tolist()}"


@dataclass(frozen=True)
class Fuzzed:
    run: Callable[..., Any]  # (logits, **arguments) -> a named tuple
    arguments: Callable[..., st.SearchStrategy[dict[str, Any]]]  # of (N, V)
    wrong: Callable[..., Iterable[str]] = by_field  # (case, what was found, run)
    same: Callable[[Any], Any] = everything  # of what was found, the bits of any layout and threads
    histogram: bool = False  # whether the results are those that fill a histogram, row by row
    values: Callable[[Tensor], Tensor] = torch.Tensor.clone  # what becomes of the rows drawn
    columns: st.SearchStrategy[int] | None = None  # where not as many as are asked for


CALLS = {
    "row_stats": Fuzzed(row_stats, _row_stats, histogram=True),
    "option_scores": Fuzzed(option_scores, _option_scores, histogram=True),
    "cross_entropy": Fuzzed(losses, _cross_entropy, of_losses),
    "temperature_sweep": Fuzzed(sweeps, _temperature_sweep, of_sweeps),
    "sample": Fuzzed(draws, _sample, of_draws),
    "linear_cross_entropy": Fuzzed(
        heads,
        _head,
        of_heads,
        without_gradients,
        values=whole_numbers,
        columns=st.integers(1, 20),
    ),
}


@st.composite
def cases(
    draw: st.DrawFn,
    op: str,
    width: st.SearchStrategy[int] = fuzz.COLUMNS,
    special: tuple[float, ...] = fuzz.SPECIAL + fuzz.LOWEST,
) -> Case:
    call = CALLS[op]
    columns = draw(width if call.columns is None else call.columns)
    dtype = draw(st.sampled_from(fuzz.DTYPES))
    values = call.values(draw(fuzz.any_rows(columns, special))).to(dtype)
    layout, logits = draw(fuzz.any_layout(values))
    return Case(logits, draw(call.arguments(len(logits), columns)), layout)
