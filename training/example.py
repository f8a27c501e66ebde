"""An example: watch calibration while the embedded model's stage 2 is trained by a Trainer.

``python -m training.example`` takes 20 steps of stage 2 (some minutes on two cores), with
``calib.CalibratedCrossEntropy`` as the loss and ``calib.CalibrationCallback`` beside it, and draws
the calibration error over the steps. The data, the packing and the adapter are those of ``tune``.
"""

from __future__ import annotations

import argparse
import json
import random
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from transformers import Trainer, TrainingArguments, logging

import calib
from calib import plots
from calib.easy_vqa import Picture, load
from calib.hf.embedded import load_embedded
from training.packing import Packed, pack
from training.replies import Tokens, pixels_of
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m training.example")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/example"), help="picture, numbers")
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    # peft reads an attribute that transformers has renamed.
    warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)

    model, processor = load_embedded("stage1")
    model.requires_grad_(False)
    model = get_peft_model(model, LORA)
    rng = random.Random(0)
    known = [picture for picture in load("train") if picture.colour and picture.shape]
    asked = [picture for picture in load("test") if picture.colour and picture.shape]
    training = Conversations(rng.sample(known, 4 * arguments.steps), processor, "training")
    held_out = Conversations(rng.sample(asked, 24), processor, "held out")

    trainer = Trainer(
        model,
        TrainingArguments(
            output_dir=str(arguments.out),
            max_steps=arguments.steps,
            per_device_train_batch_size=4,
            per_device_eval_batch_size=4,
            learning_rate=5e-4,
            logging_steps=2,
            eval_strategy="steps",
            eval_steps=4,
            eval_on_start=True,
            save_strategy="no",
            remove_unused_columns=False,
            use_cpu=not torch.cuda.is_available(),
            bf16=True,
            report_to="none",
        ),
        data_collator=training.collate,
        train_dataset=training,
        eval_dataset=held_out,
        compute_loss_func=calib.CalibratedCrossEntropy(shift=False),
    )
    callback = calib.CalibrationCallback().bind(trainer)
    trainer.train()

    trained = [entry for entry in trainer.state.log_history if "ece_width15_left" in entry]
    figure = plots.over_steps(callback.history, trained, measure="ece_width15_left")
    plots.png(figure, arguments.out / "ece.png")
    numbers = {"evaluations": callback.history, "training": trained}
    (arguments.out / "numbers.json").write_text(json.dumps(numbers, indent=2) + "\n")
    print(arguments.out / "ece.png")


if __name__ == "__main__":
    main()
