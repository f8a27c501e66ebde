"""The tables of a study: those of its finding, conclusions, seeds and steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from calib.report.blocks import Table
from calib.report.facts import fact
from calib.report.formats import (
    UNKNOWN,
    Label,
    Linked,
    Shown,
    bounded,
    count,
    duration,
    fixed,
    in_points,
    percent,
    points,
    pvalue,
)
from calib.report.ranking import signed
from calib.report.study_words import AGAINST, OPEN, SHOWN, by_seed
from calib.runs.folder import slug

Results = Mapping[str, Any]
POINTS = ", points"
LONG = 48
"""Characters of a text that is a sentence."""
MARKS = {SHOWN: "✓ shown", AGAINST: "✕ against", OPEN: "not shown"}


def text(value: Any) -> str:
    return UNKNOWN if value is None else str(value)


def in_percent(value: float | None) -> str:
    return percent(value, 1)


def with_sign(value: float | None) -> str:
    return UNKNOWN if value is None else signed(value)


def probability(value: Sequence[Any] | None) -> str:
    """A p and whether its test gives no less."""
    p, at_most = value or (None, False)
    return pvalue(p, at_most=bool(at_most))


def around(form: Callable[[float], str]) -> Callable[[Any], str]:
    """Cells of a value with its bounds."""

    def cell(value: Sequence[float | None] | None) -> str:
        middle, low, high = value or (None, None, None)
        return bounded(middle, low, high, form)

    return cell


CELLS: Mapping[str, Callable[[Any], str]] = {
    "text": text,
    "count": count,
    "percent": in_percent,
    "points": points,
    "fixed": fixed,
    "signed": with_sign,
    "p": probability,
    "interval": around(fixed),
    "percents": around(in_percent),
    "signeds": around(signed),
}
"""How a column's values are shown, by what it is said to hold."""


def found_table(table: Results, name: str) -> Table:
    """A table of the finding as the page has it, its CSV called ``name``."""
    forms = [CELLS.get(as_, text) for _, as_ in table["columns"]]
    rows = [[form(value) for form, value in zip(forms, row, strict=True)] for row in table["rows"]]
    head = [head_of(*column) for column in table["columns"]]
    prose = [
        k
        for k, (_, as_) in enumerate(table["columns"])
        if k and as_ == "text" and any(len(row[k]) > LONG for row in rows)
    ]
    return Table(name, head, rows, table["note"], prose=tuple(prose))


def head_of(name: str, as_: str) -> str:
    return in_points(name.removesuffix(POINTS)) if as_ == "points" else name


def table_names(tables: Iterable[Results], taken: Iterable[str]) -> list[str]:
    """Names of files for tables, each once and none of those that are ``taken``."""
    every, names = set(taken), []
    for table in tables:
        name = own = slug(str(table["name"])) or "table"
        number = 2
        while name in every:
            name, number = f"{own}-{number}", number + 1
        every.add(name)
        names.append(name)
    return names


def conclusion_table(conclusions: Sequence[Results], name: str = "conclusions") -> Table:
    """Every statement with what tests say of it."""
    claims = any(each["claim"] for each in conclusions)
    head = ["statement", "verdict", *(["bears on"] if claims else [])]
    rows = [
        [each["said"], verdict(each["verdict"]), *([each["claim"] or UNKNOWN] if claims else [])]
        for each in conclusions
    ]
    note = (
        "Shown: a test shows it at the level of 5 %, corrected as its table says; against: a test "
        "shows the contrary; not shown: neither, which is no evidence of no difference."
    )
    return Table(name, head, rows, note)


def verdict(name: str | None) -> str:
    """A verdict with its mark; what is not shown is grey."""
    if name is None:
        return UNKNOWN
    told = MARKS.get(name, name)
    # CSV has the word alone.
    return Shown(told, mark="muted") if name == OPEN else Label(told, name)


def seed_table(runs: Sequence[Results]) -> Table:
    """The verdict of each seed on each statement."""
    head = ["conclusion", *(f"seed {run['seed']}" for run in runs), "same"]
    rows = [
        [about, *map(verdict, verdicts), "yes" if len(set(verdicts)) == 1 else "no"]
        for about, verdicts in by_seed(runs).items()
    ]
    return Table("seeds", head, rows, "A dash: this seed concludes nothing of it.")


def step_table(runs: Sequence[Results]) -> Table:
    """Every step of every seed, which leads to its page."""
    several = len(runs) > 1
    every = [(run["seed"], step) for run in runs for step in run["steps"]]
    options = any(step["options"] for _, step in every)
    head = ["step", *(["seed"] if several else []), "kind", *(["options"] if options else [])]
    rows = [
        [
            Linked(step["name"], step["page"]),
            *([str(seed)] if several else []),
            step["kind"],
            *([options_of(step["options"])] if options else []),
            asked([step], "prompts") if step["prompts"] else Shown(UNKNOWN, 0),
            asked([step], "answers") if step["answers"] else Shown(UNKNOWN, 0),
            time_of(step["seconds"]),
            step["date"],
        ]
        for seed, step in every
    ]
    return Table(
        "steps",
        [*head, "prompts", "answers", Label("time", "time, seconds"), "date"],
        rows,
        "Prompts that the model read and answers that it wrote; ≤: at most so many, as the step "
        "may leave out some. The time is that of the day when the step was done; steps that "
        "another study had done were read.",
        prose=(head.index("options"),) if options else (),
    )


def asked(steps: Iterable[Results], what: str) -> str:
    """The sum of ``what``, "prompts" or "answers", over steps; where some asked at most so many it
    is no number of CSV."""
    some = [step for step in steps if step[what]]
    number = sum(step[what] for step in some)
    return f"≤ {number:,}" if any(step.get("at_most") for step in some) else count(number)


def time_of(seconds: float) -> str:
    return Shown(duration(seconds), seconds)


def options_of(options: Results) -> str:
    told = [f"{name.replace('_', ' ')} {fact(name, value)}" for name, value in options.items()]
    return "; ".join(told) or UNKNOWN


def refused_table(runs: Sequence[Results]) -> Table | None:
    """Steps that concluded nothing, with which seeds and why; None where there is none."""
    refused: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for step in run["steps"]:
            if step["refused"] is not None:
                told = (step["name"], why(step["refused"]))
                refused.setdefault(told, []).append(str(run["seed"]))
    if not refused:
        return None
    if len(runs) == 1:
        return Table("nothing", ["step", "why"], list(map(list, refused)), prose=(1,))
    rows = [[name, ", ".join(seeds), reason] for (name, reason), seeds in refused.items()]
    return Table("nothing", ["step", "with seed", "why"], rows, prose=(2,))


def why(reason: str) -> str:
    """A refusal, which begins with the folder that was read, by that folder's own name."""
    place, colon, said = reason.partition(": ")
    return f"{place.replace(chr(92), '/').rpartition('/')[2]}{colon}{said}"
