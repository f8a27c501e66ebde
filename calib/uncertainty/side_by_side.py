"""The measures of a sampled run in one table, with the correctness of an answer per question.

The answer that is judged is never among the samples that the measures are made of. It is the answer
of another run (``answers``, as one at a low temperature), else the first sample; then the measures
come from the other samples. A scored run of the same questions (``scores``) adds the measures of
its probabilities. P(True) of the judged answers is read where ``calib.p_true`` has put it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from calib.judge import answerable, refuse_unjudgeable, verdicts
from calib.judge.choice import AUTO
from calib.judge.text import gold_texts
from calib.records import Answer, InputError, Item
from calib.runs import Run, open_run
from calib.runs.kinds import CONFIG, need
from calib.summary import to_json
from calib.uncertainty.agreement import agreement, curves_of
from calib.uncertainty.meaning import DEFAULT, Meaning, meaning_of
from calib.uncertainty.measures import (
    against_correctness,
    bare,
    label,
    of_clusters,
    paired_tests,
    rank_correlations,
    uncertainties,
    verbalized,
)
from calib.uncertainty.telling import Case, counted, first_of, outcome, telling

OF_SCORES = ("confidence", "entropy", "mass")
P_TRUE = "p_true"
"""The folder, in that of a sampled run, with P(True) of its judged answers."""
FACTS = ("temperature", "top_p", "max_new_tokens", "prompt", "seed", "versions", "machine", "git")


def side_by_side(
    run: Run,
    *,
    answers: Run | None = None,
    scores: Run | None = None,
    judge: str = AUTO,
    equivalence: str | Meaning = DEFAULT,
    resamples: int = 1000,
) -> dict[str, Any]:
    """AUROC and AURC of every measure with intervals, and their rank correlations.

    ``equivalence``: which samples mean the same (``calib.uncertainty.meaning``). ``resamples``: of
    the tests, whose p is 2 / (resamples + 1) at least. Questions without a known answer are left
    out. Raises InputError where the runs do not hold the same questions, or
    too few samples to measure anything.
    """
    meaning = meaning_of(equivalence)
    items = need(run, "the table of measures").items()
    asked = list(cases(run, judgeable(items, judge), answers, least=1))
    table = table_of(asked, scores, judge, meaning)
    p_true_run = p_true_of(run if answers is None else answers)
    if p_true_run is not None:
        table = with_p_true(table, p_true_run)
    measured = uncertainties(table)
    clusters = pd.factorize(table["cluster"])[0]
    matrix = rank_correlations(measured)
    results: dict[str, Any] = to_json(
        {
            "format": "calib.measures/1",
            "model": run.config["model"],
            "task": run.config["task"],
            "questions": len(items),
            "n": len(table),
            "samples": run.config["samples"] - (answers is None),
            "accuracy": float(table["correct"].mean()),
            "judged": judged_of(answers),
            "equivalence": meaning.facts,
            "first": first_of(items, run.path),
            "outcomes": counted(table["outcome"].tolist()),
            "measures": against_correctness(measured, table["correct"], clusters=clusters),
            "tests": paired_tests(measured, table["correct"], clusters=clusters, n=resamples),
            "labels": [label(name) for name in measured.columns],
            "correlations": matrix.to_numpy().tolist(),
            "agreement": agreement(measured, matrix),
            "curves": curves_of(measured, table["correct"], clusters),
            "examples": telling(
                asked, table["outcome"].tolist(), measured, judge, run.path, meaning
            ),
            "facts": {
                "samples": str(run.path),
                "judged": None if answers is None else str(answers.path),
                "scores": None if scores is None else str(scores.path),
                "P(True)": None if p_true_run is None else str(p_true_run.path),
                "judge": judge,
                "equivalence": meaning.name,
                **{name: run.config.get(name) for name in FACTS},
            },
        }
    )
    return results


def judgeable(items: Sequence[Item], judge: str) -> list[Item]:
    """The items whose right answer is known, or which nobody can answer.

    Raises InputError where there is no such ``judge``, or where it cannot judge one of the items.
    """
    usable = [item for item in items if gold_texts(item) or not answerable(item)]
    refuse_unjudgeable(usable, judge)
    return usable


def judged_of(answers: Run | None) -> str:
    if answers is None:
        return (
            "Judged is the first sample of each question; the measures come from the others, so "
            "that no answer vouches for itself."
        )
    how = "greedy" if answers.config["greedy"] else f"temperature {answers.config['temperature']:g}"
    return f"Judged is one separate answer to each question ({how}), not among the samples."


def table_of(
    asked: Sequence[Case], scores: Run | None, judge: str, meaning: Meaning | None = None
) -> pd.DataFrame:
    """One row per question: its measures under the names of ``MEASURES``, correct and outcome."""
    rows = []
    samples = [[bare(sample) for sample in others] for _, _, others in asked]
    together = (meaning or Meaning()).of_all(samples, [item.question for item, _, _ in asked])
    for (item, answer, others), clusters in zip(asked, together, strict=True):
        verdict = verdicts(item, [bare(answer)], judge)[0]
        row: dict[str, Any] = {
            "id": item.id,
            "cluster": item.meta.get("cluster", item.id),
            "correct": bool(verdict.correct),
            "outcome": outcome(verdict),
            **measures_of(answer, others, clusters),
        }
        rows.append(row)
    table = pd.DataFrame(rows)
    return table if scores is None else with_scores(table, scores)


def measures_of(
    answer: Answer, others: Sequence[Answer], clusters: Sequence[int]
) -> dict[str, float | None]:
    """The measures of one question, under the names of ``MEASURES``; ``answer`` is judged, and
    ``clusters`` (R,) are those of the ``others`` (R,)."""
    stated = stated_of(answer, others)
    return {
        "logprob": answer.logprob,
        "mean_logprob": answer.mean_logprob,
        **of_clusters([bare(sample) for sample in others], clusters),
        **({} if stated is None else {"verbalized": stated}),
    }


def cases(
    run: Run, items: Sequence[Item], answers: Run | None, *, least: int
) -> Iterator[tuple[Item, Answer, list[Answer]]]:
    """Each question with the answer that is judged and the samples beside it, ``least`` or more."""
    samples_of = by_item(run)
    answers_of = {} if answers is None else by_item(answers)
    fewest = least + (answers is None)
    if int(run.config["samples"]) == 1 < fewest:
        raise InputError(
            f"{run.path}: it holds one answer to each question, and measures need samples beside "
            f"it: calib report SAMPLES --answers {run.path} judges its answers beside the samples "
            f"of another run, calib p_true {run.path} says how many are right and whether the "
            "model knows, and calib sample continues it with more --samples"
        )
    if (
        not items
        or int(run.config["samples"]) < fewest
        or set(samples_of) != {i.id for i in run.items()}
    ):
        raise InputError(
            f"{run.path}: expected a finished run of {fewest} or more samples of questions that "
            "can be judged"
        )
    if answers is not None and any(item.id not in answers_of for item in items):
        raise InputError(f"{answers.path}: it lacks answers to questions of {run.path}")
    for item in items:
        samples = samples_of[item.id]
        if answers is None:
            yield item, samples[0], samples[1:]
        else:
            yield item, answers_of[item.id][0], samples


def stated_of(answer: Answer, others: Sequence[Answer]) -> float | None:
    """The confidence that the judged answer states, else the mean of what the samples state."""
    own = verbalized(answer.text)
    if own is not None:
        return own
    stated = [value for sample in others if (value := verbalized(sample.text)) is not None]
    return float(np.mean(stated)) if stated else None


def by_item(run: Run) -> dict[str, list[Answer]]:
    """Every question's answers, by its id."""
    answers: dict[str, list[Answer]] = {}
    for row in need(run, "the table of measures").answers().to_dict("records"):
        answer = Answer(row["text"], row["tokens"], row["logprob"], row["entropy"], row["finish"])
        answers.setdefault(row["id"], []).append(answer)
    return answers


def with_scores(table: pd.DataFrame, scores: Run) -> pd.DataFrame:
    scored = need(scores, "--scores of calib report").scores()
    if not len(scored) or not set(table["id"]) <= set(scored["id"]):
        raise InputError(f"{scores.path}: it does not score all of the sampled questions")
    return table.merge(scored[["id", *OF_SCORES]], on="id", how="left", validate="one_to_one")


def p_true_of(run: Run) -> Run | None:
    """The scored run that holds P(True) of a sampled run's answers, where there is one."""
    folder: Path = run.path / P_TRUE
    return open_run(folder) if (folder / CONFIG).exists() else None


def with_p_true(table: pd.DataFrame, p_true_run: Run) -> pd.DataFrame:
    """The table with a column ``p_true``; nan for questions that the run does not hold."""
    by_id = {
        row["id"]: p_true_in(row, p_true_run.config["confidence"]) for row in p_true_run.rows()
    }
    return table.assign(p_true=table["id"].map(by_id).astype(float))


def p_true_in(row: dict[str, Any], confidence: str) -> float:
    """The first option's probability, among both options or among all tokens."""
    value = row["prob"][0] if confidence == "options" else row["logprob"][0]
    if value is None:
        return math.nan
    return float(value) if confidence == "options" else math.exp(value)
