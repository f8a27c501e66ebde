"""The questions of ``admit``: easy-VQA's pictures under noise, so that some cannot be answered.

The same questions are asked of a picture as it is and under the noise of forward diffusion
(``calib.modalities.noise``), so the wording does not tell whether the answer can be known: only
the picture does. Training asks about pictures of easy-VQA's training split, held-out questions
about those of its test split.
"""

from __future__ import annotations

import io
import random
from pathlib import Path

from calib.images import open_image
from calib.modalities.noise import noisy
from calib.records import Item
from calib.runs.durable import replace
from calib.tasks import Task
from calib.tasks.builtin import easy_vqa
from calib.tasks.builtin.easy_vqa import Picture

LEVELS = (0, 500, 700, 900)
"""Steps of the diffusion; 0 is the picture as it is."""
SIDE = 48
"""Pixels: what the embedded model takes, so that its processor averages no noise away."""


def noisy_task(name: str, split: str, pictures: int, folder: Path, seed: int) -> Task:
    """One question about each of so many pictures of ``split``, at every level of noise.

    The pictures are PNG files in ``folder``. The questions about one picture are a cluster; their
    group is the level.
    """
    rng = random.Random(f"{seed}, {split}")
    chosen = rng.sample([p for p in easy_vqa.load(split) if about(p)], pictures)
    items: list[Item] = []
    for picture in chosen:
        question, answer = rng.choice(about(picture))
        options = easy_vqa.OPTIONS[easy_vqa.kind_of(answer)]
        items += [
            Item(
                id=f"{split}-{picture.id}-{level}",
                question=question,
                images=(drawn(picture, split, level, folder, seed),),
                options=options,
                answer=options.index(answer),
                group=f"noise {level:03}",
                meta={"cluster": f"{split}-{picture.id}", "ask_for_text": "Answer with one word."},
            )
            for level in LEVELS
        ]
    return Task(name, tuple(items), "options")


def about(picture: Picture) -> list[tuple[str, str]]:
    """Its questions about a colour or a shape: yes or no is right too often by chance."""
    return [(q, a) for q, a in picture.questions if easy_vqa.kind_of(a) != "yes/no"]


def drawn(picture: Picture, split: str, level: int, folder: Path, seed: int) -> Path:
    """The file of a picture at ``level``, made where it is not there yet."""
    path = folder / f"{split}-{picture.id}-{level}.png"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        image = open_image(picture.path)
        if level:
            of = {"seed": seed, "number": 0, "side": SIDE}
            image = noisy(image, level, question=f"{split}-{picture.id}", **of)
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        replace(path, buffer.getvalue())
    return path
