"""Runs that were never scored, for everything that begins where scoring ends; one thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.browser import Opened, chromium, open_in

HOSTILE = "<script>alert('x')</script> | & a question\nof two lines"
KINDS = {
    "yes/no": ["yes", "no"],
    "colour": ["black", "gray", "red", "green", "blue", "yellow", "teal", "brown"],
    "shape": ["circle", "rectangle", "triangle"],
}


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max())
    return e / e.sum()


def records(folder: Path, n: int, seed: int) -> Iterator[dict[str, Any]]:
    """Over-confident answers (true temperature 2) to questions with two to eight options."""
    rng = np.random.default_rng(seed)
    for k in range(4):
        colour = tuple(int(v) for v in rng.integers(256, size=3))
        Image.new("RGB", (64, 64), colour).save(folder / f"{k}.png")
    for i in range(n):
        group = list(KINDS)[i % 3]
        options = KINDS[group]
        z = 1.5 * rng.normal(size=len(options))
        gold = int(rng.choice(len(options), p=softmax(z)))
        prob = softmax(2 * z)
        mass = float(rng.uniform(0.8, 1.0))
        given = int(prob.argmax())
        yield {
            "id": f"q{i:04d}",
            "index": i,
            "task": "made-up",
            "group": group,
            "cluster": str(i // 3),
            "question": HOSTILE if given != gold else "What is it?",
            "images": [f"{i % 4}.png" if i % 5 else "gone.png"],
            "options": options,
            "answer": gold,
            "prediction": given,
            "confidence": float(prob[given]),
            "confidence_options": float(prob[given]),
            "confidence_vocab": float(prob[given]) * mass,
            "prob": prob.tolist(),
            "logprob": (np.log(prob) + np.log(mass)).tolist(),
            "mass": mass,
            "entropy": float(-(prob * np.log(prob)).sum()),
            "vocab_entropy": 1.0,
            "token": 5,
            "parsed": mass > 0.85,
            "correct": given == gold,
            "valid": True,
            "batch": i // 8,
            "of_batch": min(8, n - 8 * (i // 8)),
        }


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium; one a module, since while it runs asyncio takes its thread for occupied."""
    with chromium() as started:
        yield started


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    """``open_page(path, width=1280, scheme="light", anchor="", height=900)`` opens a page.

    After the test each must have asked for nothing outside its folder, and no script have failed.
    """
    opened: list[Opened] = []

    def open_path(
        path: Path, width: int = 1280, scheme: str = "light", anchor: str = "", height: int = 900
    ) -> Opened:
        opened.append(
            open_in(browser, path, width=width, scheme=scheme, anchor=anchor, height=height)
        )
        return opened[-1]

    yield open_path
    for one in opened:
        one.page.context.close()
    for one in opened:
        one.check()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny models lose more to threads that wait for each other than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    """``make_run(folder, n=400, seed=0, **config)`` writes a run folder and returns it."""

    def make(folder: Path, n: int = 400, seed: int = 0, **config: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        given = {"model": "a/<model>", "task": "made-up", "seed": 1, "bins": 15, **config}
        given["versions"] = {"torch": "2"}
        (folder / "config.json").write_text(json.dumps(given))
        lines = [json.dumps(row) + "\n" for row in records(folder, n, seed)]
        (folder / "records.jsonl").write_text("".join(lines))
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random text model, for commands: a trained one takes seconds to load."""
    from tests.hf.conftest import make_llama, make_tokenizer

    folder = tmp_path_factory.mktemp("tiny") / "llama"
    make_llama().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_image_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random model that reads pictures, for commands."""
    from tests.hf.conftest import make_llava, make_processor

    folder = tmp_path_factory.mktemp("tiny") / "llava"
    make_llava().save_pretrained(folder)
    make_processor().save_pretrained(folder)
    return folder
