"""``--bench`` chooses the sizes; the tables that ``make bench`` ends with."""

from __future__ import annotations

from typing import Any

import pytest

SUMMARY = pytest.StashKey[dict[str, list[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bench", default="default", help="default, all, or names of ops with commas")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SUMMARY] = {}


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for title, lines in config.stash[SUMMARY].items():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)
