"""Linear layers of a decoding step on a CPU: the product, and who gets it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from calib.hf.few_rows import FEW, few_rows, linears, product


@pytest.mark.parametrize("rows", [1, 4, 20, 48, 49])
@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_the_layers(rows: int, bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(96, 70, bias=bias)
    x = torch.randn(rows, 1, 96)
    for given in (x, x[:, 0], x.transpose(0, 1), torch.randn(rows, 1, 192)[..., ::2]):
        with torch.no_grad():
            found, expected = product(layer, given), layer(given)
        assert found.is_contiguous() == expected.is_contiguous()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_few_rows_go_to_the_other_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would compare a product with itself."""
    monkeypatch.setattr("calib.hf.few_rows.linear", None)
    layer = nn.Linear(96, 70)
    with torch.no_grad():
        assert product(layer, torch.randn(FEW[-1], 96)).shape == (FEW[-1], 70)
        with pytest.raises(TypeError):
            product(layer, torch.randn(FEW[-1] + 1, 96))


def test_gradients_are_those_of_the_layer() -> None:
    layer = nn.Linear(8, 8)
    product(layer, torch.randn(4, 8)).sum().backward()
    assert layer.weight.grad is not None


def test_the_layers_are_given_back() -> None:
    class Other(nn.Linear):
        """Whatever a subclass does."""

    hooked = nn.Linear(4, 4)
    hooked.forward = lambda x: x  # type: ignore[method-assign]
    model = nn.Sequential(nn.Linear(4, 4), Other(4, 4), hooked, nn.Linear(4, 4).bfloat16())
    found = linears(model)
    assert found == [model[0]]
    with pytest.raises(ZeroDivisionError), few_rows(found):
        assert "forward" in vars(model[0])
        raise ZeroDivisionError
    assert "forward" not in vars(model[0])
