"""The examples in the docstrings of calib and its kernels give what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.house import ROOT, module_name, sources

EXAMPLES = {
    module_name(path, root): path
    for folder, root in (("calib", ROOT), ("kernels/calib_kernels", ROOT / "kernels"))
    for path in sources(folder)
    if ">>> " in path.read_text()
}


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_of_docstrings(module: str) -> None:
    tried = doctest.testmod(importlib.import_module(module), raise_on_error=True)
    assert not tried.failed


def test_there_are_examples_that_run() -> None:
    """Those that need a model are skipped, and count as none."""
    assert doctest.testmod(importlib.import_module("calib")).attempted
