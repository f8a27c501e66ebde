"""The noise: its formula against the published coefficients, and who shares it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from calib.modalities.noise import coefficients, diffused, epsilon, fitted, noisy

GOLDEN = {
    0: (0.999989, 0.004726),
    100: (0.998293, 0.058406),
    300: (0.980984, 0.194089),
    500: (0.863017, 0.505175),
    700: (0.592677, 0.805440),
    900: (0.364888, 0.931051),
    999: (0.285042, 0.958515),
}
"""sqrt(abar_t) and sqrt(1 - abar_t), to six places."""


@pytest.mark.parametrize("step", GOLDEN)
def test_coefficients_are_the_published_ones(step: int):
    assert [round(value, 6) for value in coefficients(step)] == list(GOLDEN[step])


def by_hand(step: int) -> tuple[float, float]:
    """The schedule again, in Python's floats and one step after the other."""
    left = 1.0
    for t in range(step + 1):
        x = -6 + 12 * t / 999
        left *= 1 - (1 / (1 + math.exp(-x)) * (0.5e-2 - 1e-5) + 1e-5)
    return math.sqrt(left), math.sqrt(1 - left)


@pytest.mark.parametrize("step", [0, 1, 250, 500, 998, 999])
def test_coefficients_are_those_of_a_loop(step: int):
    # A product of a thousand factors near 1 in float64: 1e-12 is some 1e4 times its rounding.
    assert coefficients(step) == pytest.approx(by_hand(step), abs=1e-12)


def test_levels_share_the_noise_of_a_question():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (5, 4, 3)).astype(np.float32)
    eps = epsilon(3, "q", 0, x.shape)
    for step in (100, 500, 900):
        kept, added = by_hand(step)
        found = (diffused(x, step, epsilon(3, "q", 0, x.shape)) - kept * x) / added
        # float32 values of about 1, divided by 0.058 at the least
        assert np.abs(found - eps).max() < 1e-5


def test_noise_is_addressed_by_seed_question_and_picture():
    eps = epsilon(0, "a", 0, (16, 16, 3))
    epsilon(0, "b", 0, (9, 9, 3))  # what came between changes nothing
    assert (epsilon(0, "a", 0, (16, 16, 3)) == eps).all()
    for other in ((1, "a", 0), (0, "b", 0), (0, "a", 1)):
        assert (epsilon(*other, (16, 16, 3)) != eps).mean() > 0.99


def test_noise_is_standard_normal():
    eps = epsilon(0, "a", 0, (200, 200, 3)).astype(float).ravel()
    n = len(eps)
    assert abs(eps.mean()) < 4 / math.sqrt(n)
    assert abs(eps.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs((eps < 1).mean() - 0.841345) < 4 * math.sqrt(0.1335 / n)


def test_a_noisy_picture_by_hand():
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3) * 4
    made = noisy(Image.fromarray(pixels), 500, seed=2, question="q", number=1, side=448)
    kept, added = by_hand(500)
    eps = epsilon(2, "q", 1, (4, 5, 3))
    wanted = ((kept * (pixels / 127.5 - 1) + added * eps) + 1) * 127.5
    # Rounded to a whole number, and float32 before that.
    assert np.abs(np.asarray(made, float) - wanted.clip(0, 255)).max() < 0.501
    assert (np.asarray(made) == 0).any() and (np.asarray(made) == 255).any()


def test_a_large_picture_is_scaled_before_noise_and_a_small_one_is_not():
    assert fitted(Image.new("RGB", (1000, 500)), 448).size == (448, 224)
    assert fitted(Image.new("RGB", (3000, 2)), 448).size == (448, 1)
    small = Image.new("RGB", (448, 20))
    assert fitted(small, 448) is small
