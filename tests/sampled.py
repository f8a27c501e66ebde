"""A run of sampled answers, written down without a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SAID = {"known": ["Rome", "Rome", "Rome."], "guessed": ["Oslo", "Bern", "Paris"]}


def make(folder: Path, texts: dict[str, list[str]], **config: Any) -> Path:
    """A sampled run as calib sample leaves it."""
    folder.mkdir(parents=True)
    samples = len(next(iter(texts.values())))
    given = {"kind": "sample", "samples": samples, "model": "m", "task": "t", "greedy": False}
    given["prompt"] = "options"
    (folder / "config.json").write_text(json.dumps({**given, "temperature": 1.0, **config}))
    answers, items = [], []
    for index, (name, said) in enumerate(texts.items()):
        meta = {"aliases": ["Rome"]}
        row = {"index": index, "id": name, "question": "?", "images": [], "options": []}
        items.append({**row, "answer": None, "group": None, "cluster": name, "meta": meta})
        for sample, text in enumerate(said):
            logprob = -0.1 * (index + 1)
            answers.append(
                {"index": index, "sample": sample, "id": name, "task": "t", "text": text,
                 "tokens": 2, "logprob": logprob, "mean_logprob": logprob / 2, "entropy": 0.1,
                 "finish": "stop"}
            )  # fmt: skip
    for name, rows in (("records-0.jsonl", answers), ("items.jsonl", items)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
