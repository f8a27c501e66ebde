"""LoRA and its kin on a base model: which base an adapter's folder names, and putting it on."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers.utils.hub import cached_file

from calib.records import CalibError, InputError

CONFIG = "adapter_config.json"
# A tokenizer or processor that was saved with the adapter is the one that it was trained with.
SPEAKERS = {
    True: ("processor_config.json", "preprocessor_config.json"),  # of a model that reads images
    False: ("tokenizer_config.json", "tokenizer.json"),
}


def adapter_config(source: str, hub: Mapping[str, Any]) -> dict[str, Any] | None:
    """The adapter's own configuration, or None where ``source`` holds a whole model."""
    if stored(source, "config.json", hub) is not None:
        return None
    path = stored(source, CONFIG, hub)
    return None if path is None else read(source, path)


def stored(source: str, file: str, hub: Mapping[str, Any]) -> str | None:
    """Where ``file`` of a folder or a hub name lies; None where there is none."""
    found: str | None = cached_file(
        source,
        file,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_connection_errors=False,
        **hub,
    )
    return found


def read(source: str, path: str) -> dict[str, Any]:
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CalibError(f"adapter {source!r}: its {CONFIG} cannot be read") from error
    if not isinstance(config, dict) or not isinstance(config.get("peft_type"), str):
        raise CalibError(f"adapter {source!r}: its {CONFIG} is not that of an adapter of peft's")
    return config


def base_of(source: str, config: Mapping[str, Any]) -> str:
    """The folder or hub name of the model that an adapter was trained on.

    A relative path is looked for from here, where peft looks, then from the adapter's folder.
    """
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise CalibError(
            f"adapter {source!r} names no base model in its {CONFIG}; load the base model and pass "
            f"peft={source}"
        )
    beside = Path(source) / base
    if not Path(base).expanduser().is_dir() and Path(source).is_dir() and beside.is_dir():
        return str(beside)
    return base


def adapted(hf: Any, adapter: str, hub: Mapping[str, Any]) -> Any:
    """The model with the adapter put on it, its weights beside the base's and not merged in.

    Merged into 16-bit or quantised weights an adapter would be rounded away in part. Raises
    CalibError where it does not fit the model, and InputError where peft is not installed.
    """
    if importlib.util.find_spec("peft") is None:
        raise InputError(f"adapter {adapter!r} needs the package peft: pip install peft")
    path = stored(adapter, CONFIG, hub)
    if path is None:
        raise InputError(f"adapter {adapter!r}: it holds no {CONFIG}")
    config = read(adapter, path)
    from peft import PeftConfig

    if PeftConfig.from_pretrained(adapter, **hub).is_prompt_learning:
        raise CalibError(
            f"adapter {adapter!r} is of the kind {config['peft_type']}, which adds tokens to the "
            "prompt; expected one that changes weights, as LORA does"
        )
    report = hf.load_adapter(adapter, adapter_kwargs=dict(hub))
    for fault in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        keys = sorted(map(str, getattr(report, fault, None) or ()))
        if keys:
            raise CalibError(
                f"adapter {adapter!r} does not fit {type(hf).__name__}: {fault.replace('_', ' ')} "
                f"{keys[0]} (and {len(keys) - 1} more)"
            )
    return hf


def speaker_source(adapter: str | None, base: str, images: bool, hub: Mapping[str, Any]) -> str:
    """Where the tokenizer or processor is: with the adapter, if one was saved there."""
    if adapter is None:
        return base
    present = any(stored(adapter, file, hub) is not None for file in SPEAKERS[images])
    return adapter if present else base
