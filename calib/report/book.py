"""The book of studies: an index that opens with the claims and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def write_book(root: Path, studies: Sequence[Path], claims: Mapping[str, str]) -> Path:
    """Write the index."""
    raise NotImplementedError
