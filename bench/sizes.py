"""Which sizes are benched: on a CPU by default and all of them, on a GPU in the order that counts.

The key size is that of a large vocabulary: 256 x 151,936 on a CPU, 1024 x 128,256 on a GPU.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch

from bench.cases import Case
from bench.ops import OPS

FP32, BF16 = torch.float32, torch.bfloat16
DTYPES = (FP32, BF16)
SMALL, KEY, LARGE = (64, 32_000), (256, 151_936), (1024, 151_936)
OVERHEAD = Case("row_stats", 1, 1000, FP32, threads=2)
# Rows, vocabulary and hidden size of a small model's head.
HEAD = (512, 49_152, 576)


def product(
    ops: Sequence[tuple[str, str]],
    sizes: Sequence[tuple[int, ...]],
    dtypes: Sequence[torch.dtype] = DTYPES,
    threads: Sequence[int] = (2,),
) -> Iterator[Case]:
    """Every combination; a size is rows, columns and, for products, the hidden size."""
    for (op, mode), size, dtype, t in itertools.product(ops, sizes, dtypes, threads):
        rows, columns, *hidden = size
        yield Case(op, rows, columns, dtype, mode, hidden[0] if hidden else 0, t)


def cpu_default() -> list[Case]:
    """Within 20 minutes on two cores: every op at its key size, two of them at every size."""
    both = (("row_stats", ""), ("option_scores", ""))
    return [
        OVERHEAD,
        *product(both, (SMALL, KEY), threads=(1, 2)),
        *product(both, (LARGE,)),
        *product((("cross_entropy", ""), ("cross_entropy", "temperature")), (KEY,)),
        *product((("temperature_sweep", "8 on a grid"), ("temperature_sweep", "8 arbitrary")),
                 (KEY,)),
        Case("temperature_fit", 4096, 1000, FP32, threads=2),
        *product((("sample", ""), ("sample", "top-p 0.9")), (KEY,)),
        Case("ece", 1_000_000, 0, FP32, threads=2),
        *product((("linear_cross_entropy", ""), ("training_step", "")), (HEAD,)),
        *product((("linear_option_scores", ""), ("linear_sample", "")), (HEAD,)),
        Case("scoring", 16, 49_152, FP32, "SmolLM2-135M", threads=2),
        Case("answers", 32, 49_152, FP32, "SmolLM2-135M", threads=2),
        Case("orders", 4, 49_152, FP32, "SmolLM2-135M", threads=2),
    ]  # fmt: skip


def cpu_all() -> list[Case]:
    """Every op and mode at every size, in both dtypes, on one thread and on two: hours."""
    of_logits = [
        (name, mode)
        for name in ("row_stats", "option_scores", "cross_entropy", "temperature_sweep", "sample")
        for mode in OPS[name].modes
    ]
    of_heads = [
        (name, mode)
        for name in (
            "linear_cross_entropy",
            "linear_option_scores",
            "linear_sample",
            "training_step",
        )
        for mode in OPS[name].modes
    ]
    further = [
        *product(of_logits, (SMALL, KEY, LARGE), threads=(1, 2)),
        *product(of_heads, (HEAD, (2048, 128_256, 1024)), threads=(1, 2)),
        *product((("ece", ""),), ((10_000, 0), (1_000_000, 0)), (FP32,), (1, 2)),
        *product((("temperature_fit", ""),), ((4096, 1000), (512, 32_000)), (FP32,), (1, 2)),
        *product((("scoring", "SmolLM2-135M"),), ((16, 49_152),), threads=(1, 2)),
    ]
    return list(dict.fromkeys(cpu_default() + further))


def cpu(selection: str) -> list[Case]:
    """``default``, ``all``, or names of ops with commas: those of the default selection."""
    if selection == "all":
        return cpu_all()
    if selection == "default":
        return cpu_default()
    return of(selection.split(","), cpu_default())


def of(ops: Sequence[str], cases: list[Case]) -> list[Case]:
    """The cases of these ops; all where there are none. Raises ValueError for an unknown one."""
    unknown = set(ops) - set(OPS)
    if unknown:
        raise ValueError(f"no op called {', '.join(sorted(unknown))}; there are {', '.join(OPS)}")
    return [case for case in cases if not ops or case.op in ops]


def gpu() -> list[Case]:
    """What is wanted most comes first: a run that is cut has every op at its key size."""
    key, wide, batch = (1024, 128_256), (1024, 151_936), (8192, 128_256)
    head = (4096, 131_072, 4096)
    sweeps = [("temperature_sweep", mode) for mode in OPS["temperature_sweep"].modes]
    losses = [("cross_entropy", mode) for mode in OPS["cross_entropy"].modes]
    scores = [("row_stats", ""), ("option_scores", "histogram")]
    samples = [("sample", mode) for mode in OPS["sample"].modes]
    products = [("linear_cross_entropy", mode) for mode in OPS["linear_cross_entropy"].modes]
    few_hidden = [("linear_option_scores", ""), ("linear_sample", "")]
    few = [("row_stats", ""), ("option_scores", ""), ("cross_entropy", ""), ("sample", "")]
    return list(dict.fromkeys([
        Case("answers", 64, 32_064, BF16, "LLaVA-7B"),  # not measured since it was mended
        *product(scores + losses[:3], (key,), (BF16,), (0,)),
        *product(sweeps[2:] + samples[:1], (key,), (BF16,), (0,)),
        *product(products, (head,), (BF16,), (0,)),
        *product([("training_step", "")], ((8192, 128_256, 2048),), (BF16,), (0,)),
        *product(few_hidden, ((64, 128_256, 4096),), (BF16,), (0,)),
        Case("scoring", 64, 151_936, BF16, "Qwen2.5-0.5B"),
        Case("orders", 16, 151_936, BF16, "Qwen2.5-0.5B"),
        *product(losses[:2], (batch,), (BF16,), (0,)),
        *product(few, (SMALL,), (BF16,), (0,)),
        *product(losses[3:] + sweeps[:2] + samples[1:], (key,), (BF16,), (0,)),
        *product(few, (key,), (FP32,), (0,)),
        *product(scores + few[2:], (wide,), (BF16,), (0,)),
        Case("ece", 1_000_000, 0, FP32),
        Case("temperature_fit", 4096, 32_000, BF16),
        *product([("option_scores", ""), ("row_stats", "histogram")], (key,), (BF16,), (0,)),
        *product(scores, ((256, 151_936),), DTYPES, (0,)),
    ]))  # fmt: skip
