"""A run of sampled answers, written down without a model."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from PIL import Image

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


WORD = "x" * 5000
HOSTILE = f"<script>document.title='taken'</script> [a](http://b) | *c* `d` &amp;\n# {WORD}"


def make_pictured(folder: Path, n: int = 60, samples: int = 6) -> Path:
    """Questions with pictures, options and hostile texts: right, wrong and refused answers.

    Question k is about picture k // 3, which is a cluster. The less sure its answers are, the less
    often the first of them is right.
    """
    rng = random.Random(0)
    texts, facts = {}, {}
    for k in range(n):
        unsure = rng.random()
        said = ["Rome" if rng.random() > unsure else rng.choice(["Oslo", "Bern", "Paris"])
                for _ in range(samples)]  # fmt: skip
        if k % 9 == 4:
            said[0] = "I don't know."
        texts[f"q{k:02d}"] = [f"{text} {HOSTILE}" if k % 4 == 1 else text for text in said]
        facts[f"q{k:02d}"] = {"group": "<b>capitals</b>", "images": [f"images/{k}-0.png"]}
        facts[f"q{k:02d}"]["question"] = HOSTILE if k % 4 == 1 else "Which city is this?"
        facts[f"q{k:02d}"]["cluster"] = str(k // 3)
    make(folder, texts)
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    (folder / "items.jsonl").write_text(
        "".join(json.dumps({**row, **facts[row["id"]]}) + "\n" for row in rows)
    )
    (folder / "images").mkdir()
    for k in range(n):
        if k != 4:  # one is gone
            Image.new("RGB", (64, 64), (4 * k, 80, 200)).save(folder / "images" / f"{k}-0.png")
    answers = [json.loads(line) for line in (folder / "records-0.jsonl").read_text().splitlines()]
    for row in answers:
        row["logprob"] = -0.1 - 0.01 * rng.random() * row["index"]
        row["mean_logprob"] = row["logprob"] / row["tokens"]
    (folder / "records-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    return folder
