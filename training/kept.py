"""States along stage 2, each a folder that ``calib.load_model`` reads: an adapter on stage 1."""

from __future__ import annotations

import shutil
from copy import copy
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict
from safetensors.torch import save_file

from calib.hf.embedded import BASE_MARK, digest_of

STAGE = "embedded:stage1"


def steps_kept(count: int, steps: int) -> list[int]:
    """``count`` evenly spaced steps of 1 .. ``steps``, the last of them ``steps``."""
    if not 1 <= count <= steps:
        raise ValueError(f"--keep {count}: expected a number of states from 1 to {steps}")
    return [round(steps * number / count) for number in range(1, count + 1)]


def folders(work: Path, count: int, steps: int) -> dict[int, Path]:
    """Step -> folder, named as a Trainer names its checkpoints."""
    return {
        step: work / "checkpoints" / f"checkpoint-{step:06d}" for step in steps_kept(count, steps)
    }


def keep(model: Any, folder: Path, stage1: Path) -> None:
    """Write the adapter of ``model`` as it stands, in bfloat16, with the digest of the weights of
    ``stage1``, over which alone it means what was trained.

    The folder appears whole or not at all.
    """
    staging = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    weights = {
        name: tensor.detach().to(torch.bfloat16).contiguous()
        for name, tensor in get_peft_model_state_dict(model).items()
    }
    save_file(weights, staging / "adapter_model.safetensors", metadata={"format": "pt"})
    config = copy(model.peft_config["default"])
    config.base_model_name_or_path, config.inference_mode = STAGE, True
    config.save_pretrained(staging)
    (staging / BASE_MARK).write_text(digest_of(stage1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    staging.rename(folder)
