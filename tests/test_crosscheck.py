"""Independent libraries say what we say, and are heard when they do not."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from calib.checks import crosscheck
from calib.runs import open_run
from calib.summary.rows import collect

# What foreign packages warn about when they are imported or called is silenced in crosscheck.
LIBRARIES = {
    "scikit-learn": "sklearn",
    "torchmetrics": "torchmetrics",
    "netcal": "netcal",
    "calibstats": "calibstats",
    "relplot": "relplot",
    "uncertainty-calibration": "calibration",
    "mapie": "mapie",
}


@pytest.fixture(scope="module")
def scored(tmp_path_factory, make_run):
    run = open_run(make_run(tmp_path_factory.mktemp("run"), n=900))
    return collect(run.rows(), vocabulary=False)[0]


@pytest.fixture(scope="module")
def found(scored):
    return crosscheck.crosscheck(scored, bins=15)


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_installed_library_agrees(found, library):
    pytest.importorskip("torch")
    if not crosscheck.present(LIBRARIES[library]):
        pytest.skip(f"{library} is not installed")
    lines = [line for line in found if line.library == library]
    assert any(line.agrees for line in lines)
    for line in lines:
        assert line.agrees or line.note.startswith("takes no options"), line


def test_some_values_were_compared_at_all(found):
    assert len({line.metric for line in found if line.theirs is not None}) >= 4


def peer(ours, theirs, **named):
    return crosscheck.Peer("m", "c", "numpy", "numpy", lambda _: ours, theirs, **named)


def test_a_difference_is_told(scored):
    line = crosscheck.compare_with(peer(0.1, lambda m, r: 0.1 + 5e-6), scored)
    assert line.agrees is False
    assert crosscheck.compare_with(peer(0.1, lambda m, r: 0.1 + 5e-8), scored).agrees


def test_what_is_not_defined_on_a_run_is_said(scored):
    right = replace(scored, correct=np.ones(len(scored), bool))
    lines = [line for line in crosscheck.crosscheck(right, 15) if line.metric == "AUROC"]
    assert lines
    assert all("only one kind" in line.note and line.agrees is None for line in lines)


def test_nan_is_no_agreement(scored):
    assert crosscheck.compare_with(peer(0.1, lambda m, r: float("nan")), scored).agrees is False


def test_a_library_that_raises_is_shown_with_its_error(scored):
    def broken(module, rows):
        raise RuntimeError("no such thing")

    line = crosscheck.compare_with(peer(0.1, broken), scored)
    assert line.theirs is None
    assert line.agrees is None
    assert "no such thing" in line.note


def test_a_library_that_is_not_there_is_left_out(scored):
    absent = replace(peer(0.1, lambda m, r: 0.1), module="no_such_library")
    assert crosscheck.compare_with(absent, scored) is None


def test_a_known_other_convention_is_said_instead_of_compared(scored):
    line = crosscheck.compare_with(
        peer(0.1, lambda m, r: 9.0, unlike=lambda r: "another rule"), scored
    )
    assert (line.agrees, line.note) == (None, "another rule")


def test_prints_of_a_library_are_swallowed(scored, capsys):
    def loud(module: ModuleType, rows: object) -> float:
        print("progress")  # noqa: T201
        return 0.1

    assert crosscheck.compare_with(peer(0.1, loud), scored).agrees
    assert capsys.readouterr().out == ""


def test_edges_that_deviate_are_recognised(scored):
    at_edge = replace(scored, confidence=np.full(len(scored), 0.3))
    assert crosscheck._on_linspace_edge(at_edge, 10)
    assert not crosscheck._on_linspace_edge(at_edge, 15)
    assert crosscheck._at_one(replace(scored, confidence=np.ones(len(scored))))
    assert crosscheck._tied(at_edge)
    assert not crosscheck._tied(scored)
