"""Tiny models of image-text families, each with its own processor."""

from __future__ import annotations

from tests.conformance.family import Family
from tests.conformance.image_b_codes import CODES
from tests.conformance.image_b_experts import EXPERTS
from tests.conformance.image_b_pages import PAGES
from tests.conformance.image_b_query import QUERIES
from tests.conformance.image_b_tiles import TILES

IMAGE_B: tuple[Family, ...] = (*TILES, *CODES, *QUERIES, *PAGES, *EXPERTS)
