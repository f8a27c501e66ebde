"""Load a model, by whatever runs it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calib.models.protocol import one_of

if TYPE_CHECKING:
    from calib.hf.model import Model

ENGINES = {"hf": "calib.hf.model"}
"""What runs a model, and the module whose ``load_model`` loads one. The names are imported when a
model is loaded: an engine knows the protocol that it fulfils, and the protocol knows no engine."""


def load_model(name_or_path: str | Path, *, engine: str = "hf", **model_args: Any) -> Model:
    """A model by name or path; ``engine`` is one of ``ENGINES``, ``model_args`` are its own.

    ``calib.hf.model.load_model`` describes those of ``hf``: device, dtype, attn_implementation,
    peft and whatever ``from_pretrained`` takes. Raises InputError for what can be refused by its
    name or its arguments, and CalibError for what cannot be loaded.
    """
    one_of("engine", engine, ENGINES)
    model: Model = import_module(ENGINES[engine]).load_model(name_or_path, **model_args)
    return model
