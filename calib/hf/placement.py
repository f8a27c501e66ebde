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


def home(device: str | None, device_map: Any) -> torch.device:
    """The device that a model is for: what is asked for, else CUDA where there is one.

    InputError for one that cannot be used, and for both a device and a device map.
    """
    if device_map is None:
        return usable(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device is not None:
        raise InputError(
            f"device {device!r} and device_map {device_map!r}: expected one of the two"
        )
    places = device_map.values() if isinstance(device_map, dict) else [device_map]
    return home("cpu" if {str(place) for place in places} <= {"cpu", "disk"} else None, None)


def placed(hf: Any, device: torch.device) -> Any:
    """The model on ``device``, unless quantised weights or several devices have settled that."""
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
        return torch.device(numbered(execution))
    weight = next(embeddings.parameters(), None)
    return torch.device(hf.device) if weight is None else weight.device


def numbered(place: Any) -> str:
    """A device by its name; accelerate names those of an accelerator by their number alone."""
    if not isinstance(place, int):
        return str(place)
    accelerator = torch.accelerator.current_accelerator()
    return f"{accelerator.type if accelerator is not None else 'cuda'}:{place}"


def device_map(hf: Any) -> list[str]:
    """The devices of a model that lies on several, or offloaded to "cpu" or "disk"; else none."""
    places = getattr(hf, "hf_device_map", None) or {}
    names = [numbered(place) for place in places.values()]
    return list(dict.fromkeys(names)) if len(set(names)) > 1 or "disk" in names else []
