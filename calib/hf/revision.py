"""Which weights and which chat template a model was loaded with, as config.json says it.

The hub names the commit of a model. A local folder has no such name: it gets a digest of its
config.json and of its weights' files, of which evenly spaced blocks are read, so that files of any
size cost milliseconds. Weights that were trained on differ nearly everywhere; a change that leaves
every block as it is goes unseen.

A run keeps this mark of its weights, and digests of its chat template and prompts. Whether anything
else of a folder has changed, ``contents_of`` says before a model is loaded.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from calib.hf.sources import Source

CONFIGS = ("config.json", "adapter_config.json")
WEIGHTS = re.compile(r"(model|pytorch_model|adapter_model).*\.(safetensors|bin)|.*\.gguf")
COMMIT = re.compile(r"/snapshots/([0-9a-f]{40})/")
"""Where the hub's cache keeps the files of a commit."""
BLOCK, BLOCKS = 4096, 64
LARGE = 64 * 2**20
"""Bytes from which a file of any name is read by blocks: a vocabulary has at most some 20 MB."""
BY_BLOCKS = (".safetensors", ".bin", ".gguf", ".pt", ".pth", ".h5", ".msgpack", ".onnx")
TEMPLATES = "additional_chat_templates"
"""The folder in a model's folder in which transformers looks for further chat templates."""
IDLE = re.compile(
    r"\..*|.*\.(md|log|csv|jsonl|ya?ml)|(LICENSE|NOTICE).*|events\.out\..*"
    r"|(trainer_state|.*_results)\.json|training_args\.bin|(optimizer|scheduler|scaler)\.(pt|bin)"
    r"|rng_state.*\.pth",
    re.IGNORECASE,
)
"""Files beside a model that decide nothing of what it answers: texts for people, tables, questions,
and what a Trainer keeps to go on and to tell."""


def revision_of(base: Source, adapter: Source | None, subfolder: str) -> str | None:
    """The commit, or a folder's digest; with an adapter both, joined by "+". None: not known."""
    known = own_revision(base, CONFIGS[0], subfolder)
    if adapter is None:
        return known
    own = own_revision(adapter, CONFIGS[1], "")
    return known if own is None else f"{known or '?'}+{own}"


def own_revision(source: Source, config: str, subfolder: str) -> str | None:
    folder = Path(source.name) / subfolder
    if folder.is_dir():
        return digest_of(folder)
    stored = source.stored(f"{subfolder}/{config}".lstrip("/"))
    found = None if stored is None else COMMIT.search(stored)
    return None if found is None else found[1]


def digest_of(folder: Path) -> str | None:
    """Twelve characters that say which weights a model's folder holds; None where there is none."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    own = [name for name in names if name in CONFIGS or WEIGHTS.fullmatch(name)]
    hashed = hashlib.sha256()
    for name in own:
        feed(hashed, name, folder / name, whole=False)
    return hashed.hexdigest()[:12] if own else None


def contents_of(folder: Path, subfolder: str = "") -> str | None:
    """Twelve characters that change with whatever decides what a local model is asked and answers.

    These are the files of the folder, of its ``subfolder`` and of further chat templates, but those
    of ``IDLE`` names: config, weights, tokenizer, templates, processor, generation settings, code.
    Files are read whole; weights and files from ``LARGE`` on by blocks. None where there is no such
    folder; OSError for a file that cannot be read.
    """
    within = [Path(), Path(TEMPLATES)]
    within += [Path(subfolder, part) for part in within] if subfolder else []
    found = {
        (inner / path.name).as_posix(): path
        for inner in within
        if (folder / inner).is_dir()
        for path in (folder / inner).iterdir()
        if path.is_file() and not IDLE.fullmatch(path.name)
    }
    hashed = hashlib.sha256()
    for name, path in sorted(found.items()):
        feed(hashed, name, path, whole=not path.name.lower().endswith(BY_BLOCKS))
    return hashed.hexdigest()[:12] if folder.is_dir() else None


def feed(hashed: Any, name: str, path: Path, *, whole: bool) -> None:
    """Give ``hashed`` a file: its name, its size, and all of it or evenly spaced blocks."""
    size = path.stat().st_size
    hashed.update(f"{name}:{size}:".encode())
    with path.open("rb") as file:
        if whole and size < LARGE:
            hashed.update(file.read())
            return
        for start in places(size):
            file.seek(start)
            hashed.update(file.read(BLOCK))


def places(size: int) -> list[int]:
    """Where the blocks of a file begin: all of it, or ``BLOCKS`` evenly spaced, both ends too."""
    if size <= BLOCK * BLOCKS:
        return list(range(0, size, BLOCK))
    return [(size - BLOCK) * number // (BLOCKS - 1) for number in range(BLOCKS)]


def template_of(speaker: Any) -> str | None:
    """Twelve characters that change with the chat template in use; None without one."""
    template = getattr(speaker, "chat_template", None)
    if template is None:
        return None
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
