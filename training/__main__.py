"""Train the embedded model: ``python -m training`` (``make embedded``).

Three steps, each skipped where its result lies in the work folder: tower, stage 1, stage 2. The
same seeds and thread count on the same machine give the same weights, also where a run was killed
and goes on; other machines differ in the last bits. ``--keep 6`` keeps six states along stage 2.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from calib.hf.embedded import STAGE1, WEIGHTS, assemble, base_folder, load_processor
from calib.tasks.builtin.easy_vqa import COLOURS, SHAPES, load
from training.align import train_stage1
from training.kept import folders
from training.replies import Tokens, pixels_of
from training.tower import train_tower
from training.tune import train_stage2

STEPS = {
    "tower": {"steps": 1600, "batch": 64},
    "stage1": {"steps": 240, "batch": 16},
    "stage2": {"steps": 300, "batch": 8, "questions": 4},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m training")
    parser.add_argument("--work", type=Path, default=Path("runs/embedded"), help="checkpoints")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights go")
    parser.add_argument("--keep", type=int, metavar="N", help="states of stage 2 to keep")
    arguments = parser.parse_args()
    try:
        total = int(STEPS["stage2"]["steps"])
        kept = folders(arguments.work, arguments.keep, total) if arguments.keep is not None else {}
    except ValueError as error:
        parser.error(str(error))
    work, out = arguments.work, arguments.out
    work.mkdir(parents=True, exist_ok=True)
    (out / "stage2").mkdir(parents=True, exist_ok=True)

    folder = base_folder()
    torch.manual_seed(0)
    model = assemble(folder)
    processor = load_processor(folder)
    tokens = Tokens(processor)
    pictures = load("train")
    pixels = pixels_of(processor, [p.path for p in pictures])
    known = [i for i, p in enumerate(pictures) if p.colour and p.shape]
    told, told_pixels = [pictures[i] for i in known], pixels[known]

    def finished(name: str, train: Any) -> None:
        """Run one step unless the work folder holds its result; note what it cost."""
        path, drawn = work / f"{name}.safetensors", work / f"{name}.random"
        if path.exists():
            model.load_state_dict(load_file(path), strict=False)
            if drawn.exists():  # what follows draws as if this step had just ended
                torch.set_rng_state(torch.load(drawn))
            return
        began = time.monotonic()
        facts = train(**STEPS[name])
        note(work, name, {**STEPS[name], **facts, "seconds": round(time.monotonic() - began)})
        torch.save(torch.get_rng_state(), drawn)
        save_file(vision_state(model, torch.float32), path.with_suffix(".partial"))
        path.with_suffix(".partial").replace(path)

    colour = torch.tensor([index(COLOURS, p.colour) for p in pictures])
    shape = torch.tensor([index(SHAPES, p.shape) for p in pictures])
    tower = model.model.vision_tower
    finished("tower", lambda **how: train_tower(tower, pixels, colour, shape, **how))
    finished("stage1", lambda **how: train_stage1(model, tokens, told, told_pixels, **how))
    save_file(vision_state(model, torch.bfloat16), out / STAGE1)
    # Stage 2 starts from the weights that are shipped, not from their unrounded originals.
    model.load_state_dict(load_file(out / STAGE1), strict=False)

    began = time.monotonic()
    tuned, facts = train_stage2(
        model,
        tokens,
        told,
        told_pixels,
        **STEPS["stage2"],
        checkpoint=work / "stage2.pt",
        kept=kept,
        stage1=out / STAGE1,
    )
    note(work, "stage2", {**STEPS["stage2"], **facts, "seconds": round(time.monotonic() - began)})
    tuned.to(torch.bfloat16).save_pretrained(out / "stage2")
    (out / "stage2" / "README.md").unlink(missing_ok=True)  # peft's empty card; ours lies above


def vision_state(model: Any, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Tower and projector, what stage 1 adds to the base."""
    return {
        name: tensor.to(dtype).contiguous()
        for name, tensor in model.state_dict().items()
        if "vision_tower" in name or "multi_modal_projector" in name
    }


def index(words: tuple[str, ...], word: str | None) -> int:
    return words.index(word) if word in words else -1


def note(work: Path, step: str, facts: dict[str, Any]) -> None:
    path = work / "facts.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    facts = {**facts, "threads": torch.get_num_threads()}
    path.write_text(json.dumps({**known, step: facts}, indent=2) + "\n")


if __name__ == "__main__":
    main()
