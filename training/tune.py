"""Step 3, stage 2: LoRA on the language model, instruction-tuned on easy-VQA.

Each picture comes in one of three forms (image, description, image with description) and each
question in one of four answer formats, so that the model keeps answering in words and sentences.
Tower is frozen, the projector is tuned along.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor

from calib.hf.embedded import STAGE1, WEIGHTS
from calib.tasks.builtin.easy_vqa import Picture
from training.kept import keep
from training.packing import Branch, pack
from training.progress import Schedule
from training.questions import ask, describe, pick
from training.replies import Tokens, reply_loss

LORA = LoraConfig(
    r=16,
    lora_alpha=32,
    lora_dropout=0.0,
    target_modules=r".*language_model.*\.(q|k|v|o|gate|up|down)_proj",
    modules_to_save=["multi_modal_projector"],
)
FORMS = ("image", "description", "both")
FORM_WEIGHTS = (0.6, 0.15, 0.25)


def train_stage2(
    model: Any,
    tokens: Tokens,
    pictures: list[Picture],
    pixels: Tensor,
    *,
    steps: int,
    batch: int,
    questions: int,
    checkpoint: Path,
    kept: Mapping[int, Path] | None = None,
    stage1: Path = WEIGHTS / STAGE1,
) -> tuple[Any, dict[str, float]]:
    """Return ``model`` with a trained adapter. pixels (n, 3, 48, 48), row i of pictures.

    A step reads ``batch`` pictures with ``questions`` questions each. ``checkpoint`` is written
    every hundred steps and, where it exists, training goes on from it. ``kept`` names the folder
    that the state after a step is kept in, as an adapter on ``stage1``; where one of the steps that
    ``checkpoint`` has behind it was not kept, training begins anew.
    """
    model.requires_grad_(False)
    model = get_peft_model(model, LORA)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=5e-4, weight_decay=0.0)
    kept = kept or {}
    start, losses = resume(checkpoint, parameters, optimizer, kept)
    schedule = Schedule(
        "stage 2",
        optimizer,
        steps,
        warmup=40,
        start=start,
        on_pause=lambda done: save(checkpoint, done, parameters, optimizer, schedule.losses),
        keep_at=kept,
        on_keep=lambda done: keep(model, kept[done], stage1),
    )
    schedule.losses.extend(losses)
    model.train()
    inner = model.get_base_model()
    for step in schedule:
        # Seeded by the step, so that a resumed run draws what an uninterrupted one would have.
        rng = random.Random(f"stage 2, step {step}")
        rows, shown = [], []
        for index in rng.sample(range(len(pictures)), batch):
            form = rng.choices(FORMS, FORM_WEIGHTS)[0]
            rows.append(conversation(tokens, pictures[index], form, questions, rng))
            if form != "description":
                shown.append(index)
        images = pixels[shown] if shown else None
        # Half the time of float32 on a CPU that multiplies bfloat16; adapter and loss stay float32.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = reply_loss(inner, pack(rows, tokens.pad), images)
        schedule.step(loss, parameters)
    model.eval()
    return model, {"loss": schedule.recent_loss}


def conversation(
    tokens: Tokens, picture: Picture, form: str, questions: int, rng: random.Random
) -> tuple[list[int], list[Branch]]:
    description = None if form == "image" else describe(picture, rng)
    prefix = tokens.prefix(image=form != "description", description=description)
    asked = [ask(q, a, rng) for q, a in pick(picture, questions, rng)]
    return prefix, [tokens.branch(question, reply) for question, reply in asked]


def save(
    path: Path, done: int, parameters: list[Any], optimizer: Any, losses: Iterable[float]
) -> None:
    state = {
        "done": done,
        "parameters": parameters,
        "optimizer": optimizer.state_dict(),
        "losses": list(losses),
    }
    torch.save(state, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def resume(
    path: Path, parameters: list[Any], optimizer: Any, kept: Mapping[int, Path]
) -> tuple[int, list[float]]:
    """The steps that are done and the last losses; 0 where training has to begin anew."""
    if not path.exists():
        return 0, []
    state = torch.load(path, weights_only=False)
    done = int(state["done"])
    lost = [step for step, folder in kept.items() if step <= done and not folder.is_dir()]
    if lost:
        print(f"stage 2 begins anew: the state after step {lost[0]} was not kept", flush=True)
        return 0, []
    with torch.no_grad():
        for parameter, saved in zip(parameters, state["parameters"], strict=True):
            parameter.copy_(saved)
    peaks = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict(state["optimizer"])
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak  # the schedule falls from it; what was saved has fallen already
    return done, list(state.get("losses", ()))
