"""Outcomes for findings: runs of tables, and results that are written by hand."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from calib.logs.read import read_log
from calib.report.scores import write_report
from calib.studies.findings.outcome import Outcome
from calib.studies.study import Job, ModelOf, TaskOf

KNOWN = {"seconds": 2.0, "prompts": 40, "answers": 0, "refused": None, "date": "2026-11-28"}


def job(name: str, kind: str, size: float | None = None) -> Job:
    """A job by its name, "step/model/task"."""
    parts = [*name.split("/"), "", ""]
    model = ModelOf(parts[1] or "model", "fake", {}, size)
    return Job(name, parts[0], kind, model, TaskOf(parts[2] or "task", "fake"), {}, 0)


def by_hand(
    name: str, kind: str, results: Mapping[str, Any], reads: Sequence[str] = (), **known: Any
) -> Outcome:
    """An outcome that holds ``results``; ``reads`` are the names of the runs behind it."""
    own = replace(job(name, kind), inputs={"runs": [job(each, "score") for each in reads]})
    outcome = Outcome(own, Path("nowhere"), {}, {**KNOWN, **known})
    outcome.__dict__["results"] = dict(results)
    return outcome


def of_table(
    folder: Path,
    name: str,
    logits: Any,
    labels: Any,
    groups: Sequence[str] | None = None,
    size: float | None = None,
) -> Outcome:
    """A run with its page, of a table of log-probabilities (N, O) and right options (N,)."""
    logits = np.asarray(logits, float)
    logprob = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    path = folder / f"{name.replace('/', '-')}.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "group", "label", *(f"logprob_{k}" for k in range(logits.shape[1]))])
        for k, (row, label) in enumerate(zip(logprob, labels, strict=True)):
            out.writerow(
                [k, groups[k] if groups else "all", int(label), *(f"{x:.17g}" for x in row)]
            )
    run = read_log(path, out=folder / path.stem)
    write_report(run)
    return Outcome(job(name, "score", size), run.path, {}, KNOWN)


def drawn(number: int, options: int, temperature: float, seed: int) -> tuple[Any, Any]:
    """Logits (N, O) whose right options are drawn at ``temperature``: that is their best one."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(number, options)) * 2
    noise = rng.gumbel(size=(number, options))
    return logits, (logits / temperature + noise).argmax(axis=1)


def difference(value: float, p: float | None, half: float = 0.01, **more: Any) -> dict[str, Any]:
    """A test as results hold it."""
    bounds = {"low": value - half, "high": value + half}
    return {"value": value, **bounds, "p": p, "least_p": 1e-4, "holm": p, "label": "NLL", **more}
