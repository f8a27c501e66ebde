"""From a run's rows to ``results.json``: every number with its interval and its convention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calib.intervals import holm
from calib.runs import open_run
from calib.runs.config import checked
from calib.runs.folder import Progress, Work
from calib.runs.kinds import need
from calib.summary.curves import diagram, quantiles, risk_coverage, spread
from calib.summary.histogram import counted_beside
from calib.summary.letters import add_parse_rates, of_letters
from calib.summary.orders import order_free
from calib.summary.remedies import abstain, kept_because, split, temperature
from calib.summary.rows import Row, Scored, collect
from calib.summary.table import measure, specs

FORMAT = "calib.results/1"
BINS = 15
MISTAKES = 10
STEPS = 17
BESIDE = "beside"
"""The sub-folder of a run with the runs that its report shows in one line each."""


def summarize(
    run: Any, *, seed: int | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Everything a report says about ``run``, as plain JSON values.

    ``seed`` (default: the run's own) rules the split into halves and the resampling, so the same
    records give the same file. ``progress`` is called after each of ``STEPS`` steps. Raises
    CalibError where no row can be judged.
    """
    config = dict(need(run, "calib.summarize").config)
    seed = int(config.get("seed") or 0) if seed is None else checked("seed", seed)
    bins = int(config.get("bins") or BINS)
    tell = progress or (lambda done, total, note: None)
    work = Work("report", "steps")
    tell(0, STEPS, work)
    every = run.rows()
    scored, rows, counts = collect(every, vocabulary=_vocabulary(config), of=run.path)
    fit, held_out = split(scored.cluster, seed)
    table = specs(bins, scored.has)
    steps: dict[str, Callable[[], Any]] = {
        "format": lambda: FORMAT,
        "counts": lambda: {**counts, "planned": config.get("questions", counts["total"])},
        "overall": lambda: overall(scored, bins, seed),
        "metrics": lambda: measure(scored, table, seed),
        "diagram": lambda: {
            "bins": bins,
            "closed": "left",
            "strategy": "width",
            "rows": diagram(scored, bins),
            "quantiles": quantiles(scored),
            "spread": spread(scored),
        },
        "risk_coverage": lambda: risk_coverage(scored, seed),
        "temperature": lambda: temperature(scored, fit, held_out, bins, seed),
        "temperature_kept": lambda: kept_because(scored, fit),
        "orders": lambda: order_free(scored, rows, bins, seed),
        "letters": lambda: of_letters(every, rows, scored, bins, seed),
        "abstain": lambda: abstain(scored, seed),
        "groups": lambda: [
            {"group": name, **brief(scored.take(scored.group == name), bins, seed)}
            for name in sorted(set(scored.group))
        ],
        "beside": lambda: sub_runs(Path(run.path) / BESIDE, seed),
        "mistakes": lambda: mistakes(scored, rows),
        "first": lambda: first_question(every),
        "histogram": lambda: counted_beside(Path(run.path)),
        "facts": lambda: {**config, "report seed": seed},
    }
    results: dict[str, Any] = {}
    for done, (name, step) in enumerate(steps.items(), start=1):
        results[name] = step()
        tell(done, STEPS, work)
    names = sorted(set(scored.task))
    if len(names) > 1:
        results["tasks"] = {
            name: measure(scored.take(scored.task == name), table, seed) for name in names
        }
    if results["letters"] is not None:
        add_parse_rates(results, every)
    correct_for_number(results)
    plain: dict[str, Any] = to_json(results)
    return plain


def correct_for_number(results: dict[str, Any]) -> None:
    """Add ``holm`` to every test of the page: its p corrected for the number of tests (Holm 1979).

    ``at_most`` says that the test could give no smaller p. The overall ECE takes both from the
    metric ``ece``, which is the same test.
    """
    remedied = (results["temperature"] or {}).get("tests", {})
    ordered = (results["orders"] or {}).get("tests", {})
    lettered = (results["letters"] or {}).get("tests", {})
    listed = [*results["metrics"].values(), *results["groups"], *results["beside"]]
    for tests in (*ordered.values(), *lettered.values()):
        listed += tests.values()
    for task in results.get("tasks", {}).values():
        listed += task.values()
    tests = [test for test in [*listed, *remedied.values()] if test.get("p") is not None]
    for test, corrected in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test |= {"holm": corrected, "at_most": test["p"] <= test["least_p"]}
    own = results["metrics"]["ece"]
    results["overall"] |= {"holm": own["holm"], "at_most": own["at_most"]}


def brief(scored: Scored, bins: int, seed: int) -> dict[str, Any]:
    """The handful of numbers that stand for a group of questions in a table."""
    ece = measure(scored, [spec for spec in specs(bins) if spec.name == "ece"], seed)["ece"]
    accuracy, confidence = float(scored.correct.mean()), float(scored.confidence.mean())
    return {
        "n": len(scored),
        "accuracy": accuracy,
        "confidence": confidence,
        "gap": confidence - accuracy,
        "ece": ece["value"],
        "expected": ece["expected"],
        "p": ece["p"],
        "least_p": ece["least_p"],
        **({"guess": float(scored.guess.mean())} if "options" in scored.has else {}),
        **({"mass": float(scored.mass.mean())} if "mass" in scored.has else {}),
        **({"parse_rate": float(scored.parsed.mean())} if "parsed" in scored.has else {}),
    }


def sub_runs(folder: Path, seed: int) -> list[dict[str, Any]]:
    """``overall`` of every run in ``folder``, such as the same questions asked for a letter."""
    entries = []
    for path in sorted(folder.glob("*/config.json")):
        other = open_run(path.parent)
        config = dict(other.config)
        scored, _, _ = collect(other.rows(), vocabulary=_vocabulary(config), of=other.path)
        entries.append(overall(scored, int(config.get("bins") or BINS), seed))
    return entries


def overall(scored: Scored, bins: int, seed: int) -> dict[str, Any]:
    return {"task": ", ".join(sorted(set(scored.task))), **brief(scored, bins, seed)}


def mistakes(scored: Scored, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The most confident wrong answers, each with its question."""
    wrong = [i for i in range(len(scored)) if not scored.correct[i]]
    wrong.sort(key=lambda i: (-scored.confidence[i], str(rows[i]["id"])))
    return [mistake(rows[i]) for i in wrong[:MISTAKES]]


def first_question(rows: Sequence[Row]) -> dict[str, Any]:
    """Whose prompt a report shows: its id and its pictures."""
    return {"id": str(rows[0]["id"]), "images": [str(n) for n in rows[0].get("images") or []]}


def _vocabulary(config: Mapping[str, Any]) -> bool:
    return config.get("confidence") == "vocab"


def mistake(row: Row) -> dict[str, Any]:
    """What a report shows of a wrong answer; ``given`` and ``gold`` where there are options."""
    entry = {
        "id": str(row["id"]),
        "group": row.get("group"),
        "question": row.get("question", ""),
        "images": [str(name) for name in row.get("images") or []],
        "options": [],
        "confidence": row["confidence"],
    }
    if "parsed" in row:
        entry["parsed"] = bool(row["parsed"])
    if "options" not in row:
        return entry
    prediction, gold = int(row["prediction"]), int(row["answer"])
    roles = {prediction: "given", gold: "gold"}
    return {
        **entry,
        "options": [
            {"text": text, "prob": prob, "role": roles.get(k, "")}
            for k, (text, prob) in enumerate(zip(row["options"], row["prob"], strict=True))
        ],
        "given": row["options"][prediction],
        "gold": row["options"][gold],
    }


def to_json(value: Any) -> Any:
    """Plain Python values; a number that is not finite becomes None, since JSON has none."""
    if isinstance(value, dict):
        return {str(name): to_json(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(entry) for entry in value]
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
