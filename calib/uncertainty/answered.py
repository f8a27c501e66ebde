"""One answer to each question: how many are right, and how many refuse. Measures need more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from calib.intervals import wilson_of_clusters
from calib.judge import verdicts
from calib.judge.choice import AUTO
from calib.records import InputError
from calib.runs import Run
from calib.runs.kinds import need
from calib.summary import to_json
from calib.uncertainty.measures import bare
from calib.uncertainty.side_by_side import FACTS, by_item, judgeable
from calib.uncertainty.telling import OUTCOMES, Case, counted, first_of, outcome, telling

FORMAT = "calib.answers/1"


def answered(run: Run, *, judge: str = AUTO) -> dict[str, Any]:
    """What results.json holds of the first answer to each question of a sampled run.

    Raises InputError where no question with a known answer has one.
    """
    items = need(run, "the table of measures").items()
    usable = judgeable(items, judge)
    answers = by_item(run)
    cases: list[Case] = [(i, answers[i.id][0], ()) for i in usable if i.id in answers]
    if not cases:
        raise InputError(
            f"{run.path}: expected answers to questions that can be judged, found "
            f"{len(answers):,} answered questions, {len(usable):,} of {len(items):,} questions "
            "with a known answer"
        )
    outcomes = [outcome(verdicts(item, [bare(a)], judge)[0]) for item, a, _ in cases]
    clusters = pd.factorize(np.array([str(i.meta.get("cluster", i.id)) for i, _, _ in cases]))[0]
    # The surest answer has the greatest log-probability a token.
    logprobs = [np.nan if a.mean_logprob is None else -a.mean_logprob for _, a, _ in cases]
    measured = pd.DataFrame({"mean_logprob": np.array(logprobs, dtype=np.float64)})
    results: dict[str, Any] = to_json(
        {
            "format": FORMAT,
            "model": run.config["model"],
            "task": run.config["task"],
            "questions": len(items),
            "answered": len(answers),
            "n": len(cases),
            "first": first_of(items, run.path),
            "outcomes": counted(outcomes),
            "shares": {
                name: share(np.array([found == name for found in outcomes]), clusters)
                for name in OUTCOMES
            },
            "examples": telling(cases, outcomes, measured, judge, run.path),
            "facts": {
                "judge": judge,
                "greedy": run.config.get("greedy"),
                **{name: run.config.get(name) for name in FACTS},
            },
        }
    )
    return results


def share(hits: Any, clusters: Any) -> dict[str, float]:
    """A share of the judged answers with its 95 % bounds, which allow for clusters."""
    low, high = wilson_of_clusters(hits, clusters)
    return {"value": float(hits.mean()), "low": low, "high": high}
