"""The registered ops: what torch.library and torch.compile ask of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from calib_kernels import CalibrationHistogram, OptionScores, option_scores
from torch import Tensor

from tests.gate.agreement import same_bits
from tests.kernels.cases import IDS, example


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_opcheck_option_scores(backend: str, labelled: bool, dtype: torch.dtype) -> None:
    """R30."""
    if dtype == torch.float64 and backend != "reference":
        pytest.skip("float64 is for the reference")
    x, labels = example()
    t = torch.full((6,), 1.3) if labelled else None
    rows = (x.to(dtype), labels if labelled else None, 0.7, t, -100, 99, 10 if labelled else 0)
    arguments = (*rows, IDS[None], "vocab")
    torch.library.opcheck(torch.ops.calib_kernels.option_scores.default, arguments)


@pytest.mark.parametrize("with_valid", [True, False])
def test_opcheck_histogram_delta(backend: str, with_valid: bool) -> None:
    """R30."""
    correct = torch.arange(8) % 2 == 0
    arguments = (torch.rand(8), correct, correct.roll(1) if with_valid else None, 5)
    torch.library.opcheck(torch.ops.calib_kernels.histogram_delta.default, arguments)


def test_compiles_as_one_graph(backend: str) -> None:
    """R18, R30. Whole, with the histogram, for changing N and V, to the same bits."""
    x, labels = example(8, 150)
    seen, eager = CalibrationHistogram(10), CalibrationHistogram(10)

    def step(x: Tensor, labels: Tensor, h: CalibrationHistogram) -> OptionScores:
        return option_scores(x * 2, IDS, labels, temperature=1.7, histogram=h)

    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, dynamic=True, backend="aot_eager")
    for n, columns in ((8, 150), (5, 150), (7, 83)):
        rows, wanted = x[:n, :columns].contiguous(), labels[:n]
        same_bits(compiled(rows, wanted, seen), step(rows, wanted, eager))
    assert torch.equal(seen.state_dict()["sums"], eager.state_dict()["sums"])


@pytest.mark.slow
def test_compiles_with_inductor(backend: str) -> None:
    """R18, R30. Temperatures of the host reach the op as they are, whatever the compiler holds."""
    x, labels = example()
    torch._dynamo.reset()

    def run(x: Tensor, t: float) -> OptionScores:
        return option_scores(x + 0.0, IDS, labels, temperature=t)

    compiled = torch.compile(run, fullgraph=True)
    for t in (1.0, 0.7, 1.3):
        same_bits(compiled(x, t), run(x, t))


def test_exports() -> None:
    """R30."""

    class Score(torch.nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            found = option_scores(x, IDS)
            return found.prob, found.token

    x, _ = example()
    rows = {"x": {0: torch.export.Dim("rows", min=2, max=64)}}
    program = torch.export.export(Score(), (x,), dynamic_shapes=rows)
    prob, token = program.module()(x[:3])
    found = option_scores(x[:3], IDS)
    assert torch.equal(prob, found.prob) and torch.equal(token, found.token)


def test_fake_tensors_have_the_real_shapes(backend: str) -> None:
    x, labels = example()
    real = option_scores(x, IDS, labels)
    with torch._subclasses.FakeTensorMode() as mode:
        fake = option_scores(mode.from_tensor(x), mode.from_tensor(IDS), mode.from_tensor(labels))
    for a, b in zip(real, fake, strict=True):
        assert a is not None and b is not None
        assert (a.shape, a.dtype, a.stride()) == (b.shape, b.dtype, b.stride())


def test_no_gradient_flows() -> None:
    x, labels = example()
    found = option_scores(x.requires_grad_(), IDS, labels)
    assert not any(f.requires_grad for f in found if f is not None)


@pytest.mark.parametrize("kind", ["list", "int32", "one set for all rows", "a set per row"])
def test_forms_of_option_ids(backend: str, kind: str) -> None:
    x, labels = example()
    forms: dict[str, Any] = {
        "list": IDS.tolist(),
        "int32": IDS.int(),
        "one set for all rows": IDS[None],
        "a set per row": IDS.expand(6, 3, 2),
    }
    same_bits(option_scores(x, forms[kind], labels), option_scores(x, IDS, labels))


def test_without_labels_there_is_no_correct(backend: str) -> None:
    x, labels = example()
    plain, labelled = option_scores(x, IDS), option_scores(x, IDS, labels)
    assert plain.correct is None
    same_bits(plain._replace(correct=labelled.correct), labelled)
