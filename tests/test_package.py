"""The public names: all there, loaded late, and not hidden by the files that hold them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import calib


@pytest.mark.parametrize("name", calib.__all__)
def test_every_public_name_loads(name):
    assert getattr(calib, name) is not None
    assert name in dir(calib)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = calib.nonsense


@pytest.mark.parametrize(
    "first",
    [
        "import calib.drive.score",
        "from calib.drive.score import score",
        "import calib.calibrators.temperature",
        "pass",
    ],
)
def test_score_stays_the_function(first):
    code = (
        f"import calib; {first}; assert not hasattr(calib.score, '__path__'); calib.score.__code__"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
