"""Which measures put the questions in one order, and what each is worth along its order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from calib.summary.curves import selective
from calib.uncertainty.measures import by_rank, label

SAME_ORDER = 0.995
"""The rank correlation from which on two measures are said to order the questions alike."""
POINTS = 100  # of a curve; a page draws as many curves as there are measures


def agreement(uncertainty: pd.DataFrame, correlations: pd.DataFrame) -> dict[str, Any]:
    """Names of measures: ``constant`` ones, groups that order the questions ``alike``, and
    ``distinct`` ones, the first of each group and those in none.

    ``correlations`` are the ``rank_correlations`` of the same columns. A measure joins the first
    group whose first measure it agrees with by ``SAME_ORDER`` or more. One that turns the order of
    another round is distinct.
    """
    names = [str(name) for name in uncertainty.columns]
    rho = correlations.to_numpy()
    constant: list[str] = []
    groups: list[list[int]] = []
    for number, name in enumerate(names):
        known = uncertainty[name].dropna().to_numpy()
        if len(known) == 0 or np.ptp(known) == 0:
            constant.append(name)
            continue
        for group in groups:
            if rho[group[0], number] >= SAME_ORDER:
                group.append(number)
                break
        else:
            groups.append([number])
    return {
        "threshold": SAME_ORDER,
        "constant": constant,
        "alike": [[names[k] for k in group] for group in groups if len(group) > 1],
        "distinct": [names[group[0]] for group in groups],
    }


def curves_of(
    uncertainty: pd.DataFrame, correct: ArrayLike, clusters: ArrayLike, *, seed: int = 0
) -> list[dict[str, Any]]:
    """The risk-coverage curve of every measure that some row has, with its band.

    As in the table of measures, each is of the n rows where it is known, surest first.
    """
    right, members = np.asarray(correct, dtype=bool), np.asarray(clusters)
    found = []
    for name in uncertainty.columns:
        values = uncertainty[name].to_numpy()
        known = ~np.isnan(values)
        if known.any():
            sureness = by_rank(values[known])
            curve = selective(sureness, right[known], members[known], seed, POINTS)
            facts = {"measure": str(name), "label": label(name), "n": int(known.sum())}
            found.append({**facts, **curve})
    return found
