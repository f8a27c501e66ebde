"""A temperature for each group of questions, drawn towards the others as far as it is uncertain.

With t the log of the inverse temperature, the groups' t are drawn from a normal distribution. Its
variance is estimated from the groups' own fits and their standard errors by restricted maximum
likelihood; a group that has no finite fit of its own says nothing of it. Each group's t is then the
most likely one given its answers and that distribution: a large group keeps its own temperature, a
small one, or one of right answers alone, gets nearly that of the others. Where the groups' own fits
differ no more than their errors let expect, the variance is 0 and all share one temperature.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.calibrators.base import COUNT, FittedCalibrator
from calib.calibrators.likelihood import Likelihood, likelihood
from calib.calibrators.scores import Floats, fitted_to, of_labels, scores_of
from calib.calibrators.temperature import (
    POSITIVE,
    DegenerateTemperatureWarning,
    TemperatureScaling,
    clustered,
    log_error,
    softmax,
)
from calib.fields import Fields, check_fields, is_text, or_null
from calib.records import InputError

ROUNDS = 1000
SPREAD = "a number from 0", lambda value: isinstance(value, float) and 0 <= value < math.inf
GROUP: Fields = {
    "group": ("text", is_text),
    "n": COUNT,
    "temperature": POSITIVE,
    "own": ("a positive number or null", or_null(POSITIVE[1])),
}


@dataclass(frozen=True, slots=True)
class Group:
    """A group's temperature, and its ``own``: None where no finite one fits its ``n`` answers."""

    group: str
    n: int
    temperature: float
    own: float | None


@dataclass
class GroupedTemperature(FittedCalibrator):
    """``groups_`` by name; ``temperature_`` for groups that the fit did not see.

    ``between_`` is the estimated standard deviation of the groups' ln T.
    """

    format: ClassVar[str] = "calib.grouped_temperature/1"
    fields: ClassVar[Fields] = {
        "temperature": POSITIVE,
        "between": SPREAD,
        "groups": ("a list", lambda value: isinstance(value, list)),
    }
    temperature_: float = field(default=math.nan, init=False)
    between_: float = field(default=math.nan, init=False)
    groups_: dict[str, Group] = field(default_factory=dict, init=False)

    def fit(
        self,
        scores: ArrayLike,
        answers: ArrayLike,
        *,
        clusters: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit to scores (N, K), right options (N,) and the groups' names (N,). Returns self.

        clusters: (N,) labels of rows that belong together; a group's answers then count for as
        much less as clustering takes from the fit of all.
        """
        z, y = fitted_to(scores, answers)
        names = of_labels("groups", groups, len(z), "a temperature for each group")
        everything = TemperatureScaling().fit(z, y, clusters=clusters)
        weight = 1 / design_effect(z, y, everything, clusters)
        found = {name: Own.of(z[names == name], y[names == name], weight) for name in set(names)}
        finite = [own for own in found.values() if own.error is not None]
        centre, variance = between(
            np.array([own.t for own in finite]), np.array([own.error for own in finite])
        )
        if variance == 0:  # what all the answers say together
            centre = -math.log(everything.temperature_)
        self.temperature_, self.between_ = math.exp(-centre), math.sqrt(variance)
        self.groups_ = {
            name: Group(
                name,
                own.data.n,
                math.exp(-own.drawn_to(centre, variance, weight)),
                None if own.error is None else math.exp(-own.t),
            )
            for name, own in sorted(found.items())
        }
        self.n_fit_ = len(z)
        return self

    def transform(self, scores: ArrayLike, *, groups: ArrayLike | None = None) -> Floats:
        """The scores divided by the temperature of each row's group."""
        self.need_fit()
        z = scores_of(scores)
        names = of_labels("groups", groups, len(z), "a temperature for each group")
        return z / self.temperatures_of(names.tolist())[:, None]

    def predict_proba(self, scores: ArrayLike, *, groups: ArrayLike | None = None) -> Floats:
        """Probabilities (N, K) after calibration."""
        return softmax(self.transform(scores, groups=groups))

    def temperatures_of(self, names: Sequence[str]) -> Floats:
        """(N,): of a group that the fit did not see, that of the distribution's centre."""
        known = {name: group.temperature for name, group in self.groups_.items()}
        return np.array([known.get(name, self.temperature_) for name in names])

    def words(self) -> list[str]:
        lines = [
            f"other groups: T {self.temperature_:.3f}; between groups ln T {self.between_:.3f}"
        ]
        for group in self.groups_.values():
            own = "none fits" if group.own is None else f"{group.own:.3f}"
            lines.append(f"{group.group}: T {group.temperature:.3f} (alone {own}, n {group.n:,})")
        return lines

    def state(self) -> dict[str, Any]:
        return {
            "temperature": self.temperature_,
            "between": self.between_,
            "groups": [
                {name: getattr(group, name) for name in GROUP} for group in self.groups_.values()
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        for row in state["groups"]:
            if not isinstance(row, dict):
                raise InputError("groups: expected objects with named fields")
            check_fields(row, "groups", GROUP)
        self.temperature_, self.between_ = float(state["temperature"]), float(state["between"])
        rows = ({name: row[name] for name in GROUP} for row in state["groups"])
        self.groups_ = {row["group"]: Group(**row) for row in rows}


@dataclass(frozen=True)
class Own:
    """A group's own fit: t, and its standard error, None where no finite t is best."""

    data: Likelihood
    t: float
    error: float | None

    @classmethod
    def of(cls, z: Floats, y: NDArray[np.int64], weight: float) -> Own:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateTemperatureWarning)
            fitted = TemperatureScaling().fit(z, y)
        data, beta = likelihood(z, y), 1 / fitted.temperature_
        information = weight * data.n * data.moments(beta).curvature * beta**2
        known = not fitted.degenerate_ and information > 0
        return cls(data, math.log(beta), 1 / math.sqrt(information) if known else None)

    def drawn_to(self, centre: float, variance: float, weight: float) -> float:
        """The most likely t under the normal prior, between the centre and the group's own."""
        from scipy.optimize import brentq

        def slope(t: float) -> float:
            beta = math.exp(t)
            gradient = self.data.moments(beta).gradient
            return weight * self.data.n * beta * gradient + (t - centre) / variance

        if variance == 0 or self.t == centre:
            return centre
        at_centre, at_own = slope(centre), slope(self.t)
        if at_centre == 0:
            return centre
        if at_centre * at_own >= 0:  # the prior is too wide to move it
            return self.t
        return float(brentq(slope, *sorted((centre, self.t)), xtol=1e-9))


def design_effect(
    z: Floats, y: NDArray[np.int64], fitted: TemperatureScaling, clusters: ArrayLike | None
) -> float:
    """How many times the variance of ln T of all rows is what the likelihood alone lets expect.

    At least 1. Clusters raise it, and scores that no temperature calibrates.
    """
    data, beta = likelihood(z, y), 1 / fitted.temperature_
    curvature = data.moments(beta).curvature
    members = clustered(clusters, len(z))
    error = None if fitted.degenerate_ else log_error(data, beta, curvature, members)
    if error is None:
        return 1.0
    return max(1.0, error**2 * data.n * curvature * beta**2)


def between(t: Floats, error: Floats) -> tuple[float, float]:
    """The mean and the variance of the groups' t, by restricted maximum likelihood.

    Fewer than two groups show no variance: (0, 0) then.
    """
    if len(t) < 2:
        return 0.0, 0.0
    squared, variance, mean = error**2, float(t.var()), 0.0
    for _ in range(ROUNDS):
        weight = 1 / (squared + variance)
        mean = float((weight * t).sum() / weight.sum())
        excess = (weight**2 * ((t - mean) ** 2 - squared)).sum() / (weight**2).sum()
        following = max(0.0, float(excess + 1 / weight.sum()))
        if abs(following - variance) <= 1e-10 * (1 + variance):
            break
        variance = following
    return mean, following
