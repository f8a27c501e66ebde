"""What a page says of the temperature and of the thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.report.formats import count, fixed, percent, share
from calib.report.significance import p_of, shown
from calib.report.tables import has_model


def remedy(results: Mapping[str, Any]) -> str:
    """What the temperature is shown to change on questions that it was not fitted on."""
    temperature = results["temperature"]
    if temperature is None:
        reason = results["temperature_kept"]
        without = "It is given no temperature" if has_model(results) else "No temperature is fitted"
        return f"{without}: {reason}." if reason else ""
    metrics, tests = temperature["metrics"], temperature["tests"]
    lower = [test for test in tests.values() if shown(test) and test["value"] < 0]
    higher = [test for test in tests.values() if shown(test) and test["value"] > 0]
    between = temperature_span(temperature)
    sentence = (
        f"A temperature of {fixed(temperature['value'], 2)}{between}, fitted on one half of the "
        "questions, changes no answer"
    )
    if lower or higher:
        done = [
            f"{verb} " + " and ".join(f"{test['label']} (p {p_of(test)})" for test in moved)
            for verb, moved in (("lowers", lower), ("raises", higher))
            if moved
        ]
        sentence += f". On the other half it {' and '.join(done)}"
    else:
        p_values = [f"{t['label']} p {p_of(t)}" for t in tests.values() if t["p"] is not None]
        evidence = f" ({', '.join(p_values)})" if p_values else ", as nothing can be tested there"
        sentence += f"; on the other half no improvement is shown{evidence}"
    before, after = metrics["ece"]["before"], metrics["ece"]["after"]
    return (
        f"{sentence}. The ECE there is {fixed(before['value'], 3)} before and "
        f"{fixed(after['value'], 3)} after, where calibrated answers would give "
        f"{fixed(before['expected'], 3)} and {fixed(after['expected'], 3)}."
    )


def temperature_span(temperature: Mapping[str, Any]) -> str:
    low, high = temperature["low"], temperature["high"]
    return "" if low is None else f" (95 % interval {fixed(low, 2)} to {fixed(high, 2)})"


def temperature_rows(temperature: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Before and after on the held-out half, with p where the difference is tested."""
    if temperature is None:
        return []
    tests = temperature["tests"]
    return [
        {
            "name": entry["label"],
            "before": side_of(name, entry["before"]),
            "after": side_of(name, entry["after"]),
            "p": p_of(tests[name], relation=False) if name in tests else "–",
        }
        for name, entry in temperature["metrics"].items()
    ]


def side_of(name: str, entry: Mapping[str, Any]) -> str:
    """A share in percent; else the value, and in brackets its expectation if calibrated."""
    if name in ("accuracy", "confidence"):
        return percent(entry["value"], 1)
    value = fixed(entry["value"], 4)
    return value if entry.get("expected") is None else f"{value} ({fixed(entry['expected'], 4)})"


def abstain_note(abstain: Mapping[str, Any]) -> str:
    return (
        "Answer above a confidence, pass on the rest. Each row keeps its promise about new "
        f"questions of the same kind with a probability of {percent(1 - abstain['delta'])} "
        f"(learn then test, on {count(abstain['n'])} questions, one a cluster). Worth counts +1 "
        "for a right answer, 0 for none, and for a wrong one so much less that answering with "
        "exactly the promised accuracy is worth nothing; in brackets that of answering everything."
    )


def abstain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the thresholds' table, as text."""
    target, everything = percent(row["target"]), fixed(row["utility_all"], 3)
    if row["threshold"] is None:
        return {"target": target, "none": f"no threshold can promise it ({everything})"}
    threshold = (
        f"≥ {fixed(row['threshold'], 4)}" if row["coverage"] < 1 else "none needed: answer all"
    )
    return {
        "target": target,
        "none": None,
        "threshold": threshold,
        "coverage": percent(row["coverage"]),
        "accuracy": share(1 - row["risk"]),
        "bound": share(1 - row["bound"]),
        "worth": f"{fixed(row['utility'], 3)} ({everything})",
    }
