"""What is checked before anything is timed: the Triton ops on a device, against float64.

Each check yields its name and the disagreements it found, as sentences. They go through the public
ops, so what is checked is what is timed; ``checks`` has all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from calib_kernels import (
    CalibrationHistogram,
    OptionScores,
    RowStats,
    Sample,
    bins,
    histogram_delta,
    linear_cross_entropy,
    linear_option_scores,
    option_scores,
    reference,
    row_stats,
    sample,
    temperature_sweep,
    use_backend,
)
from torch import Tensor

from tests.gate.agreement import compare, compare_sweeps, differing_bits
from tests.gate.row_stats import hard_rows, laid_out, option_sets, row_labels
from tests.gate.truth import row_truth_of, sweep_truth_of, truth_of

# Where the trouble of ``hard_rows`` is put: a seam of the sampler's blocks.
SAMPLE_BLOCK = 4096
BINS = 15
IGNORED = -100

Check = tuple[str, list[str]]
Result = TypeVar("Result", OptionScores, RowStats, Sample)


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


def first_rows(result: Result, n: int) -> Result:
    return type(result)(*(None if field is None else field[:n] for field in result))


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


def sweep_checks(
    device: torch.device, dtype: torch.dtype, columns: int, block: int
) -> Iterator[Check]:
    """``temperature_sweep``, row by row: in turns on a grid in 1/T and at temperatures of none."""
    rows = hard_rows(columns, min(block, max(columns // 2, 1)))
    values = torch.stack(list(rows.values())).to(dtype)
    labels = row_labels(len(rows), columns)
    kinds = ([4.0, 2.0, 4 / 3, 1.0], [0.7, 3.1])
    problems = []
    for i, name in enumerate(rows):
        x, label, temperatures = values[i : i + 1], labels[i : i + 1], kinds[i % 2]
        found = temperature_sweep(
            x.to(device), label.to(device), temperatures, derivatives=2, bins=BINS
        )
        truth = sweep_truth_of(x, label, temperatures)
        problems += compare_sweeps(found, truth, temperatures, name)
    yield f"temperature_sweep {short(dtype)} {len(rows)} x {columns}", brief(problems)


SAMPLING_FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"top_k": 50},
    {"top_p": 0.9},
    {"min_p": 0.05},
    {"top_k": 500, "top_p": 0.8, "min_p": 0.01},
    {"greedy": True},
)


def sample_checks(device: torch.device, dtype: torch.dtype, columns: int) -> Iterator[Check]:
    """``sample`` with every filter: the definition's ids and numbers, draws by the same address."""
    rows = hard_rows(columns, min(SAMPLE_BLOCK, max(columns // 2, 1)))
    names, n = list(rows), len(rows)
    values = torch.stack(list(rows.values())).to(dtype)
    layouts = itertools.cycle(layouts_of(values, device).items())
    address: dict[str, Any] = {"seed": 2**63 + 5, "item": 2**40 + 1, "step": 3}
    indices = torch.arange(2 * n).view(n, 2)
    for filters, (layout, x) in zip(SAMPLING_FILTERS, layouts, strict=False):
        options = {**address, **filters, "temperature": 1.7}
        found = sample(x, sample=indices.to(device), vocab_size=columns, **options)
        with use_backend("reference"):
            want = sample(values, sample=indices, **options)
        chosen = ", ".join(filters) or "no filter"
        name = f"sample {short(dtype)} {n} x {columns}, {chosen}, {layout}"
        yield name, brief(compare(found, want, names))


def invariance_checks(device: torch.device, columns: int, rows: int) -> Iterator[Check]:
    """A row's bits depend on that row alone, however many others there are, and on every run."""
    x = (torch.randn(rows, columns, generator=torch.Generator().manual_seed(1)) * 3).to(device)
    x[1, columns // 2] = 200.0  # this row is read twice
    ids = torch.arange(min(4, columns), device=device)
    whole = option_scores(x, ids)
    few = option_scores(x[:3], ids)
    yield f"3 rows of {rows} x {columns} by themselves", differing_bits(first_rows(whole, 3), few)
    yield f"{rows} x {columns} again", differing_bits(whole, option_scores(x, ids))
    none = option_scores(x[:0], ids)
    empty = [] if none.prob.shape == (0, len(ids)) else [f"prob has shape {tuple(none.prob.shape)}"]
    yield "no rows", empty
    labels = torch.arange(rows, device=device) % columns
    stats = row_stats(x, labels)
    few_stats = row_stats(x[:3], labels[:3])
    name = f"row_stats of {rows} x {columns}"
    yield f"{name}, 3 rows by themselves", differing_bits(first_rows(stats, 3), few_stats)
    yield f"{name} again", differing_bits(stats, row_stats(x, labels))
    order = torch.arange(rows, device=device)
    address: dict[str, Any] = {"seed": 1, "step": 0, "top_p": 0.9}
    draws = sample(x, item=order, sample=order, **address)
    few_draws = sample(x[:3], item=order[:3], sample=order[:3], **address)
    yield (
        f"sample of {rows} x {columns}, 3 rows by themselves",
        differing_bits(first_rows(draws, 3), few_draws),
    )


def graph_checks(device: torch.device, columns: int, rows: int) -> Iterator[Check]:
    """R30: nothing in a call waits for the device, so a CUDA graph can hold it; replayed on other
    logits it gives what a call on them gives."""
    generator = torch.Generator().manual_seed(2)
    x, other = ((torch.randn(rows, columns, generator=generator) * 3).to(device) for _ in range(2))
    ids = torch.arange(min(4, columns), device=device)
    labels = torch.arange(rows, device=device) % len(ids)
    histogram = CalibrationHistogram(BINS, device)

    def run() -> tuple[OptionScores, RowStats]:
        return option_scores(x, ids, labels, histogram=histogram), row_stats(x, labels)

    run()  # compiles
    torch.cuda.synchronize(device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = run()
    x.copy_(other)
    histogram.reset()
    graph.replay()
    sums = histogram.state_dict()["sums"].clone()
    histogram.reset()
    problems = [p for a, b in zip(run(), captured, strict=True) for p in differing_bits(a, b)]
    if not torch.equal(sums, histogram.state_dict()["sums"]):
        problems.append("the histogram has other sums")
    yield f"{rows} x {columns} in a CUDA graph", problems


def exact_head(n: int, columns: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """hidden (N, 16), weight (V, 16), bias (V,) whose logits are exact in every dtype."""
    generator = torch.Generator().manual_seed(columns)
    hidden = torch.randint(-2, 3, (n, 16), generator=generator)
    weight = torch.randint(-2, 3, (columns, 16), generator=generator) / 4
    bias = torch.randint(-3, 4, (columns,), generator=generator) / 4
    return hidden.to(dtype), weight.to(dtype), bias.to(dtype)


def head_checks(
    device: torch.device, dtype: torch.dtype, columns: int, n: int = 40
) -> Iterator[Check]:
    """The head's loss with its gradients, and its option scores, against float64."""
    given = exact_head(n, columns, dtype)
    labels = row_labels(n, columns)
    t = torch.linspace(0.5, 2.0, n)
    wide = [x.double() for x in given]
    sent = torch.linspace(-1.0, 2.0, n)
    want, _ = reference.linear_cross_entropy(*wide[:2], labels, wide[2], t.double(), IGNORED, 0)
    *wanted, _ = reference.linear_cross_entropy_backward(
        *wide[:2], labels, wide[2], t.double(), IGNORED, sent.double()
    )
    leaves = [x.to(device).requires_grad_() for x in given]
    loss = linear_cross_entropy(
        *leaves[:2], labels.to(device), bias=leaves[2], temperature=t.to(device), reduction="none"
    )
    (loss.where(~loss.isnan(), 0.0) * sent.to(device)).sum().backward()
    problems = []
    if not torch.allclose(loss.detach().cpu().double(), want, 4e-7, 2e-6, equal_nan=True):
        problems.append("the loss is not that of float64")
    # Sums of up to n or V numbers, each of them rounded to the dtype: two units of the largest.
    unit = 4 * torch.finfo(dtype if dtype == torch.bfloat16 else torch.float32).eps
    unit += 0.0 if dtype == torch.float32 else torch.finfo(dtype).eps
    for name, leaf, right in zip(("hidden", "weight", "bias"), leaves, wanted, strict=True):
        assert leaf.grad is not None
        error = (leaf.grad.cpu().double() - right).abs().max()
        if not error <= unit * right.abs().max() + 1e-5:
            problems.append(f"the gradient of {name} is off by {float(error):.2e}")
    yield f"linear_cross_entropy {short(dtype)} {n} x {columns}", problems
    yield (
        f"linear_cross_entropy of a sum, {short(dtype)} {n} x {columns}",
        formed_problems(leaves, labels.to(device)),
    )
    ids = option_sets(n, columns)["letters"]
    answers = labels_for(n, ids.shape[1], torch.device("cpu"))
    logits = reference.head_logits(*wide)
    right_scores = truth_of(logits, ids, answers, t, False)
    for vocabulary in (True, False):
        found = linear_option_scores(
            *(x.detach() for x in leaves[:2]), ids.to(device), answers.to(device),
            bias=leaves[2].detach(), temperature=t.to(device), vocabulary=vocabulary,
        )  # fmt: skip
        name = f"linear_option_scores {short(dtype)} {n} x {columns}, vocabulary={vocabulary}"
        yield name, brief(compare(found, right_scores, [str(i) for i in range(n)]))


def formed_problems(leaves: list[Tensor], labels: Tensor) -> list[str]:
    """Gradients formed in the forward pass, against those of rows with one upstream gradient."""
    found = []
    for reduction in ("sum", "none"):
        loss = linear_cross_entropy(*leaves[:2], labels, bias=leaves[2], reduction=reduction)
        total = loss.where(~loss.isnan(), 0.0).sum()
        found.append(torch.autograd.grad(total, leaves))
    unit = 4 * torch.finfo(leaves[0].dtype).eps
    return [
        f"the gradient of {name} is not that of its rows"
        for name, one, other in zip(("hidden", "weight", "bias"), *found, strict=True)
        if not (one - other).abs().max() <= unit * other.abs().max() + 1e-5
    ]


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
