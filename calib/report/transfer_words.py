"""What is said of a matrix of transfer: no more than its corrected tests show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calib.report.comparison_names import label_of
from calib.report.formats import count, listed, plural
from calib.report.plots.transfer import LESS_RIGHT, LOWERS, NOT_SHOWN, RAISES
from calib.report.significance import p_of
from calib.summary.ranking import sign_of

NAMED = 3
"""Of more runs that were fitted on, a sentence counts those judged and does not name them."""
Cell = Mapping[str, Any]
Results = Mapping[str, Any]


def mark_of(cell: Cell) -> str:
    """What is shown of the measure: lower, higher, or neither."""
    return {-1: LOWERS, 0: NOT_SHOWN, 1: RAISES}[sign_of(cell["tests"].get("measure"))]


def verdict_of(cell: Cell) -> str:
    """The mark of a matrix: that of a harm by accuracy alone, else ``mark_of``."""
    mark = mark_of(cell)
    return LESS_RIGHT if mark != RAISES and loses_accuracy(cell) else mark


def loses_accuracy(cell: Cell) -> bool:
    return sign_of(cell["tests"].get("accuracy")) < 0


def helps(cell: Cell) -> bool:
    """Whether the measure is shown to be lower, and accuracy not shown to be lower."""
    return mark_of(cell) == LOWERS and not loses_accuracy(cell)


def harms(cell: Cell) -> bool:
    """Whether the measure is shown to be higher, or accuracy lower."""
    return mark_of(cell) == RAISES or loses_accuracy(cell)


def loses(cell: Cell) -> bool:
    """Whether it is shown to be worse than the judged run's own."""
    return sign_of(cell["loss"]) > 0


def carried(results: Results) -> list[Cell]:
    """The cells of another run than their own that could be judged."""
    return [cell for cell in results["cells"] if not cell["own"] and cell["after"] is not None]


def headline(results: Results) -> str:
    what, made, cells = results["what"], results["made"], carried(results)
    good, bad = sum(map(helps, cells)), sum(map(harms, cells))
    if not cells:
        return f"No {what} could be judged on another run"
    if not good:
        told = f"No {what} is shown to help on another run than it was {made}"
    else:
        told = f"In {of(good, len(cells))}, a {what} {made} one run is shown to help on another"
    if bad:
        told += f"; in {of(bad, len(cells))} it is shown to harm"
    return told


def of(number: int, total: int) -> str:
    if total == 1:
        return "the one case"
    return f"{count(number)} of {count(total)} cases"


def lead(results: Results) -> Iterator[str]:
    """A sentence for each run that it was made on, then what is lost against the own."""
    what, made = results["what"], results["made"]
    rows: dict[str, list[Cell]] = {cell["fitted"]: [] for cell in results["cells"]}
    for cell in carried(results):
        rows[cell["fitted"]].append(cell)
    rows = {name: cells for name, cells in rows.items() if cells}
    for name, own in rows.items():
        yield f"The {what} {made} {label_of(name)} {done(own, len(rows) > NAMED)}."
    cells = [cell for cell in carried(results) if cell["loss"] is not None]
    if cells:
        worse = [cell for cell in cells if loses(cell)]
        lost = f"in {of(len(worse), len(cells))}" if worse else "in no case"
        yield (
            f"Against the judged run's own {what}, transfer is shown to lose {lost}. Where no "
            "loss is shown, that is no evidence that there is none."
        )


def done(cells: Sequence[Cell], many: bool) -> str:
    """What the cells of one row show; of ``many`` rows only on how many runs."""
    parts: list[str] = []
    for mark, verb in ((LOWERS, "lowers"), (RAISES, "raises")):
        here = [cell for cell in cells if mark_of(cell) == mark]
        if here:
            runs = plural(len(here), "other run") if many else listed(list(map(told, here)))
            parts.append(f"{verb} {'it' if parts else 'the error'} on {runs}")
    for cell in filter(loses_accuracy, cells):
        p = p_of(cell["tests"]["accuracy"])
        parts.append(f"lowers accuracy on {label_of(cell['judged'])} (p {p})")
    if not parts:
        return "is shown neither to lower nor to raise the error on another run"
    left = [str(label_of(cell["judged"])) for cell in cells if verdict_of(cell) == NOT_SHOWN]
    if left:
        runs = plural(len(left), "other run") if many else listed(left)
        error = any(mark_of(cell) != NOT_SHOWN for cell in cells)
        none = "to do neither" if error else "neither to lower nor to raise the error"
        parts.append(f"is shown {none} on {runs}")
    return listed(parts)


def told(cell: Cell) -> str:
    return f"{label_of(cell['judged'])} (p {p_of(cell['tests']['measure'])})"


def unjudged(results: Results) -> list[str]:
    """A line for each reason why cells could not be judged."""
    by_reason: dict[str, list[str]] = {}
    for cell in results["cells"]:
        if cell["after"] is None:
            pair = f"{label_of(cell['fitted'])} on {label_of(cell['judged'])}"
            by_reason.setdefault(cell["why"], []).append(pair)
    return [
        f"Not judged: {listed(own) if len(own) <= NAMED else plural(len(own), 'pair')}: {why}."
        for why, own in by_reason.items()
    ]


def measures(judged: Sequence[Mapping[str, Any]]) -> str:
    """What the error of the columns is, in words."""
    by_measure: dict[str, list[str]] = {}
    for each in judged:
        by_measure.setdefault(each["measure"], []).append(str(label_of(each["name"])))
    if len(by_measure) == 1:
        return f"The error is the {next(iter(by_measure))}."
    parts = [f"on {listed(names)} the {measure}" for measure, names in by_measure.items()]
    return f"The error is {listed(parts)}, as the NLL is infinite there."
