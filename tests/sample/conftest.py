"""One tiny model for all."""

from __future__ import annotations

import pytest

from calib.hf.model import Model
from tests.hf.conftest import make_llama, make_tokenizer


@pytest.fixture(scope="session")
def llama() -> Model:
    return Model("tiny", make_llama(), make_tokenizer(), None)
