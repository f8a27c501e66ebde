"""Where a model lies: on one device, or where transformers and accelerate have put its parts."""

from __future__ import annotations

from typing import Any

import torch

from calib.hf.refusals import first_line
from calib.records import InputError


def usable(device: str | torch.device) -> torch.device:
    """The device, once a tensor could be put there."""
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"device {str(device)!r} cannot be used: {first_line(error)}") from error


def placed(hf: Any, device: torch.device) -> Any:
    """The model on ``device``, unless a device map or its quantised weights have settled that."""
    if getattr(hf, "hf_device_map", None) or getattr(hf, "hf_quantizer", None) is not None:
        return hf
    return hf.to(device)


def input_device(hf: Any) -> torch.device:
    """Where token ids are embedded: the device that inputs go to.

    Weights that are offloaded lie on "meta" between two calls; accelerate's hook brings them, and
    what they are applied to, to its execution device.
    """
    try:
        embeddings = hf.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        embeddings = None
    if embeddings is None:
        return torch.device(hf.device)
    hook = getattr(embeddings, "_hf_hook", None)
    execution = getattr(hook, "execution_device", None)
    if execution is not None:
        return torch.device(execution)
    weight = next(embeddings.parameters(), None)
    return torch.device(hf.device) if weight is None else weight.device


def device_map(hf: Any) -> list[str]:
    """The devices of a model that lies on several, or offloaded to "cpu" or "disk"; else none."""
    places = getattr(hf, "hf_device_map", None) or {}
    names = [f"cuda:{place}" if isinstance(place, int) else str(place) for place in places.values()]
    return list(dict.fromkeys(names)) if len(set(names)) > 1 or "disk" in names else []
