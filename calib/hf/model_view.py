"""A view of a model: the same weights, but its own configuration and state.

The configuration of a model's layers says which attention they call, and some models store state of
their rows (``rope_deltas``) as attributes of a module. Decoding changes both. On a view it leaves
the model itself unchanged: other threads may call the model meanwhile, and a failed step leaves no
trace in it.
"""

from __future__ import annotations

import copy
import functools
import weakref
from types import MethodType
from typing import Any

from torch import Tensor, nn

# What decoding calls of a module. Where an object has a method of its own that is bound to another
# object, as ``module.compile()`` and soft prompts make them, a view would call the original's.
CALLED = (
    "forward",
    "_call_impl",
    "_compiled_call_impl",
    "prepare_inputs_for_generation",
    "_update_model_kwargs_for_generation",
    "_prefill",
)
CACHE = "calib_shared_cache"  # attribute of a layer that attends to one: a reference to it
# What every module has, and of it what is called.
COMMON = frozenset(nn.Module().__dict__)
HOOKS = tuple(name for name in nn.Module().__dict__ if "_hooks" in name)


class CannotView(Exception):
    """A method of the model is bound to something else than a module of its own."""


class View:
    """``model`` is the view of a model; its modules share the originals' parameters and buffers."""

    def __init__(self, original: Any) -> None:
        """Raises CannotView."""
        self.pairs: dict[int, tuple[nn.Module, nn.Module]] = {}  # original and copy, by the former
        self.configs: dict[int, Any] = {}  # of ``copy.deepcopy``: one copy of each configuration
        self.model: Any = self._copied(original)
        for _, copied in self.pairs.values():
            self._bind(copied)
        # Layers that keep a cache, and the attention that they call.
        self.layers = [
            copied
            for _, copied in self.pairs.values()
            if isinstance(getattr(copied, "layer_idx", None), int) and hasattr(copied, "config")
        ]
        configs: dict[int, Any] = {id(layer.config): layer.config for layer in self.layers}
        self.attention = [(c, c._attn_implementation) for c in configs.values()]

    def _copied(self, module: nn.Module) -> nn.Module:
        if id(module) in self.pairs:
            return self.pairs[id(module)][1]
        twin = module.__class__.__new__(module.__class__)
        self.pairs[id(module)] = module, twin
        parts = dict(module.__dict__)
        for name in HOOKS:
            hooks = parts[name]
            # A hook still receives the module that it was registered with.
            parts[name] = hooks.__class__(
                [(key, hook_of(hook, module)) for key, hook in hooks.items()] if hooks else ()
            )
        if "config" in parts:
            parts["config"] = copy.deepcopy(parts["config"], self.configs)
        parts["_modules"] = {
            name: None if child is None else self._copied(child)
            for name, child in module._modules.items()
        }
        twin.__dict__.update(parts)
        return twin

    def _bind(self, twin: nn.Module) -> None:
        """Let a copy's own methods be its own, not its original's."""
        own = [(name, twin.__dict__[name]) for name in twin.__dict__.keys() - COMMON]
        for name, value in own:
            if isinstance(value, MethodType) and id(value.__self__) in self.pairs:
                twin.__dict__[name] = MethodType(value.__func__, self._twin(value.__self__))
            elif isinstance(value, functools.partial) and any(map(self._known, value.args)):
                args = (self._twin(a) if self._known(a) else a for a in value.args)
                bound = functools.partial(value.func, *args, **value.keywords)
                bound.__dict__.update(value.__dict__)
                twin.__dict__[name] = bound
            elif name in CALLED and callable(value):
                raise CannotView(f"{type(twin).__name__}.{name} is bound to something else")

    def _known(self, value: Any) -> bool:
        return id(value) in self.pairs

    def _twin(self, original: Any) -> nn.Module:
        return self.pairs[id(original)][1]

    def share(self, cache: Any, implementation: str) -> None:
        """Let the layers attend by ``implementation``, which finds ``cache`` by them."""
        reference = weakref.ref(cache)  # modules may hold each other, and memory, in a circle
        for layer in self.layers:
            layer.__dict__[CACHE] = reference
        for config, _ in self.attention:
            config._attn_implementation_internal = implementation

    def unshare(self) -> None:
        """Let the layers attend as the model's do."""
        for layer in self.layers:
            layer.__dict__.pop(CACHE, None)
        for config, before in self.attention:
            config._attn_implementation_internal = before

    def state(self) -> list[tuple[nn.Module, dict[str, Any]]]:
        """All attributes of the view's modules, for ``restore``."""
        return [(twin, dict(twin.__dict__)) for _, twin in self.pairs.values()]

    def restore(self, state: list[tuple[nn.Module, dict[str, Any]]]) -> None:
        """Undo what modules have set since ``state()``: new attributes go, old ones come back."""
        for twin, attributes in state:
            twin.__dict__.clear()
            twin.__dict__.update(attributes)


def own_tensors(model: nn.Module) -> dict[tuple[int, str], Tensor]:
    """Tensors of modules that are no parameters or buffers, by the module's id and the name."""
    return {
        (id(module), name): module.__dict__[name]
        for module in model.modules()
        for name in module.__dict__.keys() - COMMON
        if isinstance(module.__dict__[name], Tensor)
    }


def changed(before: dict[tuple[int, str], Tensor], now: dict[tuple[int, str], Tensor]) -> set[str]:
    """Names of tensors that are others now, or were not there."""
    return {key[1] for key, value in now.items() if before.get(key) is not value}


def hook_of(hook: Any, module: nn.Module) -> Any:
    """``hook`` as it is called for ``module``, whichever module calls it."""
    if not callable(hook):
        return hook

    def call(_: nn.Module, *rest: Any) -> Any:
        return hook(module, *rest)

    return call
