"""What a job asks of its model: prompts to read and answers to write, before anything is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """Prompts that are read and answers that are drawn; ``at_most`` where both may be fewer."""

    prompts: int = 0
    answers: int = 0
    at_most: bool = False

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.prompts + other.prompts,
            self.answers + other.answers,
            self.at_most or other.at_most,
        )


def prompts_of(options: Options, questions: int) -> Cost:
    return Cost(questions * int(options.get("orders", 1)))


def answers_of(options: Options, questions: int) -> Cost:
    return Cost(questions, questions * int(options.get("samples", 20)))


def cells_of(options: Options, questions: int) -> Cost:
    """Of a modality study, with all sentences that are asked for."""
    from calib.modalities.cells import MOST_SENTENCES, cells_of, checked_arms, checked_levels

    cells = cells_of(
        checked_arms(options.get("arms")),
        checked_levels(options.get("noise")),
        int(options.get("sentences", MOST_SENTENCES)),
    )
    drawn = questions * int(options.get("samples", 0))
    return Cost(questions * len(cells), drawn * len(cells), "sentences" not in options)


def half_known(options: Options, questions: int) -> Cost:
    """Samples of every question, and one answer to it in every arm."""
    arms = len(options.get("arms") or ("plain", "permission", "option"))
    return Cost(questions * (1 + arms), questions * (int(options.get("samples", 10)) + arms))


def paired(options: Options, questions: int) -> Cost:
    """Each question and a twin of each way, at most."""
    from calib.twin_sets.ways import WAYS

    return Cost(questions * (1 + len(options.get("how") or WAYS)), 0, True)


def searched(options: Options, questions: int) -> Cost:
    """The whole pool of wordings on the searched half; most are given up earlier."""
    keep, rewrites = int(options.get("keep", 5)), int(options.get("rewrites", 5))
    rounds = int(options.get("rounds", 10))
    pool = 2 + 2 * rewrites + (rounds - 1) * keep * rewrites
    half = int(options.get("search") or questions // 2)
    return Cost(pool * half + 2 * (questions - half), 0, True)
