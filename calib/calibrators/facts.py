"""What a saved calibrator was fitted for, and whether something else is the same.

A calibrator holds for the model, its revision and number format, and the prompt that it was fitted
with. Its file says them under ``facts``, as the run's config.json did, with null for what that did
not say; a file that says nothing of one is not refused for it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.runs import Run
from calib.runs.batches import RECORDS
from calib.runs.config import read_config
from calib.runs.kinds import IMPORTED, SCORE
from calib.runs.record_rows import lines

MADE_FOR = {
    "model": "model",
    "revision": "revision",
    "dtype": "number format",
    "prompt": "prompt form",
    "template": "chat template",
    "normalize": "way of ranking options",
    "orders": "number of orders of the options",
}
"""What must agree, by its name in config.json."""
OPTIONS, STATED = "options", "stated"
HOLDS = {OPTIONS: "scores of options", STATED: "confidences alone"}
"""What records hold, in words."""
OF_FIT = ("scores", "fitted_ids")
"""What a fit says of itself: the kind of its scores, and a digest of its questions."""


def made_for(
    config: Mapping[str, Any], ids: Iterable[Any], scores: str = OPTIONS
) -> dict[str, Any]:
    """The facts of a fit on a run's questions ``ids``.

    scores: ``OPTIONS`` where it was fitted to those of options, ``STATED`` where to stated
    confidences alone, whose log-odds are the scores of right and wrong.
    """
    digest = hashlib.sha256("\n".join(sorted(str(each) for each in ids)).encode())
    return {**stated(config), "scores": scores, "fitted_ids": digest.hexdigest()[:12]}


def stated(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: config.get(name) for name in MADE_FOR}


def facts_in(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a calibrator's file says that it was made for; older files hold the whole config."""
    facts = content.get("facts")
    facts = facts if isinstance(facts, Mapping) else {}
    for name in ("made for", "fitted on"):
        if isinstance(facts.get(name), Mapping):
            return {**stated(facts[name]), **{key: facts[name].get(key) for key in OF_FIT}}
    return {**stated({}), **dict.fromkeys(OF_FIT)}


def refuse_other(
    path: str | os.PathLike[str], facts: Mapping[str, Any], use: Any, *, of_scores: bool
) -> None:
    """InputError where ``use`` is known to be another than what the file was made for.

    use: a run, its folder, a loaded model, or a mapping with names of ``MADE_FOR``, or scores.
    of_scores: it maps the scores of options, and not the confidence of the answer.
    """
    now = config_of(use)
    named = {**MADE_FOR, "scores": "scores of"} if of_scores else MADE_FOR
    differ = [
        f"{words} {facts[name]!r}, not {now[name]!r}"
        for name, words in named.items()
        if facts.get(name) is not None and now.get(name) is not None and facts[name] != now[name]
    ]
    if differ:
        raise InputError(
            f"{path}: it was fitted for {'; '.join(differ)}; fit another, or insist with "
            "anyway=True"
        )


def config_of(use: Any) -> Mapping[str, Any]:
    """What a use says of itself by the names of config.json, and of which ``scores`` it is."""
    if isinstance(use, (str, os.PathLike)):
        use = Run(Path(use), read_config(Path(use), "calib.load_calibrator"))
    if isinstance(use, Run):
        return {**use.config, "scores": scores_in(use)}
    if isinstance(use, Mapping):
        known = {*MADE_FOR, *OF_FIT}
        unknown = [name for name in use if name not in known]
        if "kind" not in use and (unknown or not use):  # config.json says its kind, and more
            raise InputError(
                f"use: expected any of {', '.join(sorted(known))}, got "
                f"{unknown[0] if unknown else 'none of them'!r}"
            )
        return use
    facts = getattr(use, "facts", None)
    if not isinstance(facts, Mapping):
        raise InputError(
            "use: expected a run, its folder, a model, or a mapping with model, prompt or dtype, "
            f"got {type(use).__name__}"
        )
    return {**facts, "scores": OPTIONS}


def scores_in(run: Run) -> str | None:
    """Whether a run's records hold scores of options or stated confidences alone; None where they
    are none of either."""
    if run.kind == SCORE:
        return OPTIONS
    if run.kind != IMPORTED:
        return None
    first = next((row for row, _ in lines(run.path / RECORDS) if row is not None), {})
    return OPTIONS if "options" in first else STATED
