"""Every question of every pair asked once: pairs in, a folder with a report's numbers out.

pairs -> "I don't know" among the options -> a run of ``calib.score`` -> outcomes -> measures

Questions without options are sampled instead, greedily, with permission not to know. Stopped, the
same call goes on.

``scores/``      the questions with options, a run of ``calib score``
``answers/``     the questions without, a run of ``calib sample``
``pairs.jsonl``  what each pair came to
``results.json`` the measures
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from calib.drive import engine
from calib.drive.sample import sample
from calib.drive.score import check_items, score
from calib.idk.arms import IDK
from calib.idk.ask import LISTING
from calib.judge import refuse_unjudgeable, verdicts
from calib.judge.choice import AUTO
from calib.judge.refusal import idk_options
from calib.models.protocol import Model, is_whole
from calib.records import InputError, Item
from calib.runs.begin import begin
from calib.runs.config import checked as checked_setting
from calib.runs.durable import replace as write
from calib.runs.folder import Progress, slug
from calib.runs.kinds import RESULTS, TWINS
from calib.summary import to_json
from calib.summary.rows import drawn_whole
from calib.tasks import Task, load_task
from calib.tasks.load import checked
from calib.tasks.task import ImageNames, digest
from calib.twin_sets.examples import examples
from calib.twin_sets.file import file_in, made_beside
from calib.twin_sets.measures import ANSWERS, FORMAT, SCORES, Outcome, by_way
from calib.twin_sets.pairs import LeftOut, Pair, checked_idk, pairs_in, with_idk
from calib.uncertainty.measures import unstated

OUTCOMES = "pairs.jsonl"
LONGEST = 24
"""Tokens of an answer in words."""


@dataclass(frozen=True)
class Twins:
    """What was found: ``results``, as in its results.json, and the folder with all of it."""

    results: dict[str, Any]
    path: Path


@dataclass(frozen=True)
class Said:
    """One answer: whether it is right and whether it abstains, its mass on what says "I don't know"
    among the options (None without options), the answer in words, and whether it could be read."""

    right: bool
    abstains: bool
    text: str
    mass: float | None = None
    unread: bool = False


def evaluate_twins(
    model: Model | str,
    task: Task | str | Path,
    *,
    out: str | Path | None = None,
    idk: str = IDK,
    prompt: str | None = None,
    limit: int | None = None,
    batch_size: int | str = "auto",
    max_new_tokens: int = LONGEST,
    seed: int = 0,
    progress: Progress | None = None,
) -> Twins:
    """Ask every question of every pair of ``task`` and say how well the model tells them apart.

    ``task``: a task, a file of pairs, or a folder of ``calib twins make``. A question with options
    gets one more, ``idk``, unless it has one that says so; it is asked in ``prompt``
    (default: the task's own, or "letters" where that shows no options), and abstains where an
    option that says so is the likeliest. One without is asked by one greedy answer of
    ``max_new_tokens``, with permission not to know; whether it abstains is read by ``calib.judge``.
    ``limit`` pairs are drawn by the seed. Other arguments as of ``calib.score``.

    The same call goes on where an earlier one was stopped. Raises InputError for what is refused
    before a model is loaded, also where no pair is whole.
    """
    # 1. The pairs, as they are asked; all that can be refused without a model.
    own = load_task(str(file_in(task))) if isinstance(task, (str, Path)) else checked(task)
    seed = checked_setting("seed", seed)
    if not is_whole(max_new_tokens, 1):
        raise InputError(f"max_new_tokens: expected a positive whole number, got {max_new_tokens}")
    found, left_out, form = checked_pairs(own, idk, prompt)
    pairs = drawn(found, limit, seed)
    asked = {item.id: with_idk(item, idk) for pair in pairs for item in both(pair)}
    listed = [item for item in asked.values() if item.options]
    free = [item for item in asked.values() if not item.options]

    # 2. The folder, and an answer to every question.
    model = engine.loaded(model)
    path = Path(out) if out is not None else Path("runs") / slug(f"{model.name}-{own.name}-twins")
    config = {
        **engine.facts_of(model),
        "kind": TWINS,
        "task": own.name,
        "source": own.source,
        "questions": len(asked),
        "items": digest(asked.values()),
        "prompt": form if listed else None,
        "idk": idk if listed else None,
        "max_new_tokens": max_new_tokens if free else None,
        "limit": limit,
        "seed": seed,
    }
    run = begin(path, config, OUTCOMES)
    with closing(run):
        said: dict[str, Said] = {}
        if listed:
            part = Task(f"{own.name}, with options", tuple(listed), form)
            scored = score(
                model,
                part,
                out=path / SCORES,
                prompt=form,
                batch_size=batch_size,
                seed=seed,
                progress=progress,
            )
            said |= scored_answers(scored.rows(), asked)
        if free:
            part = Task(f"{own.name}, in words", tuple(free), "options")
            texts = sample(
                model,
                part,
                out=path / ANSWERS,
                prompt="options",
                samples=1,
                greedy=True,
                max_new_tokens=max_new_tokens,
                batching="packed",
                rows=32,
                seed=seed,
                progress=progress,
            ).answers()["text"]
            said |= judged_answers(free, [str(text) for text in texts])

        # 3. What each pair came to, and all of them.
        whole = [pair for pair in pairs if all(item.id in said for item in both(pair))]
        if len(whole) < len(pairs):
            lost = [pair.name for pair in pairs if pair not in whole]
            left_out["the model gave no finite score"] = list(dict.fromkeys(lost))
        if not whole:
            raise InputError(f"{path}: the model gave no finite score to any whole pair")
        outcomes = [outcome_of(pair, said) for pair in whole]
        run.cut(0)
        run.append([asdict(outcome) | {"dual": outcome.dual} for outcome in outcomes])
        ways, tests = by_way(outcomes, seed)
        name = ImageNames()
        pictures = [tuple(name(i) for i in pair.answerable.images) for pair in whole]
        first = {pair.name: k for k, pair in enumerate(whole)}  # a pair of several ways counts once
        results = {
            "format": FORMAT,
            "model": model.name,
            **{name: config[name] for name in ("task", "source", "prompt", "idk", "seed", "limit")},
            "questions": len(asked),
            "pairs": len(whole),
            "resampled": drawn_whole(
                [outcomes[k].cluster for k in first.values()], [pictures[k] for k in first.values()]
            ),
            "ways": ways,
            "tests": tests,
            "left_out": [
                {"reason": reason, "number": len(names), "first": names[:3]}
                for reason, names in left_out.items()
            ],
            "made": made_beside(own.source),
            "examples": examples(whole, outcomes, asked, said, path),
        }
        results = dict(to_json(results))
        write(path / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return Twins(results, path)


def checked_pairs(
    task: Task, idk: str = IDK, prompt: str | None = None
) -> tuple[list[Pair], LeftOut, str]:
    """The whole pairs of ``task``, what is left out, and the prompt form of those with options.

    Raises InputError where there is no whole pair, and for a question that cannot be asked.
    """
    found, left_out = pairs_in(task.items)
    if not found:
        raise InputError(f"task {task.name}: it holds no whole pair; {told(left_out)}")
    form, idk = form_of(task, prompt), checked_idk(idk)
    asked = [with_idk(item, idk) for pair in found for item in both(pair)]
    check_items([item for item in asked if item.options], form)
    refuse_unjudgeable([item for item in asked if not item.options], AUTO)
    return found, left_out, form


def both(pair: Pair) -> tuple[Item, Item]:
    return pair.answerable, pair.unanswerable


def drawn(pairs: Sequence[Pair], limit: int | None, seed: int) -> list[Pair]:
    """The pairs of ``limit`` questions drawn by the seed, each with all of its twins."""
    own = {pair.name: pair.answerable for pair in pairs}
    questions = [replace(item, id=name) for name, item in own.items()]
    names = {item.id for item in Task("pairs", tuple(questions)).selection(limit, seed)}
    return [pair for pair in pairs if pair.name in names]


def form_of(task: Task, prompt: str | None) -> str:
    """A prompt form that shows the options, and so the one that is added."""
    if prompt is None:
        return task.prompt if task.prompt in LISTING else LISTING[0]
    if prompt not in LISTING:
        raise InputError(f"prompt: expected one of {', '.join(LISTING)}, got {prompt!r}")
    return prompt


def told(left_out: LeftOut) -> str:
    """What is not a pair, and why."""
    return "; ".join(
        f"{len(names)} left out, as {reason} ({', '.join(names[:3])}{', ...' if names[3:] else ''})"
        for reason, names in left_out.items()
    )


def scored_answers(rows: Sequence[Mapping[str, Any]], asked: Mapping[str, Item]) -> dict[str, Said]:
    """By id, what the likeliest option says; questions without a finite score are left out."""
    said = {}
    for row in rows:
        item = asked[str(row["id"])]
        idk = idk_options(item)
        assert idk, "every question with options was given one"
        if row["confidence"] is None or None in row["prob"] or not row.get("valid", True):
            continue
        best = int(row["prediction"])
        abstains, mass = best in idk, min(1.0, sum(row["prob"][place] for place in idk))
        right = best == item.answer and not abstains
        said[item.id] = Said(right, abstains, item.options[best], mass)
    return said


def judged_answers(items: Sequence[Item], texts: Sequence[str]) -> dict[str, Said]:
    """By id, what an answer in words says, read by ``calib.judge``."""
    said = {}
    for item, text in zip(items, texts, strict=True):
        (verdict,) = verdicts(item, [unstated(text)])
        unread = verdict.parsed is None and not verdict.refused
        right = bool(verdict.correct) and not verdict.refused
        said[item.id] = Said(right, verdict.refused, text, None, unread)
    return said


def outcome_of(pair: Pair, said: Mapping[str, Said]) -> Outcome:
    question, twin = said[pair.answerable.id], said[pair.unanswerable.id]
    return Outcome(
        pair.name,
        pair.how,
        pair.cluster,
        question.right,
        question.abstains,
        twin.abstains,
        question.mass,
        twin.mass,
        question.unread,
        twin.unread,
    )
