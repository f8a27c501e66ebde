"""The table of families in docs/models.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.conformance.suite import ROOT, Outcome

BEGIN, END = "<!-- families: begin -->", "<!-- families: end -->"
PAGE = ROOT / "docs" / "models.md"

COLUMNS = {
    "scores": ("score:",),
    "run folder": ("run folder",),
    "`shared_prefix`": ("shared_prefix:",),
    "answers": ("sample: Model", "sample: plan"),
    "packed": ("sample: packed",),
    "bfloat16": ("bfloat16:",),
}
WAYS = ("shared", "repeated", "expanded")

LEGEND = """\
A cell counts the checks in which calib says what a forward by hand says, and the largest difference
({versions}). In float32 log-probabilities and logits must agree within
1e-4, those of whole answers within 2e-4; in bfloat16 options of one token bit for bit, longer ones
within rounding. A check is *unsettled* (?) where transformers' own forward fails on the tiny model,
contradicts its own decoding or does not read a picture, and *refused* (r) where calib says in a
sentence that it does not do it.

Right on every check that transformers itself passes:
{summary}.
"""


def write_table(outcomes: Mapping[str, Outcome], images: Mapping[str, bool]) -> None:
    """Write the table between its two marks; ``images`` tells which families read pictures."""
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table(outcomes, images)}{END}{after}")


def table(outcomes: Mapping[str, Outcome], images: Mapping[str, bool]) -> str:
    import torch
    import transformers

    versions = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
    kinds = {
        "image-text": [o for name, o in outcomes.items() if images[name]],
        "text": [o for name, o in outcomes.items() if not images[name]],
    }
    counts = [
        f"{sum(map(is_right, some))} of {len(some)} {kind} families "
        f"({sum(all(map(passed, o.checks)) for o in some)} of them on every check)"
        for kind, some in kinds.items()
    ]
    summary = ", and\n".join(counts)
    heads = ["family", "what was built", *COLUMNS, "way of sampling", "where not, and why"]
    parts = [LEGEND.format(versions=versions, summary=summary)]
    for kind, some in kinds.items():
        rows = [heads, ["---"] * len(heads), *(row(outcome) for outcome in some)]
        parts.append(f"### {kind.capitalize()}\n\n{''.join(map(line, rows))}")
    return "\n".join(parts)


def is_right(outcome: Outcome) -> bool:
    """Nothing has failed or is refused, and scores of short and of longer options are right."""
    scored = " ".join(c["name"] for c in outcome.checks if passed(c) and "score:" in c["name"])
    compared = "one token" in scored and "several tokens" in scored
    return compared and not {c["outcome"] for c in outcome.checks} & {"failed", "refused"}


def passed(check: Mapping[str, Any]) -> bool:
    return bool(check["outcome"] == "passed")


def line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def row(outcome: Outcome) -> list[str]:
    cells = [outcome.name, outcome.built or "nothing"]
    for starts in COLUMNS.values():
        cells.append(cell([c for c in outcome.checks if c["name"].startswith(starts)]))
    said = {word for c in outcome.checks for word in c["reason"].replace(",", " ").split()}
    ways = [way for way in WAYS if way in said and any(map(passed, outcome.checks))]
    return [*cells, ", ".join(ways), reasons(outcome).replace("|", "\\|")]


def cell(checks: Sequence[Mapping[str, Any]]) -> str:
    if not checks:
        return "–"
    right = [check for check in checks if passed(check)]
    marks = {"unsettled": "?", "refused": "r"}
    others = [
        f"{count} {mark}"
        for name, mark in marks.items()
        if (count := sum(check["outcome"] == name for check in checks))
    ]
    tried = f"{len(right)}/{len(checks)}"
    if any(check["outcome"] == "failed" for check in checks):
        tried = f"**{tried}**"
    worst = max((check["error"] for check in right), default=None)
    return " ".join([tried, *([] if worst is None else [f"{worst:.0e}"]), *others])


def reasons(outcome: Outcome) -> str:
    """Each reason once, and the checks that have it."""
    told: dict[str, list[str]] = {}
    for check in outcome.checks:
        if not passed(check):
            error = check["error"]
            off = f"off by {error:.0e}" if error is not None else ""
            reason = " ".join(filter(None, (off, check["reason"]))) or "no match"
            told.setdefault(f"{check['outcome']}: {reason}", []).append(check["name"])
    return "; ".join(
        f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''} {reason}"
        for reason, names in told.items()
    )
