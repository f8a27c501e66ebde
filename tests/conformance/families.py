"""All families, by name."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from tests.conformance.family import Family
from tests.conformance.text import TEXT_FAMILIES

FAMILIES: dict[str, Family] = {family.name: family for family in TEXT_FAMILIES}
for module, names in (("image_a", "IMAGE_A"), ("image_b", "IMAGE_B")):
    if find_spec(f"tests.conformance.{module}"):
        parts = getattr(import_module(f"tests.conformance.{module}"), names)
        FAMILIES |= {family.name: family for family in parts}
