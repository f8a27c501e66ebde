"""Figures of GPUs in the pages are those of the committed files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import gpu_table
from bench.cases import OURS
from bench.results import FOLDER, ROOT, tracked
from bench.targets import Cell
from calib.checks import doctor

PAGE = gpu_table.README.read_text()


@pytest.fixture
def h200() -> dict[str, Any]:
    (content,) = [c for c in gpu_table.newest() if c["facts"]["machine"] == "NVIDIA H200"]
    return content


def test_the_table_is_that_of_the_files() -> None:
    """python -m bench.gpu_table writes it anew."""
    assert gpu_table.replaced(PAGE, gpu_table.text(gpu_table.newest())) == PAGE
    with pytest.raises(SystemExit, match="lacks a mark"):
        gpu_table.replaced("no table", "")


def value(content: dict[str, Any], where: Cell, variant: str, column: str) -> float:
    found = where.of(variant, column)(content["rows"])
    assert found is not None
    return found


def test_what_the_page_says_beside_it(h200: dict[str, Any]) -> None:
    said = " ".join(PAGE.split())
    loss, head = gpu_table.cell("cross_entropy"), gpu_table.HEAD
    p20, p80 = (value(h200, loss, "Liger", name) for name in ("us_p20", "us_p80"))
    assert f"the 20th and 80th percentiles are {p20:.0f} and {p80:.0f} us" in said
    beside = (4096 + 131_072) * 4096 * 2  # its gradients
    held = [value(h200, head, name, "peak_bytes") for name in (OURS, "eager", "compile")]
    ours, eager, compiled = ((peak - beside) / 2**20 for peak in held)
    assert (
        f"The head holds {ours:.0f} MiB beside its gradients there, eager {eager / 2**10:.0f} GiB "
        f"and compiled {compiled / 2**10:.0f} GiB"
    ) in said
    scoring = gpu_table.cell("scoring", "Qwen2.5-0.5B", 64, 151_936)
    beyond = 1 / value(h200, scoring, "forward alone", "ratio") - 1
    assert value(h200, scoring, OURS, "logit_bytes_to_host") == 0
    assert f"{beyond:.1%}".replace("%", " %") + " longer than its forward pass alone" in said
    assert "no logit reached the host" in said


def test_the_first_page_says_the_same(h200: dict[str, Any]) -> None:
    page = (ROOT / "README.md").read_text()
    found = [(name, gpu_table.columns(h200, where, once)) for name, where, once in gpu_table.LINES]
    cells = [f" | {us} | {eager} | {compiled} |" for _, (us, _, eager, compiled, _) in found]
    table = page.partition("that run (2026-11-26")[2].partition("\n\n")[2].partition("\n\n")[0]
    lines = table.splitlines()[2:]
    assert len(lines) == 4
    for line in lines:
        assert any(line.endswith(end.lstrip()) for end in cells), line


def row(op: str, variant: str, **columns: Any) -> dict[str, Any]:
    found = {"kind": "timing", "op": op, "mode": "", "dtype": "bfloat16", "threads": 0}
    return {**found, "rows": 1024, "columns": 128_256, "variant": variant, **columns}


def test_gpus_stand_side_by_side() -> None:
    def content(machine: str, us: float, **more: Any) -> dict[str, Any]:
        facts = {"machine": machine, "versions": {"torch": "2.12.0+cu130", "triton": "3.7.1"}}
        rows = [
            {"kind": "bandwidth", "copy": 3e12, "read": 3e12},
            row("row_stats", OURS, us=us, bytes_per_second=2.7e12, ratio=1.0),
            row("row_stats", "eager", us=us * 31.6, ratio=31.6),
            row("row_stats", "compile", error="RuntimeError: no"),
            *more.get("rows", []),
        ]
        return {"facts": {**facts, "commit": "abc", "date": "2026-12-01"}, "rows": rows,
                "file": f"gpu-{machine[-4:].lower()}.json"}  # fmt: skip

    loss = [
        row("cross_entropy", OURS, us=1234.5, ratio=1.0),
        row("cross_entropy", "Liger", us=9.0, ratio=3.87),
        row("cross_entropy", "quack", us=9.0, ratio=0.954),
        row("cross_entropy", "flash-attn", error="ModuleNotFoundError: none"),
    ]
    both = [content("NVIDIA H100", 90.4), content("NVIDIA H200", 68.2, rows=loss)]
    text = gpu_table.text(both)
    assert text.splitlines()[0] == (
        "* H100: `bench/results/gpu-h100.json`, torch 2.12.0, triton 3.7.1, commit abc; a copy "
        "moves 3.00 TB/s"
    )
    head, _, *lines = text.splitlines()[3:]
    assert head.count(", us") == 2 and head.index("H100") < head.index("H200")
    assert lines == [
        "| `row_stats` | 90 | 90 % | 32 |  |  | 68 | 90 % | 32 |  |  |",
        "| the same, forward and backward |  |  |  |  |  | 1,234 |  |  |  | quack 0.95 |",
    ]


def test_two_digits() -> None:
    numbers = (62.02, 9.96, 6.29, 0.976, 0.0951, 126.6, 1049.0)
    assert [gpu_table.two_digits(x) for x in numbers] == [
        "62", "10", "6.3", "0.98", "0.10", "130", "1,000",
    ]  # fmt: skip


def test_a_committed_row_names_its_kind_and_its_conditions() -> None:
    paths = tracked(FOLDER, "*.json")
    assert any(path.name.startswith("cpu-") for path in paths)
    for path in paths:
        for found in json.loads(path.read_text())["rows"]:
            assert {"kind", "machine", "versions", "commit", "date"} <= set(found), path.name


def test_both_devices_write_the_same_columns() -> None:
    """What only one of them has: memory that a GPU's clock counts, bytes that cross."""
    fields: dict[str, set[str]] = {}
    for path in tracked(FOLDER, "*.json"):
        rows = json.loads(path.read_text())["rows"]
        of_device = fields.setdefault(path.name[:3], set())
        of_device |= {name for r in rows if r["kind"] == "timing" for name in r}
    only_gpu = {"peak_bytes", "bytes_to_host", "logit_bytes_to_host", "error", "release"}
    only_cpu = {"decode_seconds", "replayed_steps", "release", "bytes_read", "logit_bytes_read"}
    assert fields["gpu"] - fields["cpu"] <= only_gpu
    assert fields["cpu"] - fields["gpu"] <= only_cpu


def test_what_is_said_of_flash_attention_holds() -> None:
    """Where a committed run has decoded with its kernel, the sentences that deny it have to go."""
    rows = [row for p in tracked(FOLDER, "gpu-*.json") for row in json.loads(p.read_text())["rows"]]
    tried = any(row.get("attention", "").startswith("flash-attn") for row in rows)
    page = " ".join((ROOT / "docs" / "sampling.md").read_text().split())
    assert (doctor.UNTRIED in page) is not tried
    assert bool(doctor.UNTRIED) is not tried


def test_without_git_every_file_counts(tmp_path: Path) -> None:
    (tmp_path / "gpu-a.json").write_text("{}")
    (tmp_path / "some-b.json").write_text("{}")
    assert tracked(tmp_path, "gpu-*.json") == [tmp_path / "gpu-a.json"]
