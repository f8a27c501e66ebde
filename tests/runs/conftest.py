"""The run that nothing stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs.stub import BATCHES, run


@pytest.fixture(scope="session")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "uncut"
    model = run(folder)
    assert model.batches == BATCHES
    return folder
