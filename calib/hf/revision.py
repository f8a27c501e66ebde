"""Which weights and which chat template a model was loaded with, as config.json says it.

The hub names the commit of a model. A local folder has no such name: it gets a digest of its
config.json and of its weights' files, of which evenly spaced blocks are read, so that files of any
size cost milliseconds. Weights that were trained on differ nearly everywhere; a change that leaves
every block as it is goes unseen.
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
    """Twelve characters that say what a model's folder holds; None where there is none."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    own = [name for name in names if name in CONFIGS or WEIGHTS.fullmatch(name)]
    hashed = hashlib.sha256()
    for name in own:
        size = (folder / name).stat().st_size
        hashed.update(f"{name}:{size}:".encode())
        with (folder / name).open("rb") as file:
            for start in places(size):
                file.seek(start)
                hashed.update(file.read(BLOCK))
    return hashed.hexdigest()[:12] if own else None


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
