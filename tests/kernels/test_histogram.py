"""Histograms: exact in any order and split, honest about rows that fit no bin."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from calib_kernels import CalibrationHistogram, row_stats, temperature_sweep
from torch import Tensor


def sums(h: CalibrationHistogram) -> list[int]:
    found: list[int] = h.state_dict()["sums"].tolist()
    return found


def rows(n: int = 3000) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(9)
    c = torch.rand(n, generator=generator)
    c[:7] = torch.tensor([0.0, 1.0, 0.5, math.nan, 1.5, -0.25, math.inf])
    return c, torch.rand(n, generator=generator) < c.nan_to_num(0)


def filled(c: Tensor, correct: Tensor, bins: int = 15) -> CalibrationHistogram:
    h = CalibrationHistogram(bins)
    h.update(c, correct)
    return h


def test_counts_correct_and_confidence(backend: str) -> None:
    c = torch.tensor([0.0, 0.05, 0.25, 0.5, 0.5, 0.7, 0.9, 1.0])
    correct = torch.tensor([0, 0, 1, 1, 0, 1, 1, 1])
    h = filled(c, correct, 10)
    # float32(0.7) and float32(0.9) lie just below their edges
    assert h.count.tolist() == [2, 0, 1, 0, 0, 2, 1, 0, 1, 1]
    assert h.correct.tolist() == [0, 0, 1, 0, 0, 1, 1, 0, 1, 1]
    found = h.confidence.tolist()
    expected = [0.05, 0, 0.25, 0, 0, 1.0, 0.7, 0, 0.9, 1.0]
    # float32 rounding of the inputs, then truncation to 2^-32
    assert found == pytest.approx(expected, abs=6e-8)
    assert (h.count.dtype, h.correct.dtype, h.confidence.dtype) == (
        torch.int64,
        torch.int64,
        torch.float64,
    )


def test_float64_confidences_are_not_rounded_first() -> None:
    h = filled(torch.tensor([0.7, 0.9], dtype=torch.float64), torch.tensor([1, 1]), 10)
    assert h.count.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0, 1]


def test_any_order_gives_the_same_bits(backend: str) -> None:
    c, correct = rows()
    whole = filled(c, correct)
    order = torch.randperm(len(c), generator=torch.Generator().manual_seed(1))
    assert sums(filled(c[order], correct[order])) == sums(whole)


def test_any_split_gives_the_same_bits(backend: str) -> None:
    c, correct = rows()
    whole = filled(c, correct)
    for pieces in (2, 7, 100):
        parts = [filled(*part) for part in zip(c.chunk(pieces), correct.chunk(pieces), strict=True)]
        assert sums(sum(parts)) == sums(whole)  # type: ignore[arg-type]
        one = CalibrationHistogram(15)
        for part in parts:
            one.merge(part)
        assert sums(one) == sums(whole)


def test_adding_leaves_both_as_they_were() -> None:
    c, correct = rows(50)
    a, b = filled(c[:20], correct[:20]), filled(c[20:], correct[20:])
    before = sums(a), sums(b)
    assert sums(a + b) == sums(filled(c, correct))
    assert (sums(a), sums(b)) == before


def test_rows_that_fit_no_bin(backend: str) -> None:
    c, correct = rows()
    h = filled(c, correct)
    assert int(h.invalid) == 4  # NaN, 1.5, -0.25, inf
    assert int(h.count.sum()) == len(c) - 4
    odd = CalibrationHistogram(4)
    odd.update(torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0, 1, 2]))
    assert (int(odd.count.sum()), int(odd.correct.sum()), int(odd.invalid)) == (2, 1, 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_sixteen_bit_confidences_are_widened(backend: str, dtype: torch.dtype) -> None:
    c = torch.rand(200, generator=torch.Generator().manual_seed(3)).to(dtype)
    correct = torch.arange(200) % 2
    assert sums(filled(c, correct)) == sums(filled(c.float(), correct))


def test_arrays_and_lists() -> None:
    listed = CalibrationHistogram(10)
    listed.update([0.25, 1], [True, False])
    arrays = CalibrationHistogram(10)
    arrays.update(np.array([0.25, 1.0]), np.array([1, 0]))
    assert sums(listed) == sums(arrays)
    assert listed.count.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("bins", [1, 2, 5, 10])
def test_rebin_equals_binning_anew(backend: str, bins: int) -> None:
    c, correct = rows()
    fine = filled(c, correct, 100)
    assert sums(fine.rebin(bins)) == sums(filled(c, correct, bins))
    with pytest.raises(ValueError, match="bins must divide 100, got 15"):
        fine.rebin(15)


def test_saved_and_loaded(tmp_path: Path) -> None:
    c, correct = rows()
    whole, first = filled(c, correct), filled(c[:1000], correct[:1000])
    torch.save(first.state_dict(), tmp_path / "h.pt")
    resumed = CalibrationHistogram(3)
    resumed.load_state_dict(torch.load(tmp_path / "h.pt", weights_only=True))
    resumed.update(c[1000:], correct[1000:])
    assert sums(resumed) == sums(whole)
    state = first.state_dict()
    with pytest.raises(ValueError, match="scale must be"):
        resumed.load_state_dict({**state, "scale": 2.0**40})
    with pytest.raises(ValueError, match="sums must be int64"):
        resumed.load_state_dict({**state, "bins": 10})


def test_a_state_is_a_copy() -> None:
    h = filled(*rows(20))
    state = h.state_dict()
    h.reset()
    assert state["sums"].sum() > 0 and h.count.sum() == 0 and h.invalid == 0


def test_misuse_is_named() -> None:
    with pytest.raises(ValueError, match=r"bins must be an integer in 1\.\.65536, got 0"):
        CalibrationHistogram(0)
    with pytest.raises(ValueError, match=r"correct must be \(2,\), got shape \(3,\)"):
        CalibrationHistogram(5).update([0.1, 0.2], [1, 0, 1])
    with pytest.raises(ValueError, match="must have bins=5, got 6"):
        CalibrationHistogram(5).merge(CalibrationHistogram(6))
    with pytest.raises(TypeError):
        CalibrationHistogram(5) + 1  # type: ignore[operator]


def test_no_rank_no_reduction() -> None:
    h = filled(*rows(20))
    before = sums(h)
    assert sums(h.all_reduce()) == before


def test_copies_and_pickles_are_histograms_of_their_own() -> None:
    h = filled(*rows(50))
    before = sums(h)
    for again in (copy(h), deepcopy(h), pickle.loads(pickle.dumps(h)), deepcopy([h, h])[1]):
        assert sums(again) == before and again.bins == h.bins and again.device == h.device
        again.update([0.5], [1])
        assert sums(again) != before
        again.reset()
        assert sums(h) == before
    pair = deepcopy([h, h])
    assert pair[0] is pair[1]
    # What is settled stays so, what is not may still go elsewhere.
    for made in (CalibrationHistogram(15), CalibrationHistogram(15, "cpu")):
        delta = torch.zeros(46, dtype=torch.int64, device="meta")
        if made._settled:
            with pytest.raises(ValueError, match="histogram is on cpu"):
                copy(made).add(delta)
        else:
            copy(made).add(delta)


MADE_INSIDE: dict[str, Any] = {
    "made": lambda h: CalibrationHistogram(15, "cpu"),
    "undecided": lambda h: CalibrationHistogram(15),
    "added": lambda h: h + h,
    "summed": lambda h: sum([h, h]),
    "rebinned": lambda h: h.rebin(5),
    "copied": copy,
    "copied deeply": deepcopy,
    "pickled": lambda h: pickle.loads(pickle.dumps(h)),
    "of a delta": lambda h: CalibrationHistogram.of(h.state_dict()["sums"]),
    "loaded": lambda h: loaded(h.state_dict()),
    "merged": lambda h: CalibrationHistogram(15).merge(h),
    "of a sweep": lambda h: temperature_sweep(
        torch.eye(3), torch.arange(3), [1.0], bins=15
    ).histograms[0],
}


def loaded(state: dict[str, Any]) -> CalibrationHistogram:
    h = CalibrationHistogram(3)
    h.load_state_dict(state)
    return h


@pytest.mark.parametrize("how", MADE_INSIDE)
def test_inference_mode_leaves_no_trace(backend: str, how: str) -> None:
    """Whatever is made on one side of torch.inference_mode may be changed on the other."""
    c, correct = rows(50)
    plain = filled(c, correct)
    alike = MADE_INSIDE[how](plain)
    with torch.inference_mode():
        plain.update(c, correct)
        inside = MADE_INSIDE[how](filled(c, correct))
        inside.update(c, correct)
        state = inside.state_dict()
    alike.update(c, correct)
    assert sums(inside) == sums(alike)
    state["sums"] += 1
    inside.merge(inside)
    inside.update(c, correct)
    row_stats(torch.eye(3), torch.arange(3), histogram=inside)
    inside.reset()
    assert not any(sums(inside))
    plain.reset()


def test_a_state_goes_to_the_device_of_its_reader() -> None:
    h = filled(*rows(50))
    elsewhere = CalibrationHistogram(15, device="meta")
    elsewhere.load_state_dict(h.state_dict())
    assert elsewhere.device.type == "meta" and elsewhere.state_dict()["sums"].is_meta
    with pytest.raises(ValueError, match="histogram is on meta, the rows are on cpu"):
        elsewhere.update([0.5], [1])
    undecided = CalibrationHistogram(3)
    undecided.load_state_dict(h.state_dict())
    undecided.add(torch.zeros(46, dtype=torch.int64, device="meta"))
    assert undecided.device.type == "meta"


def test_a_group_of_one_rank(tmp_path: Path) -> None:
    h = filled(*rows(50))
    before = sums(h)
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        assert sums(h.all_reduce()) == before
        assert sums(h.all_reduce(dist.new_group([0]))) == before
    finally:
        dist.destroy_process_group()


RANK = """
import sys, torch, torch.distributed as dist
from calib_kernels import CalibrationHistogram
meet, rank, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=2)
generator = torch.Generator().manual_seed(5)
c = torch.rand(1001, generator=generator)
correct = torch.rand(1001, generator=generator) < c
h = CalibrationHistogram(15)
h.update(c[rank::2], correct[rank::2])
if rank:
    h.update([float("nan")], [0])
h.all_reduce()
torch.save(h.state_dict(), out)
dist.barrier()  # ranks leave together
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_ranks_have_the_bits_of_one(tmp_path: Path) -> None:
    """Ranks with unlike numbers of rows; both get the sum."""
    saved = [tmp_path / "0.pt", tmp_path / "1.pt"]
    ranks = [
        subprocess.Popen([sys.executable, "-c", RANK, str(tmp_path / "meet"), str(i), str(path)])
        for i, path in enumerate(saved)
    ]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    generator = torch.Generator().manual_seed(5)
    c = torch.rand(1001, generator=generator)
    whole = filled(c, torch.rand(1001, generator=generator) < c)
    whole.update([math.nan], [0])
    for path in saved:
        assert torch.load(path)["sums"].tolist() == sums(whole)
