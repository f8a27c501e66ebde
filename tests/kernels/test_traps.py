"""The table of traps in README.md beside this file: every one is named by a test, or excused."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent


READERS = {
    "option_scores": ("contract", "option_scores", "compiled"),
    "row_stats": ("row_stats", "row_stats_ops", "row_stats_reference", "compiled"),
    "cross_entropy": (
        "cross_entropy",
        "cross_entropy_ops",
        "cross_entropy_compiled",
        "cross_entropy_formed",
    ),
    "temperature_sweep": (
        "temperature_sweep",
        "temperature_sweep_counted",
        "temperature_sweep_ops",
    ),
    "sample": ("sample", "sample_draws", "sample_ops", "philox"),
    "linear": (
        "linear_cross_entropy",
        "linear_cross_entropy_special",
        "linear_formed",
        "linear_ops",
        "linear_option_scores",
        "linear_sample",
    ),
}
FILES = {**READERS, "histogram": ("histogram", "histogram_delta", "bins", "coarse")}
OF_ALL = ("every_op", "far_rows", "native", "variants")


@dataclass(frozen=True)
class Trap:
    number: int
    what: str
    ops: tuple[str, ...]
    excuse: str

    def excused(self, op: str) -> bool:
        return self.excuse.startswith((f"{op}: ", "all: "))


def table() -> list[Trap]:
    rows = re.findall(
        r"^\| R(\d+) \| (.*?) \| (.*?) ?\| (.*?) ?\|$", (HERE / "README.md").read_text(), re.M
    )
    return [
        Trap(int(number), what, tuple(of.split(", ") if of else READERS), excuse)
        for number, what, of, excuse in rows
    ]


def named(source: str) -> set[int]:
    """The traps that docstrings of a file and its functions name; R1-R3 are three."""
    documented = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.Module) and ast.get_docstring(node)
    )
    return {
        number
        for node in documented
        for first, last in re.findall(r"\bR(\d+)(?:-R(\d+))?\b", ast.get_docstring(node) or "")
        for number in range(int(first), int(last or first) + 1)
    }


@cache
def asked_for(op: str) -> set[int]:
    paths = (path for path in HERE.rglob("test_*.py") if path.stem[5:] in FILES[op] + OF_ALL)
    return set().union(*(named(path.read_text()) for path in paths))


def test_the_table_is_whole() -> None:
    assert [trap.number for trap in table()] == list(range(1, 38))
    assert all(trap.what for trap in table())


def test_docstrings_are_read() -> None:
    assert named('def test_a():\n    """R3, R14-R16: b."""\ndef test_c():\n    "R2"') == {
        2, 3, 14, 15, 16
    }  # fmt: skip
    assert named("def test_a():\n    pass  # R5") == set()


CASES = [(trap, op) for trap in table() for op in trap.ops]


@pytest.mark.parametrize(("trap", "op"), CASES, ids=[f"R{trap.number}-{op}" for trap, op in CASES])
def test_a_trap_is_tested_or_excused(trap: Trap, op: str) -> None:
    assert trap.number in asked_for(op) or trap.excused(op)


def test_every_test_file_is_of_an_op_or_of_all() -> None:
    others = {
        "backend", "checks", "counted_cross_entropy", "fuzz", "linear_memory", "reference",
        "sanitized", "transforms", "traps", "tuning", "vocab_parallel",
    }  # fmt: skip
    found = {path.stem[5:] for path in HERE.rglob("test_*.py")}
    assert found == others.union(OF_ALL, *FILES.values())
