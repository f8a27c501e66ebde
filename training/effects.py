"""What prompting and what training do to admission: two models' answers to the same questions.

Labels are those of the model before training, for both: whether the trained one should have
admitted is asked of what its origin did not know. Arms, answers, rates and intervals are those of
``calib idk evaluate``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from calib.idk.ask import Arm, default_arms, in_arm, report_of, settings_of, words_of
from calib.idk.draw import Subject
from calib.idk.evaluate import compare
from calib.idk.folder import Labelled
from calib.intervals import add_holm
from calib.runs.durable import replace as write
from calib.runs.folder import RESULTS

MEASURED = ("truthful", "admit_rate", "over_refusal", "answered_accuracy")
"""The rates that are compared; ``calib.idk.evaluate.RATES`` says what they are."""


def effects(
    labelled: Labelled, before: Subject, after: Subject, out: Path, *, seed: int
) -> dict[str, Any]:
    """Ask both models in every arm and write ``out``/results.json, which it returns.

    ``comparisons``: what prompting does to the model before training, and what training does in
    each arm; paired by cluster, p corrected (Holm) over ``MEASURED`` of all of them.
    """
    names = default_arms([drawn.item for drawn in labelled.draws])
    how = settings_of(labelled.run.config, seed)
    arms: dict[tuple[str, str], Arm] = {}
    for state, subject in (("before", before), ("after", after)):
        for name in names:
            worded = words_of(name, labelled)
            asked = in_arm(subject, labelled, name, worded, out / state, how, None)
            arms[state, name] = replace(asked, name=f"{state}, {name}")
    prompting = [(("before", name), ("before", "plain")) for name in names if name != "plain"]
    training = [(("after", name), ("before", name)) for name in names]
    comparisons = [
        {"first": arms[a].name, "second": arms[b].name, "rate": rate, **asdict(difference)}
        for a, b in prompting + training
        for rate, difference in compare(arms[a].outcomes, arms[b].outcomes, seed=seed).items()
        if rate in MEASURED and difference is not None
    ]
    add_holm(comparisons)
    told = report_of(labelled, list(arms.values()), seed, out)
    results = {
        **told,
        "task": f"{told['task']}, before and after training",
        "comparisons": comparisons,
        "evaluation": how,
        "after": after.name,
        "by_group": by_group(labelled, arms),
    }
    out.mkdir(parents=True, exist_ok=True)
    write(out / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return results


def by_group(labelled: Labelled, arms: dict[tuple[str, str], Arm]) -> list[dict[str, Any]]:
    """Of each group and arm: questions, known ones, and how many of either were refused."""
    groups = [drawn.item.group for drawn in labelled.draws]
    rows = []
    for group in sorted(set(groups)):
        for arm in arms.values():
            own = [o for o, g in zip(arm.outcomes, groups, strict=True) if g == group]
            known = [o for o in own if o.known]
            rows.append(
                {
                    "group": group,
                    "arm": arm.name,
                    "questions": len(own),
                    "known": len(known),
                    "refused_known": sum(o.refused for o in known),
                    "refused_unknown": sum(o.refused for o in own if not o.known),
                    "right": sum(o.correct and not o.refused for o in own),
                }
            )
    return rows
