"""Pictures and the beginnings of prompts as a model has read them, kept for further prompts.

transformers' models encode pictures in ``get_image_features``, which their own forward calls.
While ``remembered`` is open, a call with the same arguments gives what it gave before. Arguments
are told apart by the bytes of their tensors. What the encoder says besides the features themselves,
the hidden states and attention of its layers, is not kept: no forward reads it. Prefixes are those
that a question's prompts share (``calib.hf.orders``).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from calib.images import key_of

ENCODES = "get_image_features"
LAYERS = ("hidden_states", "attentions")


class Memory:
    """Features and prefixes, up to so many bytes.

    Questions come round and round in one order, so what there is no room for is not kept, rather
    than what came first driven out. Features go before prefixes, which are larger and cost less.
    """

    def __init__(self, most: float) -> None:
        self.most, self.held = most, 0
        self.encoded = self.found = 0
        """Calls that encoded pictures, and calls that found them."""
        self._features: dict[Hashable, Any] = {}
        self._prefixes: dict[Hashable, tuple[Prefix, int]] = {}

    def features(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What a call gave before, or gives now."""
        if key in self._features:
            self.found += 1
            return copied(self._features[key])
        made = without_layers(make())
        self.encoded += 1
        size = bytes_of(tensors_in(made))
        while self._prefixes and self.held + size > self.most:
            self.held -= self._prefixes.popitem()[1][1]
        if self.held + size <= self.most:
            self._features[key] = made
            self.held += size
        return copied(made)

    def prefix(self, name: str, ids: tuple[int, ...], images: tuple[Any, ...]) -> Prefix | None:
        """What was read of the prompt ``ids`` of the question ``name``."""
        kept = self._prefixes.get((name, tuple(map(key_of, images))))
        return None if kept is None or ids != kept[0].ids else kept[0]

    def keep(self, name: str, images: tuple[Any, ...], prefix: Prefix) -> None:
        key = name, tuple(map(key_of, images))
        size = bytes_of(t for layer in prefix.cache.layers for t in (layer.keys, layer.values))
        self.held -= self._prefixes.pop(key, (prefix, 0))[1]
        if self.held + size <= self.most:
            self._prefixes[key] = prefix, size
            self.held += size


@dataclasses.dataclass(frozen=True)
class Prefix:
    """The tokens that were read, and a copy of the cache of keys and values behind them."""

    ids: tuple[int, ...]
    cache: Any


@contextmanager
def remembered(hf: Any, gigabytes: float) -> Iterator[Memory]:
    """Keep what ``hf`` makes of pictures and prompts, up to ``gigabytes`` on its device."""
    memory = Memory(gigabytes * 2**30)
    modules = [m for m in hf.modules() if callable(getattr(type(m), ENCODES, None))]
    for number, module in enumerate(modules):
        setattr(module, ENCODES, remembering(getattr(module, ENCODES), number, memory))
    try:
        yield memory
    finally:
        for module in modules:
            delattr(module, ENCODES)


def bytes_of(tensors: Iterable[Tensor]) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def remembering(encode: Callable[..., Any], number: int, memory: Memory) -> Callable[..., Any]:
    """``encode`` that asks the memory first, picture by picture where it can be divided so.

    A picture is encoded alone, so that what it gives does not depend on what was kept.
    """

    # ``generate`` reads the signature to know which inputs the encoder takes off the forward.
    @functools.wraps(encode)
    def encoded(*arguments: Any, **named: Any) -> Any:
        if torch.is_grad_enabled():  # gradients would go into another call's graph
            return encode(*arguments, **named)

        def one(*arguments: Any, **named: Any) -> Any:
            key = number, identity(arguments), identity(named)
            return memory.features(key, lambda: encode(*arguments, **named))

        pixels = [*arguments, named.get("pixel_values")][0]
        tensors = sum(isinstance(value, Tensor) for value in (*arguments, *named.values()))
        if tensors == 1 and isinstance(pixels, Tensor) and pixels.dim() == 4 and len(pixels) > 1:
            parts = [
                one(part, *arguments[1:], **named)
                if arguments
                else one(**{**named, "pixel_values": part})
                for part in pixels.split(1)
            ]
            if (whole := joined(parts)) is not None:
                return whole
        return one(*arguments, **named)

    return encoded


def joined(parts: Sequence[Any]) -> Any:
    """Outputs of one picture each as the output of all; None where they hold more than a tensor
    or list of one entry under each name."""
    first = parts[0]
    if not (dataclasses.is_dataclass(first) and isinstance(first, Mapping)):
        return None
    whole: dict[str, Any] = {}
    for name, value in first.items():
        if not (isinstance(value, (Tensor, list)) and len(value) == 1):
            return None
        rows = [part[name] for part in parts]
        whole[name] = torch.cat(rows) if isinstance(value, Tensor) else [row[0] for row in rows]
    return type(first)(**whole)


def identity(value: Any) -> Hashable:
    """What is equal for equal arguments.

    On a GPU this waits for the pixels to come back, once a call: that is the price of not encoding
    them.
    """
    if isinstance(value, Tensor):
        data = value.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy()
        digest = hashlib.blake2b(data.tobytes(), digest_size=16).digest()
        return str(value.dtype), tuple(value.shape), digest
    if isinstance(value, Mapping):
        return tuple((name, identity(value[name])) for name in sorted(value))
    if isinstance(value, (list, tuple)):
        return tuple(map(identity, value))
    return repr(value)


def without_layers(made: Any) -> Any:
    """An output that holds its features by name, without the encoder's layers."""
    if dataclasses.is_dataclass(made) and isinstance(made, Mapping) and "pooler_output" in made:
        return type(made)(**{name: v for name, v in made.items() if name not in LAYERS})
    return made


def copied(made: Any) -> Any:
    """The same tensors in an output of their own, which a forward may add to."""
    if dataclasses.is_dataclass(made) and isinstance(made, Mapping):
        return type(made)(**{name: copied(value) for name, value in made.items()})
    return list(made) if isinstance(made, list) else made


def tensors_in(made: Any) -> Iterator[Tensor]:
    if isinstance(made, Tensor):
        yield made
    elif isinstance(made, Mapping):
        for value in made.values():
            yield from tensors_in(value)
    elif isinstance(made, (list, tuple)):
        for value in made:
            yield from tensors_in(value)
