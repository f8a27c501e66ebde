"""Hidden states and a language model's head, as ``rows``: what the ops ``linear_*`` are given.

logits = hidden weight^T + bias        hidden (N, H), weight (V, H), bias (V,)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import checks, rows
from calib_kernels.rows import Rows

SCHEMA = rows.SCHEMA.replace("Tensor logits", "Tensor hidden, Tensor weight, Tensor? bias")


class Head(NamedTuple):
    """Checked, and on one device; the registered ops begin with these fields, in this order."""

    hidden: Tensor  # (N, H)
    weight: Tensor  # (columns, H); rows from vocab_size on belong to padding
    bias: Tensor | None  # (columns,)
    labels: Tensor | None  # from here on as in ``Rows``
    temperature: float
    row_temperature: Tensor | None
    ignore_index: int
    vocab_size: int
    bins: int

    def cut(self) -> Head:
        """Without padding, and a temperature for each row where there is a tensor of them."""
        t, size = self.row_temperature, self.vocab_size
        return self._replace(
            weight=self.weight[:size],
            bias=None if self.bias is None else self.bias[:size],
            row_temperature=None if t is None else t.expand(self.hidden.shape[0]),
        )

    def histogram(self) -> Tensor | None:
        return rows.histogram(self.hidden, self.bins)

    def rows(self, logits: Tensor, some: slice | Tensor) -> Rows:
        """``some`` rows of a head without padding, whose ``logits`` these are."""
        t = self.row_temperature
        return Rows(
            logits,
            None if self.labels is None else self.labels[some],
            self.temperature,
            None if t is None else t[some],
            self.ignore_index,
            logits.shape[1],
            self.bins,
        )


def given(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor | None,
    temperature: float | Tensor,
    ignore_index: int,
    vocab_size: int | None,
    bins: int,
    *,
    labelled: bool = False,
    gradients: bool = False,
) -> tuple[Head, bool]:
    """As ``rows.given``; under torch.autocast the head is cast as F.linear casts it."""
    hidden, weight, bias = cast(hidden, weight, bias)
    size = checks.vocab_size(vocab_size, weight.shape[0])
    differentiated = gradients and rows.wants_gradients(hidden, weight, bias, temperature)
    read = rows.how(
        hidden, labels, temperature, ignore_index, bins, labelled=labelled,
        differentiated=differentiated,
    )  # fmt: skip
    if not gradients:
        hidden, weight = hidden.detach(), weight.detach()
        bias = None if bias is None else bias.detach()
    return Head(hidden, weight, bias, *read, size, bins), differentiated


def cast(
    hidden: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The head, checked; under torch.autocast as it casts what F.linear is given."""
    device = hidden.device.type if isinstance(hidden, Tensor) else "cpu"
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)

        def low(x: Any) -> Any:
            return x.to(dtype) if isinstance(x, Tensor) and x.dtype != torch.float64 else x

        hidden, weight, bias = low(hidden), low(weight), low(bias)
    checks.head(hidden, weight, bias)
    return hidden, weight, bias
