"""Tiny models whose cache, attention or state is more than keys and values that S rows share.

``WAYS[name]`` is the way that is to be found exact for them; ``MAKERS[name]()`` gives (model,
inputs) as those of ``tests.hf.families`` do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.hf.families import END, IMAGE, START, TEXT, VOCABULARY, built, pixels, prompts

Made = tuple[Any, dict[str, Tensor]]
EXPERTS = {
    "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1,
    "n_shared_experts": 1, "moe_intermediate_size": 16, "first_k_dense_replace": 1,
}  # fmt: skip
LINEAR = {
    "linear_num_value_heads": 2, "linear_num_key_heads": 2, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}  # fmt: skip
MAMBA2 = {
    "mamba_d_state": 8, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_n_groups": 1,
    "mamba_expand": 2,
}  # fmt: skip


def deepseek(rank: int) -> Made:
    """Its cache holds latents of ``rank`` numbers, from which it makes keys of 16."""
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    text = {**TEXT, "num_key_value_heads": 4}
    config = DeepseekV3Config(
        **text, **EXPERTS, kv_lora_rank=rank, q_lora_rank=16, qk_nope_head_dim=8,
        qk_rope_head_dim=8, v_head_dim=16,
    )  # fmt: skip
    return built(DeepseekV3ForCausalLM, config), prompts([0, 0], 0)


def latents_as_long_as_keys() -> Made:
    return deepseek(16)


def latents_of_another_length() -> Made:
    return deepseek(24)


def diffllama() -> Made:
    """It reads its values twice, arranged otherwise."""
    from transformers import DiffLlamaConfig, DiffLlamaForCausalLM

    return built(DiffLlamaForCausalLM, DiffLlamaConfig(**TEXT, head_dim=8)), prompts([0, 0], 0)


def bloom() -> Made:
    from transformers import BloomConfig, BloomForCausalLM

    config = BloomConfig(
        vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.2,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return built(BloomForCausalLM, config), prompts([0, 0], 0)


def falcon() -> Made:
    from transformers import FalconConfig, FalconForCausalLM

    text = {k: v for k, v in TEXT.items() if k not in ("intermediate_size", "num_key_value_heads")}
    return built(FalconForCausalLM, FalconConfig(**text)), prompts([0, 0], 0)


def codegen() -> Made:
    from transformers import CodeGenConfig, CodeGenForCausalLM

    config = CodeGenConfig(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, rotary_dim=4, n_positions=64,
        initializer_range=0.2, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return built(CodeGenForCausalLM, config), prompts([0, 0], 0)


def mllama() -> Made:
    """One picture for the first prompt, two for the second, seen by a layer of its own."""
    from transformers import MllamaConfig, MllamaForConditionalGeneration

    config = MllamaConfig(
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_global_layers": 1, "attention_heads": 2, "image_size": 16, "patch_size": 8,
            "max_num_tiles": 1, "supported_aspect_ratios": [[1, 1]],
            "intermediate_layers_indices": [0], "vision_output_dim": 64,
        },
        text_config={
            **TEXT, "num_hidden_layers": 3, "cross_attention_layers": [1],
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
        },
        image_token_index=IMAGE,
    )  # fmt: skip
    model = built(MllamaForConditionalGeneration, config)
    for name, parameter in model.named_parameters():
        if "cross_attn_" in name and "gate" in name:  # 0 at first: pictures would not be seen
            parameter.data.fill_(1.0)
    inputs = prompts([1, 2], 1)
    length = inputs["input_ids"].shape[1]
    # A token sees the pictures that stand before it.
    seen = (inputs["input_ids"] == IMAGE).cumsum(1)[:, :, None] > torch.arange(2)
    return model, {
        **inputs,
        "pixel_values": pixels(4).view(2, 2, 1, 3, 16, 16),
        "aspect_ratio_ids": torch.tensor([[1, 0], [1, 1]]),
        "aspect_ratio_mask": torch.tensor([[[1], [0]], [[1], [1]]]),
        "cross_attention_mask": seen.long().view(2, length, 2, 1),
    }


def mllama_text() -> Made:
    """Its cross-attention layers keep nothing."""
    model, inputs = mllama()
    return model, {name: inputs[name] for name in ("input_ids", "attention_mask")}


def idefics() -> Made:
    """It is given its pictures at every step."""
    from transformers import IdeficsConfig, IdeficsForVisionText2Text

    config = IdeficsConfig(
        **{k: v for k, v in TEXT.items() if k != "num_key_value_heads"},
        additional_vocab_size=0, cross_layer_interval=1, use_resampler=False,
        alpha_initializer="ones",
        vision_config={
            "embed_dim": 32, "image_size": 16, "patch_size": 8, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 64,
        },
    )  # fmt: skip
    inputs = prompts([0, 0], 0)
    batch, length = inputs["input_ids"].shape
    return built(IdeficsForVisionText2Text, config), {
        **inputs,
        "pixel_values": pixels(4).view(2, 2, 3, 16, 16),
        "image_attention_mask": torch.ones(batch, length, 2, dtype=torch.long),
    }


def qwen3_5() -> Made:
    """Layers with a state beside layers with keys, and pictures: two behind the second prompt."""
    from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

    config = Qwen3_5Config(
        text_config={
            **TEXT, "head_dim": 16, "layer_types": ["linear_attention", "full_attention"], **LINEAR,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1],
                "partial_rotary_factor": 0.5,
            },
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "num_heads": 2, "patch_size": 4,
            "intermediate_size": 48, "num_position_embeddings": 64,
        },
        image_token_id=IMAGE, vision_start_token_id=START, vision_end_token_id=END,
    )  # fmt: skip
    inputs = prompts([1, 2], 4, wrap=True)
    generator = torch.Generator().manual_seed(1)
    return built(Qwen3_5ForConditionalGeneration, config), {
        **inputs,
        "pixel_values": torch.randn(48, 3 * 2 * 16, generator=generator),
        "image_grid_thw": torch.tensor([[1, 4, 4]] * 3),
        "mm_token_type_ids": (inputs["input_ids"] == IMAGE).long(),
    }


def qwen3_next() -> Made:
    from tests.hf import families

    return families.qwen3_next()


def jamba() -> Made:
    from transformers import JambaConfig, JambaForCausalLM

    config = JambaConfig(
        **TEXT, num_experts=2, num_experts_per_tok=1, attn_layer_period=2, attn_layer_offset=1,
        expert_layer_period=2, expert_layer_offset=1, mamba_d_state=4, mamba_d_conv=4,
        mamba_dt_rank=4, use_mamba_kernels=False,
    )  # fmt: skip
    return built(JambaForCausalLM, config), prompts([0, 0], 0)


def recurrent_gemma() -> Made:
    """Its recurrence is kept by its modules, and not masked: prompts as long as each other."""
    from transformers import RecurrentGemmaConfig, RecurrentGemmaForCausalLM

    config = RecurrentGemmaConfig(
        **TEXT, head_dim=8, lru_width=32, attention_window_size=6, conv1d_width=4,
        block_types=["recurrent", "attention"],
    )  # fmt: skip
    inputs = {name: value[1:] for name, value in prompts([0, 0], 0).items()}
    inputs = {name: value.repeat(2, 1) for name, value in inputs.items()}
    inputs["input_ids"][0, 1] += 1
    return built(RecurrentGemmaForCausalLM, config), inputs


def falcon_h1() -> Made:
    """Every layer keeps keys and a state."""
    from transformers import FalconH1Config, FalconH1ForCausalLM

    config = FalconH1Config(**TEXT, **MAMBA2, mamba_d_ssm=64, mamba_chunk_size=8)
    return built(FalconH1ForCausalLM, config), prompts([0, 0], 0)


def bamba() -> Made:
    from transformers import BambaConfig, BambaForCausalLM

    config = BambaConfig(**TEXT, **MAMBA2, attn_layer_indices=[1], mamba_chunk_size=8)
    return built(BambaForCausalLM, config), prompts([0, 0], 0)


def granitemoehybrid() -> Made:
    from transformers import GraniteMoeHybridConfig, GraniteMoeHybridForCausalLM

    config = GraniteMoeHybridConfig(
        **TEXT, **MAMBA2, mamba_chunk_size=8, layer_types=["mamba", "attention"],
        num_local_experts=2, num_experts_per_tok=1, shared_intermediate_size=16,
    )  # fmt: skip
    return built(GraniteMoeHybridForCausalLM, config), prompts([0, 0], 0)


def zamba2() -> Made:
    from transformers import Zamba2Config, Zamba2ForCausalLM

    text = {**TEXT, "num_key_value_heads": 4}
    config = Zamba2Config(
        **text, mamba_d_state=8, n_mamba_heads=4, mamba_headdim=16, mamba_ngroups=1,
        mamba_expand=2, chunk_size=8, layers_block_type=["mamba", "hybrid"], num_mem_blocks=1,
        use_mem_rope=True,
    )  # fmt: skip
    return built(Zamba2ForCausalLM, config), prompts([0, 0], 0)


def mamba2() -> Made:
    from transformers import Mamba2Config, Mamba2ForCausalLM

    config = Mamba2Config(
        hidden_size=32, num_hidden_layers=2, vocab_size=VOCABULARY, state_size=8, num_heads=4,
        head_dim=16, n_groups=1, expand=2, chunk_size=8, initializer_range=0.2,
    )  # fmt: skip
    return built(Mamba2ForCausalLM, config), prompts([0, 0], 0)


def falcon_mamba() -> Made:
    from transformers import FalconMambaConfig, FalconMambaForCausalLM

    config = FalconMambaConfig(
        hidden_size=32, num_hidden_layers=2, vocab_size=VOCABULARY, state_size=4,
        initializer_range=0.2,
    )  # fmt: skip
    return built(FalconMambaForCausalLM, config), prompts([0, 0], 0)


MAKERS: dict[str, Callable[[], Made]] = {
    make.__name__: make
    for make in (
        latents_as_long_as_keys, latents_of_another_length, diffllama, bloom, falcon, codegen,
        mllama, mllama_text, idefics, qwen3_5, qwen3_next, jamba, recurrent_gemma, falcon_h1, bamba,
        granitemoehybrid, zamba2, mamba2, falcon_mamba,
    )
}  # fmt: skip
REPEATED = {
    "latents_as_long_as_keys", "latents_of_another_length", "diffllama", "bloom", "falcon",
    "codegen", "mllama", "mllama_text", "idefics",
}  # fmt: skip
WAYS = {name: "repeated" if name in REPEATED else "expanded" for name in MAKERS}
