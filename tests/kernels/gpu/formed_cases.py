"""What training does around a loss whose gradient is formed with it, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from calib_kernels import CalibrationHistogram, counted_cross_entropy, cross_entropy
from calib_kernels.gpu import tuning
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

LABELS = torch.tensor([3, 69, -100, 0, 70])


def logits() -> Tensor:
    return torch.randn(5, 70, generator=torch.Generator().manual_seed(0)) * 3


def plain(run: Callable[[], Any]) -> Any:
    """What it gives where nothing is formed."""
    before, tuning.FORMED = tuning.FORMED, ()
    try:
        return run()
    finally:
        tuning.FORMED = before


def both(run: Callable[[], Any]) -> tuple[Any, Any]:
    return run(), plain(run)


def gradient(loss: Tensor, x: Tensor, **options: Any) -> Tensor:
    return torch.autograd.grad(loss, x, **options)[0]


def loss_of(x: Tensor) -> Tensor:
    return cross_entropy(x, LABELS, label_smoothing=0.1)


def leaf() -> Tensor:
    return logits().requires_grad_()


def weighted(by: float) -> Tensor:
    x = leaf()
    return gradient(loss_of(x) * by, x)


def accumulated() -> Tensor:
    """Into the gradient of a leaf, twice from one graph and once from another."""
    x = leaf()
    loss = loss_of(x)
    loss.backward(retain_graph=True)
    loss.backward()
    loss_of(x).backward()
    assert x.grad is not None
    return x.grad


def checkpointed(reentrant: bool) -> Tensor:
    torch.manual_seed(0)
    head, h = nn.Linear(16, 70), torch.randn(5, 16).requires_grad_()
    loss: Any = checkpoint(lambda h: loss_of(head(h)), h, use_reentrant=reentrant)
    loss.backward()
    assert head.weight.grad is not None
    return head.weight.grad


def offloaded() -> Tensor:
    """Saved tensors that come back as others."""
    x = leaf()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t.clone()):
        loss = loss_of(x)
    return gradient(loss, x)


def compiled() -> Tensor:
    torch._dynamo.reset()
    x = leaf()
    return gradient(torch.compile(loss_of, fullgraph=True, backend="aot_eager")(x), x)


def compiled_backward() -> Tensor:
    """Of a loss that was not: what was formed is not handed on."""
    torch._dynamo.reset()
    x = leaf()
    loss = loss_of(x)
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend="eager")):
        return gradient(loss, x)


def traced() -> Tensor:
    """A tracer that is told of every op sees one that it knows."""
    graph = make_fx(lambda x: gradient(loss_of(x), x))(leaf())
    return graph(leaf())


def batched() -> Tensor:
    """Several upstream gradients at once."""
    x = leaf()
    return gradient(loss_of(x), x, grad_outputs=torch.tensor([1.0, 2.0]), is_grads_batched=True)


def with_everything() -> tuple[Tensor, ...]:
    x = leaf()
    t = torch.linspace(0.5, 2.0, 5).requires_grad_()
    histogram = CalibrationHistogram(5)
    loss = cross_entropy(x, LABELS, temperature=t, histogram=histogram, vocab_size=64)
    return *torch.autograd.grad(loss, (x, t)), histogram.state_dict()["sums"]


def counted() -> tuple[Tensor, ...]:
    x = leaf()
    loss, delta, entropies = counted_cross_entropy(x, LABELS, bins=5, z_loss=1e-3)
    return loss.detach(), gradient(loss, x), delta, entropies


def temperature_alone() -> Tensor:
    t = torch.tensor(1.3, requires_grad=True)
    return gradient(cross_entropy(logits(), LABELS, temperature=t), t)


def recorded() -> str:
    """A second derivative is refused, in the words of the registered op."""
    x = leaf()
    slope = gradient(loss_of(x), x, create_graph=True)
    try:
        slope.square().sum().backward()
    except RuntimeError as error:
        return str(error)
    return ""


CASES: dict[str, Callable[[], Any]] = {
    "as it is": lambda: weighted(1.0),
    "a quarter": lambda: weighted(0.25),
    "accumulated": accumulated,
    "checkpointed": lambda: checkpointed(False),
    "checkpointed, reentrant": lambda: checkpointed(True),
    "offloaded": offloaded,
    "compiled": compiled,
    "compiled backward": compiled_backward,
    "traced": traced,
    "transformed": lambda: torch.func.grad(loss_of)(logits()),
    "batched": batched,
    "with everything": with_everything,
    "counted": counted,
    "temperature alone": temperature_alone,
    "recorded": recorded,
}


def pairs() -> dict[str, Any]:
    return {name: both(run) for name, run in CASES.items()}
