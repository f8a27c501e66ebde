"""Load a model, by whatever runs it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calib.models.protocol import one_of
from calib.records import InputError

if TYPE_CHECKING:
    from calib.hf.model import Model

ENGINES = {"hf": "calib.hf.model"}
"""What runs a model, and the module whose ``load_model`` loads one and whose ``foresee`` says what
it would refuse. The names are imported when a model is loaded: an engine knows the protocol that it
fulfils, and the protocol knows no engine."""


def load_model(name_or_path: str | Path, *, engine: str = "hf", **model_args: Any) -> Model:
    """A model by name or path; ``engine`` is one of ``ENGINES``, ``model_args`` are its own.

    ``calib.hf.model.load_model`` describes those of ``hf``: device, dtype, attn_implementation,
    peft and whatever ``from_pretrained`` takes. Raises InputError for what can be refused by its
    name or its arguments, and CalibError for what cannot be loaded.
    """
    one_of("engine", engine, ENGINES)
    model: Model = import_module(ENGINES[engine]).load_model(name_or_path, **model_args)
    return model


def foresee(
    name_or_path: str | Path, *, engine: str = "hf", pictures: bool = False, **model_args: Any
) -> tuple[str, str] | None:
    """(argument, why) of what ``load_model`` would refuse, as far as that is known without weights
    and without the hub; None where nothing is.

    The argument of the model's name is "model". ``pictures``: whether questions with pictures are
    to be asked.
    """
    try:
        one_of("engine", engine, ENGINES)
    except InputError as error:
        return "engine", str(error)
    own = import_module(ENGINES[engine]).foresee
    found: tuple[str, str] | None = own(str(name_or_path), pictures=pictures, **model_args)
    return found
