"""Protocol ``paper``: where a letter stood, and what the fixed position says of the same questions.

Both readings are of one run, so that questions are paired. They are compared where a letter stood:

``letter``    the record's own: the letter's probability among all tokens, at its step;
``position``  the same at the first step, of the option that is likeliest there;
``options``   calib's own way: at the first step, among the options.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.intervals import wilson_of_clusters
from calib.models.letters import PAPER, STEPS
from calib.summary.remedies import tests_of
from calib.summary.rows import Floats, Row, Scored, cluster_name
from calib.summary.table import measure, specs

SHOWN = ("accuracy", "confidence", "gap", "mass", "ece", "debiased_rmsce")
TESTED = {"position": ("accuracy", "debiased_rmsce"), "options": ("debiased_rmsce",)}
"""What is tested of each reading against the letter's; ``options`` has the answers of ``position``,
whose accuracy is tested there."""
CONVENTION = f"a letter of the options stood within {STEPS} greedy steps; of all with an answer"


def of_letters(
    every: Sequence[Row], rows: Sequence[Row], scored: Scored, bins: int, seed: int
) -> dict[str, Any] | None:
    """What ``results.json`` says of both readings; None for a run without.

    every: all records; rows: those that ``scored`` is of, where a letter stood.
    """
    if not any("step" in row for row in every):
        return None
    asked = [row for row in every if "step" in row and known(row)]
    clusters = np.unique([cluster_name(row) for row in asked], return_inverse=True)[1]
    stood = np.array([row["step"] is not None for row in asked])
    first = np.array([bool(row["position"]["parsed"]) for row in asked])
    both = np.array([readable(row) for row in rows])
    rows = [row for row, use in zip(rows, both, strict=True) if use]
    scored = scored.take(both)
    later = np.array([row["step"] > 0 for row in rows])
    other = np.array([row["prediction"] != row["position"]["prediction"] for row in rows])
    ways = {"letter": scored, **fixed(scored, rows)}
    chosen = [spec for spec in specs(bins, scored.has) if spec.name in SHOWN]
    return {
        "protocol": PAPER,
        "most_steps": STEPS,
        "n": len(asked),
        "unparsed": int((~stood).sum()),
        "parsed": share(stood, clusters),
        "parsed_at_position": share(first, clusters),
        "steps": [
            {"step": step, "n": n}
            for step, n in sorted(Counter(int(row["step"]) for row in rows).items())
        ],
        "compared": len(rows),
        "later": share(later, scored.cluster),
        "other": share(other, scored.cluster),
        "right": share(np.array([row["prediction"] == row["answer"] for row in asked]), clusters),
        "right_at_position": share(
            np.array([row["position"]["prediction"] == row["answer"] for row in asked]), clusters
        ),
        "metrics": {name: measure(way, chosen, seed) for name, way in ways.items()} if rows else {},
        "tests": {
            name: tests_of(scored, ways[name], chosen, seed, tested)
            for name, tested in TESTED.items()
        }
        if rows
        else {},
    }


def known(row: Row) -> bool:
    """Whether the right answer is known and the logits were numbers."""
    return row.get("answer") is not None and bool(row.get("valid", True))


def readable(row: Row) -> bool:
    """Whether the fixed position has finite numbers."""
    return row["position"].get("confidence_vocab") is not None


def share(hits: NDArray[np.bool_], clusters: NDArray[Any]) -> dict[str, Any]:
    """A share of questions with Wilson's bounds, which allow for clusters; of none no value."""
    if len(hits) == 0:
        return {"value": None, "low": None, "high": None, "n": 0}
    low, high = wilson_of_clusters(hits.astype(bool), clusters)
    return {"value": float(hits.mean()), "low": low, "high": high, "n": len(hits)}


def fixed(scored: Scored, rows: Sequence[Row]) -> dict[str, Scored]:
    """The two readings at the fixed position of the questions that ``scored`` holds."""
    at = [row["position"] for row in rows]
    logprob = np.full(scored.logprob.shape, -np.inf)
    for i, reading in enumerate(at):
        values = [-np.inf if value is None else value for value in reading["logprob"]]
        logprob[i, : len(values)] = values
    position = replace(
        scored,
        logprob=logprob,
        confidence=column(at, "confidence_vocab"),
        correct=np.array([p["prediction"] for p in at], dtype=np.int64) == scored.answer,
        mass=column(at, "mass"),
    )
    among = column(at, "confidence_options")
    return {
        "position": position,
        "options": replace(position, confidence=among, vocabulary=False),
    }


def column(readings: Sequence[Mapping[str, Any]], name: str) -> Floats:
    return np.array([reading[name] for reading in readings], dtype=np.float64)


def add_parse_rates(results: dict[str, Any], every: Sequence[Row]) -> None:
    """Put the parse rate beside every accuracy: over all questions, not over those with a letter.

    ``results`` has ``overall``, ``groups``, ``metrics`` and ``letters``.
    """
    parsed = results["letters"]["parsed"]
    results["overall"]["parse_rate"] = parsed["value"]
    results["metrics"]["parse_rate"] = {
        **parsed,
        "method": "Wilson, at the effective number of clusters",
        "label": "parse rate",
        "convention": CONVENTION,
    }
    asked = [row for row in every if known(row)]
    for group in results["groups"]:
        own = [row for row in asked if str(row.get("group") or "") == group["group"]]
        group["parse_rate"] = sum(row["step"] is not None for row in own) / len(own)
