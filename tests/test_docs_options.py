"""The options that documents name are options of the commands that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from calib import cli
from tests.house import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
OTHERS = {
    "deploying.md": {"--sets"},  # tests.coverage
    "models.md": {"--out", "--table", "--packages"},  # tests.conformance
    "sampling.md": {"--nproc-per-node", "--no-python"},  # torchrun
    "scoring.md": {"--nproc-per-node", "--no-python"},
    "start.md": {"--constraint"},  # pip
    "temperature.md": {"--logprobs-mode"},  # vLLM
}
"""Options of other programs."""


def commands(command: Any, name: str = "calib") -> Iterator[tuple[str, set[str]]]:
    """The names of the commands with their options."""
    yield name, {text for each in command.params for text in (*each.opts, *each.secondary_opts)}
    for part, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {part}")


COMMANDS = dict(commands(typer.main.get_command(cli.app)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_options_of_the_commands_that_it_names(page: Path) -> None:
    text = " ".join(page.read_text().split())
    # Any page may say how its runs were scored.
    named = ["calib score", *(name for name in COMMANDS if re.search(rf"\b{name}\b", text))]
    known = set().union(*(COMMANDS[name] for name in named), OTHERS.get(page.name, set()))
    unknown = sorted(set(OPTION.findall(text)) - known)
    assert not unknown, f"{page.name} names {', '.join(unknown)}, and only {', '.join(named)}"


def test_score_takes_a_temperature_in_python_alone() -> None:
    """docs/deploying.md says how a run comes by another temperature than 1."""
    assert "--temperature" not in COMMANDS["calib score"]
    text = " ".join((ROOT / "docs" / "deploying.md").read_text().split())
    assert "A run that `calib.score(..., temperature=)` scored at another temperature" in text
