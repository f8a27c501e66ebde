"""Targets of the CPU run: ratios of minima at 256 x 151,936 on two threads."""

from __future__ import annotations

from collections.abc import Sequence

from bench.targets import Cell, Row, Target, answer_targets, excess, inverse

KEY = (256, 151_936)
AT_LEAST = (
    # op, mode, rival, how many times our time it should take
    ("option_scores", "", "eager", 18),
    ("option_scores", "", "compile", 6),
    ("row_stats", "", "eager", 25),
    ("row_stats", "", "compile", 7),
    ("row_stats", "", "compile, lean", 3.5),
    ("cross_entropy", "temperature", "eager", 6),
    ("cross_entropy", "temperature", "compile", 2.5),
    ("cross_entropy", "", "eager", 3),
    ("cross_entropy", "", "compile", 1.8),
    ("sample", "", "multinomial", 40),
    ("sample", "", "cumsum", 8),
)
SWEEPS = (("8 on a grid", 1.8), ("8 arbitrary", 3.5))


def linear_peak(rows: Sequence[Row]) -> float | None:
    """MiB, from the child process of ``bench.memory``."""
    found = [row for row in rows if row.get("kind") == "memory" and "error" not in row]
    return found[-1]["peak_bytes"] / 2**20 if found else None


def targets() -> list[Target]:
    found = []
    for dtype in ("float32", "bfloat16"):
        for op, mode, rival, aim in AT_LEAST:
            cell = Cell(op, mode, dtype, *KEY, "ratio_of_minima")
            found.append(Target(f"{cell.name}: {rival} / ours", aim, "x", cell.against(rival)))
        for mode, most in SWEEPS:
            cell = Cell("temperature_sweep", mode, dtype, *KEY, "ratio_of_minima")
            one = inverse(cell.against("one row_stats"))
            found.append(Target(f"{cell.name}: ours / one row_stats", most, "x", one, False))
    call = Cell("row_stats", "", "float32", 1, 1000).own("us_least")
    peak = "linear_cross_entropy: peak beyond inputs and gradients"
    scoring = Cell("scoring", "SmolLM2-135M", "float32", 16, 49_152, "ratio_of_minima")
    forward = excess(scoring.against("forward alone"))
    orders = Cell("orders", "SmolLM2-135M", "float32", 4, 49_152, "ratio_of_minima")
    answers = Cell("answers", "SmolLM2-135M", "float32", 32, 49_152, "ratio_of_minima")
    return [
        *found,
        *answer_targets(answers),
        Target("orders: 4 / one", 1.6, "x", inverse(orders.against("one order")), False),
        Target("row_stats 1 x 1000: one call", 15, "us", call, False),
        Target(peak, 256, "MiB", linear_peak, False),
        Target("scoring: beyond the bare forward", None, "%", forward, False),
    ]
