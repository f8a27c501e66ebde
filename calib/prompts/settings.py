"""How long a search goes on, and how much it keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from calib.models.protocol import is_real, is_whole
from calib.records import InputError

JUDGED = ("winner", "kept")


@dataclass(frozen=True)
class Settings:
    """As the arguments of ``calib.optimize_prompts``. InputError, naming one, for what is none."""

    rounds: int
    keep: int
    rewrites: int
    patience: int
    cache_gb: float
    judged: str

    def __post_init__(self) -> None:
        for name, least in (("rounds", 1), ("keep", 1), ("rewrites", 1), ("patience", 0)):
            value = getattr(self, name)
            if not is_whole(value, least):
                raise InputError(f"{name}: expected a whole number from {least}, got {value!r}")
        if not is_real(self.cache_gb) or not 0 <= self.cache_gb < math.inf:
            raise InputError(f"cache_gb: expected gigabytes from 0, got {self.cache_gb!r}")
        if self.judged not in JUDGED:
            raise InputError(f"judged: expected one of {', '.join(JUDGED)}, got {self.judged!r}")

    @property
    def facts(self) -> dict[str, Any]:
        """What decides the result, and so what a search that goes on has to agree in."""
        return {
            "rounds": self.rounds,
            "keep": self.keep,
            "rewrites": self.rewrites,
            "patience": self.patience,
        }
