"""The file of a search: what each round's rewriter gave, and what came of every question.

A line of rewriting is ``{"round", "wordings": [{"text", "of"}, ...]}``, and wordings are numbered
in the order in which they stand there. A line of asking is ``{"question", "id", "wordings": [n,
...], "outcomes": [...]}``, and ``{"refused": {n: why}}`` has what the model cannot be asked in.
Lines are whole or cut off, so a search that was stopped goes on with the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from calib.prompts.objectives import Outcome
from calib.records import InputError
from calib.runs.begin import begin
from calib.runs.folder import Run
from calib.runs.record_rows import lines

FILE = "search.jsonl"


def more_rounds(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """A search goes on to more rounds than it was begun with, and not to fewer."""
    rounds = before.get("rounds")
    longer = isinstance(rounds, int) and now["rounds"] > rounds
    return {"rounds": now["rounds"]} if longer else {}


class Ledger:
    """``texts`` are the wordings by number, ``rounds`` those that each round brought, ``outcomes``
    what came of a wording and a question, ``refused`` what cannot be asked and why."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Raises as ``calib.runs.begin.begin``, and InputError where the file is damaged."""
        self.run: Run = begin(folder, config, FILE, more_rounds)
        self.texts: list[str] = []
        self.rounds: list[list[int]] = []
        self.outcomes: dict[tuple[int, int], Outcome] = {}
        self.refused: dict[int, str] = {}
        end = 0
        for number, (row, position) in enumerate(lines(folder / FILE), start=1):
            try:
                self._take(row or {})
            except (KeyError, TypeError, ValueError) as error:
                self.run.close()
                raise InputError(
                    f"{folder / FILE}, line {number}: this is not a line of a search; take the "
                    "folder away, or search in another"
                ) from error
            end = position
        self.run.cut(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.run.close()

    def _take(self, row: Mapping[str, Any]) -> None:
        if "round" in row:
            first = len(self.texts)
            self.texts += [str(wording["text"]) for wording in row["wordings"]]
            self.rounds.append(list(range(first, len(self.texts))))
            return
        if "refused" in row:
            self.refused |= {int(wording): str(why) for wording, why in row["refused"].items()}
            return
        for wording, outcome in zip(row["wordings"], row["outcomes"], strict=True):
            self.outcomes[int(wording), int(row["question"])] = dict(outcome)

    def rewritten(self, wordings: Sequence[tuple[str, int | None]]) -> list[int]:
        """Write the wordings of the next round down, each with the one that it was made of; return
        their numbers."""
        entries = [{"text": text, "of": of} for text, of in wordings]
        row = {"round": len(self.rounds), "wordings": entries}
        self.run.append([row])
        self._take(row)
        return self.rounds[-1]

    def refuse(self, faults: Mapping[int, str]) -> None:
        """Write down what the model cannot be asked in, and why."""
        row = {"refused": {str(wording): why for wording, why in faults.items()}}
        self.run.append([row])
        self._take(row)

    def asked(
        self, question: int, name: str, wordings: Sequence[int], outcomes: Sequence[Outcome]
    ) -> None:
        row = {
            "question": question,
            "id": name,
            "wordings": list(wordings),
            "outcomes": list(outcomes),
        }
        self.run.append([row])
        self._take(row)

    def of(self, wording: int, questions: Sequence[int]) -> list[Outcome]:
        """The outcomes of a wording, question by question."""
        return [self.outcomes[wording, question] for question in questions]
