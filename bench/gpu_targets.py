"""Targets of the GPU run, for a GPU of the H200 class: medians, bfloat16."""

from __future__ import annotations

from collections.abc import Sequence

from bench.targets import (
    Cell,
    Row,
    Target,
    answer_targets,
    bandwidth,
    excess,
    inverse,
    percent,
    quotient,
)


def cell(op: str, mode: str = "", rows: int = 1024, columns: int = 128_256) -> Cell:
    return Cell(op, mode, "bfloat16", rows, columns)


def share_of_copy(op: str, mode: str, aim: float) -> Target:
    rate = quotient(cell(op, mode).own("bytes_per_second"), bandwidth)
    return Target(f"{cell(op, mode).name}: rate / copy", aim, "%", percent(rate))


def sweep(mode: str, aim: float) -> Target:
    one = cell("temperature_sweep", "1, values").own("us")
    several = quotient(cell("temperature_sweep", mode).own("us"), one)
    return Target(f"temperature_sweep: {mode} / one", aim, "x", several, False)


def rival(where: Cell, name: str, aim: float) -> Target:
    return Target(f"{where.name}, {where.rows} rows: {name} / ours", aim, "x", where.against(name))


CROSSED = "logit_bytes_to_host"  # only where something crosses


def drives_logits(rows: Sequence[Row]) -> float | None:
    """Bytes of logits that reached the host in all drives together."""
    found = [row[CROSSED] for row in rows if "drive" in row and CROSSED in row]
    return float(sum(found)) if found else None


def targets() -> list[Target]:
    loss = cell("cross_entropy", rows=8192)
    formed = quotient(
        cell("cross_entropy").of("one kernel", "us"), cell("cross_entropy").of("two kernels", "us")
    )
    histogram = excess(cell("cross_entropy", "histogram").against("no histogram"))
    floor = inverse(cell("sample").own("share_of_read"))
    head = cell("linear_cross_entropy", "forward", 4096, 131_072)
    products = excess(cell("training_step", rows=8192).against("products alone"))
    scoring = cell("scoring", "Qwen2.5-0.5B", 64, 151_936)
    forward = excess(scoring.against("forward alone"))
    return [
        share_of_copy("row_stats", "", 85),
        share_of_copy("option_scores", "histogram", 90),
        share_of_copy("cross_entropy", "forward", 90),
        sweep("4 on a grid, values", 1.15),
        sweep("4 on a grid", 1.8),
        rival(loss, "Liger", 1.3),
        rival(loss, "quack", 1.0),
        Target("cross_entropy: one kernel / two", 0.7, "x", formed, False),
        Target("cross_entropy: the histogram adds", 3, "%", histogram, False),
        Target("sample: ours / the read floor", 1.3, "x", floor, False),
        rival(cell("sample"), "eager", 3),
        rival(head, "Liger", 1.0),
        Target("training_step: beyond the products", None, "%", products, False),
        Target("scoring: beyond the bare forward", None, "%", forward, False),
        Target("scoring: logits that reach the host", 0, "bytes",
               scoring.own(CROSSED), False),
        Target("drives: logits that reach the host", 0, "bytes", drives_logits, False),
        *answer_targets(cell("answers", "LLaVA-7B", 64, 32_064)),
    ]  # fmt: skip
