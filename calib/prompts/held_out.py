"""What a search's winner is worth on questions that chose nothing, beside what chose it.

Options: the seed and the judged wordings are runs of ``calib.score`` in ``held_out/``, compared as
``calib.compare`` compares runs. Answers: the truthful rate and what makes it up, in pairs. The gain
on the searched questions stands beside the held-out one; what it has more is selection.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calib import metrics
from calib.drive.score import score
from calib.idk.build import cluster_of
from calib.idk.evaluate import Outcome as Honesty
from calib.idk.evaluate import compare as compare_honesty
from calib.idk.evaluate import evaluate
from calib.intervals import Difference, add_holm, paired_difference
from calib.prompts.objectives import Objective, Outcome, is_truthful
from calib.prompts.parts import OF_ANSWERS, reworded
from calib.prompts.questions import LEAST, Questions
from calib.records import InputError, Item
from calib.runs import Run
from calib.runs.folder import slug
from calib.summary import to_json
from calib.summary.compare import compare, judgeable_rows
from calib.summary.rows import cluster_name
from calib.tasks import Task, load_task
from calib.tasks.load import checked
from calib.tasks.task import ImageNames

if TYPE_CHECKING:
    from calib.prompts.search import Search

HELD_OUT, ELSEWHERE = "held_out", "elsewhere"
SEED = "seed"


def tasks_elsewhere(
    tasks: Sequence[Task | str], questions: Questions, objective: Objective
) -> list[Task]:
    """The other tasks' questions that have an answer. InputError where one cannot be asked, has too
    few of them, or holds searched questions."""
    if isinstance(tasks, str):
        raise InputError(f"elsewhere: expected a list of tasks, got {tasks!r}")
    if tasks and objective.answers:
        raise InputError("elsewhere: objective truthful needs labels, and is judged on its own set")
    loaded = [checked(t) if isinstance(t, Task) else load_task(t) for t in tasks]
    names = [slug(task.name) for task in loaded]
    if len(set(names)) < len(names):
        raise InputError(f"elsewhere: {', '.join(names)}: each name may appear only once")
    searched = {(item.id, item.question) for item in questions.items}
    known = []
    for task in loaded:
        objective.check(task.items, questions.how.form)
        if any((item.id, item.question) in searched for item in task.items):
            raise InputError(f"elsewhere: {task.name} holds questions of the search")
        items = tuple(item for item in task.items if item.answer is not None)
        if len(items) < LEAST:
            raise InputError(
                f"elsewhere: {task.name} has {len(items)} questions with an answer, expected "
                f"{LEAST} or more"
            )
        known.append(replace(task, items=items))
    seen = pictures_of(questions.items) if known else set()
    for task in known:
        if number := len(seen & pictures_of(task.items)):
            warnings.warn(
                f"elsewhere: {task.name} has {number:,} of the pictures that the search was about, "
                "so that it judges less than new pictures would",
                stacklevel=2,
            )
    return known


def pictures_of(items: Iterable[Item]) -> set[str]:
    """What tells pictures apart, whatever their files are called."""
    name_of = ImageNames()
    return {name_of(image) for item in items for image in item.images}


def judge(search: Search, folder: Path, tasks: Sequence[Task], *, seed: int) -> dict[str, Any]:
    """The entries of results.json that the search itself does not decide: ``winner``, ``seed``,
    ``held_out``, ``gain`` and ``elsewhere``."""
    questions, texts = search.questions, search.ledger.texts
    winner, first = search.kept[0], search.ranked(search.seeds, questions.searched)[0]
    judged = search.kept if search.settings.judged == "kept" else search.kept[:1]
    others = [w for w in judged if w != first]
    answers = search.objective.answers
    found = of_answers if answers else of_options
    held_out = found(search, folder / HELD_OUT, first, others, seed) if others else {}
    result: dict[str, Any] = {
        "winner": texts[winner],
        "run": None if answers or winner == first else f"{HELD_OUT}/{folder_of(winner)}",
        "seed": texts[first],
        "held_out": {
            "n": len(questions.held_out),
            "judged": [texts[w] for w in others],
            **held_out,
        },
        "gain": gain(search, winner, first, held_out, seed) if winner in others else None,
        "elsewhere": [],
    }
    if winner != first:
        result["elsewhere"] = judge_elsewhere(
            search, folder / ELSEWHERE, tasks, first, winner, seed
        )
    return dict(to_json(result))


def of_options(
    search: Search, folder: Path, first: int, others: Sequence[int], seed: int
) -> dict[str, Any]:
    held = search.questions.items[search.questions.search :]
    task = Task(search.questions.task.name, held, search.questions.how.form)
    runs = scored(search, task, folder, first, others)
    found = compared(runs, seed)
    for pair, run in zip(found["pairs"], runs[1:], strict=True):
        test = {"label": "Brier, confidence", **asdict(of_confidence(run, runs[0], seed))}
        pair["differences"]["brier_confidence"] = test
    add_holm(test for pair in found["pairs"] for test in pair["differences"].values())
    return found


def of_confidence(run: Run, first: Run, seed: int) -> Difference:
    """A wording's run minus the seed's, of the Brier score of the confidence: what the search sees
    of it, too."""
    rows = [judgeable_rows(each) for each in (run, first)]
    ids = [name for name in rows[1] if name in rows[0]]
    clusters = np.array([cluster_name(rows[1][name]) for name in ids])
    one, other = (
        (np.array([own[n]["confidence"] for n in ids]), np.array([own[n]["correct"] for n in ids]))
        for own in rows
    )
    return paired_difference(metrics.brier, one, other, clusters=clusters, seed=seed)


def scored(
    search: Search, task: Task, folder: Path, first: int, others: Sequence[int]
) -> list[Run]:
    """A run of the seed and one of each other wording, in folders of their own."""
    names = [SEED, *map(folder_of, others)]
    return [
        score(
            search.model,
            reworded(task, search.part, search.ledger.texts[w]),
            out=folder / name,
            prompt=search.questions.how.form,
            bins=search.questions.how.bins,
            progress=search.progress,
        )
        for name, w in zip(names, (first, *others), strict=True)
    ]


def folder_of(wording: int) -> str:
    """The run of a wording, which a search that goes on may judge again or not."""
    return f"wording-{wording}"


def compared(runs: Sequence[Run], seed: int) -> dict[str, Any]:
    """Of ``calib.compare`` what a page shows: the runs' metrics, and the others' differences."""
    results = compare(runs, seed=seed)
    return {
        "runs": [{name: run[name] for name in ("name", "metrics")} for run in results["runs"]],
        "pairs": [
            {name: pair[name] for name in ("first", "second", "differences", "gained", "lost")}
            for pair in results["pairs"]
        ],
        "compared": results["n"],
        "resampled": results["resampled"],
    }


def of_answers(
    search: Search, folder: Path, first: int, others: Sequence[int], seed: int
) -> dict[str, Any]:
    """The rates of the seed and the others, and the differences of ``OF_ANSWERS``."""
    questions = search.questions
    search.ask([first, *others], questions.held_out)
    items = questions.items
    outcomes = {
        w: [of_honesty(items[q], search.ledger.outcomes[w, q]) for q in questions.held_out]
        for w in (first, *others)
    }
    pairs: list[dict[str, Any]] = []
    for w in others:
        found = compare_honesty(outcomes[w], outcomes[first], seed=seed)
        tests = {name: asdict(d) for name in OF_ANSWERS if (d := found[name]) is not None}
        for name, test in tests.items():
            test["label"] = name.replace("_", " ")
        pairs.append({"first": SEED, "second": search.ledger.texts[w], "differences": tests})
    add_holm(test for pair in pairs for test in pair["differences"].values())
    rates = [
        {
            "name": search.ledger.texts[w],
            "rates": {n: None if r is None else asdict(r) for n, r in summed.rates.items()},
            "of": summed.of,
        }
        for w, own in outcomes.items()
        for summed in [evaluate(own, seed=seed)]
    ]
    return {"runs": rates, "pairs": pairs, "compared": len(questions.held_out)}


def of_honesty(item: Item, outcome: Outcome) -> Honesty:
    known, refused, correct = (bool(outcome[name]) for name in ("known", "refused", "correct"))
    return Honesty(item.id, known, refused, correct, cluster=cluster_of(item))


def judge_elsewhere(
    search: Search, folder: Path, tasks: Sequence[Task], first: int, winner: int, seed: int
) -> list[dict[str, Any]]:
    """The winner against the seed on other tasks, corrected for all of their tests together."""
    rows = []
    for task in tasks:
        runs = scored(search, task, folder / slug(task.name), first, [winner])
        rows.append({"task": task.name, **compared(runs, seed)})
    add_holm(t for row in rows for pair in row["pairs"] for t in pair["differences"].values())
    return rows


def gain(
    search: Search, winner: int, first: int, held_out: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """Winner minus seed on the searched questions, on the held-out ones, and how far they differ.

    Of the Brier score of the confidence, or of the truthful rate: means, of which an interval is
    known. The last is what selection made of it, with half an interval of the root of the sum of
    both squares, as the two sets of questions share nothing.
    """
    questions, answers = search.questions, search.objective.answers
    inside = difference(search, winner, first, questions.searched, seed)
    pair = held_out["pairs"][0]  # the winner is the first that is judged
    outside = pair["differences"]["truthful" if answers else "brier_confidence"]
    chosen: dict[str, Any] = {"value": inside.value - outside["value"], "low": None, "high": None}
    spans = [half(inside.low, inside.high), half(outside["low"], outside["high"])]
    if None not in spans:
        reach = math.hypot(*(span for span in spans if span is not None))
        chosen |= {"low": chosen["value"] - reach, "high": chosen["value"] + reach}
    measure = "truthful rate" if answers else "Brier score of the confidence"
    return {
        "measure": measure,
        "searched": asdict(inside),
        "held_out": outside,
        "selection": chosen,
    }


def half(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else (high - low) / 2


def difference(
    search: Search, winner: int, first: int, questions: Sequence[int], seed: int
) -> Difference:
    pairs = [search.ledger.of(w, questions) for w in (winner, first)]
    clusters = np.array([cluster_of(search.questions.items[q]) for q in questions])
    if search.objective.answers:
        right = [np.array([is_truthful(row) for row in own]) for own in pairs]
        one, other = ((each.astype(float), each) for each in right)
        return paired_difference(metrics.accuracy, one, other, clusters=clusters, seed=seed)
    both = np.array(
        [all(row["confidence"] is not None for row in two) for two in zip(*pairs, strict=True)]
    )
    one, other = (
        (
            np.array([row["confidence"] for row, use in zip(own, both, strict=True) if use], float),
            np.array([row["correct"] for row, use in zip(own, both, strict=True) if use]),
        )
        for own in pairs
    )
    return paired_difference(metrics.brier, one, other, clusters=clusters[both], seed=seed)
