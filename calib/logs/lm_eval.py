"""lm-eval's ``samples_TASK_TIME.jsonl`` of multiple-choice tasks, written by ``--log_samples``.

Tried with version 0.4.13. A line holds the log-likelihoods of a question's options, as texts. With
``acc_mutual_info`` the second half are those of the options without their question. Only metrics
are read that rank by log-likelihood, or by log-likelihood per character or byte.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.fields import SLACK
from calib.logs.json_lines import json_rows
from calib.logs.log import Arguments, Log, LogFormat, has_suffix
from calib.logs.table import scored_record
from calib.logs.values import log_probabilities
from calib.records import InputError
from calib.runs.record_rows import Row

SAMPLES = re.compile(r"samples_(.+?)_\d{4}-\d\d-\d\dT[\d.:-]+")
LENGTHS: dict[str, Callable[[str], int]] = {
    "acc": lambda text: 1,
    "acc_norm": len,
    "acc_bytes": lambda text: len(text.encode()),
}
"""The length by which a metric divides an option's log-likelihood."""
FIELDS = ("doc_id", "target", "arguments", "filtered_resps")


def fits(path: Path) -> bool:
    """Whether the first line has lm-eval's fields."""
    if not has_suffix(".jsonl")(path) or not path.is_file():
        return False
    with path.open("rb") as file:
        line = file.readline(1_000_000)
    return b'"doc_id"' in line and b'"resps"' in line and b'"filtered_resps"' in line


def read(path: Path, arguments: Arguments) -> Log:
    """A record a question, by ``metric`` (default: acc) of ``filter`` (default: the only one)."""
    lines = json_rows(path)
    for number, line in lines:
        lacking = next((name for name in FIELDS if name not in line), None)
        if lacking is not None:
            raise InputError(f"{path}, line {number}: {lacking} is missing")
    lines = filtered(lines, arguments.get("filter"), path)
    metric = chosen_metric(lines, arguments.get("metric"), path)
    match = SAMPLES.fullmatch(path.stem)
    task = match[1] if match else path.stem
    rows: list[Row] = []
    lines_of: dict[str, int] = {}
    for index, (number, line) in enumerate(lines):
        where = f"{path}, line {number}"
        row = record(line, metric, where)
        first = lines_of.setdefault(row["id"], number)
        if first != number:
            raise InputError(
                f"{where}: doc_id {row['id']} is there already, in line {first}; give files of one "
                "run each"
            )
        rows.append({**row, "index": index, "task": task})
    facts: dict[str, Any] = {"metric": metric, "filter": lines[0][1].get("filter")}
    return Log(rows, {**facts, **model_of(path, match)})


def filtered(
    lines: list[tuple[int, dict[str, Any]]], wish: str | None, path: Path
) -> list[tuple[int, dict[str, Any]]]:
    """The lines of one filter: lm-eval writes every question once for each filter."""
    names = list(dict.fromkeys(str(line.get("filter")) for _, line in lines))
    if wish is None and len(names) > 1:
        raise InputError(
            f"{path}: it holds the filters {', '.join(names)}; say which by --format_args "
            f"filter={names[0]}"
        )
    if wish is not None and wish not in names:
        raise InputError(f"{path}: filter: expected one of {', '.join(names)}, got {wish!r}")
    return [entry for entry in lines if wish is None or str(entry[1].get("filter")) == wish]


def chosen_metric(
    lines: Sequence[tuple[int, Mapping[str, Any]]], wish: str | None, path: Path
) -> str:
    """acc where it was measured, else the first that is read; or ``wish``."""
    number, first = lines[0]
    there = [name for name in LENGTHS if name in first]
    measured = ", ".join(map(str, first.get("metrics", ()))) or "none"
    if not there:
        raise InputError(
            f"{path}, line {number}: expected a multiple-choice task with {' or '.join(LENGTHS)}, "
            f"got the metrics {measured}; generated answers come without a confidence"
        )
    if wish is None:
        return there[0]
    if wish not in there:
        raise InputError(f"{path}: metric: expected one of {', '.join(there)}, got {wish!r}")
    return wish


def record(line: Mapping[str, Any], metric: str, where: str) -> Row:
    """The record of one question; its correctness must be what lm-eval says."""
    try:
        requests = list(line["arguments"].values())
        texts = [str(each["arg_1"]) for each in requests]
        scores = [float(each[0]) for each in line["filtered_resps"]]
        context = str(requests[0]["arg_0"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{where}: expected the log-likelihoods of options in filtered_resps, and their texts "
            "in arguments"
        ) from error
    if "acc_mutual_info" in line:  # the second half are the options by themselves
        texts, scores = texts[: len(texts) // 2], scores[: len(scores) // 2]
    if len(texts) != len(scores) or len(texts) < 2:
        raise InputError(
            f"{where}: expected two or more options and a log-likelihood of each, got {len(texts)} "
            f"and {len(scores)}"
        )
    if any(math.isnan(score) for score in scores):
        raise InputError(f"{where}: filtered_resps: expected log-likelihoods, got NaN")
    if max(scores) > SLACK:
        raise InputError(
            f"{where}: filtered_resps: expected log-likelihoods, which are not above 0, got "
            f"{max(scores):g}"
        )
    options = [text.strip() for text in texts]
    length = LENGTHS[metric]
    ranked = [s / max(1, length(o)) for s, o in zip(scores, options, strict=True)]
    # ``logprob`` holds the log-likelihoods, as in calib's own records; ``ranked`` holds the values
    # by which options are ranked.
    row = scored_record(
        log_probabilities(ranked, where, False), options, gold(line["target"], options, where)
    )
    if metric in line and bool(float(line[metric])) != row["correct"]:
        raise InputError(
            f"{where}: {metric} is {line[metric]}, but the likeliest option is "
            f"{options[row['prediction']]!r} and the target {options[row['answer']]!r}"
        )
    row["logprob"] = [None if score == -math.inf else min(score, 0.0) for score in scores]
    row["ranked"] = None if metric == "acc" else ranked
    row["mass"] = min(math.fsum(map(math.exp, scores)), 1.0)
    return {**row, "id": str(line["doc_id"]), "question": context}


def gold(target: Any, options: Sequence[str], where: str) -> int:
    """The index of the right option; the target is its number, as text, or its text."""
    text = str(target).strip()
    if text.isdigit() and int(text) < len(options):
        return int(text)
    if text in options:
        return options.index(text)
    raise InputError(f"{where}: target: expected one of {len(options)} options, got {text[:80]!r}")


def model_of(path: Path, match: re.Match[str] | None) -> dict[str, str]:
    """The model that results_TIME.json beside the file names, if there is one."""
    if match is None:
        return {}
    time = path.stem.removeprefix(f"samples_{match[1]}_")
    try:
        results = json.loads((path.parent / f"results_{time}.json").read_text(encoding="utf-8"))
        name = results.get("model_name")
    except (OSError, ValueError, AttributeError):
        return {}
    return {"model": str(name)} if name else {}


FORMAT = LogFormat(
    "lm-eval",
    "samples_*.jsonl of a multiple-choice task (--log_samples)",
    fits,
    read,
    ("metric", "filter"),
)
