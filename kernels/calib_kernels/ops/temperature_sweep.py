"""``temperature_sweep``: the likelihood at several temperatures, from one read of the logits.

Launchers, ``native.temperature_sweep`` and ``gpu.temperature_sweep.temperature_sweep``::

    temperature_sweep(
        rows,          # Launch, with labels; its own temperature is not read. Its histograms are
                       # (K, 3B+1), one a temperature
        option_ids,    # as for option_scores; or None: labels are columns
        temperatures,  # K numbers, or (K,) float32 on the device of the logits, contiguous.
                       # One that is not in [1e-38, inf) makes its sums NaN
        derivatives,   # 0, 1 or 2
        out,           # Sums of allocated tensors; grad is None for derivatives 0, hess for
                       # derivatives 0 and 1
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

from calib_kernels import checks, dispatch, reference
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.results import INT, WIDE, Field, Table, present
from calib_kernels.rows import SCHEMA, Rows, given, ready


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


TABLE: Table[Sums] = Table(
    Sums,
    nll=Field("K", WIDE),
    grad=Field("K", WIDE),
    hess=Field("K", WIDE),
    count=Field("", INT),
)
BY_ORDER = (("grad", "hess"), ("hess",), ())  # what is absent, by the number of derivatives


def _temperature_sweep(*arguments: Any) -> tuple[Tensor, ...]:
    *row_arguments, option_ids, numbers, temperatures, derivatives = arguments
    rows = Rows(*row_arguments)
    assert rows.labels is not None
    name, device = rows.backend, rows.logits.device
    if option_ids is not None:
        checks.host_option_ids(option_ids, rows.vocab_size)
        option_ids = option_ids.to(device).contiguous()
    if name == "reference":
        t = temperatures
        if t is None:
            t = torch.tensor(numbers, dtype=torch.float64, device=device)
        return reference.temperature_sweep(
            rows.cut(), option_ids, rows.labels, t.to(device), rows.ignore_index, rows.bins,
            derivatives,
        )  # fmt: skip
    out, seen = _outputs(rows, numbers, temperatures, derivatives)
    for field in out:
        if field is not None:
            field.zero_()  # the sums of no rows
    if temperatures is None:
        each: Any = tuple(numbers)
    elif temperatures.device.type == "cpu":  # on the host, whatever the logits are on
        each = tuple(temperatures.tolist())
    else:
        each = temperatures.to(device, torch.float32).contiguous()
    if rows.logits.shape[0]:
        launch = dispatch.launcher(name, "temperature_sweep")
        launch(ready(rows, seen), option_ids, each, derivatives, out)
    return _flat(rows, out, seen)


def _outputs(
    rows: Rows, numbers: Sequence[float], temperatures: Tensor | None, derivatives: int
) -> tuple[Sums, Tensor | None]:
    k = len(numbers) if temperatures is None else temperatures.shape[0]
    return TABLE.empty(rows.logits, BY_ORDER[derivatives], K=k), rows.histogram(k)


def _flat(rows: Rows, out: Sums, seen: Tensor | None) -> tuple[Tensor, ...]:
    return *TABLE.flat(rows.logits, out), present(rows.logits, seen)


def _fake_temperature_sweep(*arguments: Any) -> tuple[Tensor, ...]:
    *row_arguments, _option_ids, numbers, temperatures, derivatives = arguments
    rows = Rows(*row_arguments)
    return _flat(rows, *_outputs(rows, numbers, temperatures, derivatives))


_temperature_sweep_op = dispatch.register(
    "temperature_sweep",
    f"({SCHEMA}, Tensor? option_ids, float[] numbers, Tensor? temperatures, int derivatives) -> "
    f"{TABLE.schema(1)}",
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
    count = 0 if bins is None else checks.bin_count(bins)
    rows, _ = given(
        "temperature_sweep", logits, labels, 1.0, ignore_index, vocab_size, count, labelled=True
    )
    ids = None if option_ids is None else checks.option_ids(option_ids, rows.logits.shape[0])
    numbers, on_device = checks.temperatures(temperatures)
    order = checks.derivative_order(derivatives)
    run = _temperature_sweep_op if dispatch.traced(logits) else _temperature_sweep
    *found, seen = run(*rows, ids, numbers, on_device, order)
    sums = TABLE.read(found, BY_ORDER[order])
    return Sweep(
        sums.nll,
        sums.grad,
        sums.hess,
        tuple(CalibrationHistogram.of(row) for row in seen) if count else None,
        sums.count,
    )
