"""What the page of a trajectory says in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calib.report.formats import count, fixed, listed, plural, points
from calib.report.significance import p_of, sign

Results = Mapping[str, Any]
MAIN = ("brier", "brier_confidence")
"""The measure by which the headline names the best: the first that the records allow."""
MEASURE = {
    "brier": "Brier score",
    "brier_confidence": "Brier score of the confidence",
    "nll": "NLL",
    "debiased_rmsce": "debiased calibration error",
}
MOST_NAMED = 5
"""Of more checkpoints their number is said; the table has them all."""
SERIES = {
    "gap": "confidence minus accuracy",
    "brier_confidence": "the Brier score of the confidence",
    "accuracy": "accuracy",
}


def main_best(results: Results) -> tuple[str, Mapping[str, Any]] | None:
    """The name of the headline's measure and what is said of it; None where nothing is tested."""
    return next(((name, results["best"][name]) for name in MAIN if name in results["best"]), None)


def headline(results: Results) -> str:
    """The best by the Brier score and those not shown to be worse."""
    found = main_best(results)
    if found is None:
        names = [each["name"] for each in results["checkpoints"]]
        return f"{plural(len(names), 'checkpoint')}, from {names[0]} to {names[-1]}"
    return best_line(*found, names_of(results))


def names_of(results: Results) -> list[str]:
    return [str(each["name"]) for each in results["checkpoints"]]


def best_line(name: str, best: Mapping[str, Any], names: list[str]) -> str:
    """Exactly what the set says, and no more: "not shown to be worse" is no "as good"."""
    lowest = names[best["lowest"]]
    others = [names[place] for place in best["kept"] if place != best["lowest"]]
    said = f"{lowest} has the lowest {MEASURE[name]}"
    if not others:
        return f"{said}, and every other is shown to be worse"
    if len(best["kept"]) == len(names):
        return f"{said}, and none of the others is shown to be worse"
    verb = "is" if len(others) == 1 else "are"
    told = listed(others) if len(others) <= MOST_NAMED else f"{count(len(others))} others"
    earliest = names[best["kept"][0]]
    return f"{said}; {told} {verb} not shown to be worse; {earliest} is the earliest"


def lead(results: Results) -> Iterator[str]:
    """What changes, what the other measures say, what the held-out half says."""
    if results["untested"]:
        yield f"Nothing is tested: {results['untested']}."
        return
    yield " ".join(change_line(name, each, results) for name, each in results["changes"].items())
    main = main_best(results)
    others = [(n, b) for n, b in results["best"].items() if main is None or n != main[0]]
    names = names_of(results)
    if others:
        yield " ".join(f"{best_line(name, best, names)}." for name, best in others)
    if results["chosen"] is not None:
        yield chosen_line(results)


def change_line(name: str, change: Mapping[str, Any], results: Results) -> str:
    """Whether the series changes, after which checkpoint, and how surely there."""
    said = SERIES[name]
    if not sign(change):
        return f"No change of {said} is shown (p {p_of(change)})."
    names = names_of(results)
    by = fixed(abs(change["value"])) if name == "brier_confidence" else in_points(change["value"])
    low, high = change["low"], change["high"]
    within = ""
    if low is not None:
        ends = (
            f"{fixed(low)} to {fixed(high)}"
            if name == "brier_confidence"
            else f"{points(low)} to {points(high)} points"
        )
        within = f"; 95 % interval {ends}"
    told = (
        f"{said[0].upper()}{said[1:]} {'rises' if change['value'] > 0 else 'falls'} by {by} after "
        f"{names[change['after'] - 1]}, mean to mean (p {p_of(change)}{within})"
    )
    if not change["splits"]:
        return f"{told}, and it changes elsewhere, too: no single step describes it."
    if len(change["splits"]) == 1 and change["splits"][0] == change["after"]:
        return f"{told}, the only place where a single change can be."
    places = [names[split - 1] for split in change["splits"]]
    said = either(places) if len(places) <= MOST_NAMED else f"{count(len(places))} of them"
    return f"{told}; a single change after {said} is not excluded."


def either(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def in_points(value: float) -> str:
    return f"{100 * abs(value):.1f} points"


def chosen_line(results: Results) -> str:
    """The choice of one half, judged on the other."""
    chosen = results["chosen"]
    judged, against = chosen["judged"], chosen["last_minus_chosen"]
    ends = (
        ""
        if judged["low"] is None
        else f" (95 % interval {fixed(judged['low'])} to {fixed(judged['high'])})"
    )
    told = (
        f"Being chosen flatters the lowest. {count(chosen['chosen_on'])} of the questions alone "
        f"would choose {chosen['name']}; on the other {count(chosen['judged_on'])} its "
        f"{MEASURE[chosen['measure']]} is {fixed(judged['value'])}{ends}"
    )
    if against is None:
        return f"{told}, and it is the last checkpoint."
    if against["p"] is not None and against["p"] < 0.05:
        side = "higher" if against["value"] > 0 else "lower"
        return (
            f"{told}; that of {chosen['last']}, the last, is {fixed(abs(against['value']))} {side} "
            f"(p {p_of({**against, 'holm': against['p']})})."
        )
    p = "" if against["p"] is None else f" (p {p_of({**against, 'holm': against['p']})})"
    return f"{told}; no difference to {chosen['last']}, the last, is shown there{p}."
