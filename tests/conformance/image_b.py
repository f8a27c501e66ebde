"""Tiny models of image-text families, each with its own processor."""

from __future__ import annotations

from tests.conformance.family import Family
from tests.conformance.image_b_codes import CODES
from tests.conformance.image_b_gemma import DIFFUSION, GEMMA
from tests.conformance.image_b_grids import GRIDS
from tests.conformance.image_b_latent import LATENTS
from tests.conformance.image_b_more import ENCODER_DECODERS, MORE
from tests.conformance.image_b_omni import OMNI
from tests.conformance.image_b_pages import PAGES
from tests.conformance.image_b_query import QUERIES
from tests.conformance.image_b_slices import SLICES
from tests.conformance.image_b_tiles import TILES

IMAGE_B: tuple[Family, ...] = (
    *TILES,
    *CODES,
    *QUERIES,
    *PAGES,
    *SLICES,
    *GRIDS,
    *LATENTS,
    *OMNI,
    *GEMMA,
    *MORE,
)
# These do not write word after word behind one text: calib refuses them at load.
IMAGE_B_REFUSED: tuple[Family, ...] = (*ENCODER_DECODERS, *DIFFUSION)
