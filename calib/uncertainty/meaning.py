"""When two samples mean the same: by their texts, or by a model of entailment.

``exact``       the texts are the same.
``normalized``  they are once case, articles and punctuation are folded (the default).
``nli:NAME``    each entails the other by the model in folder NAME, or of that name on the hub; the
                question is put before both, as in the published recipe (Farquhar et al. 2024).

An answer joins the first cluster whose first member it matches.
"""

from __future__ import annotations

from collections.abc import Sequence

from calib.records import Answer, InputError
from calib.uncertainty.semantic import conditioned
from calib.uncertainty.semantic.clustering import (
    FOLDS,
    Entails,
    Equivalence,
    first_match,
    lockstep,
)

DEFAULT = "normalized"
NLI = "nli:"
RULES = {
    "exact": "their texts are the same",
    DEFAULT: "their texts are the same once case, articles and punctuation are folded",
}


class Meaning:
    """Which samples of a question mean the same; no pair of texts is judged twice."""

    def __init__(self, name: str = DEFAULT, nli: Entails | None = None) -> None:
        """``name`` is one of ``FOLDS``; with ``nli`` it is what the model is called."""
        self.name, self.entailment = name, nli is not None
        self._same = Equivalence(name if nli is None else "bidirectional", nli)

    def clusters(self, answers: Sequence[Answer], question: str) -> list[int]:
        """The cluster of each sample (R,) of one question, numbered as they appear."""
        return self.of_all([answers], [question])[0]

    def of_all(
        self, answers: Sequence[Sequence[Answer]], questions: Sequence[str]
    ) -> list[list[int]]:
        """The same of many questions, side by side: a model of entailment gets full batches."""
        texts = [
            [conditioned(answer, question if self.entailment else "") for answer in own]
            for own, question in zip(answers, questions, strict=True)
        ]
        found = iter(lockstep([first_match(own) for own in texts if own], self._same))
        return [next(found) if own else [] for own in texts]

    @property
    def rule(self) -> str:
        """Two samples mean the same where ..."""
        if self.entailment:
            return (
                f"each entails the other, the question put before both, by "
                f"{self.name.removeprefix(NLI)}"
            )
        return RULES[self.name]

    @property
    def facts(self) -> dict[str, str]:
        """For results.json."""
        return {"name": self.name, "rule": self.rule, "match": "first"}


def meaning_of(equivalence: str | Meaning, device: str | None = None) -> Meaning:
    """What ``--equivalence`` names; a model of entailment is loaded.

    Raises InputError for what is none of the three, and as ``calib.hf.nli.load_nli`` does.
    """
    if isinstance(equivalence, Meaning):
        return equivalence
    check_equivalence(equivalence)
    if not equivalence.startswith(NLI):
        return Meaning(equivalence)
    from calib.hf.nli import load_nli  # with it comes torch

    return Meaning(equivalence, load_nli(equivalence.removeprefix(NLI), device=device))


def check_equivalence(equivalence: str) -> None:
    """InputError for what is no name of an equivalence."""
    named = equivalence.startswith(NLI) and equivalence.removeprefix(NLI).strip()
    if equivalence not in FOLDS and not named:
        raise InputError(
            f"equivalence: expected {', '.join(FOLDS)} or {NLI}NAME, a folder or the name of a "
            f"model of entailment, got {equivalence!r}"
        )
