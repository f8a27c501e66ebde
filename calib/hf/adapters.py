"""LoRA and its kin on a base model: which base an adapter's folder names, and putting it on."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calib.hf.sources import Source, located
from calib.records import CalibError, InputError

CONFIG = "adapter_config.json"
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
# A tokenizer or processor that was saved with the adapter is the one that it was trained with.
TOKENIZER = ("tokenizer_config.json", "tokenizer.json")
PROCESSOR = ("processor_config.json", "preprocessor_config.json")


def is_adapter(source: Source) -> bool:
    """Whether ``source`` holds an adapter instead of a model.

    Raises CalibError where it holds both, of which transformers would load one or the other
    according to what is installed.
    """
    if source.stored(CONFIG) is None:
        return False
    for file in WEIGHTS:
        if source.stored(file) is not None:
            raise CalibError(
                f"model {source.name!r} holds both a model ({file}) and an adapter ({CONFIG}); "
                "move the adapter's files to a folder of their own and pass peft=<that folder>"
            )
    return True


def adapter_config(adapter: Source) -> dict[str, Any]:
    path = adapter.stored(CONFIG)
    if path is None:
        raise InputError(f"peft {adapter.name!r} is not an adapter: it holds no {CONFIG}")
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CalibError(f"adapter {adapter.name!r}: its {CONFIG} cannot be read") from error
    if not isinstance(config, dict) or not isinstance(config.get("peft_type"), str):
        raise CalibError(f"adapter {adapter.name!r}: its {CONFIG} names no peft_type")
    return config


def base_of(adapter: Source, options: Mapping[str, Any]) -> Source:
    """The model that an adapter was trained on, as its own configuration names it.

    A relative path is looked for from here, where peft looks, then from the adapter's folder.
    Raises CalibError where there is no such model.
    """
    config = adapter_config(adapter)
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise CalibError(
            f"adapter {adapter.name!r} names no base model in its {CONFIG}; load the base "
            f"model and pass peft={adapter.name}"
        )
    try:
        # A revision that was asked for is the adapter's.
        source = located(
            beside(adapter, base), {**options, "revision": config.get("revision")}, "base model"
        )
    except InputError as error:
        raise CalibError(
            f"adapter {adapter.name!r} cannot be put on its base ({error}); load the base "
            f"model from where it is and pass peft={adapter.name}"
        ) from error
    if is_adapter(source):
        raise CalibError(f"adapter {adapter.name!r}: its base {source.name!r} is an adapter itself")
    return source


def beside(adapter: Source, base: str) -> str:
    """The base as a path from here, else from the adapter's folder, where that is a folder."""
    inside = Path(adapter.name) / base
    here = Path(base).expanduser().is_dir()
    return str(inside) if not here and Path(adapter.name).is_dir() and inside.is_dir() else base


def local_base(folder: Path) -> Path | None:
    """The folder of the model that the adapter in ``folder`` names; None where either is none."""
    source = Source(str(folder), {})
    if not (folder / CONFIG).is_file():
        return None
    try:
        base = adapter_config(source).get("base_model_name_or_path")
    except CalibError:  # what loads it says so
        return None
    found = Path(beside(source, base)).expanduser() if isinstance(base, str) and base else None
    return found if found is not None and found.is_dir() else None


def embedded_base(adapter: Source) -> str | None:
    """The state of the embedded model that an adapter was trained on, if it was on one."""
    kind, _, state = str(adapter_config(adapter).get("base_model_name_or_path")).partition(":")
    return state if kind == "embedded" else None


def refuse_adapter(adapter: Source) -> None:
    """InputError for no adapter, or no peft; CalibError for a kind that adds tokens."""
    kind = adapter_config(adapter)["peft_type"]
    if importlib.util.find_spec("peft") is None:
        raise InputError(f"adapter {adapter.name!r} needs the package peft: pip install peft")
    from peft import PeftConfig

    if PeftConfig.from_pretrained(adapter.name, **adapter.hub).is_prompt_learning:
        raise CalibError(
            f"adapter {adapter.name!r} is of the kind {kind}, which adds tokens to the prompt; "
            "expected one that changes weights, as LORA does"
        )


def adapted(hf: Any, adapter: Source) -> Any:
    """The model with the adapter put on it, its weights beside the base's and not merged in.

    Merged into 16-bit or quantised weights an adapter would be rounded away in part. Raises
    CalibError where it does not fit the model, and where weights are offloaded: neither
    transformers nor peft 0.21 brings what is added to them to where they are brought.
    """
    name = adapter.name
    if any(weight.device.type == "meta" for weight in hf.parameters()):
        raise CalibError(
            f"adapter {name!r} cannot be put on weights that are offloaded to the CPU or to disk; "
            "merge it into its base (peft's merge_and_unload), save that and load it"
        )
    report = hf.load_adapter(name, adapter_kwargs=dict(adapter.hub))
    for fault in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        keys = sorted(map(str, getattr(report, fault, None) or ()))
        if keys:
            raise CalibError(
                f"adapter {name!r} does not fit {type(hf).__name__}: {fault.replace('_', ' ')} "
                f"{keys[0]} (and {len(keys) - 1} more)"
            )
    return hf


def speaker_source(base: Source, adapter: Source | None, images: bool) -> Source:
    """Where the tokenizer or processor is: with the adapter, if one was saved there."""
    if adapter is None:
        return base
    files = PROCESSOR if images else TOKENIZER
    return adapter if any(adapter.stored(file) for file in files) else base
