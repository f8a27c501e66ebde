"""An example: watch calibration while a model is trained by a Trainer.

``python -m training.example`` trains a tiny model from nothing, in less than a minute on two cores;
``--model embedded`` takes the first steps of the embedded model's stage 2, in some minutes, with
the data, the packing and the adapter of ``tune``. ``calib.CalibratedCrossEntropy`` is the loss and
``calib.CalibrationCallback`` stands beside it; the calibration error over the steps is drawn.
"""

from __future__ import annotations

import argparse
import json
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainingArguments, logging

import calib
from calib.tasks.builtin.easy_vqa import Picture, load
from training.figures import draw
from training.packing import Packed, pack
from training.replies import Tokens, pixels_of
from training.tiny import Lines, tiny_model
from training.tune import FORM_WEIGHTS, FORMS, LORA, conversation

QUESTIONS = 3  # of each picture


class Conversations(torch.utils.data.Dataset[dict[str, Any]]):
    """Pictures with what was asked about them, drawn by the picture's number and ``seed``."""

    def __init__(self, pictures: list[Picture], processor: Any, seed: str) -> None:
        self.tokens = Tokens(processor)
        self.pictures, self.seed = pictures, seed
        self.pixels = pixels_of(processor, [picture.path for picture in pictures])

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = random.Random(f"{self.seed}, picture {index}")
        form = rng.choices(FORMS, FORM_WEIGHTS)[0]
        row = conversation(self.tokens, self.pictures[index], form, QUESTIONS, rng)
        return {"row": row, "pixels": None if form == "description" else self.pixels[index]}

    def collate(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        packed = pack([item["row"] for item in items], self.tokens.pad)
        places, labels = predicted(packed)
        shown = [item["pixels"] for item in items if item["pixels"] is not None]
        return {
            "input_ids": packed.input_ids,
            "position_ids": packed.position_ids,
            "attention_mask": packed.attention_mask,
            "pixel_values": torch.stack(shown) if shown else None,
            "logits_to_keep": places,
            "labels": labels,
        }


def predicted(packed: Packed) -> tuple[torch.Tensor, torch.Tensor]:
    """Places (K,) where some row predicts a reply token, and labels (R, K) there, -100 elsewhere.

    Labels stand where they are predicted, so nothing is to be shifted.
    """
    labels = torch.full(packed.input_ids.shape, -100)
    labels.view(-1)[packed.read] = packed.target
    places = (labels != -100).any(0).nonzero()[:, 0]
    return places, labels[:, places]


@dataclass(frozen=True)
class Setup:
    """What is trained, on what, and how."""

    model: Any
    training: Any  # a data set with its ``collate``
    held_out: Any
    batch: int
    learning_rate: float
    bf16: bool
    shift: bool | None  # whether a position predicts the label of the next


def tiny(steps: int) -> Setup:
    trained, asked = pictures(16 * steps, 200)
    return Setup(tiny_model(), Lines(trained), Lines(asked), 16, 3e-3, False, None)


def embedded(steps: int) -> Setup:
    from peft import get_peft_model

    from calib.hf.embedded import load_embedded

    # peft reads an attribute that transformers has renamed.
    warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
    model, processor = load_embedded("stage1")
    model.requires_grad_(False)
    trained, asked = pictures(4 * steps, 24)
    training = Conversations(trained, processor, "training")
    held_out = Conversations(asked, processor, "held out")
    return Setup(get_peft_model(model, LORA), training, held_out, 4, 5e-4, True, False)


SETUPS: dict[str, Callable[[int], Setup]] = {"tiny": tiny, "embedded": embedded}


def pictures(trained: int, asked: int) -> tuple[list[Picture], list[Picture]]:
    """So many pictures of the training and of the test split, drawn among those that are known."""
    rng = random.Random(0)
    known = [picture for picture in load("train") if picture.colour and picture.shape]
    held_out = [picture for picture in load("test") if picture.colour and picture.shape]
    return rng.sample(known, min(trained, len(known))), rng.sample(held_out, asked)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        prog="python -m training.example",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", choices=SETUPS, default="tiny", help="tiny, or the embedded one")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/example"), help="picture, numbers")
    arguments = parser.parse_args()
    logging.set_verbosity_error()

    setup = SETUPS[arguments.model](arguments.steps)
    trainer = Trainer(
        setup.model,
        TrainingArguments(
            output_dir=str(arguments.out),
            max_steps=arguments.steps,
            per_device_train_batch_size=setup.batch,
            per_device_eval_batch_size=setup.batch,
            learning_rate=setup.learning_rate,
            logging_steps=2,
            eval_strategy="steps",
            eval_steps=4,
            eval_on_start=True,
            save_strategy="no",
            remove_unused_columns=False,
            use_cpu=not torch.cuda.is_available(),
            bf16=setup.bf16,
            report_to="none",
        ),
        data_collator=setup.training.collate,
        train_dataset=setup.training,
        eval_dataset=setup.held_out,
        compute_loss_func=calib.CalibratedCrossEntropy(shift=setup.shift),
    )
    callback = calib.CalibrationCallback().bind(trainer)
    trainer.train()

    trained = [entry for entry in trainer.state.log_history if "ece_width15_left" in entry]
    name = {"model": arguments.model.capitalize()}
    numbers = {**name, "evaluations": callback.history, "training": trained}
    draw(numbers, arguments.out / "ece.png")
    (arguments.out / "numbers.json").write_text(json.dumps(numbers, indent=2) + "\n")
    print(arguments.out / "ece.png")


if __name__ == "__main__":
    main()
