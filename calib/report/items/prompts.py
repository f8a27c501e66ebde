"""The prompts of a run, of which one is in memory at a time."""

from __future__ import annotations

from pathlib import Path

from calib.runs.prompts import PROMPTS, read_prompts


class Prompts:
    """Reads prompts.jsonl in step with the questions, whose order is the file's."""

    def __init__(self, folder: Path) -> None:
        there = (folder / PROMPTS).is_file()
        self._rows = enumerate(read_prompts(folder)) if there else enumerate(())

    def of(self, index: int, id: str) -> str | None:
        """The prompt of question number ``index``; None where the file has none of that ``id``.

        Numbers may be left out, and must grow from call to call.
        """
        for number, row in self._rows:
            if number == index:
                return str(row["text"]) if row["id"] == id else None
        return None
