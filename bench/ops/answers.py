"""S answers to one prompt, end to end: one prefill that all share, against one for each.

Ours keeps the prompt's keys and values once. ``repeated`` copies the prefilled cache S times, and
plain ``generate(num_return_sequences=S)`` prefills the prompt S times as well. A case's rows are S;
every answer has the same number of tokens, at temperature 1 and without filters.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from bench.cases import Case, Compiler, Given, Op, Rival, Run, close
from bench.results import version
from calib.hf.decoding import flash
from calib.hf.decoding.draws import by_address
from calib.hf.decoding.loop import Decoded, decode
from calib.hf.decoding.sampling import Sampling, settings_of


@dataclass(frozen=True)
class Shape:
    prompt: int  # tokens, those of an image counted
    answer: int  # tokens


MODES = {
    "SmolLM2-135M": Shape(704, 32),
    "LLaVA-7B": Shape(1024, 64),
    "tiny": Shape(80, 4),
}


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """The model, made for this case alone, and its prompt: ids (1, P), mask, perhaps an image."""
    if case.mode == "SmolLM2-135M":
        hf, image = embedded(case, device), None
    else:
        hf, image = llava(case, device)
    # Without an end token every answer has all of its tokens, and no processor has to see to it.
    hf.generation_config.eos_token_id = None
    length = MODES[case.mode].prompt
    ids = torch.randint(3, case.columns - 1, (1, length), generator=generator, device=device)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if image is not None:
        size, tokens = image
        ids[:, 1 : 1 + tokens] = hf.config.image_token_index
        pixels = torch.zeros(1, 3, size, size, dtype=case.dtype, device=device)
        batch["pixel_values"] = pixels.normal_(generator=generator)
    return hf, batch


def embedded(case: Case, device: torch.device) -> Any:
    """The base model of ``calib demo``, with its weights."""
    from calib.hf.embedded import base_folder, load_base

    return load_base(base_folder()).to(device, case.dtype).eval()


def llava(case: Case, device: torch.device) -> tuple[Any, tuple[int, int]]:
    """LLaVA-1.5 with random weights, and an image's size and number of tokens."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig
    from transformers import LlavaForConditionalGeneration as Llava

    large = case.mode == "LLaVA-7B"
    width, layers, heads, size, patch = (1024, 24, 16, 336, 14) if large else (32, 2, 2, 16, 8)
    vision = CLIPVisionConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=heads, image_size=size, patch_size=patch,
    )  # fmt: skip
    width, inner, layers, heads = (4096, 11008, 32, 32) if large else (32, 64, 2, 4)
    text = LlamaConfig(
        vocab_size=case.columns, hidden_size=width, intermediate_size=inner,
        num_hidden_layers=layers, num_attention_heads=heads, max_position_embeddings=4096,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=case.columns - 1,
        vision_feature_layer=-2, vision_feature_select_strategy="default",
    )  # fmt: skip
    with device, torch.random.fork_rng():
        torch.manual_seed(0)
        hf = Llava._from_config(config, dtype=case.dtype).eval()
    return hf, (size, (size // patch) ** 2)


class Stopwatch:
    """A stopping criterion that stops nothing: the time from the first token to the last."""

    def __init__(self, tokens: int) -> None:
        self.tokens, self.seen, self.begun, self.seconds = tokens, 0, 0.0, 0.0

    def __call__(self, ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        self.seen += 1
        if self.seen in (1, self.tokens):
            if ids.is_cuda:
                torch.cuda.synchronize(ids.device)
            now = time.perf_counter()
            self.begun, self.seconds = (now, 0.0) if self.seen == 1 else (0.0, now - self.begun)
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)


class Answers:
    """What is timed; ``decode_seconds`` are those of the last call behind its first token."""

    def __init__(self, case: Case, way: str | None, package: bool = True) -> None:
        """``way``: one of ``calib.hf.decoding.prefix.WAYS``; None is plain generation. ``package``:
        whether the kernel of flash-attn is used where there is one."""
        self.case, self.way, self.tokens = case, way, MODES[case.mode].answer
        self.package = package
        self.decode_seconds = 0.0
        self.replayed = 0  # steps of the last call that were a CUDA graph's

    def __call__(self, hf: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Tokens (S, L) and, where they are known, log-probabilities of the answers (S,)."""
        samples = self.case.rows
        how = Sampling(samples=samples, max_new_tokens=self.tokens, rows=samples)
        config = settings_of(hf, SimpleNamespace(pad_token_id=0), how)
        watch = Stopwatch(self.tokens)
        asked = {**batch, "generation_config": config, "stopping_criteria": [watch]}
        if self.way is None:
            config.num_return_sequences = samples
            ids, logprob = hf.generate(**asked), None
        else:
            with self.kernels():
                found: Decoded = hf.generate(**asked, custom_generate=self.method)
            ids, logprob = found.ids, found.logprob.cpu()
        self.decode_seconds = watch.seconds
        return ids[:, batch["input_ids"].shape[1] :].cpu(), logprob

    def kernels(self) -> AbstractContextManager[Any]:
        """Those that calib chooses, or without the package's."""
        without = mock.patch.object(flash, "of_package", lambda: None)
        return nullcontext() if self.package else without

    @property
    def attention(self) -> str:
        """The kernel of the prompt's keys, on a GPU."""
        with self.kernels():
            return "aten" if flash.of_package() is None else f"flash-attn {version('flash-attn')}"

    def method(
        self,
        model: Any,
        input_ids: Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **kwargs: Any,
    ) -> Decoded:
        samples = self.case.rows
        item = torch.zeros(1, dtype=torch.int64, device=input_ids.device)
        draw = by_address(logits_processor, generation_config, 0, item, samples, 0, False)
        found = decode(
            model, input_ids, draw, stopping_criteria, generation_config, kwargs,
            samples=samples, way=self.way,
        )  # fmt: skip
        self.replayed = found.replayed
        assert found.way == self.way, f"decoded in the way {found.way!r}"
        return found


def plain(case: Case, compiled: Compiler) -> Run:
    return Answers(case, None)


def of_aten(case: Case) -> Run:
    """Ours with the kernel of PyTorch, where ours has that of flash-attn."""
    if flash.of_package() is None:
        raise ModuleNotFoundError("No kernel of flash_attn: ours has that of PyTorch")
    return Answers(case, "shared", package=False)


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    """Draws by address agree but for roundings; others have the right form only."""
    (ids, logprob), (our_ids, our_logprob) = found, expected
    assert ids.shape == our_ids.shape == (case.rows, MODES[case.mode].answer)
    assert bool(((ids >= 0) & (ids < case.columns)).all()), "a token is out of range"
    if logprob is None or case.dtype != torch.float32:
        return
    same = (ids == our_ids).all(1)
    assert float(same.float().mean()) > 0.5, "most answers are others than ours"
    close(logprob[same], our_logprob[same], atol=1e-2)


def notes(case: Case, run: Run, given: Given) -> dict[str, Any]:
    assert isinstance(run, Answers)
    found = {"decode_seconds": run.decode_seconds, "replayed_steps": run.replayed}
    on_gpu = run.way == "shared" and given[1]["input_ids"].is_cuda
    return {**found, "attention": run.attention} if on_gpu else found


OP = Op(
    inputs=inputs,
    ours=lambda case: Answers(case, "shared"),
    plain=plain,
    agree=agree,
    modes=tuple(MODES),
    compiles=False,
    copies=1,
    rivals={
        "repeated": Rival(lambda case: Answers(case, "repeated")),
        "aten's kernel": Rival(of_aten, devices=("cuda",)),
    },
    notes=notes,
    once=True,
)
