"""Is a model surer of text than of a picture, and surest of both? Differences question by question.

A contrast adds the cells of one side and takes off those of the other, question by question. The
interaction is (both − image) − (text − neither): what a picture adds beside the description, less
what it is worth alone. Clusters are exchanged and resampled whole (``calib.intervals``); the p of
all contrasts of a study are corrected together (Holm).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from calib.intervals import add_holm, paired_difference
from calib.modalities.cells import BOTH, IMAGE, NEITHER, TEXT, Cell, cell_of
from calib.modalities.measures import Answers
from calib.modalities.pictures import CLEAN, REPLACED, Shown
from calib.summary.table import RESAMPLES, mean

MEASURES = {"confidence": "confidence", "entropy": "option entropy"}
CLAIM = ("image-text", "both-image", "both-text", "interaction")
"""The contrasts behind the claim that models are surer of text than of images, surest of both."""


@dataclass(frozen=True)
class Contrast:
    """``plus`` minus ``minus``, cells whose values are added for each question."""

    name: str
    label: str
    plus: tuple[Cell, ...]
    minus: tuple[Cell, ...]


def contrasts(arms: Sequence[str], levels: Sequence[Shown], sentences: int) -> list[Contrast]:
    """Those whose cells the study has, the claim's first."""
    return [*of_arms(arms, sentences), *of_grid(levels, sentences)]


def of_arms(arms: Sequence[str], sentences: int) -> Iterator[Contrast]:
    def at(*names: str) -> tuple[Cell, ...]:
        return tuple(cell_of(name, sentences) for name in names)

    asked = (
        ("image-text", "image only − text only", (IMAGE,), (TEXT,)),
        ("both-image", "both − image only", (BOTH,), (IMAGE,)),
        ("both-text", "both − text only", (BOTH,), (TEXT,)),
        ("interaction", "both − image − text + neither", (BOTH, NEITHER), (IMAGE, TEXT)),
        *((f"image-{arm}", f"image only − {arm}", (IMAGE,), (arm,)) for arm in REPLACED),
    )
    for name, label, plus, minus in asked:
        if {*plus, *minus} <= set(arms):
            yield Contrast(name, label, at(*plus), at(*minus))


def of_grid(levels: Sequence[Shown], sentences: int) -> Iterator[Contrast]:
    """The most noise against none, and under it the description against none."""
    steps = [int(level) for level in levels if level != CLEAN]
    if not steps:
        return
    most = max(steps)
    if CLEAN in levels:
        yield Contrast(
            "noise", f"noise {most} − none, no description", (Cell(most, 0),), (Cell(CLEAN, 0),)
        )
    if sentences:
        yield Contrast(
            "description",
            f"{sentences} sentence{'s' if sentences > 1 else ''} − none, noise {most}",
            (Cell(most, sentences),),
            (Cell(most, 0),),
        )


def tested(
    wanted: Sequence[Contrast], answers: Mapping[Cell, Answers], seed: int
) -> list[dict[str, Any]]:
    """Every contrast in each of ``MEASURES``: value, 95 % interval, p and p corrected ("holm")."""
    tests: list[dict[str, Any]] = []
    for contrast in wanted:
        for measure, label in MEASURES.items():
            found = paired_difference(
                mean,
                summed(contrast.plus, answers, measure),
                summed(contrast.minus, answers, measure),
                clusters=answers[contrast.plus[0]].cluster,
                n=RESAMPLES,
                seed=seed,
            )
            tests.append(
                {
                    "name": contrast.name,
                    "measure": measure,
                    "label": f"{contrast.label}, {label}",
                    "plus": [cell.name for cell in contrast.plus],
                    "minus": [cell.name for cell in contrast.minus],
                    **asdict(found),
                }
            )
    add_holm(tests)
    return tests


def summed(
    cells: Sequence[Cell], answers: Mapping[Cell, Answers], measure: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The cells' values added (N,), and zeros in place of what is right, which plays no part."""
    values = np.sum([getattr(answers[cell], measure) for cell in cells], axis=0)
    return values, np.zeros(len(values))
