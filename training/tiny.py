"""A model small enough to be trained while one waits: told a shape, asked about it, by letters.

The pictures of easy-VQA are described in words, so nothing has to be seen, and the alphabet is the
vocabulary: no tokenizer and no weights are needed.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from calib.tasks.builtin.easy_vqa import Picture

LETTERS = "\n abcdefghijklmnopqrstuvwxyz?"  # numbered by place; 0 ends a line, and pads


def tiny_model() -> LlamaForCausalLM:
    """0.2 million parameters, drawn at random (seed 0)."""
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=len(LETTERS),
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=0,
        )
    )


class Lines(torch.utils.data.Dataset[dict[str, Any]]):
    """One line a picture, "teal circle what color is the shape? teal"; the answer is learnt."""

    def __init__(self, pictures: list[Picture]) -> None:
        self.rows = [_row(picture) for picture in pictures]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]

    def collate(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        def padded(name: str, value: int) -> torch.Tensor:
            rows = [torch.tensor(item[name]) for item in items]
            return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)

        return {"input_ids": padded("input_ids", 0), "labels": padded("labels", -100)}


def _row(picture: Picture) -> dict[str, Any]:
    question, answer = picture.questions[picture.id % len(picture.questions)]
    asked, told = f"{picture.colour} {picture.shape} {question} ", f"{answer}\n"
    ids = [LETTERS.index(letter) for letter in asked + told]
    return {"input_ids": ids, "labels": [-100] * len(asked) + ids[len(asked) :]}
