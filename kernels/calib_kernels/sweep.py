"""``temperature_sweep``: the likelihood at several temperatures, from one read of the logits.

What ``native.temperature_sweep`` and ``gpu.sweep.temperature_sweep`` are given, in the terms of
``ops``::

    temperature_sweep(
        logits, option_ids,    # as for option_scores; option_ids may be None: labels are columns
        labels,                # (N,) int32 or int64, contiguous, any alignment of int
        temperatures,          # K numbers, or (K,) float32 on the device of the logits, contiguous.
                               # One that is not in [1e-38, inf) makes its sums NaN
        ignore_index,
        derivatives,           # 0, 1 or 2
        edges,                 # (B-1,) float32, ``bins.edges``; or None: no histograms
        out,                   # Sums of allocated tensors; grad is None for derivatives 0, hess for
                               # derivatives 0 and 1
        seen,                  # (K, 3B+1) int64 zeros to add to; None iff edges is
    ) -> None

A row is counted unless it is ignored, its label names no column (option), or it is *lost*: a NaN,
two +inf or nothing but -inf among its logits (those of its options), or a wrong id. Rows that are
neither ignored nor counted go to the invalid counter of every histogram; with a bad temperature all
rows that are not ignored do. Sums do not depend on threads or grid: what the rows give is added in
float64, in an order that N alone decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import backend, checks, dispatch, reference
from calib_kernels import bins as binning
from calib_kernels.histogram import CalibrationHistogram


class Sums(NamedTuple):
    """Over the counted rows."""

    nll: Tensor  # (K,) float64
    grad: Tensor | None  # (K,) float64
    hess: Tensor | None  # (K,) float64
    count: Tensor  # type: ignore[assignment]  # () int64; hides that of tuple


class Sweep(NamedTuple):
    """What ``temperature_sweep`` returns: sums over the counted rows, in nats."""

    nll: Tensor  # (K,) float64: sum of -ln p[label] at each temperature
    grad: Tensor | None  # (K,) float64: its first derivative in 1/T
    hess: Tensor | None  # (K,) float64: its second
    histograms: tuple[CalibrationHistogram, ...] | None  # K of them, where bins were asked for
    # Rows counted, () int64: the same at every temperature.
    count: Tensor  # type: ignore[assignment]  # hides that of tuple


def _outputs(logits: Tensor, k: int, bins: int, derivatives: int) -> tuple[Sums, Tensor | None]:
    def new() -> Tensor:
        return logits.new_zeros(k, dtype=torch.float64)

    out = Sums(
        nll=new(),
        grad=new() if derivatives else None,
        hess=new() if derivatives == 2 else None,
        count=logits.new_zeros((), dtype=torch.int64),
    )
    shape = (k, binning.length(bins))
    return out, logits.new_zeros(shape, dtype=torch.int64) if bins else None


def _flat(out: Sums, seen: Tensor | None) -> tuple[Tensor, ...]:
    """As the registered op returns them: what is absent is an empty tensor."""
    nothing = out.nll.new_empty(0)
    absent = out.count.new_empty(0)
    return (
        out.nll,
        nothing if out.grad is None else out.grad,
        nothing.clone() if out.hess is None else out.hess,
        out.count,
        absent if seen is None else seen,
    )


def _temperature_sweep(
    logits: Tensor,
    option_ids: Tensor | None,
    labels: Tensor,
    numbers: Sequence[float],
    temperatures: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    bins: int,
    derivatives: int,
) -> tuple[Tensor, ...]:
    name = backend.choose(logits.device, logits.dtype)
    logits = dispatch.rows_contiguous(logits[:, :vocab_size])
    if option_ids is not None:
        checks.host_option_ids(option_ids, vocab_size)
        option_ids = option_ids.to(logits.device).contiguous()
    k = len(numbers) if temperatures is None else temperatures.shape[0]
    if name == "reference":
        t = temperatures
        if t is None:
            t = torch.tensor(numbers, dtype=torch.float64, device=logits.device)
        return reference.temperature_sweep(
            logits, option_ids, labels, t.to(logits.device), ignore_index, bins, derivatives
        )
    out, seen = _outputs(logits, k, bins, derivatives)
    if temperatures is None:
        given: Any = tuple(numbers)
    elif temperatures.device.type == "cpu":  # on the host, whatever the logits are on
        given = tuple(temperatures.tolist())
    else:
        given = temperatures.to(logits.device, torch.float32).contiguous()
    if logits.shape[0]:
        dispatch.launcher(name, "temperature_sweep")(
            logits,
            option_ids,
            labels.contiguous(),
            given,
            ignore_index,
            derivatives,
            binning.edges(bins, torch.float32, logits.device) if bins else None,
            out,
            seen,
        )
    return _flat(out, seen)


def _fake_temperature_sweep(
    logits: Tensor,
    option_ids: Tensor | None,
    labels: Tensor,
    numbers: Sequence[float],
    temperatures: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    bins: int,
    derivatives: int,
) -> tuple[Tensor, ...]:
    k = len(numbers) if temperatures is None else temperatures.shape[0]
    return _flat(*_outputs(logits, k, bins, derivatives))


_temperature_sweep_op = dispatch.register(
    "temperature_sweep",
    "(Tensor logits, Tensor? option_ids, Tensor labels, float[] numbers, Tensor? temperatures, "
    "int ignore_index, SymInt vocab_size, int bins, int derivatives) -> "
    "(Tensor, Tensor, Tensor, Tensor, Tensor)",
    _temperature_sweep,
    _fake_temperature_sweep,
)


def temperature_sweep(
    logits: Tensor,
    labels: Tensor,
    temperatures: Sequence[float] | Tensor,
    *,
    option_ids: Tensor | Sequence[Any] | None = None,
    bins: int | None = None,
    derivatives: int = 0,
    ignore_index: int = -100,
    vocab_size: int | None = None,
) -> Sweep:
    """Negative log-likelihood of the labels at K temperatures, in one read of the logits.

    logits (N, V); labels (N,): columns, or with option_ids (as for ``option_scores``) options, and
    then only the logits of the options matter. temperatures: K numbers, or a tensor (K,), which is
    not read while it lies on a device. derivatives: how many, in the inverse temperature. bins:
    also one CalibrationHistogram a temperature. Sums over rows, in float64; no gradient flows.
    """
    logits = checks.logits(logits)
    rows, columns = logits.shape
    size = checks.vocab_size(vocab_size, columns)
    ids = None if option_ids is None else checks.option_ids(option_ids, rows)
    wanted = checks.labels(labels, rows)
    if wanted is None:
        raise TypeError("labels must be an integer tensor, got NoneType")
    wanted = wanted.to(logits.device)
    numbers, on_device = checks.temperatures(temperatures)
    order = checks.derivative_order(derivatives)
    count = 0 if bins is None else checks.bin_count(bins)
    run = _temperature_sweep_op if dispatch.traced(logits) else _temperature_sweep
    nll, grad, hess, counted, seen = run(
        logits, ids, wanted, numbers, on_device, ignore_index, size, count, order
    )
    return Sweep(
        nll,
        grad if order else None,
        hess if order == 2 else None,
        tuple(CalibrationHistogram.of(row) for row in seen) if count else None,
        counted,
    )
