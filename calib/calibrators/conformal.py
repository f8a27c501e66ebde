"""Sets of options that hold the right one in a promised share of questions (split conformal).

Every option has a score that is low where the model likes it. The threshold is the k-th smallest
score of the right options of n questions, k = ceil((n + 1)(1 - alpha)), and a set holds the options
that score no more. Of new questions of the same kind at least 1 - alpha of the sets hold the right
option, on average over the n questions; where no two scores are equal, at most 1/(n + 1) more.

Axis legend: N questions, O options (questions with fewer are padded with NaN).
"""

from __future__ import annotations

import json
import math
import os
import warnings
from dataclasses import KW_ONLY, dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.calibrators.abstention import one_a_cluster
from calib.calibrators.option_scores import SCORES, exact, quantile
from calib.calibrators.option_sets import SetCoverage, answers, coverage_of, padded
from calib.fields import (
    Fields,
    check_fields,
    is_bool,
    is_count,
    is_list,
    is_number,
    is_plain,
    or_null,
    read_saved,
)
from calib.intervals.addressed import uniforms
from calib.metrics.arrays import labels, whole
from calib.records import InputError
from calib.runs.durable import replace

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FORMAT = "calib.conformal/1"
ALPHA = "a number between 0 and 1", lambda value: is_number(value, 0, 1) and 0 < value < 1
SAVED: Fields = {
    "method": (" or ".join(SCORES), lambda value: isinstance(value, str) and value in SCORES),
    "alpha": ALPHA,
    "lam": ("a number from 0 or null", or_null(lambda value: is_number(value, 0, math.inf))),
    "k_reg": ("a whole number from 0 or null", or_null(is_count)),
    "randomized": ("true or false", is_bool),
    "allow_empty": ("true or false", is_bool),
    "seed": ("a whole number from 0", is_count),
    "grouped": ("true or false", is_bool),
    "thresholds": ("a list of objects", is_list(lambda value: isinstance(value, dict))),
}
THRESHOLD: Fields = {
    "group": ("a label", is_plain),
    "threshold": ("a number or null", or_null(lambda value: is_number(value, -math.inf, math.inf))),
    "n": ("a whole number from 0", is_count),
}


class FullSetsWarning(UserWarning):
    """Too few questions for so small an alpha: every set is full."""


@dataclass
class ConformalSets:
    """Option sets that hold the right option in 1 - ``alpha`` of questions.

    ``method``: "lac", "aps" or "raps"; raps adds ``lam`` for every rank beyond ``k_reg``.
    ``randomized`` (aps, raps) takes a uniform number times an option's own probability off its
    score, drawn by (``seed``, id), so that coverage is exact and sets are smaller.
    ``allow_empty=False`` puts the likeliest option into sets that would be empty.

    Fitted: ``threshold_`` and ``n_fit_``, a dict of them by group where groups were given, and
    ``reason_`` where sets are full because n is too small for alpha, else None. Arrays that do not
    fit raise ValueError, as do settings.
    """

    method: str = "lac"
    _: KW_ONLY
    alpha: float
    lam: float | None = None
    k_reg: int | None = None
    randomized: bool = False
    allow_empty: bool = True
    seed: int = 0
    threshold_: float | dict[Any, float] = field(default=math.nan, init=False)
    n_fit_: int | dict[Any, int] = field(default=0, init=False)
    reason_: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.method not in SCORES:
            raise ValueError(f"method must be one of {', '.join(SCORES)}, got {self.method!r}")
        if not isinstance(self.alpha, Real) or not 0 < self.alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, got {self.alpha!r}")
        self.alpha = float(self.alpha)
        given = self.lam is not None, self.k_reg is not None
        if given != ((self.method == "raps"),) * 2:
            raise ValueError(
                f"lam and k_reg go with raps, which needs both, got lam={self.lam!r} and "
                f"k_reg={self.k_reg!r} with {self.method}"
            )
        if self.lam is not None:
            if not isinstance(self.lam, Real) or not 0 <= self.lam < math.inf:
                raise ValueError(f"lam must be a number from 0, got {self.lam!r}")
            self.lam = float(self.lam)
        if self.k_reg is not None:
            self.k_reg = whole("k_reg", self.k_reg, 0)
        if self.randomized and self.method == "lac":
            raise ValueError("randomized goes with aps and raps; lac has no random part")
        self.seed = whole("seed", self.seed, 0)

    def fit(
        self,
        prob: Any,
        answer: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        ids: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
    ) -> Self:
        """Set the threshold by questions whose right option is known. Returns self.

        prob: probabilities (N, O), or a list of a question's own; NaN where a question has no
        such option (a probability of 0 is an option). answer: (N,) indices of the right options.
        groups: (N,) labels of sub-populations, each of which gets a threshold, and the promise, of
        its own. ids: (N,) names of the questions, which ``randomized`` needs. clusters: (N,)
        labels of questions that belong together, of which one each is used, drawn by ``seed``.

        Warns where a set is full because the questions are too few for alpha.
        """
        p = padded(prob)
        y = answers(answer, p)
        own = self.scores(p, ids)[np.arange(len(p)), y]
        together = None if clusters is None else labels("clusters", clusters, len(p))
        kept = one_a_cluster(together, len(p), self.seed)
        if groups is None:
            self.n_fit_ = len(kept)
            self.threshold_ = quantile(own[kept], self.alpha)
        else:
            of = labels("groups", groups, len(p))[kept]
            rows = {name: own[kept][of == name] for name in np.unique(of).tolist()}
            self.n_fit_ = {name: len(each) for name, each in rows.items()}
            self.threshold_ = {name: quantile(each, self.alpha) for name, each in rows.items()}
        self.reason_ = self._why_full()
        if self.reason_ is not None:
            warnings.warn(self.reason_, FullSetsWarning, stacklevel=2)
        return self

    def predict(
        self, prob: Any, ids: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Bools:
        """(N, O): whether an option is in its question's set, never where there is no option.

        prob, ids and groups as for ``fit``; groups are needed where it was given them, and ids
        where the sets are randomised.
        """
        p = padded(prob)
        sets = self.scores(p, ids) <= self._thresholds(len(p), groups)[:, None]
        sets &= ~np.isnan(p)
        if not self.allow_empty:
            empty = np.flatnonzero(~sets.any(axis=1))
            sets[empty, np.nanargmax(p[empty], axis=1)] = True
        return sets

    sets = predict

    def judge(
        self,
        prob: Any,
        answer: ArrayLike,
        *,
        ids: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
    ) -> SetCoverage:
        """Coverage and size of the sets on questions that were not fitted on, with 95 % intervals.

        groups: (N,) labels, of which each is also judged by itself; where the sets were fitted by
        group it is those. clusters: (N,) labels of questions that belong together.
        """
        p = padded(prob)
        by_group = groups if isinstance(self.threshold_, dict) else None
        sets = self.predict(p, ids, by_group)
        return coverage_of(sets, p, answers(answer, p), groups=groups, clusters=clusters)

    def scores(self, prob: Any, ids: ArrayLike | None = None) -> Floats:
        """(N, O): the score of every option; NaN where there is none."""
        p = padded(prob)
        luck = np.zeros(len(p))
        if self.randomized:
            if ids is None:
                raise ValueError("randomized sets need ids, the names of the questions")
            luck = uniforms(self.seed, labels("ids", ids, len(p)).tolist())
        lam, k_reg = self.lam or 0.0, self.k_reg or 0
        return SCORES[self.method](p, luck, lambda rank: lam * np.maximum(rank - k_reg, 0))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the fit as readable JSON, whole or not at all; a threshold of null: full sets."""
        n = self._fitted()
        grouped = isinstance(self.threshold_, dict)
        by_group = self.threshold_ if isinstance(self.threshold_, dict) else {None: self.threshold_}
        settings = ("method", "alpha", "lam", "k_reg", "randomized", "allow_empty", "seed")
        content = {
            "format": FORMAT,
            **{name: getattr(self, name) for name in settings},
            "grouped": grouped,
            "thresholds": [
                {"group": name, "threshold": None if math.isinf(value) else value, "n": n[name]}
                for name, value in by_group.items()
            ],
        }
        replace(Path(path), json.dumps(content, indent=2) + "\n")
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote. Raises InputError for any other file."""
        content = read_saved(Path(path), "saved sets", FORMAT)
        check_fields(content, str(path), SAVED)
        for entry in content["thresholds"]:
            check_fields(entry, str(path), THRESHOLD)
        if not content["grouped"] and len(content["thresholds"]) != 1:
            raise InputError(f"{path}: thresholds: expected one, got {len(content['thresholds'])}")
        settings = {name: content[name] for name in SAVED if name not in ("grouped", "thresholds")}
        try:
            fitted = cls(**settings)
        except ValueError as unfit:
            raise InputError(f"{path}: {unfit}") from unfit
        entries = content["thresholds"]
        value = {
            entry["group"]: math.inf if entry["threshold"] is None else float(entry["threshold"])
            for entry in entries
        }
        n = {entry["group"]: entry["n"] for entry in entries}
        grouped = content["grouped"]
        fitted.threshold_ = value if grouped else value.popitem()[1]
        fitted.n_fit_ = n if grouped else n.popitem()[1]
        fitted.reason_ = fitted._why_full()
        return fitted

    def _fitted(self) -> dict[Any, int]:
        """The number of questions by group (None: all). Raises ValueError before a fit."""
        if isinstance(self.n_fit_, dict):
            return self.n_fit_
        if math.isnan(self.threshold_):  # type: ignore[arg-type]
            raise ValueError("these ConformalSets have not been fitted: call fit or load first")
        return {None: self.n_fit_}

    def _thresholds(self, n: int, groups: ArrayLike | None) -> Floats:
        self._fitted()
        if not isinstance(self.threshold_, dict):
            if groups is not None:
                raise ValueError("groups do not go with sets that were fitted without groups")
            return np.full(n, self.threshold_)
        if groups is None:
            raise ValueError("these sets were fitted by group, so groups must be given")
        names = labels("groups", groups, n).tolist()
        unknown = next((name for name in names if name not in self.threshold_), None)
        if unknown is not None:
            raise ValueError(f"groups must be those that were fitted on, got {unknown!r}")
        return np.array([self.threshold_[name] for name in names])

    def _why_full(self) -> str | None:
        by_group = self.threshold_ if isinstance(self.threshold_, dict) else {None: self.threshold_}
        full = [name for name, value in by_group.items() if math.isinf(value)]
        if not full:
            return None
        n = self._fitted()[full[0]]
        of = "" if full[0] is None else f" of group {full[0]!r}"
        more = f" (and {len(full) - 1} more groups)" if full[1:] else ""
        least = math.ceil(1 / exact(self.alpha)) - 1
        return (
            f"alpha = {self.alpha:g} needs at least {least:,} questions, and {n:,}{of}{more} are "
            "there, so the sets hold every option"
        )


def conformal_sets(
    prob: Any,
    labels: ArrayLike,
    *,
    alpha: float,
    method: str = "lac",
    groups: ArrayLike | None = None,
    ids: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    **settings: Any,
) -> ConformalSets:
    """``ConformalSets(method, alpha=alpha, **settings)``, fitted to ``prob`` and its ``labels``."""
    sets = ConformalSets(method, alpha=alpha, **settings)
    return sets.fit(prob, labels, groups, ids=ids, clusters=clusters)
