"""The gate of ``cross_entropy``: loss, gradients and histogram against float64, on hard rows.

Tolerances are those of the contract for what is in nats. Under a cap the logits themselves are
rounded to float32 at the size of the cap, which no later step can mend: 2^-22 of it is added.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from calib_kernels import CalibrationHistogram, cross_entropy, use_backend
from calib_kernels.gpu import tuning
from torch import Tensor

from tests.gate.agreement import differing_bits
from tests.gate.row_stats import hard_rows, row_labels

# Ways to shape the loss, each with what breaks it apart from the others.
SHAPES: dict[str, dict[str, float]] = {
    "plain": {},
    "smoothed": {"label_smoothing": 0.1},
    "capped": {"softcap": 30.0},
    "z-loss": {"z_loss": 1e-3},
    "everything": {"label_smoothing": 0.2, "softcap": 20.0, "z_loss": 1e-2},
}
# Of these, what one kernel makes is compared with what two make: more would take long to compile.
FORMED = ("plain", "everything")


class Outcome(NamedTuple):
    """What one call and its backward pass leave behind."""

    loss: Tensor  # (N,) or ()
    d_temperature: Tensor  # (N,) or ()
    d_logits: Tensor  # (N, columns)
    sums: Tensor  # (3B + 1,) of the histogram


def outcome(
    logits: Tensor, labels: Tensor, temperature: Tensor, upstream: Tensor | None, **options: Any
) -> Outcome:
    """Of leaves that hold the values given; upstream is the gradient of the losses, or 1."""
    x = logits.detach().requires_grad_()
    t = temperature.detach().clone().requires_grad_()
    histogram = CalibrationHistogram(15)
    loss = cross_entropy(x, labels, temperature=t, histogram=histogram, **options)
    loss.backward(None if upstream is None else upstream.to(loss.dtype))
    assert x.grad is not None and t.grad is not None
    return Outcome(loss.detach(), t.grad, x.grad, histogram.state_dict()["sums"])


def truth(
    logits: Tensor, labels: Tensor, temperature: Tensor, upstream: Tensor | None, **options: Any
) -> Outcome:
    """What float64 says of the very values that were given."""
    given = None if upstream is None else upstream.cpu()
    with use_backend("reference"):
        return outcome(
            logits.cpu().double(), labels.cpu(), temperature.cpu().double(), given, **options
        )


def disagreements(
    found: Outcome,
    want: Outcome,
    names: list[str],
    options: Mapping[str, Any],
    least: float = 1.0,
) -> Iterator[str]:
    """Where two outcomes differ, by row. ``options`` are the loss's, ``least`` the smallest T.

    Gradients leave in the dtype of the logits: one unit of it is their rounding. d loss / dT is
    made of the entropy, which may be ln V. A z-loss multiplies p by 1 + 2 z_loss lse, which may be
    large, and with it the error of p: relative to p that is what the contract grants ln p, 2e-6 +
    4e-7 |ln p|, and relative to lse it is 4e-7. Where |ln p| > 1 the excess is a part of p so small
    that the absolute bound covers it. The z-loss itself is steep: an error of lse returns
    2 z_loss lse times, where z_loss lse^2 is at most the loss.
    """
    dtype = found.d_logits.dtype
    cap = options.get("softcap", 0.0) * 2.0**-22 / min(least, 1.0)
    z_loss = options.get("z_loss", 0.0)
    lifted = 2e-6 + 2 * 4e-7 + cap if z_loss else 0.0
    steep = 2 * math.sqrt(z_loss) * want.loss.cpu().double().clamp(min=0).sqrt()
    nats = math.log(found.d_logits.shape[1])
    smallest = 2.0**-24 if dtype == torch.float16 else 0.0
    bounds = {
        "loss": ((2e-6 + cap) * (1 + steep), 2 * 4e-7 if z_loss else 4e-7),
        "d_temperature": ((4e-6 + 4e-7 * nats + cap) / min(least, 1.0), 1e-6),
        "d_logits": ((4e-6 + cap) / min(least, 1.0) + smallest, torch.finfo(dtype).eps + lifted),
    }
    for field, (absolute, relative) in bounds.items():
        got, said = getattr(found, field).cpu(), getattr(want, field).cpu()
        got, said = got.double(), said.to(got.dtype).double()
        same = (got == said) | (got.isnan() & said.isnan())
        near = said.isfinite() & ((got - said).abs() <= absolute + relative * said.abs())
        wrong = ~(same | near)
        wrong = wrong.reshape(len(names), -1)
        for i in wrong.any(1).nonzero().flatten().tolist():
            at = int(wrong[i].nonzero()[0])
            values = got.reshape(len(names), -1)[i, at], said.reshape(len(names), -1)[i, at]
            yield f"{field} of row {names[i]!r}: {values[0]}, float64 says {values[1]}"
    counts = [s.cpu().reshape(-1)[[-1]] for s in (found.sums, want.sums)]
    if not torch.equal(*counts):
        yield f"{int(counts[0])} rows are invalid, float64 says {int(counts[1])}"


def loss_checks(
    device: torch.device, dtype: torch.dtype, columns: int, block: int
) -> Iterator[tuple[str, list[str]]]:
    """Every shape of the loss on rows made to break kernels; one temperature for each row."""
    rows = hard_rows(columns, min(block, max(columns // 2, 1)))
    names, n = list(rows), len(rows)
    x = torch.stack(list(rows.values())).to(dtype).to(device)
    labels = row_labels(n, columns).to(device)
    t = torch.linspace(0.7, 2.0, n, device=device)
    upstream = torch.randn(n, generator=torch.Generator().manual_seed(1)).to(device)
    for kind, options in SHAPES.items():
        given = (x, labels, t, upstream)
        found = outcome(*given, reduction="none", **options)
        want = truth(*given, reduction="none", **options)
        problems = list(disagreements(found, want, names, options, 0.7))
        short = str(dtype).removeprefix("torch.")
        yield f"cross_entropy {short} {n} x {columns}, {kind}", problems[:5]
        with forming(True):
            formed = kind in FORMED and tuning.forms(dtype, n, columns, "softcap" in options)
        if formed:
            name = f"cross_entropy with its gradient {short} {n} x {columns}, {kind}"
            yield name, formed_problems(x, labels, t, options)


@contextmanager
def forming(wanted: bool) -> Iterator[None]:
    """Gradients of losses that are one number are formed with them, however few rows; or not."""
    before = tuning.FORMED, tuning.SPLIT_ROWS
    try:
        tuning.FORMED = (torch.bfloat16, torch.float16) if wanted else ()
        tuning.SPLIT_ROWS = 0 if wanted else before[1]
        yield
    finally:
        tuning.FORMED, tuning.SPLIT_ROWS = before


class Twice(NamedTuple):
    """Of a loss and two backward passes through it."""

    first: Tensor
    second: Tensor


def formed_problems(x: Tensor, labels: Tensor, t: Tensor, options: Mapping[str, Any]) -> list[str]:
    """Where the loss and its gradient in one kernel have other bits than in two.

    1 reaches the loss in the first backward pass and in the second, or a part of 1.
    """
    problems, found = [], []
    for wanted in (True, False):
        with forming(wanted):
            part = torch.tensor(0.25, device=x.device)
            outcomes = [outcome(x, labels, t, sent, **options) for sent in (None, part)]
            leaf = x.detach().requires_grad_()
            loss = cross_entropy(leaf, labels, **options)
            if wanted != (type(loss.grad_fn).__name__ == "_FormedBackward"):
                problems.append(f"wanted {wanted}, made by {type(loss.grad_fn).__name__}")
            first = torch.autograd.grad(loss, leaf, retain_graph=True)[0].clone()
            found.append((*outcomes, Twice(first, torch.autograd.grad(loss, leaf)[0])))
    return (problems + differing_bits(*found))[:5]
