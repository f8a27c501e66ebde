"""Image-text families with many users: LLaVA, Qwen-VL, Gemma, Idefics, InternVL, Llama, GLM."""

from __future__ import annotations

from tests.conformance.family import Family
from tests.conformance.image_a_gemma import GEMMA_FAMILIES
from tests.conformance.image_a_glm import GLM_FAMILIES
from tests.conformance.image_a_idefics import IDEFICS_FAMILIES
from tests.conformance.image_a_llava import LLAVA_FAMILIES
from tests.conformance.image_a_qwen import QWEN_FAMILIES

IMAGE_A: tuple[Family, ...] = (
    *LLAVA_FAMILIES,
    *QWEN_FAMILIES,
    *GEMMA_FAMILIES,
    *IDEFICS_FAMILIES,
    *GLM_FAMILIES,
)
