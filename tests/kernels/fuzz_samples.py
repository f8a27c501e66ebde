"""sample as fuzzing calls it, at injected uniforms: a cut or a boundary may lie within rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from calib_kernels import Sample, sample, use_backend
from calib_kernels.reference.sample import BLOCK, filtered
from hypothesis import strategies as st
from torch import Tensor

from tests.gate.agreement import TOLERANCE, compare
from tests.kernels import fuzz
from tests.kernels.fuzz import Case, any_size, names_of

ROUNDING = 4e-6  # of the whole


@st.composite
def sample_arguments(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
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
        "vocab_size": draw(any_size(columns)),
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
        kept.append(filtered(x, own, a["top_k"], top_p, a["min_p"]))
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
    start = token // BLOCK * BLOCK
    block = weight[start : start + BLOCK]
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
