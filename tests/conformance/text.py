"""Tiny models of text families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from tests.conformance.family import Family
from tests.conformance.tokens import TEXT_TEMPLATE, redraw, save, text, tokenizer


def built(
    kind: str, config: str, sizes: dict[str, Any], template: str | None, drawn: bool, folder: Path
) -> None:
    settings = getattr(transformers, config)(**sizes)
    model = getattr(transformers, kind)(settings)
    save(folder, redraw(model) if drawn else model, tokenizer([], template))


def of(
    name: str,
    prefix: str,
    *,
    template: str | None = TEXT_TEMPLATE,
    head: str = "ForCausalLM",
    config: str | None = None,
    drawn: bool = False,
    **sizes: Any,
) -> Family:
    """``drawn``: its weights are drawn again, since it does not heed ``initializer_range``."""

    def build(folder: Path) -> None:
        settings = {name: value for name, value in text(**sizes).items() if value is not None}
        built(f"{prefix}{head}", config or f"{prefix}Config", settings, template, drawn, folder)

    return Family(name, False, build)


GPT: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 1024}
LATENT: dict[str, Any] = {
    "q_lora_rank": 12, "kv_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
    "v_head_dim": 16, "num_key_value_heads": 4,
}  # fmt: skip
EXPERTS: dict[str, Any] = {"moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2}
SLIDING: dict[str, Any] = {
    "layer_types": ["sliding_attention", "full_attention"],
    "sliding_window": 16,
}
ROPE: dict[str, Any] = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}

TEXT_FAMILIES: tuple[Family, ...] = (
    # Plain attention through the common interface.
    of("llama", "Llama"),
    of("llama: no template", "Llama", template=None),
    of("qwen2", "Qwen2"),
    of("qwen3", "Qwen3", head_dim=16),
    of("gemma", "Gemma", head_dim=16),
    of("phi", "Phi"),
    of("phi3", "Phi3"),
    of("olmo", "Olmo"),
    of("olmo2", "Olmo2"),
    of("granite", "Granite"),
    of("smollm3", "SmolLM3"),
    of("stablelm", "StableLm"),
    of("glm", "Glm", head_dim=8),
    of("glm4", "Glm4", head_dim=8),
    of("ernie4_5", "Ernie4_5"),
    of("starcoder2", "Starcoder2"),
    of("cohere", "Cohere", logit_scale=1.0),
    of("helium", "Helium", head_dim=8),
    of("nemotron", "Nemotron"),
    of("persimmon", "Persimmon", template=None),
    of("hunyuan_v1_dense", "HunYuanDenseV1", head_dim=8),
    of("seed_oss", "SeedOss", head_dim=8),
    of("arcee", "Arcee"),
    of("apertus", "Apertus"),
    of("diffllama", "DiffLlama"),
    of("nanochat", "NanoChat"),
    # Mixtures of experts.
    of("mixtral", "Mixtral", num_local_experts=4),
    of("qwen3_moe", "Qwen3Moe", head_dim=16, **EXPERTS),
    of("qwen2_moe", "Qwen2Moe", shared_expert_intermediate_size=32, **EXPERTS),
    of("olmoe", "Olmoe", num_experts=4, num_experts_per_tok=2),
    of("phimoe", "Phimoe", num_local_experts=4),
    of("ernie4_5_moe", "Ernie4_5_Moe", moe_num_experts=4, moe_k=2, moe_intermediate_size=32),
    of("granitemoe", "GraniteMoe", num_local_experts=4),
    of("jetmoe", "JetMoe", kv_channels=8, num_local_experts=4),
    of("glm4_moe", "Glm4Moe", head_dim=8, moe_intermediate_size=32, n_routed_experts=4,
       num_experts_per_tok=2, first_k_dense_replace=1),
    # Latent attention.
    of("deepseek_v2", "DeepseekV2", n_routed_experts=4, moe_intermediate_size=32,
       num_experts_per_tok=2, first_k_dense_replace=1, n_group=1, topk_group=1, **LATENT),
    of("deepseek_v3", "DeepseekV3", n_routed_experts=4, moe_intermediate_size=32,
       num_experts_per_tok=2, first_k_dense_replace=1, n_group=2, topk_group=1, **LATENT),
    of("deepseek_v3: equal sizes", "DeepseekV3", n_routed_experts=4, moe_intermediate_size=32,
       num_experts_per_tok=2, first_k_dense_replace=1, n_group=2, topk_group=1,
       **{**LATENT, "kv_lora_rank": 16}),
    of("minicpm3", "MiniCPM3", **LATENT),
    of("glm4_moe_lite", "Glm4MoeLite", n_routed_experts=4, moe_intermediate_size=32,
       num_experts_per_tok=2, n_group=1, topk_group=1, **LATENT),
    of("longcat_flash", "LongcatFlash", num_layers=1, ffn_hidden_size=64, expert_ffn_hidden_size=32,
       n_routed_experts=4, zero_expert_num=2, moe_topk=2, head_dim=8, **LATENT),
    of("youtu", "Youtu", **LATENT),
    # Sliding windows, sinks, tanh.
    of("mistral", "Mistral", sliding_window=16),
    of("gemma2", "Gemma2", head_dim=16, **SLIDING),
    of("gemma3_text", "Gemma3", config="Gemma3TextConfig", head_dim=16, **SLIDING),
    of("cohere2", "Cohere2", logit_scale=1.0, **SLIDING),
    of("exaone4", "Exaone4", **SLIDING),
    of("olmo3", "Olmo3", **SLIDING),
    of("gpt_oss", "GptOss", head_dim=8, num_local_experts=4, num_experts_per_tok=2, **SLIDING,
       **ROPE),
    of("ministral", "Ministral", head_dim=8, **SLIDING),
    of("gpt_neo", "GPTNeo", template=None, num_layers=2, num_heads=4, window_size=16,
       attention_types=[[["global", "local"], 1]]),
    # Attention of their own, learnt or relative positions.
    of("gpt2", "GPT2", head="LMHeadModel", template=None, **GPT),
    of("gpt_neox", "GPTNeoX", template=None),
    of("opt", "OPT", template=None, ffn_dim=64, word_embed_proj_dim=32),
    of("bloom", "Bloom", template=None, n_head=4, n_layer=2),
    of("falcon", "Falcon", template=None),
    of("falcon: alibi", "Falcon", template=None, alibi=True, new_decoder_architecture=False),
    of("mpt", "Mpt", template=None, d_model=32, n_heads=4, n_layers=2, drawn=True),
    of("gptj", "GPTJ", template=None, rotary_dim=8, **GPT),
    of("codegen", "CodeGen", template=None, rotary_dim=8, **GPT),
    of("gpt_bigcode", "GPTBigCode", template=None, **GPT),
    of("openai-gpt", "OpenAIGPT", head="LMHeadModel", template=None, **GPT),
    of("ctrl", "CTRL", head="LMHeadModel", template=None, dff=64, **GPT),
    of("xglm", "XGLM", template=None, d_model=32, ffn_dim=64, num_layers=2, attention_heads=4),
    of("biogpt", "BioGpt", template=None),
    of("gpt_neox_japanese", "GPTNeoXJapanese", template=None, intermediate_multiple_size=2),
    of("cpmant", "CpmAnt", template=None, dim_head=8, dim_ff=64),
    of("xlnet", "XLNet", head="LMHeadModel", template=None, max_position_embeddings=None,
       d_model=32, n_layer=2, n_head=4, d_inner=64),
    of("xlm", "XLM", head="WithLMHeadModel", template=None, emb_dim=32, n_layers=2, n_heads=4,
       causal=True),
    of("bitnet", "BitNet"),
    # Recurrences, and hybrids of at least one recurrent and one attending layer.
    of("mamba", "Mamba", state_size=4),
    of("mamba2", "Mamba2", state_size=8, num_heads=8, head_dim=8, n_groups=2, chunk_size=8),
    of("falcon_mamba", "FalconMamba", state_size=4),
    of("rwkv", "Rwkv", template=None, attention_hidden_size=32, drawn=True),
    of("xlstm", "xLSTM", hidden_size=64, num_heads=4, qk_dim_factor=1.0, drawn=True),
    of("recurrent_gemma", "RecurrentGemma", drawn=True, lru_width=32, num_hidden_layers=3,
       attention_window_size=16, block_types=["recurrent", "recurrent", "attention"]),
    of("lfm2", "Lfm2", layer_types=["conv", "full_attention"]),
    of("lfm2_moe", "Lfm2Moe", layer_types=["conv", "full_attention"], **EXPERTS,
       num_dense_layers=1),
    of("qwen3_next", "Qwen3Next", initializer_range=0.1, head_dim=16,
       layer_types=["linear_attention", "full_attention"],
       linear_num_value_heads=2, linear_num_key_heads=2, linear_key_head_dim=8,
       linear_value_head_dim=8, shared_expert_intermediate_size=32, **EXPERTS),
    of("qwen3_5_text", "Qwen3_5", config="Qwen3_5TextConfig", head_dim=16,
       layer_types=["linear_attention", "full_attention"],
       linear_num_value_heads=2, linear_num_key_heads=2, linear_key_head_dim=8,
       linear_value_head_dim=8),
    of("falcon_h1", "FalconH1", head_dim=8, mamba_d_ssm=64, mamba_n_heads=8, mamba_d_head=8,
       mamba_n_groups=1, mamba_d_state=8, mamba_chunk_size=8),
    of("jamba", "Jamba", attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2,
       expert_layer_offset=1, num_experts=4, mamba_d_state=4, mamba_dt_rank=4,
       use_mamba_kernels=False),
    of("bamba", "Bamba", attn_layer_indices=[1], mamba_n_heads=8, mamba_d_head=8, mamba_d_state=8,
       mamba_n_groups=1, mamba_chunk_size=8),
    of("zamba", "Zamba", num_hidden_layers=4,
       layers_block_type=["linear_attention", "hybrid", "linear_attention", "hybrid"],
       mamba_d_state=4, mamba_dt_rank=4, n_mamba_heads=2, use_mamba_kernels=False),
    of("zamba2", "Zamba2", initializer_range=0.1, num_hidden_layers=3,
       layers_block_type=["mamba", "hybrid", "mamba"],
       mamba_d_state=8, n_mamba_heads=8, mamba_headdim=8, mamba_ngroups=1, chunk_size=8,
       num_mem_blocks=1, adapter_rank=4),
    of("granitemoehybrid", "GraniteMoeHybrid", layer_types=["mamba", "attention"],
       num_local_experts=4, num_experts_per_tok=2, shared_intermediate_size=32, mamba_n_heads=8,
       mamba_d_head=8, mamba_d_state=8, mamba_n_groups=1, mamba_chunk_size=8),
    of("nemotron_h", "NemotronH", initializer_range=0.14, hybrid_override_pattern="M*-M",
       mamba_num_heads=8,
       mamba_head_dim=8, ssm_state_size=8, n_groups=1, chunk_size=8, head_dim=8),
    of("minimax", "MiniMax", head_dim=8, layer_types=["linear_attention", "full_attention"],
       num_local_experts=4, block_size=16),
    of("olmo_hybrid", "OlmoHybrid", layer_types=["linear_attention", "full_attention"]),
    of("kimi_linear", "KimiLinear", layer_types=["linear_attention", "full_attention"],
       linear_head_dim=8, linear_num_heads=4, moe_intermediate_size=32, num_local_experts=4,
       num_experts_per_tok=2, **{**LATENT, "q_lora_rank": None}),
)  # fmt: skip
