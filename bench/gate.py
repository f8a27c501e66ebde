"""The correctness gate: every op against the float64 reference, on rows made to break it.

Speed is only worth stating for kernels that pass. The same rows run on a GPU before anything is
timed (``bench.gpu``) and in Triton's interpreter (the tests). A check returns the disagreements it
found as sentences; none means it passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from calib_kernels import (
    OptionScores,
    RowStats,
    Sample,
    Sweep,
    bins,
    reference,
    temperature_sweep,
    use_backend,
)
from torch import Tensor

INF = float("inf")
LOG2_E = math.log2(math.e)

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


def hard_rows(columns: int, block: int) -> dict[str, Tensor]:
    """Float32 rows (V,) of ``columns`` logits, each with one thing in it that breaks kernels.

    ``block`` is how many logits a kernel under test loads at once, so that trouble can be put at
    the seams. Options are taken to be the columns 0, 1, ....
    """
    random = torch.Generator().manual_seed(columns)
    base = torch.randn(columns, generator=random) * 3
    late = columns - 1
    middle = columns // 2

    def row(*changes: tuple[Any, float], offset: float = 0.0) -> Tensor:
        changed = base + offset
        for where, value in changes:
            changed[where] = value
        return changed

    everywhere = slice(None)
    rows = {
        "plain": row(),
        "offset +1e4": row(offset=1e4),
        "offset -1e4": row(offset=-1e4),
        "confident option": row((0, 30.0)),
        "late spike": row((late, 300.0)),
        "a little late": row((middle, 15.0)),
        "beyond float32 unless shifted": row((late, 1e4)),
        "first block -inf": row((slice(0, block), -INF)),
        "first block -inf, rest far below 0": row((slice(0, block), -INF), offset=-400.0),
        "all but one -inf": row((everywhere, -INF), (middle, 2.0)),
        "all -inf": row((everywhere, -INF)),
        "options -inf": row((slice(0, min(4, columns)), -INF)),
        "NaN first": row((0, math.nan)),
        "NaN late": row((late, math.nan)),
        "NaN among -inf": row((everywhere, -INF), (late, math.nan)),
        "NaN and +inf": row((0, INF), (late, math.nan)),
        "+inf, an option": row((0, INF)),
        "+inf, no option": row((late, INF)),
        "+inf twice": row((0, INF), (late, INF)),
        "+inf among -inf": row((everywhere, -INF), (middle, INF)),
        "uniform": row((everywhere, 1.5)),
        "zeros of both signs": row((everywhere, 0.0), (slice(0, None, 2), -0.0)),
        "ties of the maximum": row((slice(min(3, late), None, max(block // 3, 1)), 20.0)),
        # log2(e) x must stay in float32, hence not 3e38
        "largest": row((middle, 2.0e38)),
        "smallest": row((everywhere, -2.0e38)),
        "one option of many": row((0, -60.0), (min(1, late), -80.0)),
    }
    # The spike that sits right at the bound of the single-read path, and to both sides of it.
    for bits in (15.9, 16.1, 53.0, 99.0, 101.0):
        top = float(base[:block].max())
        rows[f"{bits} bits above"] = row((late, top + bits / LOG2_E))
    return rows


def laid_out(rows: Tensor, stride: int, offset: int, device: torch.device | str) -> Tensor:
    """The same values (N, V) at a row stride and storage offset of one's choice."""
    n, columns = rows.shape
    storage = torch.full((offset + n * stride + columns,), math.nan, dtype=rows.dtype)
    view = storage.to(device).as_strided((n, columns), (stride, 1), offset)
    view.copy_(rows)
    return view


def option_sets(n: int, columns: int) -> dict[str, Tensor]:
    """Option ids (1 or N, O, M): single tokens; spellings, repeats, padding; sets per row."""
    last = columns - 1
    sets = {"letters": torch.arange(min(4, columns))[None, :, None]}
    if columns >= 64:
        spelled = torch.tensor([[0, 5, 0, -1, 5], [1, -1, -1, -1, -1], [2, 7, 9, last, 7]])
        sets["spellings"] = spelled[None]
        own = torch.arange(n)[:, None, None] * 0 + spelled[None]
        own = own.clone()
        own[1::3, 2] = torch.tensor([3, 4, -1, 3, 4])
        own[2::3, 1] = -1  # an option that has no token in this row
        own[3::5, 0, 0] = columns  # no such column
        sets["sets per row"] = own
    return sets


def row_labels(n: int, columns: int) -> Tensor:
    """Labels (N,) for ``hard_rows``: early, late and middle columns, ignored ones, wrong ones."""
    labels = torch.tensor([0, columns - 1, columns // 2, min(1, columns - 1)]).repeat(n)[:n]
    labels[3::7] = -100
    labels[5::11] = columns
    labels[9::13] = -1
    return labels


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


@dataclass(frozen=True)
class Poisoned:
    """Outputs filled with what no row can give, so that an unwritten element shows."""

    out: Any  # OptionScores or RowStats
    seen: Tensor
    slow: Tensor

    @classmethod
    def of(cls, n: int, options: int, bin_count: int, device: torch.device | str) -> Poisoned:
        """For ``option_scores``."""
        shapes = {"logprob": (n, options), "prob": (n, options)}
        out = OptionScores(*(_poison(f, shapes.get(f, (n,)), device) for f in OptionScores._fields))
        return cls(out, *_counters(n, bin_count, device))

    @classmethod
    def of_rows(cls, n: int, bin_count: int, device: torch.device | str) -> Poisoned:
        """For ``row_stats``."""
        out = RowStats(*(_poison(field, (n,), device) for field in RowStats._fields))
        return cls(out, *_counters(n, bin_count, device))


def _poison(field: str, shape: tuple[int, ...], device: torch.device | str) -> Tensor:
    if field in ("prediction", "token"):
        return torch.full(shape, -77, dtype=torch.int64, device=device)
    if field in ("correct", "valid"):
        return torch.full(shape, 77, dtype=torch.uint8, device=device).view(torch.bool)
    return torch.full(shape, -77.0, device=device)


def _counters(n: int, bin_count: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    seen = torch.zeros(bins.length(bin_count), dtype=torch.int64, device=device)
    return seen, torch.full((n,), -77, dtype=torch.int32, device=device)


def truth_of(
    logits: Tensor,
    ids: Tensor,
    labels: Tensor | None,
    temperature: float | Tensor,
    vocab_mode: bool,
) -> OptionScores:
    """What float64 says of the very values the kernel was given."""
    values = logits.cpu().double()
    t = temperature if isinstance(temperature, float) else temperature.cpu().double()
    known = None if labels is None else labels.cpu()
    *fields, _ = reference.option_scores(values, ids.cpu(), known, t, vocab_mode, -100, 0)
    if labels is None:
        fields[8] = None
    return OptionScores(*fields)


def row_truth_of(
    logits: Tensor, labels: Tensor | None, temperature: float | Tensor, ignore_index: int = -100
) -> RowStats:
    """The same for ``row_stats``."""
    t = temperature if isinstance(temperature, float) else temperature.cpu().double()
    known = None if labels is None else labels.cpu()
    *fields, _seen, _log2_d = reference.row_stats(logits.cpu().double(), known, t, ignore_index, 0)
    if labels is None:
        fields[5] = fields[6] = None
    return RowStats(*fields)


def sweep_truth_of(logits: Tensor, labels: Tensor, temperatures: Any, **options: Any) -> Sweep:
    """The same for ``temperature_sweep``, with both derivatives."""
    if options.get("option_ids") is not None:
        options["option_ids"] = options["option_ids"].cpu()
    with use_backend("reference"):
        return temperature_sweep(
            logits.cpu().double(), labels.cpu(), temperatures, derivatives=2, **options
        )


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
