"""The study of images against text: questions in, a folder with a run of each cell out.

questions -> descriptions -> cells, each a run of ``calib.score`` -> metrics, contrasts -> results

Cells share what the model has read (``Remembering``): a picture at one level of noise is encoded
once for all numbers of sentences.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.drive import engine
from calib.drive.sample import sample
from calib.drive.score import score
from calib.modalities.cells import FORMAT, Cell, cell_of, cells_of
from calib.modalities.contrasts import contrasts, tested
from calib.modalities.descriptions import Sentences, from_model
from calib.modalities.design import (
    Design,
    checked_samples,
    config_of,
    described,
    designed,
    fitted,
    regrown,
)
from calib.modalities.measures import Answers, measured, semantic
from calib.modalities.noise import LARGEST_SIDE
from calib.modalities.pictures import CLEAN, Pictures, Shown
from calib.modalities.samples import keep_levels
from calib.models.protocol import Model, Remembering
from calib.records import InputError
from calib.runs import Run
from calib.runs.begin import begin
from calib.runs.durable import replace
from calib.runs.folder import Progress, slug
from calib.runs.kinds import RESULTS
from calib.runs.record_rows import lines
from calib.summary import to_json
from calib.summary.rows import drawn_whole
from calib.tasks import Task
from calib.uncertainty.meaning import DEFAULT, Meaning, meaning_of

CELLS, ANSWERS, DESCRIBED = "cells", "answers", "descriptions"
DESCRIPTIONS = "descriptions.jsonl"


@dataclass(frozen=True)
class Modality:
    """What a study found: ``results``, as in its results.json, and the folder with all of it."""

    results: dict[str, Any]
    path: Path


def modality(
    model: Model | str,
    task: Task | str,
    *,
    arms: Iterable[str] | None = None,
    noise: Iterable[Shown] | None = None,
    sentences: int | None = None,
    descriptions: str | Path | Mapping[str, Any] | None = None,
    describe: bool = False,
    samples: int = 0,
    equivalence: str | Meaning = DEFAULT,
    limit: int | None = None,
    prompt: str | None = None,
    batch_size: int | str = "auto",
    bins: int = 15,
    side: int = LARGEST_SIDE,
    cache_gb: float = 4.0,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Modality:
    """Ask the same questions with a picture, its description, both, neither, and noise over it.

    ``arms``: names of ``calib.modalities.cells.ARMS``, by default all. ``noise``: "none" for the
    picture as it is, and steps from 0 to 999 (default none, 100, 300, 500, 700, 900; empty: no
    grid), each with the first 0 to ``sentences`` sentences of the description (default: as many as
    the longest has, at most 4). Descriptions are those of the data, of ``descriptions`` (a file, or
    texts by id), or with ``describe`` the model's own. ``samples``: answers to each question of
    each cell for its semantic entropy, ``equivalence`` which of them mean the same
    (``calib.uncertainty.meaning``). ``side``: a larger picture is scaled to so many pixels
    before noise is added. ``cache_gb``: of pictures as the model has read them. Other arguments as
    of ``calib.score``.

    The same call goes on where an earlier one was stopped, with other arms and levels too. Raises
    InputError, naming the item, where an arm needs what it lacks.
    """
    # 1. What is asked; all that can be refused without a model.
    design = designed(task, arms, noise, limit, prompt, seed, bins, side)
    found, source = described(design.task, descriptions, describe)
    samples, meaning = checked_samples(samples), meaning_of(equivalence)
    if not describe:
        sentences, found = fitted(design, sentences, found)
    model = engine.loaded(model)

    # 2. The folder, the descriptions, and so the cells.
    name = slug(f"{model.name}-{design.task.name}-modality")
    folder = Path(out) if out is not None else Path("runs") / name
    config = {**engine.facts_of(model), **config_of(design, source, limit)}
    config |= {"arms": list(design.arms), "levels": list(design.levels), "sentences": sentences}
    run = begin(folder, {**config, "samples": samples or None}, DESCRIPTIONS, regrown)
    kept = model.remembering(cache_gb) if isinstance(model, Remembering) else nullcontext()
    with closing(run), kept:
        if describe:
            found = from_model(model, design.items, folder / DESCRIBED, progress)
            sentences, found = fitted(design, sentences, found)
        assert sentences is not None
        keep_descriptions(run, found)

        # 3. A run of every cell, and what it comes to.
        pictures = Pictures(design.items, seed=design.seed, side=design.side)
        cells: list[dict[str, Any]] = []
        answers: dict[Cell, Answers] = {}
        for cell in cells_of(design.arms, design.levels, sentences):
            told = f"{design.task.name}: {cell.name}"
            asked = Task(told, cell.items(design.items, pictures, found), design.form)
            metrics, answers[cell] = in_cell(
                model, asked, cell.name, folder, design, samples, meaning, batch_size, progress
            )
            cells.append({**facts_of(cell), "metrics": metrics})

        # 4. What differs between cells.
        results = {
            "format": FORMAT,
            "model": model.name,
            **{name: config[name] for name in ("task", "questions", "seed", "bins", "side")},
            "arms": {arm: cell_of(arm, sentences).name for arm in design.arms},
            "levels": list(design.levels),
            "sentences": sentences,
            "descriptions": source if found else None,
            "samples": samples,
            "equivalence": meaning.facts if samples else None,
            "clusters": len(set(next(iter(answers.values())).cluster.tolist())),
            "resampled": drawn_whole(
                [item.meta.get("cluster", item.id) for item in design.items],
                list(map(pictures.content, design.items)),
            ),
            "cells": cells,
            "tests": tested(contrasts(design.arms, design.levels, sentences), answers, design.seed),
            "example": keep_levels(folder, design, pictures, found),
        }
        results = dict(to_json(results))
        replace(folder / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return Modality(results, folder)


def in_cell(
    model: Model,
    asked: Task,
    name: str,
    folder: Path,
    design: Design,
    samples: int,
    meaning: Meaning,
    batch_size: int | str,
    progress: Progress | None,
) -> tuple[dict[str, Any], Answers]:
    """Score one cell, or read what was scored; sample it where samples are wanted."""
    scored = score(
        model,
        asked,
        out=folder / CELLS / name,
        prompt=design.form,
        batch_size=batch_size,
        bins=design.bins,
        seed=design.seed,
        progress=progress,
    )
    metrics, answers = measured(scored, design.bins, design.seed)
    if samples:
        drawn = sample(
            model,
            asked,
            out=folder / ANSWERS / name,
            prompt=design.form,
            samples=samples,
            seed=design.seed,
            progress=progress,
        )
        metrics["semantic_entropy"] = semantic(drawn, answers.cluster, design.seed, meaning)
    return metrics, answers


def keep_descriptions(run: Run, found: Mapping[str, Sentences]) -> None:
    """Write the descriptions down, once. InputError where the study was begun with others."""
    wanted = [{"id": name, "sentences": list(said)} for name, said in found.items()]
    there = list(lines(run.path / DESCRIPTIONS))
    before = [row for row, _ in there]
    common = min(len(before), len(wanted))
    if before[:common] != wanted[:common]:
        raise InputError(
            f"{run.path}: it belongs to a study with other descriptions ({DESCRIPTIONS}); choose "
            "another folder"
        )
    run.cut(there[-1][1] if there else 0)
    if len(wanted) > len(before):
        run.append(wanted[len(before) :])


def facts_of(cell: Cell) -> dict[str, Any]:
    return {
        "name": cell.name,
        "shown": cell.shown,
        "clean": cell.shown == CLEAN,
        "sentences": cell.sentences,
        "run": f"{CELLS}/{cell.name}",
    }
