"""The pictures that items.html shows: each once, and no more than asked for.

They are chosen when all questions are known: those of wrong answers first, the surest at their
head, then the rest as the questions stand. A copy whose original is gone cannot be made again: it
stays as long as a question is about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from calib.images.places import Unreadable, opened
from calib.report.items.question import Question
from calib.report.pictures import (
    COPIED,
    COPIES,
    Copied,
    Gone,
    copied,
    digest_of,
    for_page,
    found,
)
from calib.runs.durable import replace
from calib.uncertainty.telling import WRONG

LARGEST = 60_000
"""Bytes of a picture that is copied as it is; a larger one is scaled to SIDE pixels."""
SIDE = 512
NAME = "[0-9a-f]" * 16 + ".*"
"""The files of kept pictures: the beginning of their content's SHA-256, and a suffix."""
DRAFT = ".new"

Rank = tuple[int, float]


class Gallery:
    """Numbers the pictures of questions as they are told; ``keep`` writes the first of them."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._numbers: dict[str, int] = {}
        self._ranks: list[Rank] = []

    def add(self, question: Question) -> list[tuple[int, str]]:
        """The number and the name of each of a question's pictures."""
        sure = question.confidence or 0.0
        numbered = []
        for name, path in question.pictures:
            number = self._numbers.setdefault(path, len(self._numbers))
            rank = (0, -sure) if question.state == WRONG else (1, float(number))
            if number == len(self._ranks):
                self._ranks.append(rank)
            self._ranks[number] = min(self._ranks[number], rank)
            numbered.append((number, name))
        return numbered

    def keep(self, most: int, tell: Callable[[int, int], None]) -> dict[str, Any]:
        """Copy at most ``most`` pictures, keep the copies of lost ones, and remove all others.

        Returns what the page knows of them: ``distinct`` pictures, ``most``, the ``files`` by
        number; None for one that could not be read, and nothing for one that was left out; and
        ``told``, a sentence about originals that are missing.
        """
        folder, before = self._run / COPIES, copied(self._run).copies
        paths = list(self._numbers)
        there = {path.stem: path.name for path in folder.glob(NAME) if path.suffix != DRAFT}
        names = set(there.values())
        files: dict[int, str | None] = {}
        contents: set[str] = set()
        missing, shown, total = 0, 0, min(most, len(paths))
        for number in sorted(range(len(paths)), key=lambda number: self._ranks[number]):
            file: str | None
            try:
                path = found(self._run, paths[number])
                if len(contents) >= most:
                    continue
                file = self._copy(path, folder, there)
            except (Gone, Unreadable):
                earlier = before.get(digest_of(paths[number]))
                file = earlier if earlier in names else None
                missing, shown = missing + 1, shown + (file is not None)
            files[number] = file
            if file is not None:
                contents.add(file)
            if total:
                tell(min(len(contents), total), total)
        now = {digest_of(paths[number]): file for number, file in files.items() if file is not None}
        known = Copied(len(paths), missing, shown, now)
        # The list is written before any copy goes: of a writing that is stopped none is unknown.
        replace(self._run / COPIED, json.dumps(asdict(known)) + "\n")
        for path in folder.glob(NAME):
            if path.name not in contents:
                path.unlink()
        return {"distinct": len(paths), "most": most, "files": files, "told": known.told}

    def _copy(self, path: Path, folder: Path, there: dict[str, str]) -> str:
        """The name, in ``folder``, of the copy of a picture. Raises Gone or Unreadable.

        ``there`` are the pictures of the folder by the digest of what they show; one that is among
        them is not made again.
        """
        with opened(path) as file:
            digest = sha256_of(file)
        if digest not in there:
            scaled = for_page(path, largest=LARGEST, side=SIDE)
            folder.mkdir(parents=True, exist_ok=True)
            draft = folder / f"{digest}{DRAFT}"
            draft.write_bytes(scaled.content)
            draft.replace(folder / f"{digest}.{scaled.media}")
            there[digest] = f"{digest}.{scaled.media}"
        return there[digest]


def sha256_of(file: BinaryIO) -> str:
    """The beginning of a content's SHA-256, long enough to tell pictures apart."""
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()[:16]
