"""Scored runs of checkpoints on the same questions, written by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

OPTIONS = ["red", "green", "blue"]
Model = tuple[float, float]
"""How often it is right, and how much surer it is than that."""
RUN: tuple[Model, ...] = ((0.5, 0.25), (0.6, 0.2), (0.75, 0.02), (0.76, 0.0), (0.77, 0.1))


def rows(model: Model, n: int, seed: int, per: int) -> list[dict[str, Any]]:
    """Records of ``n`` questions, ``per`` to a picture; each model has most of its luck in common
    with the others of the seed."""
    right, over = model
    luck = np.random.default_rng(seed).random(n)
    rng = np.random.default_rng([seed, round(1000 * right), round(1000 * over)])
    luck = np.where(rng.random(n) < 0.3, rng.random(n), luck)
    said = np.clip(right + over + 0.08 * rng.normal(size=n), 0.36, 0.99)
    found = []
    for i in range(n):
        gold = i % len(OPTIONS)
        given = gold if luck[i] < said[i] - over else (gold + 1) % len(OPTIONS)
        p = np.full(len(OPTIONS), (1 - said[i]) / (len(OPTIONS) - 1))
        p[given] = said[i]
        found.append(
            {
                "id": f"q{i}",
                "index": i,
                "task": "made-up",
                "group": "even" if i % 2 else "odd",
                "cluster": str(i // per),
                "question": "What colour is it?",
                "images": [],
                "options": OPTIONS,
                "answer": gold,
                "prediction": given,
                "confidence": float(p.max()),
                "confidence_options": float(p.max()),
                "confidence_vocab": float(p.max()) * 0.9,
                "prob": p.tolist(),
                "logprob": np.log(0.9 * p).tolist(),
                "mass": 0.9,
                "entropy": float(-(p * np.log(p)).sum()),
                "vocab_entropy": 1.0,
                "token": 5,
                "parsed": bool(i % 10),
                "correct": given == gold,
                "valid": True,
                "batch": i // 8,
                "of_batch": min(8, n - 8 * (i // 8)),
            }
        )
    return found


def made(
    root: Path,
    models: Sequence[Model] = RUN,
    *,
    n: int = 240,
    seed: int = 0,
    per: int = 1,
    name: str = "run-{step}",
    **config: Any,
) -> list[Path]:
    """A run folder of each model, at steps 100, 200, ..."""
    folders = []
    for number, model in enumerate(models, 1):
        folder = root / name.format(step=100 * number)
        folder.mkdir(parents=True)
        given = {"model": "a/model", "task": "made-up", "seed": 1, "bins": 15, **config}
        (folder / "config.json").write_text(json.dumps(given))
        lines = [json.dumps(row) + "\n" for row in rows(model, n, seed, per)]
        (folder / "records.jsonl").write_text("".join(lines))
        folders.append(folder)
    return folders
