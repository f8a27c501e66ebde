"""Rows of results as lines of a table; the CPU and the GPU run print the same columns."""

from __future__ import annotations

from typing import Any

HEADER = (
    f"{'op':36}{'size':>20} {'dtype':9}{'th':>2} {'variant':15}{'us':>11}{'p20':>11}{'p80':>11}"
    f"{'ratio':>8}{'minima':>8}{'GB/s':>7}{'of read':>8}{'TFLOP/s':>9}{'peak MiB':>10}"
)


def number(row: dict[str, Any], column: str, scale: float, form: str) -> str:
    value = row.get(column)
    return "" if value is None else format(value * scale, form)


def line(row: dict[str, Any]) -> str:
    """One variant of one case; ``ratio`` and ``minima`` are over those of calib_kernels."""
    name = f"{row['op']}, {row['mode']}" if row["mode"] else row["op"]
    size = " x ".join(str(row[n]) for n in ("rows", "columns", "hidden") if row[n])
    threads = row["threads"] or ""
    start = f"{name:36}{size:>20} {row['dtype']:9}{threads:>2} {row['variant']:15}"
    if "error" in row:
        return f"{start}  left out: {row['error'][:70]}"
    rate, share = (
        number(row, "bytes_per_second", 1e-9, ".1f"),
        number(row, "share_of_read", 1, ".1%"),
    )
    return (
        f"{start}{row['us']:11.1f}{row['us_p20']:11.1f}{row['us_p80']:11.1f}"
        f"{number(row, 'ratio', 1, '.2f'):>8}{number(row, 'ratio_of_minima', 1, '.2f'):>8}"
        f"{rate:>7}{share:>8}"
        f"{number(row, 'flops_per_second', 1e-12, '.2f'):>9}"
        f"{number(row, 'peak_bytes', 2**-20, '.0f'):>10}"
    )
