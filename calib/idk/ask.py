"""Ask the questions of an IDK set again, once in every arm: what is refused, what is answered.

Each arm is a run of ``calib sample`` with one answer to a question at a low temperature, drawn from
another seed stream than the build's samples. An arm that has its answers is not asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from calib.idk.arms import ARMS, arm
from calib.idk.build import cluster_of, pictures_of, sweep
from calib.idk.comparison import EVALUATION as EVALUATION
from calib.idk.comparison import OUTCOMES, question_of
from calib.idk.draw import Subject, draw
from calib.idk.evaluate import FORMAT, Outcome, compare, evaluate, quadrant
from calib.idk.folder import Labelled, label, labels_of, provenance, tally
from calib.judge import answerable, verdicts
from calib.judge.choice import option_said
from calib.judge.text import gold_texts
from calib.models.protocol import Model
from calib.records import ImageRef, InputError, Item, Verdict
from calib.runs.config import checked
from calib.runs.durable import refuse_no_folder, replace
from calib.runs.folder import RESULTS, Progress
from calib.summary.rows import drawn_whole
from calib.tasks import Task
from calib.uncertainty.measures import unstated

EXAMPLES = 3
"""Examples of each quadrant in a report."""
TEMPERATURE = 0.1
ROWS = 32
"""Questions that decode together: one answer each leaves little else to do at once."""
LISTING = ("letters", "llava", "paper", "listed")
"""Prompt forms that show the options, and so an option more."""


@dataclass(frozen=True)
class Arm:
    """One way of asking, and what came of it."""

    name: str
    prompt: str
    items: tuple[Item, ...]  # the items as this arm words them
    texts: list[str]
    verdicts: list[Verdict]
    outcomes: list[Outcome]


def ask_set(
    model: Model | str | Subject | None,
    folder: str | Path,
    *,
    arms: Sequence[str] = (),
    out: str | Path | None = None,
    temperature: float = TEMPERATURE,
    greedy: bool = False,
    tau: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate the set in ``folder`` and write ``out`` (default: its ``evaluation``).

    ``arms``: names of ``calib.idk.ARMS``, texts with {question}, or files of such; by default
    plain, permission and, where every question has options, option. ``tau``: labels at another
    threshold. Returns what results.json holds.
    """
    seed = checked("seed", seed)
    labelled = labels_of(folder)
    if tau is not None:
        labelled = label(labelled.run, tau, labelled.judge)
    config = labelled.run.config
    subject = Subject.of(str(config["model"]) if model is None else model)
    if subject.name != config["model"]:
        raise InputError(
            f"{folder}: the labels are those of {config['model']}, and say nothing of "
            f"{subject.name}; build a set of its own"
        )
    items = [drawn.item for drawn in labelled.draws]
    refuse_gone(Path(folder), items)
    names = list(arms) or default_arms(items)
    if len({label_of(name) for name in names}) < len(names):
        raise InputError(f"arms: {', '.join(names)}: each may appear only once")
    worded = {
        name: words_of(name, labelled) for name in names
    }  # every refusal comes before the first question
    path = Path(out) if out is not None else Path(folder) / EVALUATION
    refuse_no_folder(path)
    how = settings_of(config, seed, temperature=temperature, greedy=greedy)
    answered_arms = [
        in_arm(subject, labelled, name, worded[name], path / "arms", how, progress)
        for name in names
    ]
    keep_outcomes(path, labelled, answered_arms)
    results = {**report_of(labelled, answered_arms, seed, path), "evaluation": how}
    replace(path / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return results


def settings_of(
    config: Mapping[str, Any], seed: int, *, temperature: float = TEMPERATURE, greedy: bool = False
) -> dict[str, Any]:
    """How the one answer of each arm is drawn; ``config`` is that of the build's samples."""
    return {
        "samples": 1,
        "temperature": temperature,
        "greedy": greedy,
        "max_new_tokens": config["max_new_tokens"],
        "stop": tuple(config["stop"]),
        "batching": "packed",
        "rows": ROWS,
        "seed": stream(int(config["seed"]), seed),
    }


def default_arms(items: Sequence[Item]) -> list[str]:
    return [name for name in ARMS if name != "option" or all(item.options for item in items)]


def refuse_gone(folder: Path, items: Sequence[Item]) -> None:
    """InputError where a picture is gone: the questions are asked again with their pictures."""
    for item in items:
        for image in item.images:
            if isinstance(image, Path) and not image.is_file():
                raise InputError(
                    f"{folder}: item {item.id!r}: {image} is not there, and the set holds no copy; "
                    "put the picture there, or give calib idk label --copy_images where it is, and "
                    "move the set then"
                )


def stream(built: int, seed: int) -> int:
    """The evaluation's seed: never the build's, so that its answers are new draws."""
    name = f"calib.idk evaluation {built} {seed}".encode()
    number = int.from_bytes(hashlib.blake2b(name, digest_size=6).digest())
    return number if number != built else number + 1


def words_of(name: str, labelled: Labelled) -> tuple[str, tuple[Item, ...]]:
    """An arm's prompt form and its items. The option arm lists the options."""
    form = str(labelled.run.config["prompt"])
    if name == "option" and form not in LISTING:
        form = LISTING[0]
    reworded = arm(name)
    return form, tuple(reworded(drawn.item) for drawn in labelled.draws)


def label_of(name: str) -> str:
    """An arm's name in tables and folders; one's own is known by a part of its text's digest."""
    if name in ARMS:
        return name
    stem = Path(name).stem if "{question}" not in name else "own"
    return f"{stem}-{hashlib.blake2b(name.encode(), digest_size=3).hexdigest()}"


def in_arm(
    subject: Subject,
    labelled: Labelled,
    name: str,
    worded: tuple[str, tuple[Item, ...]],
    out: Path,
    settings: dict[str, Any],
    progress: Progress | None,
) -> Arm:
    """Ask every question in one arm, or read what was answered, and judge it."""
    form, items = worded
    title = label_of(name)
    task = Task(f"{labelled.run.config['task']}: {title}", items, form)
    run = draw(subject, task, out / title, prompt=form, progress=progress, **settings)
    texts = [str(text) for text in run.answers()["text"]]
    arm_verdicts = [
        verdicts(item, [unstated(text)], labelled.judge)[0]
        for item, text in zip(items, texts, strict=True)
    ]
    outcomes = [
        Outcome.of(item.id, known, verdict, cluster_of(item))
        for item, known, verdict in zip(items, labelled.known, arm_verdicts, strict=True)
    ]
    return Arm(title, form, items, texts, arm_verdicts, outcomes)


def report_of(labelled: Labelled, arms: Sequence[Arm], seed: int, out: Path) -> dict[str, Any]:
    """Every number and example of the report in ``out``, as plain values."""
    first, items = arms[0], [drawn.item for drawn in labelled.draws]
    return {
        "format": FORMAT,
        "model": labelled.run.config["model"],
        "task": labelled.run.config["task"],
        "tau": labelled.tau,
        "n": labelled.run.config["samples"],
        **tally(labelled.draws, labelled.tau),
        "sweep": sweep(labelled.draws),
        "uncertain": sweep(labelled.draws, [labelled.tau])[0]["uncertain"],
        "arms": [
            {
                "name": a.name,
                "prompt": a.prompt,
                "wording": a.items[0].question,
                **rates(a.outcomes, seed),
            }
            for a in arms
        ],
        "resampled": drawn_whole(list(map(cluster_of, items)), list(map(pictures_of, items))),
        "comparisons": [
            {"first": other.name, "second": first.name, "rate": name, **asdict(difference)}
            for other in arms[1:]
            for name, difference in compare(other.outcomes, first.outcomes, seed=seed).items()
            if difference is not None
        ],
        "examples": examples(labelled, arms, out),
        "provenance": provenance(labelled),
    }


def keep_outcomes(path: Path, labelled: Labelled, arms: Sequence[Arm]) -> None:
    """Write down what each question is, whether it is known, and what every arm made of it."""
    rows = [
        {
            **question_of(drawn.item),
            "known": known,
            "cluster": cluster_of(drawn.item),
            "arms": {arm.name: role(arm.outcomes[k]) for arm in arms},
        }
        for k, (drawn, known) in enumerate(zip(labelled.draws, labelled.known, strict=True))
    ]
    replace(path / OUTCOMES, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def rates(outcomes: Sequence[Outcome], seed: int) -> dict[str, Any]:
    numbers = asdict(evaluate(outcomes, seed=seed))
    of = numbers.pop("of")
    numbers["rates"] = {
        name: {**(rate or dict.fromkeys(("value", "low", "high", "method"))), "of": list(of[name])}
        for name, rate in numbers["rates"].items()
    }
    numbers["shown"] = {
        label: {
            "right": sum(o.correct for o in outcomes if o.known == known),
            "wrong": sum(not o.correct and not o.refused for o in outcomes if o.known == known),
            "refused": sum(o.refused for o in outcomes if o.known == known),
        }
        for label, known in (("known", True), ("unknown", False))
    }
    return numbers


def examples(labelled: Labelled, arms: Sequence[Arm], out: Path) -> list[dict[str, Any]]:
    """Some questions of every quadrant of the arm that refuses most, spread over the set."""
    shown = max(arms, key=lambda a: sum(o.refused for o in a.outcomes))
    places: dict[str, list[int]] = {}
    for index, o in enumerate(shown.outcomes):
        name = quadrant(known=o.known, refused=o.refused, correct=o.correct)
        places.setdefault(name, []).append(index)
    rows = []
    for name in ("Ik-Ik", "Ik-Idk", "Idk-Ik", "Idk-Idk"):
        indices = places.get(name, [])
        for index in indices[:: max(1, -(-len(indices) // EXAMPLES))][:EXAMPLES]:
            place = {"quadrant": name, "arm": shown.name}
            rows.append({**place, **example(index, labelled, arms, out)})
    return rows


def example(index: int, labelled: Labelled, arms: Sequence[Arm], out: Path) -> dict[str, Any]:
    drawn = labelled.draws[index]
    item = drawn.item
    return {
        "id": item.id,
        "group": item.group,
        "question": item.question,
        "images": [shown_at(image, labelled.run.path.parent, out) for image in item.images],
        "gold": list(gold_texts(item)) if answerable(item) else None,
        "known": drawn.known(labelled.tau),
        "correct": drawn.correct,
        "n": drawn.n,
        "answers": [
            {
                "arm": a.name,
                "text": a.texts[index],
                "said": option_said(a.verdicts[index], a.items[index]),
                "role": role(a.outcomes[index]),
            }
            for a in arms
        ],
    }


def shown_at(image: ImageRef, folder: Path, out: Path) -> str:
    """A picture's path; relative to the report where the set in ``folder`` holds them both."""
    if isinstance(image, Path) and all(p.is_relative_to(folder) for p in (image, out)):
        return os.path.relpath(image, out)
    return str(image)


def role(outcome: Outcome) -> str:
    if outcome.refused:
        return "refused"
    return "right" if outcome.correct else "wrong"
