"""A model by path, hub name or ``embedded:`` state, loaded or refused in one sentence.

name -> folder or hub name (sources) -> configuration -> class (classes) -> weights, adapter
(adapters), tokenizer or processor -> device (placement)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from calib.hf.adapters import adapted, adapter_config, base_of, speaker_source
from calib.hf.classes import IMAGES, TEXT, auto_class, refuse_class, refuse_encoder
from calib.hf.placement import placed, usable
from calib.hf.refusals import first_line, sentence
from calib.hf.sources import located
from calib.records import CalibError, InputError

DTYPES = ("auto", "float32", "bfloat16", "float16")
# Arguments of from_pretrained that say where files come from: for the configuration, the weights,
# the adapter and the tokenizer alike.
HUB = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "token")


def load(
    name: str,
    *,
    device: str | None,
    dtype: str,
    attn_implementation: str | None,
    peft: str | None,
    **model_args: Any,
) -> tuple[Any, Any, Any | None, str | None]:
    """(model in evaluation mode, tokenizer, processor if it reads images, adapter if it has one).

    The arguments are those of ``calib.load_model``.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: expected one of {', '.join(DTYPES)}")
    if device is not None and model_args.get("device_map") is not None:
        raise InputError(
            f"device {device!r} and device_map {model_args['device_map']!r}: expected one of them"
        )
    where = usable(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if dtype == "auto":
        dtype = "bfloat16" if where.type == "cuda" else "float32"
    options = {"dtype": getattr(torch, dtype), **model_args}
    if attn_implementation is not None:
        options["attn_implementation"] = attn_implementation
    kind, _, state = name.partition(":")
    if kind == "embedded":
        if model_args or peft is not None:
            refused = [*model_args, *(["peft"] if peft is not None else [])]
            raise InputError(f"{name}: the embedded model takes no {', '.join(refused)}")
        hf, speaker = embedded(state, options)
        adapter = None
    else:
        hf, speaker, adapter = pretrained(name, peft, options, where, forced=device is not None)
    tokenizer = getattr(speaker, "tokenizer", speaker)
    pad(tokenizer, hf, name)
    processor = speaker if getattr(speaker, "image_processor", None) is not None else None
    share_template(tokenizer, speaker)
    return placed(hf.eval(), where), tokenizer, processor, adapter


def embedded(state: str, options: Mapping[str, Any]) -> tuple[Any, Any]:
    from calib.hf.embedded import load_embedded

    hf, speaker = load_embedded(state)
    hf = hf.to(options["dtype"])
    if "attn_implementation" in options:
        try:
            hf.set_attn_implementation(options["attn_implementation"])
        except (ValueError, ImportError) as error:
            raise InputError(f"attn_implementation: {first_line(error)}") from error
    return hf, speaker


def pretrained(
    name: str, peft: str | None, options: dict[str, Any], where: torch.device, *, forced: bool
) -> tuple[Any, Any, str | None]:
    """(model, tokenizer or processor, adapter on the model) of a folder or a hub name."""
    # A folder's own code is run where the user asks for it; transformers would ask on stdin.
    options = {"trust_remote_code": False, **options}
    source, cached = located(name, options)
    if cached:
        options["local_files_only"] = True
    hub = {key: options[key] for key in HUB if key in options}
    with reasons(name, source):
        config = adapter_config(source, hub)
    if config is not None:
        if peft is not None:
            raise InputError(
                f"model {name!r} is an adapter itself: expected its base beside peft={peft}"
            )
        base = base_of(source, config)
        try:
            base, _ = located(base, hub, "base model")
        except InputError as error:
            raise CalibError(f"adapter {name!r} cannot be put on its base: {error}") from error
        source, peft = base, source
    elif peft is not None:
        peft, _ = located(str(peft), hub, "peft")
    with reasons(name, source):
        return *assembled(source, peft, options, hub, where, forced=forced), peft


def assembled(
    source: str,
    adapter: str | None,
    options: dict[str, Any],
    hub: Mapping[str, Any],
    where: torch.device,
    *,
    forced: bool,
) -> tuple[Any, Any]:
    from transformers import AutoConfig

    trusted = bool(options["trust_remote_code"])
    source_of = {**hub, "trust_remote_code": trusted}
    for key in ("subfolder", "gguf_file"):
        if key in options:
            source_of[key] = options[key]
    with stage("its config"):
        config = AutoConfig.from_pretrained(source, **source_of)
    auto = auto_class(config, trusted=trusted)
    quantised = options.get("quantization_config") or getattr(config, "quantization_config", None)
    # Quantised weights are not moved once they are loaded.
    if quantised and "device_map" not in options and (forced or where.type != "cpu"):
        options["device_map"] = {"": str(where)}
    # Asked to ignore other shapes, transformers says which they are; refuse_gaps refuses them.
    loading = {**options, "ignore_mismatched_sizes": True, "output_loading_info": True}
    hf, report = auto.from_pretrained(source, **loading)
    refuse_gaps(report)
    refuse_class(type(hf))
    if auto.__name__ == TEXT:
        refuse_encoder(hf)
    if adapter is not None:
        hf = adapted(hf, adapter, hub)
    images = auto.__name__ == IMAGES
    return hf, speaker(
        speaker_source(adapter, source, images, hub), auto.__name__, config, source_of
    )


def speaker(source: str, auto: str, config: Any, source_of: Mapping[str, Any]) -> Any:
    """The processor, or the tokenizer of a text model."""
    from transformers import AutoProcessor, AutoTokenizer

    own = getattr(config, "auto_map", None) or {}
    if auto == TEXT and not (source_of["trust_remote_code"] and "AutoProcessor" in own):
        with stage("its tokenizer"):
            return AutoTokenizer.from_pretrained(source, **source_of)
    with stage("its processor"):
        found = AutoProcessor.from_pretrained(source, **source_of)
        if auto == IMAGES and getattr(found, "image_processor", None) is None:
            raise ValueError(
                f"it reads images, and its folder holds no image processor, only a "
                f"{type(found).__name__}"
            )
        return found


def refuse_gaps(report: Mapping[str, Any]) -> None:
    """ValueError where weights are missing or of another shape: they would be random."""
    others = sorted(report.get("mismatched_keys") or ())
    if others:
        key, stored, built = others[0]
        raise ValueError(
            f"its weights are not those of its config: {key} is {tuple(stored)} and "
            f"{tuple(built)} is expected (and {len(others) - 1} more)"
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise ValueError(f"its weights lack {missing[0]} (and {len(missing) - 1} more)")


def pad(tokenizer: Any, hf: Any, name: str) -> None:
    """Pad with the end token where there is no padding token; what pads is masked out."""
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise CalibError(
                f"model {name!r} cannot be used: its tokenizer has neither a padding token nor an "
                "end token"
            )
        tokenizer.pad_token = tokenizer.eos_token


def share_template(tokenizer: Any, speaker: Any) -> None:
    """Old folders keep the chat template with the tokenizer, new ones with the processor."""
    if getattr(speaker, "chat_template", None) is None:
        speaker.chat_template = tokenizer.chat_template
    elif tokenizer.chat_template is None:
        tokenizer.chat_template = speaker.chat_template


@contextmanager
def reasons(name: str, source: str) -> Iterator[None]:
    """What other libraries raise while a model is loaded, as one sentence about ``name``."""
    try:
        yield
    except CalibError:
        raise
    # Files that anyone may have written fail in readers that raise whatever they like.
    except Exception as error:
        refusal = CalibError if Path(source).is_dir() else InputError
        raise refusal(f"model {name!r} cannot be loaded: {sentence(error)}") from error


@contextmanager
def stage(part: str) -> Iterator[None]:
    """Names the part that could not be read, in front of what was raised."""
    try:
        yield
    except Exception as error:
        raise PartError(f"{part}: {sentence(error)}") from error


class PartError(ValueError):
    """A part of a model that could not be read, its message a sentence."""
