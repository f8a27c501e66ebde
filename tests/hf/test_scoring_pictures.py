"""Longer options behind pictures of different size and number, family by family."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from calib.hf.reading import Source
from calib.hf.scoring import score_batch
from tests.hf import families
from tests.hf.families import END, IMAGE, START

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = [((11, 12),), ((13,),), ((14, 15, 16),)]
TEXTS = [[21, 35, 60, 44, 90, 101], [77, 30, 119], [50, 51, 52, 53]]


def text_rows(rows: list[list[int]]) -> dict[str, Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


class QwenPictures:
    """Prompts of the Qwen-VL families: a picture is h x w patches, a quarter as many tokens."""

    GRIDS = ([(4, 4)], [(8, 4), (4, 4)], [(4, 8)])

    def __init__(self) -> None:
        drawn = torch.Generator().manual_seed(5)
        self.pixels = [
            torch.randn(sum(h * w for h, w in grids), 96, generator=drawn) for grids in self.GRIDS
        ]

    def row(self, n: int) -> list[int]:
        pictures = [
            token for h, w in self.GRIDS[n] for token in (START, *[IMAGE] * (h * w // 4), END)
        ]
        return [1, *pictures, *TEXTS[n]]

    def inputs(self, numbers: list[int], more: tuple[int, ...] = ()) -> dict[str, Tensor]:
        inputs = text_rows([[*self.row(n), *more] for n in numbers])
        grids = [(1, h, w) for n in numbers for h, w in self.GRIDS[n]]
        return {
            **inputs,
            "pixel_values": torch.cat([self.pixels[n] for n in numbers]),
            "image_grid_thw": torch.tensor(grids),
            "mm_token_type_ids": (inputs["input_ids"] == IMAGE).long(),
        }


class GemmaPictures(QwenPictures):
    """Of Gemma 3: 4 tokens a picture, bidirectional among themselves, and layers that slide."""

    COUNTS = (1, 3, 2)

    def __init__(self) -> None:
        drawn = torch.Generator().manual_seed(5)
        self.pixels = [torch.randn(count, 3, 16, 16, generator=drawn) for count in self.COUNTS]

    def row(self, n: int) -> list[int]:
        return [1, *[START, *[IMAGE] * 4, END] * self.COUNTS[n], *TEXTS[n]]

    def inputs(self, numbers: list[int], more: tuple[int, ...] = ()) -> dict[str, Tensor]:
        inputs = text_rows([[*self.row(n), *more] for n in numbers])
        return {
            **inputs,
            "pixel_values": torch.cat([self.pixels[n] for n in numbers]),
            "token_type_ids": (inputs["input_ids"] == IMAGE).long(),
        }


def by_hand(model: Any, prompts: Any, n: int, ids: tuple[int, ...]) -> float:
    """log p of an option behind its prompt alone: one whole forward, no cache, no padding."""
    with torch.no_grad():
        logits = model(**prompts.inputs([n], ids), use_cache=False).logits[0]
    logp = logits.double().log_softmax(-1)
    start = len(prompts.row(n)) - 1
    return sum(logp[start + k, token].item() for k, token in enumerate(ids))


@pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3"])
@pytest.mark.parametrize("anew", [False, True])
def test_each_option_is_scored_behind_its_own_pictures(
    name: str, anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = families.FAMILIES[name]()
    prompts = GemmaPictures() if name == "gemma3" else QwenPictures()
    numbers, asked = [0, 1, 2], []

    def again(rows: list[int]) -> dict[str, Tensor]:
        asked.append(rows)
        return prompts.inputs([numbers[n] for n in rows])

    if anew:
        monkeypatch.setattr("calib.hf.reading.way_of", lambda cache, use_cache: "expanded")
    rows = score_batch(
        model, prompts.inputs(numbers), [OPTIONS] * 3, [0, 1, 2], source=Source(again)
    ).rows()
    assert asked == ([[0, 0, 1], [1, 2, 2]] if anew else [])
    for n, row in zip(numbers, rows, strict=True):
        expected = [by_hand(model, prompts, n, ids) for (ids,) in OPTIONS]
        assert row["logprob"] == pytest.approx(expected, abs=1e-4)


def test_another_questions_picture_would_be_noticed() -> None:
    model, _ = families.FAMILIES["qwen2_vl"]()
    prompts = QwenPictures()
    own = by_hand(model, prompts, 0, (11, 12))
    prompts.pixels[0] = prompts.pixels[0].flip(0)
    assert abs(by_hand(model, prompts, 0, (11, 12)) - own) > 0.01
