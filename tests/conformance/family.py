"""What a family of models is to the conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Family:
    """One type of model, as a tiny one with random weights.

    `build` saves a model, its tokenizer and, where `images`, the family's own processor into an
    empty folder, so that `calib.load_model(folder)` can load them.
    """

    name: str  # transformers' model_type, or a clear variant of it
    images: bool
    build: Callable[[Path], None]
    needs: tuple[str, ...] = ()  # of "torchvision", "num2words", "timm"
