"""A call decodes on a view of its model: threads, hooks and what the model keeps are left alone."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import pytest
import torch
from torch import nn

from calib.hf.decoding.shared_prefix import shared_prefix
from calib.hf.model_view import View
from tests.hf import families
from tests.hf.generated import ENDS, agree, both, decoded, way

pytestmark = pytest.mark.usefixtures("one_thread")


def in_threads(*work: Callable[[], None]) -> list[BaseException]:
    errors: list[BaseException] = []

    def go(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:  # noqa: BLE001  (given back to the test)
            errors.append(error)

    threads = [threading.Thread(target=go, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("family", ["llama", "qwen2_5_vl"])
def test_threads_on_one_model_and_on_two(family: str) -> None:
    model, inputs = families.FAMILIES[family]()
    other, more = families.llava()
    settings = {**ENDS, "max_new_tokens": 16}
    asked = {"do_sample": True, "custom_generate": shared_prefix, "n_samples": 4, **settings}
    expected = {seed: model.generate(**inputs, seed=seed, **asked).tolist() for seed in range(4)}
    beside = other.generate(**more, seed=9, **asked).tolist()
    with torch.no_grad():
        plain = model(**inputs).logits
    attention = model.config.get_text_config()._attn_implementation

    def sample(seed: int) -> None:
        for _ in range(3):
            assert model.generate(**inputs, seed=seed, **asked).tolist() == expected[seed]

    def sample_the_other() -> None:
        for _ in range(3):
            assert other.generate(**more, seed=9, **asked).tolist() == beside

    def forward() -> None:
        for _ in range(30):
            with torch.no_grad():
                assert torch.equal(model(**inputs).logits, plain)
            assert model.config.get_text_config()._attn_implementation == attention

    works = [lambda seed=seed: sample(seed) for seed in expected]
    # Qwen's forward keeps positions in the model, and is not safe beside itself.
    works += [sample_the_other, *([forward] if family == "llama" else [])]
    assert in_threads(*works) == []


def test_a_model_is_as_it_was() -> None:
    model, inputs = families.qwen2_5_vl()
    model.generate(**inputs, do_sample=False, max_new_tokens=1)  # what generate itself leaves
    before = {name: dict(module.__dict__) for name, module in model.named_modules()}
    attention = {id(m.config): m.config._attn_implementation for m in model.modules()
                 if hasattr(m, "config")}  # fmt: skip
    decoded(model, inputs)
    for name, module in model.named_modules():
        assert {k for k, v in module.__dict__.items() if before[name].get(k) is not v} <= {
            "rope_deltas"  # set by generate, before it calls a decoding method
        }
    assert attention == {id(m.config): m.config._attn_implementation for m in model.modules()
                         if hasattr(m, "config")}  # fmt: skip


def test_hooks_are_told_of_the_models_own_modules() -> None:
    model, inputs = families.llama()
    told: set[int] = set()
    names = {id(module) for module in model.modules()}
    for module in model.modules():
        module.register_forward_hook(lambda m, args, out: told.add(id(m)))
    decoded(model, inputs)
    assert told and told <= names


def test_methods_that_a_module_has_been_given() -> None:
    """Bound to the module itself they move along; bound elsewhere, no view is made."""
    model, inputs = families.llama()
    plain, _ = both(model, inputs)
    layer = model.model.layers[0]
    layer.forward = layer.forward
    assert View(model).model.model.layers[0].forward.__self__ is not layer
    agree(plain, both(model, inputs)[1])
    assert way(model, inputs) == "shared"
    forward = layer.forward
    layer.forward = lambda *args, **kwargs: forward(*args, **kwargs)
    agree(plain, both(model, inputs)[1])
    assert way(model, inputs) == "repeated"


def test_weights_that_are_elsewhere() -> None:
    """Hooks that fetch a layer's weights from memory, when it is called."""
    accelerate = pytest.importorskip("accelerate")
    model, inputs = families.llama()
    plain, _ = both(model, inputs)
    accelerate.cpu_offload(model, execution_device="cpu")
    agree(plain, both(model, inputs)[1])
    assert way(model, inputs) == "shared"


def test_nothing_of_a_call_is_left_in_memory() -> None:
    model, inputs = families.llama()
    decoded(model, inputs)
    gc.collect()
    before = sum(issubclass(type(o), nn.Module) for o in gc.get_objects())
    for _ in range(3):
        decoded(model, inputs)
    gc.collect()
    assert sum(issubclass(type(o), nn.Module) for o in gc.get_objects()) == before
