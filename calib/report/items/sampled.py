"""The questions of a sampled run: the answer that is judged, and the samples by what they mean.

Judged is what ``calib.uncertainty.side_by_side`` judges, and the measures are its measures: the
page and the report agree. Besides it every sample is judged here, once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calib.judge import verdicts
from calib.judge.choice import AUTO
from calib.judge.text import gold_texts
from calib.records import Answer, Item
from calib.report.items.prompts import Prompts
from calib.report.items.question import (
    UNJUDGED,
    Option,
    Picture,
    Question,
    Said,
    Source,
    state_of,
)
from calib.runs import Run
from calib.uncertainty.meaning import DEFAULT, Meaning, meaning_of
from calib.uncertainty.measures import MEASURES, bare, label
from calib.uncertainty.side_by_side import (
    OF_SCORES,
    by_item,
    judgeable,
    measures_of,
    p_true_in,
    p_true_of,
)
from calib.uncertainty.telling import named

Answers = dict[str, list[Answer]]
Beside = Callable[[str], dict[str, float | None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the answer that is judged and the samples beside it."""

    index: int
    item: Item
    answer: Answer
    others: Sequence[Answer]
    known: bool
    """Whether the right answer is known, or that nobody can know it."""


def sampled(
    run: Run,
    *,
    answers: Run | None = None,
    scores: Run | None = None,
    judge: str = AUTO,
    equivalence: str | Meaning = DEFAULT,
) -> Source:
    items, meaning = run.items(), meaning_of(equivalence)
    known = {item.id for item in judgeable(items, judge)}
    samples = by_item(run)
    judged = None if answers is None else by_item(answers)
    beside = beside_of(run if answers is None else answers, scores)
    asked = list(asked_of(items, samples, judged, known))
    return Source(
        title=f"{run.config['model']} on {run.config['task']}",
        confidence="samples that agree",
        total=len(asked),
        questions=questions(run.path, asked, judge, beside, meaning),
    )


def asked_of(
    items: Sequence[Item], samples: Answers, judged: Answers | None, known: set[str]
) -> Iterator[Asked]:
    """The questions that have answers, which are not all where the run is not finished."""
    for index, item in enumerate(items):
        own = samples.get(item.id, [])
        first = own[:1] if judged is None else judged.get(item.id, [])[:1]
        if first:
            others = own[1:] if judged is None else own
            yield Asked(index, item, first[0], others, item.id in known)


def beside_of(judged: Run, scores: Run | None) -> Beside:
    """The measures of a question's id that were not made of its samples."""
    found: dict[str, dict[str, float | None]] = {}
    for row in [] if scores is None else scores.rows():
        found.setdefault(row["id"], {}).update({name: row.get(name) for name in OF_SCORES})
    p_true = p_true_of(judged)
    for row in [] if p_true is None else p_true.rows():
        value = p_true_in(row, p_true.config["confidence"]) if p_true is not None else None
        found.setdefault(row["id"], {})["p_true"] = value
    return lambda id: found.get(id, {})


def questions(
    folder: Path, asked: Sequence[Asked], judge: str, beside: Beside, meaning: Meaning
) -> Iterator[Question]:
    prompts = Prompts(folder)
    for one in asked:
        yield question_of(
            folder, one, judge, prompts.of(one.index, one.item.id), beside(one.item.id), meaning
        )


def question_of(
    folder: Path,
    asked: Asked,
    judge: str,
    prompt: str | None,
    beside: dict[str, float | None],
    meaning: Meaning,
) -> Question:
    item = asked.item
    said = said_of(asked, judge)
    places = meaning.clusters([bare(answer) for answer in asked.others], item.question)
    own = measures_of(asked.answer, asked.others, places) if asked.others else {}
    measures = {**beside, **own}
    clusters = clusters_of(places, said[1:])
    golds = gold_texts(item)
    return Question(
        id=item.id,
        state=said[0].state,
        confidence=len(clusters[0]) / len(asked.others) if clusters else None,
        group=None if item.group is None else str(item.group),
        question=item.question,
        options=tuple(
            Option(text, None, "gold" if number == item.answer else "")
            for number, text in enumerate(item.options)
        ),
        gold=golds[0] if golds else None,
        prompt=prompt,
        pictures=tuple(Picture(Path(str(i)).name, named(i, folder)) for i in item.images),
        judged=said[0],
        clusters=clusters,
        measures=tuple(
            (label(name), turned(name, measures[name])) for name in MEASURES if name in measures
        ),
    )


def said_of(asked: Asked, judge: str) -> list[Said]:
    """The judged answer and then the samples, each with its verdict; a text is judged once."""
    answers = [asked.answer, *asked.others]
    if not asked.known:
        return [Said(answer.text, UNJUDGED) for answer in answers]
    texts = {answer.text: bare(answer) for answer in answers}
    judged = verdicts(asked.item, list(texts.values()), judge)
    states = {text: state_of(verdict) for text, verdict in zip(texts, judged, strict=True)}
    return [Said(answer.text, states[answer.text]) for answer in answers]


def clusters_of(places: Sequence[int], said: Sequence[Said]) -> tuple[tuple[Said, ...], ...]:
    """The samples that mean the same together, the largest cluster first; ``places`` (R,) are
    their clusters."""
    clusters: dict[int, list[Said]] = {}
    for place, one in zip(places, said, strict=True):
        clusters.setdefault(place, []).append(one)
    return tuple(map(tuple, sorted(clusters.values(), key=len, reverse=True)))


def turned(name: str, value: Any) -> float | None:
    """A measure as the report counts it: higher is less sure. None where it is not known."""
    if value is None or not math.isfinite(value):
        return None
    return float(MEASURES[name].turn(np.asarray(value, dtype=np.float64)))
