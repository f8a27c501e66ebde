"""The measures of a sampled run in one table, beside whether an answer was right.

What is judged is never among the samples that the measures are made of: it is the answer of
another run (``answers``, as one at a low temperature), else the first sample, and then the measures
come from the others. A scored run of the same questions (``scores``) adds what its probabilities
say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from calib.judge import answerable, refuse_unjudgeable, verdicts
from calib.judge.choice import AUTO
from calib.judge.text import gold_texts
from calib.measures import (
    against_correctness,
    label,
    of_samples,
    rank_correlations,
    uncertainties,
    verbalized,
)
from calib.records import Answer, InputError, Item
from calib.runs import Run
from calib.summary import to_json

OF_SCORES = ("confidence", "entropy", "mass")
FACTS = ("temperature", "top_p", "max_new_tokens", "prompt", "seed", "versions", "machine", "git")


def side_by_side(
    run: Run, *, answers: Run | None = None, scores: Run | None = None, judge: str = AUTO
) -> dict[str, Any]:
    """AUROC and AURC of every measure with intervals, and their rank correlations.

    Questions without a known answer are left out. Raises InputError where the runs do not hold the
    same questions, or too few samples to measure anything.
    """
    items = run.items()
    judgeable = [item for item in items if gold_texts(item) or not answerable(item)]
    refuse_unjudgeable(judgeable, judge)
    table = table_of(run, judgeable, answers, scores, judge)
    measured = uncertainties(table)
    groups = pd.factorize(table["cluster"])[0]
    matrix = rank_correlations(measured)
    found: dict[str, Any] = to_json(
        {
            "format": "calib.measures/1",
            "model": run.config["model"],
            "task": run.config["task"],
            "questions": len(items),
            "n": len(table),
            "samples": run.config["samples"] - (answers is None),
            "accuracy": float(table["correct"].mean()),
            "judged": judged_of(answers),
            "measures": against_correctness(measured, table["correct"], groups=groups),
            "labels": [label(name) for name in measured.columns],
            "correlations": matrix.to_numpy().tolist(),
            "facts": {
                "samples": str(run.path),
                "judged": None if answers is None else str(answers.path),
                "scores": None if scores is None else str(scores.path),
                "judge": judge,
                **{name: run.config.get(name) for name in FACTS},
            },
        }
    )
    return found


def judged_of(answers: Run | None) -> str:
    if answers is None:
        return (
            "Judged is the first sample of each question; the measures come from the others, so "
            "that no answer vouches for itself."
        )
    how = "greedy" if answers.config["greedy"] else f"temperature {answers.config['temperature']:g}"
    return f"Judged is one separate answer to each question ({how}), not among the samples."


def table_of(
    run: Run, items: Sequence[Item], answers: Run | None, scores: Run | None, judge: str
) -> pd.DataFrame:
    """One row per question: its measures under the names of ``calib.measures``, and correct."""
    drawn = by_item(run)
    judged = {} if answers is None else by_item(answers)
    least = 2 if answers is None else 1
    if not items or int(run.config["samples"]) < least or set(drawn) != {i.id for i in run.items()}:
        raise InputError(
            f"{run.path}: expected a finished run of {least} or more samples of questions that "
            "can be judged"
        )
    for other, there in ((answers, judged),):
        if other is not None and any(item.id not in there for item in items):
            raise InputError(f"{other.path}: it lacks answers to questions of {run.path}")
    rows = []
    for item in items:
        samples = drawn[item.id]
        given = samples[0] if answers is None else judged[item.id][0]
        others = samples[1:] if answers is None else samples
        stated = [value for a in others if (value := verbalized(a.text)) is not None]
        row: dict[str, Any] = {
            "id": item.id,
            "cluster": item.meta.get("cluster", item.id),
            "correct": bool(verdicts(item, [given], judge)[0].correct),
            "logprob": given.logprob,
            "mean_logprob": given.mean_logprob,
            **of_samples(others),
        }
        if stated:
            row["verbalized"] = float(np.mean(stated))
        rows.append(row)
    table = pd.DataFrame(rows)
    return table if scores is None else with_scores(table, scores)


def by_item(run: Run) -> dict[str, list[Answer]]:
    """Every question's answers, by its id."""
    found: dict[str, list[Answer]] = {}
    if run.config.get("kind") != "sample":
        raise InputError(f"{run.path}: this is not a run of calib sample")
    for row in run.answers().to_dict("records"):
        answer = Answer(row["text"], row["tokens"], row["logprob"], row["entropy"], row["finish"])
        found.setdefault(row["id"], []).append(answer)
    return found


def with_scores(table: pd.DataFrame, scores: Run) -> pd.DataFrame:
    scored = scores.scores()
    if not len(scored) or not set(table["id"]) <= set(scored["id"]):
        raise InputError(f"{scores.path}: it does not score all of the sampled questions")
    return table.merge(scored[["id", *OF_SCORES]], on="id", how="left", validate="one_to_one")
