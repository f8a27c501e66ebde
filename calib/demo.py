"""The main job on the embedded model: score, fit, report, in a few minutes on two cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.formats import percent
from calib.hf.model import load_model
from calib.report import write_report
from calib.score import score
from calib.summary import BESIDE
from calib.tasks import load_task

MODEL = "embedded:stage2"
TASK = "easy-vqa"
LETTERS = "easy-vqa-letters"
QUESTIONS = 800
LETTERED = 200
"""Questions of the lettered form, which stands beside the main one in a single line."""

Progress = Callable[[int, int, str], None]
"""Called with (done, total, what is being done)."""


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the report lies, and the small table that is printed above its path."""

    report: Path
    headline: str
    rows: Sequence[tuple[str, str, str]]  # (what, as it is, after temperature)


def demo(
    out: Path,
    *,
    limit: int = QUESTIONS,
    seed: int = 0,
    batch_size: int | str = "auto",
    device: str | None = None,
    progress: Progress | None = None,
) -> Demo:
    """Score ``limit`` held-out questions, and some in lettered form; then fit and report.

    Stopped and started again, it goes on where it was.
    """
    model = load_model(MODEL, device=device)
    given: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "progress": progress}
    run = score(model, load_task(TASK), out=out, limit=limit, **given)
    lettered = out / BESIDE / LETTERS
    score(model, load_task(LETTERS), out=lettered, limit=min(limit, LETTERED), **given)
    report = write_report(run)
    return Demo(report, headline_of(run.results), table(run.results))


def headline_of(results: dict[str, Any]) -> str:
    from calib.report_words import headline

    return headline(results["diagram"]["rows"])


def table(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Accuracy, confidence and errors on the judged half, before and after the temperature."""
    temperature = results["temperature"]
    if temperature is None:
        overall = results["overall"]
        names = (("accuracy", "accuracy"), ("mean confidence", "confidence"))
        return [(label, percent(overall[name], 1), "–") for label, name in names]
    rows = []
    for name, entry in temperature["metrics"].items():
        share = name in ("accuracy", "confidence")
        before, after = (
            percent(side["value"], 1) if share else f"{side['value']:.3f}"
            for side in (entry["before"], entry["after"])
        )
        rows.append((entry["label"], before, after))
    return rows
