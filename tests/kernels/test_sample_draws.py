"""sample: that draws have the right distribution, and depend on their address and row alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from calib_kernels import Sample, sample
from torch import Tensor

from tests.gate.agreement import same_bits
from tests.gate.row_stats import laid_out
from tests.kernels.cases import DTYPES, rows_of, sampled


def counts(x: Tensor, draws: int, **options: Any) -> Tensor:
    """(V,) how often each token of x (V,) was drawn."""
    indices = torch.arange(draws)[None]
    tokens = sample(x[None], seed=11, item=4, sample=indices, step=0, **options).token[0]
    return torch.bincount(tokens, minlength=x.numel()).double()


def z_of_chi_square(seen: Tensor, p: Tensor, least: float = 5.0) -> float:
    """Standard scores of Pearson's statistic; what is expected too rarely is taken together."""
    expected = p * seen.sum()
    many = expected >= least
    seen = torch.cat((seen[many], seen[~many].sum()[None]))
    expected = torch.cat((expected[many], expected[~many].sum()[None]))
    used = expected > least
    statistic = float(((seen - expected)[used] ** 2 / expected[used]).sum())
    freedom = int(used.sum()) - 1
    return (statistic - freedom) / math.sqrt(2 * freedom)


@pytest.mark.parametrize("columns", [1000, 128_000])
def test_chi_square(backend: str, columns: int) -> None:
    """R25. A third of the columns is masked, and whole blocks of the wide row."""
    if backend == "reference" and columns > 1000:
        pytest.skip("the definition keeps a block for every draw")
    x = torch.randn(columns, generator=torch.Generator().manual_seed(6)) * 2
    x[::3] = -math.inf
    x[8192:16384] = -math.inf
    draws = 4000 if backend == "reference" else 200_000
    for temperature in (1.0, 0.6):
        seen = counts(x, draws, temperature=temperature)
        p = (x.double() / temperature).softmax(0)
        assert abs(z_of_chi_square(seen, p)) < 4
        assert seen[p == 0].sum() == 0
        blocks = seen.split(4096), p.split(4096)
        together = [torch.stack([part.sum() for part in parts]) for parts in blocks]
        if columns > 1000:
            assert abs(z_of_chi_square(*together)) < 4


@pytest.mark.parametrize("options", [{"top_k": 40}, {"top_p": 0.8}, {"min_p": 0.02}], ids=str)
def test_chi_square_of_what_is_left(backend: str, options: dict[str, Any]) -> None:
    x = torch.randn(9000, generator=torch.Generator().manual_seed(6)) * 3
    seen = counts(x, 2000 if backend == "reference" else 50_000, **options)
    left = seen > 0
    p = x.double().softmax(0).where(left, 0.0)
    assert abs(z_of_chi_square(seen, p / p.sum())) < 4


@pytest.mark.parametrize("gap", [18.0, 20.0])
def test_tail_mass(backend: str, gap: float) -> None:
    """R25: one token far above very many, which together are drawn as often as they weigh."""
    if backend == "reference":
        pytest.skip("the definition keeps a block for every draw")
    tail = 262_143
    x = torch.zeros(tail + 1)
    x[0] = gap
    draws = 200_000
    p = tail * math.exp(-gap) / (1 + tail * math.exp(-gap))
    hits = draws - float(counts(x, draws)[0])
    assert abs(hits - draws * p) < 4 * math.sqrt(draws * p * (1 - p))


def test_masked_blocks_are_never_hit(backend: str) -> None:
    """R24: at any uniforms, the ends included, with and without filters."""
    x = torch.full((1, 5 * 4096 + 3), -math.inf)
    x[0, [4096 + 1, 4096 + 7, 3 * 4096]] = torch.tensor([0.0, -30.0, -1.0])
    ends = torch.tensor([0.0, 1e-300, 0.5, 1 - 2.0**-53, 1.0], dtype=torch.float64)
    u = torch.cartesian_prod(ends, ends)[None]
    for options in ({}, {"top_k": 2}, {"top_p": 0.99}, {"min_p": 1e-20}):
        token = sampled(x, torch.zeros(1, 25).long(), uniforms=u, **options).token
        assert (x.gather(1, token) > -math.inf).all()


def rows_of_draw(found: Sample, rows: Any) -> Sample:
    return Sample(*(field[rows] for field in found))


def test_several_draws_are_the_draws_one_by_one(backend: str) -> None:
    names, x = rows_of(5000, torch.float32)
    indices = torch.arange(3 * len(names)).view(len(names), 3) * 7
    for options in ({}, {"top_k": 9, "top_p": 0.9}):
        together = sampled(x, indices, **options)
        for i in range(3):
            alone = sampled(x, indices[:, i], **options)
            assert alone.token.shape == (len(names),)
            same_bits(alone, Sample(*(field[:, i] for field in together)))


def test_a_row_alone_is_the_row_in_a_batch(backend: str) -> None:
    """R20: and the same address draws the same, wherever it stands."""
    names, x = rows_of(9000, torch.float32)
    item, indices = torch.arange(len(names)), torch.arange(2 * len(names)).view(-1, 2)
    for options in ({}, {"top_p": 0.9, "min_p": 0.01}):
        together = sampled(x, indices, item=item, **options)
        order = torch.randperm(len(names), generator=torch.Generator().manual_seed(0))
        shuffled = sampled(x[order], indices[order], item=item[order], **options)
        same_bits(shuffled, rows_of_draw(together, order))
        for i in range(0, len(names), 5):
            one = slice(i, i + 1)
            same_bits(sampled(x[one], indices[one], item=i, **options), rows_of_draw(together, one))


def test_each_part_of_an_address_counts(backend: str) -> None:
    x = torch.zeros(1, 100_000)
    indices = torch.arange(8)[None]
    base: dict[str, Any] = {"seed": 1, "item": 2, "step": 3}
    tokens = [
        sample(x, sample=indices, **{**base, **change}).token.tolist()[0]
        for change in ({}, {"seed": 2}, {"item": 3}, {"step": 4}, {"item": 2 + 2**32})
    ]
    assert len({token for row in tokens for token in row}) > 30
    assert len({tuple(row) for row in tokens}) == 5


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_layouts(backend: str, dtype: torch.dtype) -> None:
    """R9, R10, R29: strides, offsets, padding columns, one row for all, columns apart."""
    _, x = rows_of(4100, dtype)
    for options in ({}, {"top_k": 30, "min_p": 0.01}):
        plain = sampled(x, **options)
        for stride, offset in ((4101, 0), (5001, 1), (4103, 3), (4104, 7)):
            same_bits(sampled(laid_out(x, stride, offset, "cpu"), **options), plain)
        same_bits(sampled(x.T.contiguous().T, **options), plain)
        padded = torch.cat((x, torch.full((len(x), 12), 50.0, dtype=dtype)), 1)
        padded[:, -1] = math.nan
        same_bits(sampled(padded, vocab_size=4100, **options), plain)
        one = sampled(x[:1].expand(3, -1), torch.tensor([4, 4, 4]), item=1, **options)
        assert one.token.unique().numel() == 1


def test_no_rows_and_no_draws(backend: str) -> None:
    found = sampled(torch.empty(0, 9), torch.empty(0, 3).long(), item=0)
    assert found.token.shape == found.valid.shape == (0, 3)
    assert sampled(torch.empty(0, 9), torch.empty(0).long(), item=0).token.shape == (0,)
    assert sampled(torch.zeros(4, 9), torch.empty(4, 0).long()).logprob.shape == (4, 0)
