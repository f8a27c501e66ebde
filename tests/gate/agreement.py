"""Whether two results agree: with float64 within the contract's tolerances, or to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from calib_kernels import CalibrationHistogram, OptionScores, RowStats, Sample, Sweep
from torch import Tensor

# Against float64: (absolute, relative). Relative is a few units of 2^-24, the rounding of float32.
TOLERANCE = {
    "logprob": (2e-6, 4e-7),
    "prob": (2e-6, 0.0),
    "mass": (2e-6, 0.0),
    "confidence": (2e-6, 0.0),
    "entropy": (4e-6, 4e-7),
    "vocab_entropy": (4e-6, 4e-7),
    "lse": (2e-6, 4e-7),
    # Where one p is near 1 and granted 2e-6, its square is off by twice that.
    "sum_p2": (2e-6, 2e-6),
    "label_logprob": (2e-6, 4e-7),
    "logprob_unfiltered": (2e-6, 4e-7),
}


def compare(
    found: OptionScores | RowStats | Sample,
    truth: OptionScores | RowStats | Sample,
    names: list[str],
) -> Iterator[str]:
    """Where two results of one op disagree, by field and row."""
    for field, got, want in zip(truth._fields, found, truth, strict=True):
        if want is None or got is None:
            continue
        got, want = got.cpu(), want.cpu()
        if field in TOLERANCE:
            absolute, relative = TOLERANCE[field]
            got, want = got.double(), want.to(got.dtype).double()
            same = (got == want) | (got.isnan() & want.isnan())
            near = (got - want).abs() <= absolute + relative * want.abs()
            wrong = ~(same | near)
        else:
            wrong = got != want
        wrong = wrong.flatten(1).any(1) if wrong.dim() > 1 else wrong
        for i in wrong.nonzero().flatten().tolist():
            yield f"{field} of row {names[i]!r}: {got[i].tolist()}, float64 says {want[i].tolist()}"


def compare_sweeps(found: Sweep, truth: Sweep, temperatures: Any, name: str) -> Iterator[str]:
    """Where the sweep of one row disagrees with float64.

    nll as a logprob. Derivatives in units of the inverse temperature, b grad and b^2 hess, as an
    entropy: both are moments of b (x - max x), whose terms below 17 nats weigh nothing, in float32
    sums of relative error 1e-7; the square has the larger terms.
    """
    beta = 1.0 / torch.as_tensor(temperatures, dtype=torch.float64)
    if not torch.equal(found.count.cpu(), truth.count.cpu()):
        yield f"count of {name!r}: {int(found.count)}, float64 says {int(truth.count)}"
    for field, unit, absolute, relative in (
        ("nll", beta**0, 2e-6, 4e-7),
        ("grad", beta, 4e-6, 4e-7),
        ("hess", beta**2, 2e-5, 4e-6),
    ):
        # What a row gives leaves float32 where its logits do.
        got, want = ((getattr(of, field).cpu() * unit).float().double() for of in (found, truth))
        same = (got == want) | (got.isnan() & want.isnan())
        wrong = ~(same | ((got - want).abs() <= absolute + relative * want.abs()))
        for k in wrong.nonzero().flatten().tolist():
            yield (
                f"{field} of {name!r} at T = {temperatures[k]}: {got[k].item()} (in 1/T), "
                f"float64 says {want[k].item()}"
            )


def differing_bits(a: Any, b: Any, name: str = "result") -> list[str]:
    """What two results of one op do not have in common to the bit, as sentences; NaN is NaN."""
    if a is None or b is None:
        return [] if a is b else [f"{name} is absent from one"]
    if isinstance(a, CalibrationHistogram):
        return differing_bits(a.state_dict()["sums"], b.state_dict()["sums"], name)
    if isinstance(a, Tensor):
        x, y = (_one_nan(of) for of in (a, b))
        same = x.dtype == y.dtype and x.shape == y.shape and torch.equal(_bytes(x), _bytes(y))
        return [] if same else [f"{name} has other bits"]
    names = getattr(a, "_fields", [f"{name}[{i}]" for i in range(len(a))])
    return [s for x, y, of in zip(a, b, names, strict=True) for s in differing_bits(x, y, of)]


def same_bits(a: Any, b: Any) -> None:
    """Assert it of two tensors, histograms or results of one op."""
    differences = differing_bits(a, b)
    assert not differences, "; ".join(differences)


def _one_nan(x: Tensor) -> Tensor:
    return x.cpu().where(~x.cpu().isnan(), torch.nan) if x.is_floating_point() else x.cpu()


def _bytes(x: Tensor) -> Tensor:
    return x.contiguous().reshape(-1).view(torch.uint8)
