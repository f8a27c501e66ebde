"""linear_cross_entropy as fuzzing calls it: of whole numbers, whose logits are exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from calib_kernels import linear_cross_entropy
from hypothesis import strategies as st
from torch import Tensor

from tests.gate.agreement import TOLERANCE
from tests.kernels import fuzz
from tests.kernels.fuzz import Case, any_size, any_upstream, in_float64, least_temperature


class Head(NamedTuple):
    loss: Tensor  # (N,)
    d_hidden: Tensor
    d_weight: Tensor
    d_bias: Tensor


def whole_numbers(values: Tensor) -> Tensor:
    """-1, 0 and 1; NaN where NaN is."""
    return values.clamp(-1.0, 1.0).round()


@st.composite
def head_arguments(draw: st.DrawFn, n: int, width: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    columns = draw(st.integers(1, 130))
    bias = torch.randint(-3, 4, (columns,), generator=generator).float()
    for where in draw(st.lists(st.integers(0, columns - 1), max_size=3)):
        bias[where] = draw(st.sampled_from([-fuzz.INF, 20.0]))
    size = draw(any_size(columns))
    return {
        "weight": torch.randint(-2, 3, (columns, width), generator=generator).float(),
        "bias": bias,
        "labels": draw(fuzz.present_labels(n, columns if size is None else size)),
        "temperature": draw(fuzz.any_temperature(n)),
        "upstream": draw(any_upstream(n)),
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
    size = 4 * max(len(case.logits), 1) / least_temperature(case)
    bound = (4e-6 + 3 * torch.finfo(case.logits.dtype).eps) * size
    for field, got, said in zip(Head._fields, found, want, strict=True):
        absolute, relative = tolerance if field == "loss" else (bound, 0.0)
        got, said = got.double(), said.to(got.dtype).double()
        near = torch.isclose(got, said, atol=absolute, rtol=relative, equal_nan=True)
        if not near.all():
            yield f"{field} is {got.tolist()}, float64 says {said.tolist()}"
