"""torch.vmap, torch.func and forward-mode derivatives: what the registered ops do inside them.

``torch.vmap`` calls an op once for each element of the batch. Reverse-mode transforms (``grad``,
``vjp``, ``jacrev``) go through ``torch.autograd.Function``, whose parts torch.library does not
hand on to them. There is no forward mode, and no second derivative: both are said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import forward_ad

Save: TypeAlias = Callable[..., None]
Backward: TypeAlias = Callable[..., Any]
FORWARD = (
    "{} has no forward-mode derivative (jvp, jacfwd, hessian, dual numbers): take torch.func.vjp "
    "or jacrev, or compute it from torch.log_softmax of the logits"
)
SECOND = (
    "{} has a first derivative and no second: compute the second from plain PyTorch, "
    "torch.log_softmax of the logits for one"
)


def active() -> bool:
    """Whether the caller runs inside torch.vmap or a transform of torch.func."""
    return not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()


def one_by_one(op: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The vmap rule of ``op`` that calls it for each element, and stacks what comes."""

    def rule(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
        def element(i: int) -> Any:
            return call(
                *(
                    value.select(dim, i) if isinstance(dim, int) else value
                    for value, dim in zip(arguments, in_dims, strict=True)
                )
            )

        if info.batch_size == 0:
            raise ValueError(f"torch.vmap over 0 elements: there is nothing to call {op} for")
        results = [element(i) for i in range(info.batch_size)]
        if isinstance(results[0], Tensor):
            return torch.stack(results), 0
        fields = tuple(torch.stack(field) for field in zip(*results, strict=True))
        return fields, (0,) * len(fields)

    return rule


def reverse_mode(name: str, op: Any, save: Save, backward: Backward) -> Callable[..., Any]:
    """The op as torch.func can transform it; ``save`` and ``backward`` as for register_autograd.

    Slower to call than the op, and the same otherwise.
    """

    class Transformed(torch.autograd.Function):
        @staticmethod
        def forward(*arguments: Any) -> Any:
            return op(*arguments)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            save(ctx, inputs, output)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return backward(ctx, *gradients)

        @staticmethod
        def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
            return one_by_one(name, run)(info, in_dims, *arguments)

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            raise RuntimeError(FORWARD.format(name.removesuffix("_backward")))

    run: Callable[..., Any] = Transformed.apply
    return run


def once(op: str) -> tuple[Save, Backward]:
    """``save`` and ``backward`` of an op that is itself the backward pass of ``op``."""

    def save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError(SECOND.format(op))

    return save, backward


def no_second_derivative(op: str, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
    """The gradients that a backward pass returns; where they are to be differentiated, it raises.

    For the ``backward`` of a torch.autograd.Function, which need not be a registered op.
    """
    if not torch.is_grad_enabled():
        return gradients
    return tuple(g if g is None else _Refused.apply(g.requires_grad_(), op) for g in gradients)  # type: ignore[no-untyped-call]


class _Refused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, op: str) -> Tensor:
        ctx.op = op
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError(SECOND.format(ctx.op))


def refuse_tangents(op: str, *values: Any) -> None:
    """Raise RuntimeError where a value carries a tangent of forward-mode differentiation."""
    if torch.compiler.is_compiling():
        return
    for value in values:
        if not isinstance(value, Tensor):
            continue
        if forward_ad.unpack_dual(value).tangent is not None:  # type: ignore[no-untyped-call]
            raise RuntimeError(FORWARD.format(op))
