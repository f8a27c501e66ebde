"""Families of models against a forward by hand: three of them daily, every second one of the others
in the long tier, all with ``CALIB_FAMILIES=all``, as after any change of what reads a model."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

from tests.conformance.expected import read_expected, worse
from tests.conformance.families import FAMILIES
from tests.conformance.suite import PACKAGES, Outcome, run_families

# A text model, one whose pictures are alike in size, one whose pictures are cut into tiles; none
# needs torchvision.
DAILY = ("llama", "llava", "idefics3")
EXPECTED = read_expected()
OTHERS = [name for name in FAMILIES if name not in DAILY]
LONG = OTHERS if os.environ.get("CALIB_FAMILIES") == "all" else OTHERS[::2]


def can_run(name: str) -> bool:
    return all(
        find_spec(package) or (PACKAGES / package).is_dir() for package in FAMILIES[name].needs
    )


@pytest.fixture(scope="module")
def daily() -> dict[str, Outcome]:
    return run_families(DAILY)


@pytest.fixture(scope="module")
def others() -> dict[str, Outcome]:
    return run_families([name for name in LONG if can_run(name)])


def check(outcome: Outcome) -> None:
    now_worse = worse(outcome, EXPECTED[outcome.name])
    assert not now_worse, "\n".join([f"{outcome.name} ({outcome.built})", *now_worse])


def test_every_family_has_an_expected_outcome() -> None:
    assert sorted(EXPECTED) == sorted(FAMILIES)


@pytest.mark.parametrize(("images", "least"), [(True, 70), (False, 80)])
def test_so_many_families_are_right(images: bool, least: int) -> None:
    """The others stand in docs/models.md, each with its reason."""
    right = [
        name
        for name, known in EXPECTED.items()
        if not {"failed", "refused"} & set(known["not passed"].values())
        and 2 * len(known["not passed"]) < known["checks"]
    ]
    assert len([name for name in right if FAMILIES[name].images is images]) >= least


@pytest.mark.parametrize("name", DAILY)
def test_family(name: str, daily: dict[str, Outcome]) -> None:
    assert not EXPECTED[name]["not passed"]
    check(daily[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_every_family(name: str, others: dict[str, Outcome]) -> None:
    if not can_run(name):
        pytest.skip(f"needs {', '.join(FAMILIES[name].needs)}")
    check(others[name])
