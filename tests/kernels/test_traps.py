"""The table of traps in README.md beside this file: every one is named by a test, or excused."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import calib_kernels
import pytest

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Trap:
    number: int
    what: str
    op: str  # empty: of every op
    excuse: str


def table() -> list[Trap]:
    rows = re.findall(
        r"^\| R(\d+) \| (.*?) \| (.*?) ?\| (.*?) ?\|$", (HERE / "README.md").read_text(), re.M
    )
    return [Trap(int(number), what, op, excuse) for number, what, op, excuse in rows]


def named(source: str) -> set[int]:
    """The traps that docstrings of a file and its functions name."""
    documented = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.Module) and ast.get_docstring(node)
    )
    return {
        int(number)
        for node in documented
        for number in re.findall(r"\bR(\d+)\b", ast.get_docstring(node) or "")
    }


def test_the_table_is_whole() -> None:
    assert [trap.number for trap in table()] == list(range(1, 38))
    assert all(trap.what for trap in table())


def test_docstrings_are_read() -> None:
    assert named('def test_a():\n    """R3, R14: b."""\ndef test_c():\n    "R2"') == {2, 3, 14}
    assert named("def test_a():\n    pass  # R5") == set()


@pytest.mark.parametrize("trap", table(), ids=lambda trap: f"R{trap.number}")
def test_a_trap_is_tested_or_excused(trap: Trap) -> None:
    if trap.op and not hasattr(calib_kernels, trap.op):
        pytest.skip(f"the library has no {trap.op}")
    found = set().union(*(named(path.read_text()) for path in HERE.rglob("*.py")))
    assert trap.excuse or trap.number in found
