"""The table of GPUs in bench/README.md, from the newest results of each GPU that git knows.

    python -m bench.gpu_table        writes it anew between its two marks

A GPU of which a file is added gets columns of its own beside the others'.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bench.gpu_targets import cell
from bench.ops import OPS
from bench.results import FOLDER, ROOT, tracked
from bench.targets import Cell, bandwidth

README = ROOT / "bench" / "README.md"
BEGIN, END = "<!-- table of GPUs, by python -m bench.gpu_table -->", "<!-- end of the table -->"
HEAD = cell("linear_cross_entropy", "", 4096, 131_072)
# What a line is called, where its numbers stand, and whether its bytes are read once, so that the
# rate of a copy is what it can reach.
LINES: Sequence[tuple[str, Cell, bool]] = (
    ("`row_stats`", cell("row_stats"), True),
    ("`option_scores`, with the histogram", cell("option_scores", "histogram"), True),
    ("`cross_entropy`, forward", cell("cross_entropy", "forward"), True),
    ("the same, forward and backward", cell("cross_entropy"), False),
    (
        "`temperature_sweep`, 4 on a grid: values",
        cell("temperature_sweep", "4 on a grid, values"),
        True,
    ),
    ("the same, both derivatives", cell("temperature_sweep", "4 on a grid"), False),
    ("`sample`, with log-probability and entropy", cell("sample"), True),
    ("the same of the likeliest 0.9", cell("sample", "top-p 0.9"), False),
    ("the same of the likeliest 50", cell("sample", "top-k 50"), False),
    ("`linear_cross_entropy`, 4,096 x 131,072 x 4,096, both ways", HEAD, False),
)

Content = dict[str, Any]


def newest() -> list[Content]:
    """The latest results of each GPU, by its name."""
    found: dict[str, Content] = {}
    for path in tracked(FOLDER, "gpu-*.json"):
        content: Content = json.loads(path.read_text())
        content["file"] = path.name
        before = found.get(content["facts"]["machine"])
        if before is None or before["facts"]["date"] <= content["facts"]["date"]:
            found[content["facts"]["machine"]] = content
    return [found[name] for name in sorted(found)]


def two_digits(value: float | None) -> str:
    if value is None:
        return ""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.{0 if rounded >= 10 else 1 if rounded >= 1 else 2}f}"


def library(where: Cell, rows: Sequence[dict[str, Any]]) -> str:
    """The fastest rival of another library and its ratio."""
    named = [name for name, rival in OPS[where.op].rivals.items() if rival.package]
    found = [(ratio, name) for name in named if (ratio := where.against(name)(rows)) is not None]
    ratio, name = min(found, default=(None, ""))
    return f"{name} {two_digits(ratio)}".strip()


def columns(content: Content, where: Cell, reads_once: bool) -> list[str]:
    """A line's columns of one GPU: us, share of the copy's rate, ratios."""
    rows = content["rows"]
    time, rate, copy = where.own("us")(rows), where.own("bytes_per_second")(rows), bandwidth(rows)
    return [
        "" if time is None else f"{time:,.0f}",
        f"{rate / copy:.0%}".replace("%", " %") if reads_once and rate and copy else "",
        two_digits(where.against("eager")(rows)),
        two_digits(where.against("compile")(rows)),
        library(where, rows),
    ]


def short(content: Content) -> str:
    return str(content["facts"]["machine"]).removeprefix("NVIDIA ")


def conditions(content: Content) -> str:
    facts = content["facts"]
    torch, triton = (facts["versions"][name].partition("+")[0] for name in ("torch", "triton"))
    rate = bandwidth(content["rows"])
    copy = "" if rate is None else f"; a copy moves {rate / 1e12:.2f} TB/s"
    return (
        f"* {short(content)}: `bench/results/{content['file']}`, torch {torch}, triton {triton}, "
        f"commit {facts['commit']}{copy}"
    )


def text(contents: Sequence[Content]) -> str:
    """Conditions of each GPU and one table of all; a line that no GPU has timed is left out."""
    head = ["op"]
    for content in contents:
        head += [
            f"{short(content)}, us",
            "of the copy's rate",
            "eager",
            "compiled",
            "fastest library",
        ]
    lines = [*map(conditions, contents), "", f"| {' | '.join(head)} |"]
    lines.append(f"| {' | '.join(['---'] * len(head))} |")
    for name, where, reads_once in LINES:
        found = [x for content in contents for x in columns(content, where, reads_once)]
        if any(found):
            lines.append(f"| {' | '.join([name, *found])} |")
    return "\n".join(lines)


def replaced(page: str, table: str) -> str:
    """The page with the table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"{README.name} lacks a mark: {BEGIN} or {END}")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main() -> None:
    README.write_text(replaced(README.read_text(), text(newest())))


if __name__ == "__main__":
    main()
