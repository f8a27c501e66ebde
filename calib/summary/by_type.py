"""A temperature for each type of question, of runs whose prompt form goes by types.

The types are groups (``calib.calibrators.grouped``): a type of many questions keeps its own
temperature, one of few is drawn towards the others', and one without questions has theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.calibrators.grouped import GroupedTemperature
from calib.records import InputError
from calib.runs import Run
from calib.summary.rows import Row, Scored
from calib.tasks.prompts import FORMS


def is_typed(run: Run, method: str) -> bool:
    """Whether a run's questions were asked by their types. InputError where they were and the
    temperature's solver is another than "exact"."""
    form = FORMS.get(str(run.config.get("prompt")))
    typed = form is not None and form.typed
    if typed and method != "exact":
        raise InputError(
            f"--method: expected exact for a run whose questions have types, got {method}"
        )
    return typed


def by_types(scored: Scored, rows: Sequence[Row], of: Path) -> Scored:
    """The rows in groups of their question's type. InputError where a record says none."""
    types = [row.get("question_type") for row in rows]
    if None in types:
        raise InputError(
            f"{of}: expected records of prompt decision, which say the type of each question, and "
            f"{rows[types.index(None)]['id']!r} has none"
        )
    return replace(scored, group=np.array(types))


def fit_by_type(scored: Scored, rows: NDArray[np.int64]) -> GroupedTemperature:
    """Fitted to some rows, whose groups are the types."""
    usable = rows[np.isfinite(scored.logprob[rows, scored.answer[rows]])]
    return GroupedTemperature().fit(
        scored.logprob[usable],
        scored.answer[usable],
        clusters=scored.cluster[usable],
        groups=scored.group[usable],
    )
