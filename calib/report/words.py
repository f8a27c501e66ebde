"""The sentences of a score report: no more than its tests support.

A difference is called one where its test, corrected for their number on the page (Holm), is below
``LEVEL``; else the page says what chance alone would give.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.report.formats import count, fixed, percent, points, pvalue, share, within

LEVEL = 0.05
LEAST_TOLD = 50
"""Answers of one confidence, at least, for a headline about them."""
LEAST_MASS = 0.5
"""With less probability on the options than this, a reader is told first."""
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NULL_NOTE = (
    "“Expected if calibrated” is the metric's mean when the answers are redrawn so that every "
    "confidence is true, and p the share of draws at least as large as what was seen, corrected "
    "for the number of tests on this page (Holm). Binned errors are above zero even then, and have "
    "no interval: p decides whether a model is miscalibrated, and the debiased error says by how "
    "much."
)


def words(results: Mapping[str, Any]) -> dict[str, Any]:
    """The sentences, tiles and table cells of the report."""
    overall, facts = results["overall"], results["facts"]
    counts, metrics = results["counts"], results["metrics"]
    shown = len(results["mistakes"])
    return {
        "model": str(facts.get("model", "the model")),
        "task": str(overall["task"]),
        "headline": headline(results),
        "verdict": verdict(overall),
        "remedy": remedy(results),
        "caveats": caveats(results),
        "tiles": [
            {
                "name": "accuracy",
                "value": percent(overall["accuracy"], 1),
                "note": f"{count(counts['scored'])} questions",
            },
            {
                "name": "mean confidence",
                "value": percent(overall["confidence"], 1),
                "note": f"{points(overall['gap'])} points to accuracy",
            },
            {
                "name": "ECE",
                "value": fixed(overall["ece"], 3),
                "note": f"{fixed(overall['expected'], 3)} if calibrated",
            },
            {
                "name": "answers in the asked form",
                "value": percent(overall["parse_rate"], 1),
                "note": f"option mass {fixed(overall['mass'], 3)}",
            },
        ],
        "temperature_rows": temperature_rows(results["temperature"]),
        "abstain_note": abstain_note(results["abstain"]),
        "abstain_rows": [abstain_row(row) for row in results["abstain"]["rows"]],
        "mistakes_count": NUMBERS[shown] if shown < len(NUMBERS) else str(shown),
        "metric_rows": [metric_row(name, entry) for name, entry in metrics.items()],
        "null_note": NULL_NOTE,
        "facts": [*count_facts(counts), *histogram_facts(results), *flat(facts)],
    }


def headline(results: Mapping[str, Any]) -> str:
    """What the model's word is worth where it gives it most often, in one sentence."""
    bin_ = max(results["diagram"]["rows"], key=lambda row: row["n"])
    n, counts = bin_["n"], results["counts"]
    missing = counts["total"] < counts["planned"]
    begun = f"Unfinished, {counts['total']:,} of {counts['planned']:,}: " if missing else ""
    if n < LEAST_TOLD:
        return (
            f"{begun}{count(results['overall']['n'])} questions are too few to say what its "
            "confidence is worth."
        )
    return (
        f"{begun}When it says {share(bin_['confidence'])}, it is right {count(bin_['correct'])} "
        f"times of {count(n)} (95 % interval {within(bin_['accuracy_low'], bin_['accuracy_high'])})"
        "."
    )


def verdict(overall: Mapping[str, Any]) -> str:
    """Whether the gap is real, and which way it points."""
    p = pvalue(overall["holm"], relation=True, at_most=overall["at_most"])
    numbers = (
        f"Over {count(overall['n'])} questions it was {percent(overall['confidence'], 1)} sure on "
        f"average and right {percent(overall['accuracy'], 1)} of the time. Its expected "
        f"calibration error is {fixed(overall['ece'], 3)}; a perfectly calibrated model would show "
        f"{fixed(overall['expected'], 3)} (p {p})."
    )
    if overall["holm"] >= LEVEL:
        return f"No miscalibration is shown. {numbers}"
    if abs(overall["gap"]) < 0.01:
        return f"It is miscalibrated in places, though not on average. {numbers}"
    return f"It is {'over' if overall['gap'] > 0 else 'under'}-confident. {numbers}"


def remedy(results: Mapping[str, Any]) -> str:
    """What the fitted temperature does on questions it has not seen, as far as that is shown."""
    temperature = results["temperature"]
    if temperature is None:
        reason = results["temperature_kept"]
        return f"It is given no temperature: {reason}." if reason else ""
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
        told = ", ".join(f"{test['label']} p {p_of(test)}" for test in tests.values())
        sentence += f"; on the other half no improvement is shown ({told})"
    before, after = metrics["ece"]["before"], metrics["ece"]["after"]
    return (
        f"{sentence}. The ECE there is {fixed(before['value'], 3)} before and "
        f"{fixed(after['value'], 3)} after, where calibrated answers would give "
        f"{fixed(before['expected'], 3)} and {fixed(after['expected'], 3)}."
    )


def shown(test: Mapping[str, Any]) -> bool:
    return test["p"] is not None and test["holm"] < LEVEL


def p_of(test: Mapping[str, Any], relation: bool = True) -> str:
    """The corrected p of a test, "≤" before the smallest that it can give."""
    at_most = test["p"] is not None and test["p"] <= test["least_p"]
    return pvalue(test["holm"], relation, at_most)


def temperature_span(temperature: Mapping[str, Any]) -> str:
    low, high = temperature["low"], temperature["high"]
    return "" if low is None else f" (95 % interval {fixed(low, 2)} to {fixed(high, 2)})"


def caveats(results: Mapping[str, Any]) -> list[str]:
    """What a reader must know before believing the numbers."""
    counts, overall, temperature = results["counts"], results["overall"], results["temperature"]
    said = []
    if overall["mass"] < LEAST_MASS:
        said.append(forced_choice("its", overall["mass"]))
    if (left_out := counts["total"] - counts["scored"]) > 0:
        said.append(
            f"{count(left_out)} of {count(counts['total'])} questions are not in these numbers: "
            f"{count(counts['without_answer'])} have no known answer, {count(counts['invalid'])} "
            "gave no valid scores."
        )
    if temperature is not None and temperature["degenerate"]:
        said.append(f"The temperature is not a true minimum: {temperature['reason']}.")
    return said


def forced_choice(whose: str, mass: float) -> str:
    return (
        f"Only {percent(mass, 1)} of {whose} probability lies on the options: left alone it would "
        "mostly say something else, and the confidence here is that of a forced choice."
    )


def temperature_rows(temperature: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Before and after on the judged half, with p where the difference is tested."""
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
    """A share in percent; else the value, and in brackets what it would be if calibrated."""
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
    asked = f"≥ {fixed(row['threshold'], 4)}" if row["coverage"] < 1 else "none needed: answer all"
    return {
        "target": target,
        "none": None,
        "threshold": asked,
        "coverage": percent(row["coverage"]),
        "accuracy": share(1 - row["risk"]),
        "bound": share(1 - row["bound"]),
        "worth": f"{fixed(row['utility'], 3)} ({everything})",
    }


def metric_row(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """One line of the metric table, as text."""
    low, high = entry.get("low"), entry.get("high")
    known = low is not None and high is not None
    convention = entry["convention"]
    if known and entry.get("method"):
        convention += f"; interval: {entry['method']}"
    return {
        "label": entry.get("label", name),
        "value": fixed(entry["value"], 4),
        "interval": f"{fixed(low, 4)} … {fixed(high, 4)}" if known else "–",
        "expected": fixed(entry.get("expected"), 4),
        "p": pvalue(entry.get("holm"), at_most=entry.get("at_most", False)),
        "n": count(entry["n"]),
        "convention": convention,
    }


def count_facts(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """What became of every row, in words."""
    ended = counts.get("ended", 0)
    closed = ("scored to the answer's end", f"{count(ended)} (one option begins another)")
    return [
        ("questions", count(counts["total"])),
        ("scored", count(counts["scored"])),
        ("without an answer", count(counts["without_answer"])),
        ("invalid (NaN)", count(counts["invalid"])),
        ("top token was an option", count(counts["parsed"])),
        ("ties for the best option", f"{count(counts['ties'])} (the first option was taken)"),
        *([closed] if ended else []),
        ("independent clusters", count(counts["clusters"])),
    ]


def histogram_facts(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The ECE that was counted while the questions were scored, beside that of the records."""
    counted = results.get("histogram")
    if counted is None:
        return []
    records = results["metrics"]["ece"]
    both = f"{fixed(counted['ece'], 6)}; of the records {fixed(records['value'], 6)}"
    return [(f"ECE counted while scoring, {counted['bins']} bins", both)]


def flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as (name, text) lines."""
    lines: list[tuple[str, str]] = []
    for name, value in facts.items():
        label = f"{prefix}{str(name).replace('_', ' ')}"
        if isinstance(value, Mapping):
            lines += flat(value, f"{label}: ")
        elif value is not None:
            lines.append((label, str(value)))
    return lines
