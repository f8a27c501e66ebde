"""The checks that run before anything is timed: the Triton ops on a device, against float64.

Each check yields its name and the disagreements it found, as sentences. They go through the public
ops, so what is checked is what is timed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from calib_kernels import (
    CalibrationHistogram,
    OptionScores,
    RowStats,
    bins,
    histogram_delta,
    option_scores,
    reference,
    row_stats,
    use_backend,
)
from torch import Tensor

from bench.gate import (
    compare,
    hard_rows,
    laid_out,
    option_sets,
    row_labels,
    row_truth_of,
    truth_of,
)
from bench.loss_gate import loss_checks

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
# One column; less than a block; odd, so that no two rows start at the same alignment; real ones.
WIDTHS = (1, 100, 32001, 128256, 151936)
# Where the trouble of ``hard_rows`` is put: the seams of the kernels' blocks.
BLOCK = 2048
ROW_STATS_BLOCK = 1024
BINS = 15
IGNORED = -100

Check = tuple[str, list[str]]


def brief(problems: Iterator[str] | list[str], most: int = 5) -> list[str]:
    """The first few, each cut short: one wrong kernel disagrees everywhere."""
    return [p if len(p) <= 400 else p[:400] + " ..." for p in itertools.islice(problems, most)]


def short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def labels_for(n: int, options: int, device: torch.device) -> Tensor:
    """Right and wrong ones, ignored ones, some that name no option."""
    labels = torch.arange(n) % options
    labels[3::7] = IGNORED
    labels[5::11] = options
    return labels.to(device)


def bits(scores: OptionScores | RowStats, rows: slice) -> list[Tensor]:
    return [
        field[rows].cpu().contiguous().view(torch.uint8) for field in scores if field is not None
    ]


def same_bits(
    a: OptionScores | RowStats, b: OptionScores | RowStats, rows: slice = slice(None)
) -> list[str]:
    """Fields of b that differ from rows of a."""
    names = [name for name, field in zip(a._fields, a, strict=True) if field is not None]
    pairs = zip(names, bits(a, rows), bits(b, slice(None)), strict=True)
    return [f"{name} has other bits" for name, x, y in pairs if not torch.equal(x, y)]


def layouts_of(values: Tensor, device: torch.device) -> dict[str, Tensor]:
    """The same rows (N, V) in memory in other ways; vocab_size=V is needed to read the last."""
    n, columns = values.shape
    return {
        "contiguous": values.to(device),
        "odd stride and offset": laid_out(values, columns + 37 | 1, 3, device),
        # The columns of padding hold NaN, which must not be read as logits.
        "padding columns": laid_out(values, columns + 64, 0, device).as_strided(
            (n, columns + 40), (columns + 64, 1)
        ),
    }


def own_temperatures(n: int, device: torch.device) -> Tensor:
    """(N,) from tiny to huge, and two that make their row invalid."""
    own = torch.logspace(-2, 2, n, device=device)
    own[:2] = torch.tensor([0.0, float("nan")])
    return own


def histogram_problems(
    histogram: CalibrationHistogram, found: OptionScores | RowStats, labels: Tensor
) -> list[str]:
    """A histogram filled in the same pass is that of the confidences returned."""
    assert found.correct is not None
    sums = reference.histogram_delta(
        found.confidence.cpu(), found.correct.cpu(), None, BINS, labels.cpu() != IGNORED
    )
    same = torch.equal(histogram.state_dict()["sums"].cpu(), sums)
    return [] if same else ["the histogram is not that of the confidences returned"]


def hard_row_checks(
    device: torch.device, dtype: torch.dtype, columns: int, block: int
) -> Iterator[Check]:
    """Every kind of option set, row layout, temperature and confidence, on rows made to break."""
    rows = hard_rows(columns, min(block, max(columns // 2, 1)))
    names, n = list(rows), len(rows)
    values = torch.stack(list(rows.values())).to(dtype)
    layouts = layouts_of(values, device)
    own = own_temperatures(n, device)
    plans = {
        "letters": ("contiguous", 1.0, "options"),
        "spellings": ("odd stride and offset", 1.7, "vocab"),
        "sets per row": ("padding columns", own, "options"),
    }
    for kind, ids in option_sets(n, columns).items():
        layout, temperature, mode = plans[kind]
        if device.type == "cpu":
            ids = ids.where(ids < columns, -1)  # ids on the host are checked, and would raise
        ids = ids.to(device)
        labels = labels_for(n, ids.shape[1], device)
        histogram = CalibrationHistogram(BINS)
        found = option_scores(
            layouts[layout], ids, labels, temperature=temperature, confidence=mode,
            vocab_size=columns, histogram=histogram,
        )  # fmt: skip
        want = truth_of(values, ids, labels, temperature, mode == "vocab")
        problems = brief(compare(found, want, names))
        problems += histogram_problems(histogram, found, labels)
        yield f"option_scores {short(dtype)} {n} x {columns}, {kind}, {layout}", problems


def row_stats_checks(
    device: torch.device, dtype: torch.dtype, columns: int, block: int
) -> Iterator[Check]:
    """``row_stats`` in every row layout, at one temperature and at one for each row."""
    rows = hard_rows(columns, min(block, max(columns // 2, 1)))
    names, n = list(rows), len(rows)
    values = torch.stack(list(rows.values())).to(dtype)
    labels = row_labels(n, columns).to(device)
    temperatures = (1.0, 1.7, own_temperatures(n, device))
    for (layout, x), t in zip(layouts_of(values, device).items(), temperatures, strict=True):
        histogram = CalibrationHistogram(BINS)
        found = row_stats(x, labels, temperature=t, vocab_size=columns, histogram=histogram)
        problems = brief(compare(found, row_truth_of(values, labels, t), names))
        problems += histogram_problems(histogram, found, labels)
        yield f"row_stats {short(dtype)} {n} x {columns}, {layout}", problems


def invariance_checks(device: torch.device, columns: int, rows: int) -> Iterator[Check]:
    """A row's bits depend on that row alone, however many others there are, and on every run."""
    x = (torch.randn(rows, columns, generator=torch.Generator().manual_seed(1)) * 3).to(device)
    x[1, columns // 2] = 200.0  # this row is read twice
    ids = torch.arange(min(4, columns), device=device)
    whole = option_scores(x, ids)
    few = option_scores(x[:3], ids)
    yield f"3 rows of {rows} x {columns} by themselves", same_bits(whole, few, slice(3))
    yield f"{rows} x {columns} again", same_bits(whole, option_scores(x, ids))
    none = option_scores(x[:0], ids)
    empty = [] if none.prob.shape == (0, len(ids)) else [f"prob has shape {tuple(none.prob.shape)}"]
    yield "no rows", empty
    labels = torch.arange(rows, device=device) % columns
    stats = row_stats(x, labels)
    few_stats = row_stats(x[:3], labels[:3])
    name = f"row_stats of {rows} x {columns}"
    yield f"{name}, 3 rows by themselves", same_bits(stats, few_stats, slice(3))
    yield f"{name} again", same_bits(stats, row_stats(x, labels))


def confidences(n: int, bin_count: int) -> Tensor:
    """(n,) float32 in [0, 1], first the bounds of bins with their neighbours, then the unusable."""
    edges = bins.edges(bin_count, torch.float32, torch.device("cpu"))[:200]
    special = torch.tensor([0.0, -0.0, 1.0, 1.0000001, -1e-9, float("nan"), float("inf")])
    near = [edges, edges.nextafter(torch.tensor(2.0)), edges.nextafter(torch.tensor(-1.0))]
    chosen = torch.cat([special, *near])[:n]
    generator = torch.Generator().manual_seed(n)
    return torch.cat([chosen, torch.rand(n - len(chosen), generator=generator)])


def histogram_checks(device: torch.device, sizes: Sequence[int]) -> Iterator[Check]:
    """Exact equality with the reference: these are integers."""
    for n, bin_count in itertools.product(sizes, (1, 10, 15, 4096)):
        c = confidences(n, bin_count)
        correct = torch.arange(n) % 3 > 0
        valid = torch.arange(n) % 5 > 0
        problems = []
        for name, flags in (("all valid", None), ("some valid", valid)):
            want = reference.histogram_delta(c, correct, flags, bin_count, None)
            given = None if flags is None else flags.to(device)
            found = histogram_delta(c.to(device), correct.to(device), given, bins=bin_count)
            if not torch.equal(found.cpu(), want):
                wrong = (found.cpu() != want).nonzero().flatten().tolist()
                problems.append(f"{name}: entries {wrong[:8]} differ from the reference")
        whole, parts = (CalibrationHistogram(bin_count, device) for _ in range(2))
        whole.update(c.to(device), correct.to(device))
        order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
        for part in order.tensor_split(3):
            parts.update(c[part].to(device), correct[part].to(device))
        if not torch.equal(whole.state_dict()["sums"], parts.state_dict()["sums"]):
            problems.append("three batches in another order give other sums")
        yield f"histogram of {n} rows in {bin_count} bins", problems


def checks(
    device: torch.device,
    widths: Sequence[int] = WIDTHS,
    dtypes: Sequence[torch.dtype] = DTYPES,
    block: int = BLOCK,
    many: int = 300,
    histogram_sizes: Sequence[int] = (1, 1000, 100_003),
) -> Iterator[Check]:
    """Every check on the Triton backend. ``many`` rows get a program each; of a few rows, several
    programs may share one."""
    with use_backend("triton"):
        for columns, dtype in itertools.product(widths, dtypes):
            yield from hard_row_checks(device, dtype, columns, block)
            yield from row_stats_checks(device, dtype, columns, min(block, ROW_STATS_BLOCK))
            yield from loss_checks(device, dtype, columns, min(block, ROW_STATS_BLOCK))
        yield from invariance_checks(device, max(widths), many)
        yield from histogram_checks(device, histogram_sizes)
