"""Scoring end to end: prompts in, one row of results per question out, on random weights.

Ours asks the model for its last position only and scores on the device; the plain way takes the
full logits and does the rest on the host, question by question.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from calib_kernels import CalibrationHistogram
from torch import Tensor

from bench.cases import BINS, Case, Compiler, Given, Op, Rival, Run, close
from bench.crossings import crossings
from bench.ops.option_scores import OPTIONS, option_ids
from calib.hf.reading import with_positions
from calib.hf.scoring import score_batch


@dataclass(frozen=True)
class Configuration:
    """A model as its makers configured it, and the length of a prompt."""

    kind: str  # of transformers' configurations
    values: dict[str, Any]
    tokens: int


def configuration(
    kind: str, width: int, inner: int, layers: int, heads: int, tokens: int
) -> Configuration:
    """``heads`` = query heads times 100 plus key heads."""
    values = {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads // 100,
        "num_key_value_heads": heads % 100,
        "tie_word_embeddings": True,
    }
    return Configuration(kind, values, tokens)


MODES = {
    "SmolLM2-135M": configuration("llama", 576, 1536, 30, 903, 64),
    "Qwen2.5-0.5B": configuration("qwen2", 896, 4864, 24, 1402, 512),
    "tiny": configuration("llama", 32, 64, 2, 402, 8),
}


@cache
def model(mode: str, columns: int, dtype: torch.dtype, device: torch.device) -> Any:
    """The model with random weights; the same one for every variant."""
    from transformers import AutoConfig, AutoModelForCausalLM

    chosen = MODES[mode]
    config = AutoConfig.for_model(chosen.kind, vocab_size=columns, **chosen.values)
    with device, torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """The model, token ids (N, L) and mask (N, L) padded on the left, option ids, answers."""
    length = MODES[case.mode].tokens
    tokens = torch.randint(3, case.columns, (case.rows, length), generator=generator, device=device)
    mask = torch.ones_like(tokens)
    mask[1::2, : length // 4] = 0
    hf = model(case.mode, case.columns, case.dtype, device)
    ids = option_ids(case.columns, device).tolist()
    answers = [i % OPTIONS for i in range(case.rows)]
    return hf, {"input_ids": tokens, "attention_mask": mask}, ids, answers


def ours(case: Case) -> Run:
    histogram = CalibrationHistogram(BINS)

    def run(hf: Any, batch: dict[str, Tensor], ids: list[int], answers: list[int]) -> Any:
        options = [[[(token,)] for token in ids]] * case.rows
        return score_batch(hf, batch, options, answers, histogram=histogram).rows()

    return run


def plain(case: Case, compiled: Compiler) -> Run:
    @torch.inference_mode()
    def run(hf: Any, batch: dict[str, Tensor], ids: list[int], answers: list[int]) -> Any:
        logits = hf(**with_positions(hf, batch), use_cache=False).logits
        rows = []
        for i, answer in enumerate(answers):
            logp = logits[i, -1].float().cpu().log_softmax(0)
            logprob = logp[ids]
            prob = logprob.softmax(0)
            prediction = int(prob.argmax())
            rows.append(
                {
                    "logprob": logprob.tolist(),
                    "prob": prob.tolist(),
                    "mass": float(logprob.exp().sum()),
                    "vocab_entropy": float(-(logp.exp() * logp).sum()),
                    "prediction": prediction,
                    "token": int(logp.argmax()),
                    "correct": prediction == answer,
                }
            )
        return rows

    return run


def forward_alone(case: Case) -> Run:
    """The forward pass that gives the last position's logits, and nothing else."""

    @torch.inference_mode()
    def run(hf: Any, batch: dict[str, Tensor], ids: list[int], answers: list[int]) -> Any:
        logits = hf(**with_positions(hf, batch), use_cache=False, logits_to_keep=1).logits
        return logits[0, -1, 0].item()  # wait for it, as results have to

    return run


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    for mine, other in zip(found, expected, strict=True):
        close(mine["prob"], other["prob"], atol=1e-4 if case.dtype == torch.float32 else 2e-2)


def notes(case: Case, run: Run, given: Given) -> dict[str, Any]:
    """What leaves the device, or would."""
    hf, *_ = given
    return crossings(lambda: run(*given), case.columns, hf.device)


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    modes=tuple(MODES),
    compiles=False,  # lists go in and out
    copies=1,
    rivals={"forward alone": Rival(forward_alone, checked=False)},
    notes=notes,
    waits=True,
)
