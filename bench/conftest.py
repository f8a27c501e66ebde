"""The summary that ``make bench`` ends with: how many times the C++ core's time the others take."""

from __future__ import annotations

from typing import Any

import pytest

SUMMARY = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SUMMARY] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = config.stash[SUMMARY]
    if lines:
        terminalreporter.section("ratios of minima to calib_kernels")
        for line in lines:
            terminalreporter.write_line(line)
