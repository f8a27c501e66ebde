"""sample: the contract on every backend that can run here, against float64."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from calib_kernels import Sample, row_stats, sample, use_backend
from torch import Tensor

from tests.gate.agreement import compare, same_bits
from tests.kernels.cases import DTYPES, rows_of, sampled

BLOCK = 4096
COLUMNS = [1, 2, 100, BLOCK - 1, BLOCK, BLOCK + 1, 40001]
FILTERS: list[dict[str, Any]] = [
    {},
    {"top_k": 7},
    {"top_p": 0.9},
    {"min_p": 0.05},
    {"top_k": 900, "top_p": 0.8, "min_p": 0.01},
    {"temperature": 0.3, "top_p": 0.99, "min_p": 1e-6},
    {"greedy": True, "top_k": 20},
]


def truth(x: Tensor, indices: Tensor | None = None, **options: Any) -> Sample:
    """The definition computes in float64 whatever the dtype, but for the comparison of min_p."""
    with use_backend("reference"):
        return sampled(x, indices, **options)


def oracle(
    row: list[float], t: float = 1.0, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0
) -> dict[int, float]:
    """Probabilities of the tokens that the filters leave, by the definition, in plain Python."""
    order = sorted((i for i in range(len(row)) if row[i] > -math.inf), key=lambda i: (-row[i], i))
    if top_k > 0:
        order = order[:top_k]
    weight = {i: math.exp((row[i] - row[order[0]]) / t) for i in order}
    whole, before, kept = math.fsum(weight.values()), 0.0, []
    for i in order:
        if kept and top_p < 1 and before >= top_p * whole:
            break
        before += weight[i]
        kept.append(i)
    kept = [i for i in kept if weight[i] >= min_p]
    whole = math.fsum(weight[i] for i in kept)
    return {i: weight[i] / whole for i in kept}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", COLUMNS)
def test_hard_rows(backend: str, dtype: torch.dtype, columns: int) -> None:
    """R1-R6, R9, R37. Equal ids and float64's numbers, with every filter; the numbers of the
    stream are such that none lies within rounding of a boundary."""
    if backend == "reference":
        pytest.skip("it is the definition, whose filters are held to brute force below")
    names, x = rows_of(columns, dtype)
    for options in FILTERS:
        found, expected = sampled(x, **options), truth(x, **options)
        assert not list(compare(found, expected, names)), options
        assert (found.token >= 0).all() and (found.token < columns).all()
        assert not (found.logprob > 0).any() and not (found.logprob_unfiltered > 0).any()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_injected_uniforms_give_the_ids_of_the_definition(backend: str, dtype: torch.dtype) -> None:
    """On a grid, at the ends, and beyond them; away from boundaries, which is checked."""
    generator = torch.Generator().manual_seed(3)
    x = (torch.randn(4, 9001, generator=generator) * 3).to(dtype)
    x[1, :BLOCK] = -math.inf
    x[2, BLOCK + 5 :] = -math.inf
    ends = torch.tensor([0.0, 1 - 2.0**-53, 0.37, 0.81], dtype=torch.float64)
    u = torch.cartesian_prod(ends, ends).expand(4, -1, -1)
    indices = torch.zeros(4, 16, dtype=torch.int64)
    found = sampled(x, indices, uniforms=u)
    expected = truth(x, indices, uniforms=u)
    inner = (u > 0.1).all(-1) & (u < 0.9).all(-1)
    assert inner.any() and torch.equal(found.token[inner], expected.token[inner])
    # At the very ends rounding may choose a neighbour, but never what has no weight.
    assert (x.gather(1, found.token) > -math.inf).all()
    weight = (x.double() - x.double().amax(1, keepdim=True)).exp()
    nothing = torch.tensor([-1.0, 2.0, math.nan], dtype=torch.float64)
    wild = nothing[None, :, None].expand(4, 3, 2)
    beyond = sampled(x, torch.zeros(4, 3, dtype=torch.int64), uniforms=wild)
    assert (weight.gather(1, beyond.token) > 0).all()


def test_uniforms_are_those_of_the_address(backend: str) -> None:
    from calib_kernels import philox

    x = torch.randn(5, 5000, generator=torch.Generator().manual_seed(1))
    item, indices = torch.arange(5) - 2, torch.arange(10).view(5, 2) + 2**32 - 10
    step = torch.arange(5) + 2**28 - 5
    for seed in (0, 2**63, 2**64 - 1):
        u = philox.uniforms(seed, item[:, None], indices, step[:, None])
        named = sample(x, seed=seed, item=item, sample=indices, step=step)
        same_bits(named, sample(x, seed=0, item=0, sample=indices, step=0, uniforms=u))
        one = sample(x[:1], seed=seed, item=-2, sample=indices[0, :1], step=2**28 - 5)
        assert one.token == named.token[0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_filters_against_brute_force(backend: str, seed: int) -> None:
    """Every survivor is sampled, nothing else, and each says its probability; ties included."""
    generator = torch.Generator().manual_seed(seed)
    # On a coarse grid many logits are equal, so that cuts fall among them.
    rows = (torch.randn(3, 60, generator=generator) * 2).mul(2).round().div(2)
    rows[1, ::7] = -math.inf
    u = torch.rand(1, 400, 2, generator=generator, dtype=torch.float64)
    grid = itertools.product((0, 1, 5, 23, 60), (0.0, 0.3, 0.77, 1.0), (0.0, 0.08, 1.0))
    for top_k, top_p, min_p in grid:
        # 1.3 T, so that no mass lies at a cut but for rounding, and a min_p that no ratio meets.
        options = {"top_k": top_k, "top_p": top_p, "min_p": min_p, "temperature": 1.3}
        for row in rows:
            left = oracle(row.tolist(), 1.3, top_k, top_p, min_p)
            found = sample(
                row[None], seed=0, item=0, step=0, uniforms=u,
                sample=torch.zeros(1, 400, dtype=torch.int64), **options,
            )  # fmt: skip
            tokens = set(found.token[0].tolist())
            assert tokens <= set(left), options
            assert tokens >= {i for i, p in left.items() if p > 0.04}, options
            for token, logprob in zip(found.token[0, :50].tolist(), found.logprob[0], strict=False):
                assert abs(float(logprob) - math.log(left[token])) < 2e-6


def test_filters_of_long_rows(backend: str) -> None:
    """Where more tokens survive than are sorted at once, and where the cut falls among ties."""
    generator = torch.Generator().manual_seed(8)
    plain = torch.randn(1, 40001, generator=generator) * 2
    coarse = (plain * 4).round() / 4
    flat = torch.zeros(1, 40001)
    late = torch.full((1, 40001), -20.0)
    late[0, 39990:] = 1.0
    masked = plain.where(torch.rand(1, 40001, generator=generator) < 0.7, -1e9)
    indices = torch.arange(64)[None]
    two = torch.where(plain > 1, 2.0, 1.0)
    rows = {"plain": plain, "coarse": coarse, "flat": flat, "late": late, "masked": masked,
            "two": two, "narrow": plain * 1e-4, "wide": plain * 300}  # fmt: skip
    for name, x in rows.items():
        for options in (
            {"top_k": 1}, {"top_k": 5000}, {"top_k": 39999}, {"top_p": 0.5}, {"top_p": 0.9997},
            {"top_k": 30000, "top_p": 0.6}, {"top_p": 1e-9}, {"top_k": 900, "temperature": 1e-30},
            {"top_p": 0.3, "temperature": 1e30}, {"top_k": 7000, "temperature": 1e35},
        ):  # fmt: skip
            found, expected = sampled(x, indices, **options), truth(x, indices, **options)
            assert not list(compare(found, expected, [name])), options


def test_top_k_of_one_is_greedy_and_so_is_a_tiny_top_p(backend: str) -> None:
    """R22: the first of equal maxima stays; min_p of 1 leaves them all."""
    x = torch.randn(3, 9000, generator=torch.Generator().manual_seed(2))
    for row, ties in zip(x, ([5, 8000], [4095, 4096], [63, 64, 100]), strict=True):
        row[ties] = 9.0
    greedy = sampled(x, greedy=True)
    assert greedy.token[:, 0].tolist() == [5, 4095, 63]
    for options in ({"top_k": 1}, {"top_p": 0.0}, {"top_p": 1e-12}):
        one = sampled(x, **options)
        assert torch.equal(one.token, greedy.token) and (one.logprob == 0).all()
    tied = sampled(x, torch.arange(300).view(3, 100), min_p=1.0)
    assert [sorted(set(row)) for row in tied.token.tolist()] == [
        [5, 8000],
        [4095, 4096],
        [63, 64, 100],
    ]
    assert torch.allclose(tied.logprob.exp()[:, 0], torch.tensor([1 / 2, 1 / 2, 1 / 3]))


def test_filters_that_filter_nothing(backend: str) -> None:
    names, x = rows_of(500, torch.float32)
    plain = sampled(x)
    for options in ({"top_k": 500}, {"top_k": 10**6}, {"top_k": -1}, {"top_p": 7.0}):
        same_bits(sampled(x, **options), plain)
    assert torch.equal(plain.logprob.nan_to_num(7), plain.logprob_unfiltered.nan_to_num(7)), names


def test_greedy_takes_the_argmax_and_says_its_probability(backend: str) -> None:
    names, x = rows_of(5000, torch.float32)
    stats = row_stats(x)
    found = sampled(x, greedy=True)
    assert torch.equal(found.token, stats.prediction[:, None].expand(-1, 4)), names
    torch.testing.assert_close(
        found.logprob[:, 0].exp(), stats.confidence, atol=2e-6, rtol=0, equal_nan=True
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_logprobs_are_the_recomputed_ones(backend: str, dtype: torch.dtype) -> None:
    """R27: of ``row_stats`` at the drawn token."""
    names, x = rows_of(5000, dtype)
    found = sampled(x, temperature=0.7)
    for i in range(4):
        stats = row_stats(x, found.token[:, i].contiguous(), temperature=0.7)
        torch.testing.assert_close(
            found.logprob[:, i], stats.label_logprob, atol=4e-6, rtol=8e-7, equal_nan=True
        )
        torch.testing.assert_close(
            found.entropy[:, i], stats.entropy, atol=8e-6, rtol=8e-7, equal_nan=True
        )
        assert torch.equal(found.valid[:, i], stats.valid), names


def test_a_temperature_per_row(backend: str) -> None:
    """R17; min_p's cut follows each row's own."""
    names, x = rows_of(500, torch.float32)
    t = torch.logspace(-3, 3, len(names))
    t[3], t[5], t[7], t[10] = 0.0, -1.0, math.nan, math.inf
    for options in ({}, {"min_p": 0.1}, {"top_p": 0.9}):
        found, expected = sampled(x, temperature=t, **options), truth(x, temperature=t, **options)
        assert not list(compare(found, expected, names)), options
        assert not found.valid[[3, 5, 7, 10]].any()
    same_bits(
        sampled(x, temperature=torch.tensor(0.3), min_p=0.1),
        sampled(x, temperature=torch.full((len(x),), 0.3), min_p=0.1),
    )


@pytest.mark.parametrize("lowest", [torch.finfo(torch.float32).min, -3.0e38])
def test_masks_of_the_lowest_float(backend: str, lowest: float) -> None:
    x = torch.full((2, 40000), lowest)
    x[0, [5, 39000]] = torch.tensor([2.0, 3.0])
    for options in ({}, {"top_k": 3}, {"top_p": 0.99}):
        found = sampled(x, torch.arange(80).view(2, 40), **options)
        assert set(found.token[0].tolist()) == {5, 39000}
        assert found.token[1].unique().numel() > 1 or options


def test_subnormal_probabilities_end_in_time(backend: str) -> None:
    """R28: probabilities below the smallest normal float, with every filter."""
    x = torch.full((1, 20000), -95.0)
    x[0, 7] = 0.0
    x[0, 1000:2000] = torch.linspace(-104, -87, 1000)
    for options in ({"top_p": 1 - 1e-16}, {"top_p": 0.999999}, {"top_k": 19999}, {"min_p": 1e-44}):
        assert (sampled(x, **options).token == 7).all()
