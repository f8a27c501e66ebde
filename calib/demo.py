"""The main job on the embedded model: score, fit, report, in a few minutes on two cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.drive.score import score
from calib.models.load import load_model
from calib.report.formats import percent
from calib.report.remedies import remedy, temperature_lines
from calib.report.scores import write_report
from calib.report.words import verdict
from calib.runs.durable import refuse_no_folder
from calib.summary import BESIDE
from calib.tasks import load_task

MODEL = "embedded:stage2"
TASK = "easy-vqa"
LETTERS = "easy-vqa-letters"
QUESTIONS = 800
Progress = Callable[[int, int, str], None]
"""Called with (done, total, what is being done)."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The path of the report, and what the command prints above it."""

    report: Path
    findings: tuple[str, str]  # on the run of words and on the run of letters
    rows: Sequence[tuple[str, str, str, str]]  # letters: (metric, as it is, after temperature, p)


def demo(
    out: Path,
    *,
    limit: int = QUESTIONS,
    seed: int = 0,
    batch_size: int | str = "auto",
    device: str | None = None,
    progress: Progress | None = None,
) -> Demo:
    """Score ``limit`` held-out questions, asked for a word and for a letter; fit and report both.

    The run in ``out`` asks for words. The run that asks for letters, which needs a remedy, lies in
    a folder within it and has a report of its own. A demo that was stopped goes on where it was.
    """
    refuse_no_folder(out)
    model = load_model(MODEL, device=device)
    settings: dict[str, Any] = {
        "limit": limit,
        "seed": seed,
        "batch_size": batch_size,
        "progress": progress,
    }
    run = score(model, load_task(TASK), out=out, **settings)
    lettered = score(model, load_task(LETTERS), out=out / BESIDE / LETTERS, **settings)
    write_report(lettered)
    report = write_report(run)
    words, letters = run.results, lettered.results
    findings = (
        f"Asked for a word: {verdict(words['overall'])}",
        f"Asked for a letter: {verdict(letters['overall'])} {remedy(letters)}".rstrip(),
    )
    return Demo(report, findings, table(letters))


def table(results: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Accuracy, confidence and errors on the held-out half, before and after the temperature."""
    temperature = results["temperature"]
    if temperature is None:
        overall = results["overall"]
        names = (("accuracy", "accuracy"), ("mean confidence", "confidence"))
        return [(label, percent(overall[name], 1), "–", "–") for label, name in names]
    return temperature_lines(temperature)
