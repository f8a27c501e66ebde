"""Image-text families with many users: LLaVA, Qwen-VL, Gemma, Idefics, InternVL, Llama, GLM."""

from __future__ import annotations

from tests.conformance.family import Family
from tests.conformance.image_a_fixed import FIXED
from tests.conformance.image_a_glm import GLM_FAMILIES
from tests.conformance.image_a_llava import LLAVA
from tests.conformance.image_a_qwen import QWEN_FAMILIES

IMAGE_A: tuple[Family, ...] = (*LLAVA, *QWEN_FAMILIES, *FIXED, *GLM_FAMILIES)
