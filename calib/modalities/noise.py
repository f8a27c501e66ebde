"""Noise over a picture: the forward diffusion of DDPM (Ho et al. 2020) at one of 1,000 steps.

With beta_t = sigmoid(linspace(-6, 6, 1000)) · (0.5e-2 - 1e-5) + 1e-5 and abar_t the product of
1 - beta up to t, x_t = sqrt(abar_t) · x + sqrt(1 - abar_t) · eps, as in visual contrastive decoding
(Leng et al. 2024, ``vcd_add_noise.py``). There x is the tensor that the model's own processor
makes; here it is the picture with its values scaled to -1 .. 1, so that every model is shown the
same picture. What comes is cut to that range and rounded to 8 bits.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float32]
STEPS = 1000
BETAS = 1 / (1 + np.exp(-np.linspace(-6, 6, STEPS))) * (0.5e-2 - 1e-5) + 1e-5
ABAR = np.cumprod(1 - BETAS)
"""(STEPS,): the part of the picture's variance that is left at each step."""
LARGEST_SIDE = 448
"""A larger picture is scaled down before noise is added: a processor that scales it down after that
would average the noise away."""


def coefficients(step: int) -> tuple[float, float]:
    """The factors of the picture and of the noise at ``step``, from 0 to ``STEPS`` - 1."""
    return float(np.sqrt(ABAR[step])), float(np.sqrt(1 - ABAR[step]))


def epsilon(seed: int, question: str, number: int, shape: tuple[int, ...]) -> Floats:
    """Standard normal noise for picture ``number`` of the question of this id.

    It depends on these arguments alone: all levels share it, and neither the order of the
    questions nor a batch changes it.
    """
    name = f"calib.modality noise {seed} {number} {question}".encode(errors="surrogatepass")
    key = int.from_bytes(hashlib.blake2b(name, digest_size=16).digest())
    return np.random.Generator(np.random.Philox(key=key)).standard_normal(shape, dtype=np.float32)


def diffused(x: Floats, step: int, eps: Floats) -> Floats:
    """x_t of x, in -1 .. 1 and of any shape, with noise of its shape; it may leave that range."""
    kept, added = coefficients(step)
    return np.asarray(kept * x + added * eps, np.float32)


def noisy(image: Image, step: int, *, seed: int, question: str, number: int, side: int) -> Image:
    """An RGB picture at ``step``, its longer side ``side`` pixels or fewer."""
    from PIL import Image as pil

    image = fitted(image, side)
    x = np.asarray(image, np.float32) / 127.5 - 1
    told = diffused(x, step, epsilon(seed, question, number, x.shape))
    pixels = np.clip(np.rint((told + 1) * 127.5), 0, 255)
    return pil.fromarray(pixels.astype(np.uint8), "RGB")


def fitted(image: Image, side: int) -> Image:
    """The picture, scaled down where its longer side is more than ``side`` pixels."""
    from PIL import Image as pil

    longer = max(image.size)
    if longer <= side:
        return image
    width, height = (max(1, round(length * side / longer)) for length in image.size)
    return image.resize((width, height), pil.Resampling.BICUBIC)
