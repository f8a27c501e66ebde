"""Saved random fixtures, and the awkward cases every binned metric has to survive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parent.parent / "data" / "fixtures"


def fixture(name: str) -> tuple[np.ndarray, np.ndarray]:
    saved = np.load(DATA / f"{name}.npz")
    return saved["confidence"], saved["correct"]


@pytest.fixture(params=["g", "h"])
def rows(request):
    return fixture(request.param)


def awkward() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Edges and their neighbours, ties, 16-bit values, one class, fewer rows than bins."""
    rng = np.random.default_rng(7)
    edges = np.arange(16) / 15
    beside = np.concatenate([np.nextafter(edges, 0), edges, np.nextafter(edges, 1)]).clip(0, 1)
    ties = rng.choice([0.1, 0.25, 0.55, 0.95], 300)
    half = rng.random(300).astype(np.float16).astype(np.float64)
    one_kind = rng.random(50)
    few = rng.random(4)
    return {
        "edges": (beside, rng.random(len(beside)) < 0.5),
        "ties": (ties, rng.random(300) < ties),
        "half": (half, rng.random(300) < half),
        "all right": (one_kind, np.ones(50, bool)),
        "all wrong": (one_kind, np.zeros(50, bool)),
        "few": (few, np.array([True, False, True, False])),
        "one": (np.array([0.7]), np.array([True])),
    }


@pytest.fixture(params=awkward())
def awkward_rows(request):
    return awkward()[request.param]
