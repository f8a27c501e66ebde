"""The lowest versions that pyproject.toml claims pass a selection of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import lowest


@pytest.mark.slow
def test_the_lowest_versions_pass(tmp_path: Path) -> None:
    assert lowest.main(tmp_path / "lowest") == 0


def test_every_direct_requirement_states_its_lowest_version() -> None:
    versions = lowest.lowest()
    assert {"numpy", "transformers", "peft", "pytest"} <= set(versions) and "torch" not in versions
