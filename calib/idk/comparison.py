"""IDK sets and evaluations of several models or prompts, compared on the questions they share.

A label belongs to one model, prompt and sampling setting. So a rate on unknown questions is of the
questions that each side itself does not know, which may be harder for one than for the other;
beside it stands the rate on the questions that neither knows, and for known ones that both do.
Differences pair the sides' answers question by question and exchange and resample whole clusters;
the p of all of them are corrected together (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calib.fields import (
    Fields,
    check_fields,
    is_bool,
    is_list,
    is_mapping,
    is_text,
    or_null,
    read_object,
    read_objects,
)
from calib.idk.evaluate import Mask, Outcome, clusters, difference, differences, evaluate
from calib.intervals import Difference, add_holm
from calib.judge import answerable
from calib.judge.text import gold_texts
from calib.records import InputError, Item
from calib.runs.config import checked, kind_of
from calib.runs.kinds import IDK_EVALUATION, IDK_SET, RESULTS

FORMAT = "calib.idk.comparison/1"
OUTCOMES = "outcomes.jsonl"
EVALUATION = "evaluation"
RATES = ("truthful", "admit_rate", "over_refusal", "answered_accuracy")
SHARED = {"admit_shared": "admit_rate", "refusal_shared": "over_refusal"}
"""Rates on the questions of which both sides say the same, and the rate of each side by itself."""
RESAMPLES = 2000
ROLES = {"right", "wrong", "refused"}
OF_OUTCOMES: Fields = {
    "id": ("text", is_text),
    "question": ("text", is_text),
    "options": ("a list of texts", is_list(is_text)),
    "gold": ("a list of texts or null", or_null(is_list(is_text))),
    "known": ("true or false", is_bool),
    "cluster": ("text", is_text),
    "arms": (
        "right, wrong or refused by arm",
        is_mapping(lambda value: isinstance(value, str) and value in ROLES),
    ),
}


@dataclass(frozen=True)
class Side:
    """One set or evaluation: its rows by id, in its order. Without an evaluation ``arms`` is ()."""

    name: str
    path: Path
    facts: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]
    arms: tuple[str, ...]


def question_of(item: Item) -> dict[str, Any]:
    """What makes two questions the same, with the id: wording, options and right answers."""
    return {
        "id": item.id,
        "question": item.question,
        "options": list(item.options),
        "gold": list(gold_texts(item)) if answerable(item) else None,
    }


def compare_idk(folders: Sequence[str | Path], *, seed: int = 0) -> dict[str, Any]:
    """Two or more IDK sets or evaluations; all are compared with the first.

    A set stands for its evaluation where it has one, else for its labels alone. Plain JSON values:
    ``sides``, ``pairs`` (each with labels, arms and tests). Raises InputError where they share no
    question, and where one id is another question in each.
    """
    seed = checked("seed", seed)
    if len(folders) < 2:
        raise InputError(f"compare takes two or more IDK sets or evaluations, got {len(folders)}")
    paths = [evaluation_of(Path(folder)) for folder in folders]
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("compare takes each IDK set once, got one of them twice")
    sides = [read_side(path, name) for path, name in zip(paths, names_of(paths), strict=True)]
    first, *others = sides
    ids = [i for i in first.rows if all(i in side.rows for side in others)]
    if not ids:
        raise InputError(f"{' and '.join(map(str, paths))}: they have no question in common")
    for side in others:
        refuse_other_questions(first, side, ids)
    pairs = [pair_of(first, other, ids, seed) for other in others]
    add_holm([test for pair in pairs for test in pair["tests"]])
    return {
        "format": FORMAT,
        "n": len(ids),
        "seed": seed,
        "clusters": len({first.rows[i]["cluster"] for i in ids}),
        "sides": [
            {
                "name": side.name,
                "path": str(side.path),
                **side.facts,
                "questions": len(side.rows),
                "left_out": len(side.rows) - len(ids),
                "known": sum(side.rows[i]["known"] for i in ids),
                "arms": [
                    {"name": arm, **rates_of(outcomes(side, arm, ids, first), seed)}
                    for arm in side.arms
                ],
            }
            for side in sides
        ],
        "pairs": pairs,
    }


def evaluation_of(folder: Path) -> Path:
    """An evaluation, or a set that has none. InputError for what is neither."""
    if (kind := kind_of(folder)) not in (IDK_SET, IDK_EVALUATION):
        raise InputError(
            f"{folder}: expected an IDK set or its evaluation, got {kind or 'neither'}"
        )
    inside = folder / EVALUATION
    return inside if kind == IDK_SET and (inside / RESULTS).is_file() else folder


def names_of(paths: Sequence[Path]) -> list[str]:
    """The folders' names, an evaluation's that of its set; numbered where two are the same."""
    whole = [path.resolve() for path in paths]
    own = [path.parent.name if path.name == EVALUATION else path.name for path in whole]
    return [
        name if own.count(name) == 1 else f"{name} ({own[: place + 1].count(name)})"
        for place, name in enumerate(own)
    ]


def read_side(path: Path, name: str) -> Side:
    if kind_of(path) == IDK_SET:
        return labels_alone(path, name)
    results = read_object(path / RESULTS)
    if not (path / OUTCOMES).is_file():
        raise InputError(
            f"{path}: there is no {OUTCOMES}; calib idk evaluate with the same arguments "
            "writes it, and asks nothing again"
        )
    rows = {}
    for row, where in read_objects(path / OUTCOMES):
        check_fields(row, where, OF_OUTCOMES)
        rows[row["id"]] = row
    facts = {key: results.get(key) for key in ("model", "task", "tau")}
    arms = tuple(arm["name"] for arm in results["arms"])
    for i, row in rows.items():
        if set(row["arms"]) != set(arms):
            raise InputError(
                f"{path / OUTCOMES}: question {i!r} has the arms {', '.join(row['arms'])}, and "
                f"{RESULTS} {', '.join(arms)}"
            )
    return Side(name, path, facts, rows, arms)


def labels_alone(path: Path, name: str) -> Side:
    """A set that was never evaluated."""
    from calib.idk.folder import labels_of  # with it come the engines

    labelled = labels_of(path)
    rows = {
        drawn.item.id: {
            **question_of(drawn.item), "known": known, "cluster": drawn.cluster, "arms": {},
        }
        for drawn, known in zip(labelled.draws, labelled.known, strict=True)
    }  # fmt: skip
    config = labelled.run.config
    facts = {"model": config["model"], "task": config["task"], "tau": labelled.tau}
    return Side(name, path, facts, rows, ())


def refuse_other_questions(first: Side, other: Side, ids: Sequence[str]) -> None:
    for i in ids:
        for name in ("question", "options", "gold"):
            one, two = first.rows[i][name], other.rows[i][name]
            if one != two:
                raise InputError(
                    f"{other.path}: question {i!r} is another one than in {first.path}: its {name} "
                    f"is {repr(two)[:60]}, not {repr(one)[:60]}"
                )


def outcomes(side: Side, arm: str, ids: Sequence[str], first: Side) -> list[Outcome]:
    """What ``side`` answered in ``arm``, by its own labels, in the clusters of the first side."""
    found = []
    for i in ids:
        row, cluster = side.rows[i], first.rows[i]["cluster"]
        said = row["arms"][arm]
        found.append(
            Outcome(i, row["known"], said == "refused", said == "right", cluster=str(cluster))
        )
    return found


def rates_of(found: Sequence[Outcome], seed: int) -> dict[str, Any]:
    numbers = evaluate(found, n=RESAMPLES, seed=seed)
    return {
        "rates": {
            name: {**(asdict(rate) if (rate := numbers.rates[name]) else NO_RATE), "of": of}
            for name in RATES
            for of in [list(numbers.of[name])]
        }
    }


NO_RATE = dict.fromkeys(("value", "low", "high", "method"))


def pair_of(first: Side, other: Side, ids: Sequence[str], seed: int) -> dict[str, Any]:
    """What differs between the first side and another: other minus first."""
    known = [np.array([side.rows[i]["known"] for i in ids]) for side in (first, other)]
    groups = clusters(
        [Outcome(i, True, False, False, cluster=str(first.rows[i]["cluster"])) for i in ids]
    )
    whole = np.ones(len(ids), dtype=bool)
    tests = [
        tested(
            "labels",
            "known",
            difference((known[1], whole), (known[0], whole), groups, n=RESAMPLES, seed=seed),
        )
    ]
    arms = [arm for arm in first.arms if arm in other.arms]
    for arm in arms:
        a, b = (outcomes(side, arm, ids, first) for side in (first, other))
        found = differences(b, a, n=RESAMPLES, seed=seed)
        tests += [tested(arm, name, found[name]) for name in RATES]
        refused = [np.array([o.refused for o in each]) for each in (a, b)]
        bases: dict[str, Mask] = {
            "admit_shared": ~known[0] & ~known[1],
            "refusal_shared": known[0] & known[1],
        }
        for name, base in bases.items():
            between = difference(
                (refused[1], base), (refused[0], base), groups, n=RESAMPLES, seed=seed
            )
            tests.append({**tested(arm, name, between), "of": int(base.sum())})
    both, one, two = known[0] & known[1], known[0] & ~known[1], ~known[0] & known[1]
    return {
        "first": first.name,
        "second": other.name,
        "labels": {
            "both": int(both.sum()),
            "first_only": int(one.sum()),
            "second_only": int(two.sum()),
            "neither": int((~known[0] & ~known[1]).sum()),
        },
        "arms": arms,
        "arms_left_out": sorted({*first.arms, *other.arms} - set(arms)),
        "tests": tests,
    }


def tested(arm: str, rate: str, found: Difference | None) -> dict[str, Any]:
    """One difference as plain values; without bounds and p where a side has no such rate."""
    values = asdict(found) if found is not None else {**NO_RATE, "p": None, "least_p": 0.0}
    return {"arm": arm, "rate": rate, **values}
