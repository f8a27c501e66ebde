"""A model by path, hub name or ``embedded:`` state, loaded or refused in one sentence.

name -> folder or hub name (sources) -> configuration -> class (classes) -> tokenizer or processor,
weights, adapter (adapters) -> device (placement)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from calib.hf import adapters
from calib.hf.classes import IMAGES, TEXT, auto_class, refuse_class, refuse_encoder
from calib.hf.placement import home, placed
from calib.hf.refusals import first_line, sentence
from calib.hf.revision import own_revision, revision_of
from calib.hf.sources import Source, located
from calib.records import CalibError, InputError

OF_EMBEDDED = ("dtype", "attn_implementation", "trust_remote_code")
"""Arguments that say something of the embedded model."""
DTYPES = ("auto", "float32", "bfloat16", "float16")


def load(
    name: str,
    *,
    device: str | None,
    dtype: str,
    attn_implementation: str | None,
    peft: str | None,
    **model_args: Any,
) -> tuple[Any, Any, Any | None, str | None, str | None]:
    """(model in evaluation mode, tokenizer, processor if it reads images, adapter if it has one,
    the weights' revision where it is known).

    The arguments are those of ``calib.load_model``.
    """
    refuse_dtype(dtype)
    mapped = model_args.get("device_map")
    where = home(device, mapped)
    if dtype == "auto":
        dtype = "bfloat16" if where.type == "cuda" else "float32"
    options = {"dtype": getattr(torch, dtype), **model_args}
    if attn_implementation is not None:
        options["attn_implementation"] = attn_implementation
    kind, _, state = name.partition(":")
    if kind == "embedded":
        refuse_arguments(name, model_args, peft)
        hf, speaker = embedded(state, None, options)
        adapter = revision = None
    else:
        hf, speaker, adapter, revision = pretrained(name, peft, options, where)
    tokenizer = getattr(speaker, "tokenizer", speaker)
    pad(tokenizer, hf.config, name)
    processor = speaker if getattr(speaker, "image_processor", None) is not None else None
    share_template(tokenizer, speaker)
    hf = hf.eval() if mapped is not None else placed(hf.eval(), where)
    return hf, tokenizer, processor, adapter, revision


def refuse_dtype(dtype: Any) -> None:
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: expected one of {', '.join(DTYPES)}")


def refuse_arguments(name: str, model_args: Mapping[str, Any], peft: str | None) -> None:
    """InputError for arguments that say nothing of the embedded model."""
    if model_args or peft is not None:
        refused = [*model_args, *(["peft"] if peft is not None else [])]
        raise InputError(f"{name}: the embedded model takes no {', '.join(refused)}")


def embedded(state: str, adapter: Path | None, options: Mapping[str, Any]) -> tuple[Any, Any]:
    from calib.hf.embedded import load_embedded

    hf, speaker = load_embedded(state, adapter)
    hf = hf.to(options["dtype"])
    if "attn_implementation" in options:
        try:
            hf.set_attn_implementation(options["attn_implementation"])
        except (ValueError, ImportError) as error:
            raise InputError(f"attn_implementation: {first_line(error)}") from error
    return hf, speaker


def pretrained(
    name: str, peft: str | None, options: dict[str, Any], where: torch.device
) -> tuple[Any, Any, str | None, str | None]:
    """(model, tokenizer or processor, adapter on the model, revision) of a folder or hub name."""
    # A folder's own code is run where the user asks for it; transformers would ask on stdin.
    options = {"trust_remote_code": False, **options}
    source, adapter = located(name, options), None
    with reasons(name, source):
        if adapters.is_adapter(source):
            if peft is not None:
                raise InputError(
                    f"model {name!r} is an adapter: expected a model beside peft={peft}"
                )
            state = adapters.embedded_base(source)
            if state is not None:
                adapters.refuse_adapter(source)
                if not Path(source.name).is_dir():
                    raise InputError(
                        f"model {name!r} is an adapter on {state}: expected its folder, in which "
                        "the digest of its base can be read"
                    )
                if others := [key for key in options if key not in OF_EMBEDDED]:
                    raise InputError(f"the embedded model takes no {', '.join(others)}")
                hf, speaker = embedded(state, Path(source.name), options)
                revision = own_revision(source, adapters.CONFIG, "")
                return hf, speaker, source.name, revision
            source, adapter = adapters.base_of(source, options), source
    if peft is not None:
        adapter = located(peft, {**options, "revision": None}, "peft")
    if adapter is not None:
        with reasons(adapter.name, adapter, "adapter"):
            adapters.refuse_adapter(adapter)
    # The base's own revision, and its cache alone where the hub cannot be asked.
    options |= source.hub
    with reasons(name, source):
        hf, speaker = assembled(source, adapter, options, where)
    revision = revision_of(source, adapter, str(options.get("subfolder") or ""))
    return hf, speaker, None if adapter is None else adapter.name, revision


def assembled(
    source: Source,
    adapter: Source | None,
    options: dict[str, Any],
    where: torch.device,
) -> tuple[Any, Any]:
    """(model, tokenizer or processor); what can be refused early is, as weights take long."""
    whole, auto, config = configured(source, options)
    shared = shared_of(options)
    speaking = adapters.speaker_source(source, adapter, auto.__name__ == IMAGES)
    speaker = speaker_of(speaking, auto.__name__, whole, shared)
    refuse_broken_generation(source)
    quantised = options.get("quantization_config") or getattr(config, "quantization_config", None)
    # Quantised weights are not moved once they are loaded.
    if quantised and options.get("device_map") is None:
        options["device_map"] = {"": str(where)}
    if config is not whole:
        options["config"] = config
    # Asked to ignore other shapes, transformers says which they are; refuse_gaps refuses them.
    options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
    with held_log():
        with stage("its config, weights or arguments"):
            hf, report = auto.from_pretrained(source.name, **options)
        refuse_gaps(report)
        refuse_class(type(hf))
        if auto.__name__ == TEXT:
            refuse_encoder(hf)
        if adapter is not None:
            hf = adapters.adapted(hf, adapter)
    return hf, speaker


def shared_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of from_pretrained for the configuration and the tokenizer as for the weights."""
    shared: dict[str, Any] = {"trust_remote_code": bool(options["trust_remote_code"])}
    return shared | {key: options[key] for key in ("subfolder", "gguf_file") if key in options}


def configured(source: Source, options: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """(the whole configuration, the auto class that loads it, the configuration that it loads)."""
    from transformers import AutoConfig

    shared = shared_of(options)
    with stage("its config"):
        whole = AutoConfig.from_pretrained(source.name, **source.hub, **shared)
    return whole, *auto_class(whole, trusted=shared["trust_remote_code"])


def speaker_of(source: Source, auto: str, config: Any, shared: Mapping[str, Any]) -> Any:
    """The processor, or the tokenizer of a text model."""
    from transformers import AutoProcessor, AutoTokenizer

    own = getattr(config, "auto_map", None) or {}
    if auto == TEXT and not (shared["trust_remote_code"] and "AutoProcessor" in own):
        with stage("its tokenizer"):
            return AutoTokenizer.from_pretrained(source.name, **source.hub, **shared)
    with stage("its processor"):
        speaker = AutoProcessor.from_pretrained(source.name, **source.hub, **shared)
        if auto == IMAGES and getattr(speaker, "image_processor", None) is None:
            raise ValueError(
                f"the model reads images, and its folder holds no image processor, only a "
                f"{type(speaker).__name__}"
            )
        return speaker


def refuse_gaps(report: Mapping[str, Any]) -> None:
    """ValueError where weights are missing or of another shape: they would be random."""
    others = sorted(report.get("mismatched_keys") or ())
    if others:
        key, stored, built = others[0]
        raise ValueError(
            f"its weights are not those of its config: {key} is {tuple(stored)} and "
            f"{tuple(built)} is expected{others_too(others)}"
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise ValueError(f"its weights lack {missing[0]}{others_too(missing)}")


def refuse_broken_generation(source: Source) -> None:
    """ValueError for a broken file, which transformers would pass over: it names the end tokens."""
    path = source.stored("generation_config.json")
    if path is not None:
        with stage("its generation_config.json"):
            json.loads(Path(path).read_text(encoding="utf-8"))


def others_too(keys: Sequence[Any]) -> str:
    return f" (and {len(keys) - 1:,} more)" if len(keys) > 1 else ""


def pad(tokenizer: Any, config: Any, name: str) -> None:
    """Pad with the end token where the padding token is none of the model's; pads are masked out.

    Tokenizers that were given a padding token of their own often number it past the vocabulary.
    """
    rows = getattr(config.get_text_config(decoder=True), "vocab_size", None)
    padding = tokenizer.pad_token_id
    if padding is not None and (rows is None or padding < rows):
        return
    if tokenizer.eos_token_id is None:
        raise CalibError(
            f"model {name!r} cannot be used: its tokenizer has neither a padding token nor an end "
            "token"
        )
    tokenizer.pad_token = tokenizer.eos_token


def share_template(tokenizer: Any, speaker: Any) -> None:
    """Old folders keep the chat template with the tokenizer, new ones with the processor."""
    if getattr(speaker, "chat_template", None) is None:
        speaker.chat_template = tokenizer.chat_template
    elif tokenizer.chat_template is None:
        tokenizer.chat_template = speaker.chat_template


@contextmanager
def reasons(name: str, source: Source, what: str = "model") -> Iterator[None]:
    """What other libraries raise while a model is loaded, as one sentence about ``name``."""
    try:
        yield
    except CalibError:
        raise
    # Files that anyone may have written fail in readers that raise whatever they like.
    except Exception as error:
        refusal = CalibError if Path(source.name).is_dir() else InputError
        raise refusal(f"{what} {name!r} cannot be loaded: {sentence(error)}") from error


@contextmanager
def held_log() -> Iterator[None]:
    """Hold what transformers logs, and pass it on at the end. Where the model is refused it is
    dropped: a refusal is one sentence, and a table of tensors would stand above it."""
    records: list[tuple[logging.Handler, logging.LogRecord]] = []

    def hold(handler: logging.Handler, record: logging.LogRecord) -> bool:
        records.append((handler, record))
        return False

    handlers = logging.getLogger("transformers").handlers
    holds = {handler: partial(hold, handler) for handler in handlers}
    for handler, held in holds.items():
        handler.addFilter(held)
    try:
        yield
    finally:
        for handler, held in holds.items():
            handler.removeFilter(held)
    for handler, record in records:
        handler.handle(record)


@contextmanager
def stage(part: str) -> Iterator[None]:
    """Names the part that could not be read, in front of what was raised."""
    try:
        yield
    except Exception as error:
        raise PartError(f"{part}: {sentence(error)}") from error


class PartError(ValueError):
    """A part of a model that could not be read, its message a sentence."""
