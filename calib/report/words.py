"""The sentences of a score report: no more than its tests support.

A difference is called one where its test, corrected for their number on the page (Holm), is below
``LEVEL``; else the page says what chance alone would give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from calib.report.formats import count, fixed, percent, points, pvalue, share, within
from calib.runs.kinds import SCORE

LEVEL = 0.05
LEAST_TOLD = 50
"""Answers of one confidence, at least, for a headline about them."""
LEAST_MASS = 0.5
"""With less probability on the options than this, a reader is told first."""
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
OF_A_MODEL = {
    "word": "Does it keep its word?",
    "bins": "Questions are sorted into bins by the model's confidence. A dot on the dashed line "
    "keeps its word",
    "sorting": "Can its confidence sort right from wrong?",
    "gap": "the model claims more than it keeps",
    "letting": "When to let it answer",
    "mistakes": "Its {} most over-confident mistakes",
}
OF_A_TABLE = {
    "word": "Does the confidence keep its word?",
    "bins": "Answers are sorted into bins by their confidence. A dot on the dashed line keeps its "
    "word",
    "sorting": "Can the confidence sort right from wrong?",
    "gap": "more is claimed than kept",
    "letting": "When to take an answer",
    "mistakes": "The {} most over-confident mistakes",
}
"""Headings of the page, of a model's answers and of a table's of which no model is known."""
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
    headings = OF_A_MODEL if has_model(results) else OF_A_TABLE
    return {
        "title": title(results),
        **headings,
        "headline": headline(results),
        "verdict": verdict(overall) if has_model(results) else table_verdict(overall),
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
            *asked_form(overall),
        ],
        "temperature_rows": temperature_rows(results["temperature"]),
        "abstain_note": abstain_note(results["abstain"]),
        "abstain_rows": [abstain_row(row) for row in results["abstain"]["rows"]],
        "mistakes": headings["mistakes"].format(
            NUMBERS[shown] if shown < len(NUMBERS) else str(shown)
        ),
        "mistake_table": mistake_table(results["mistakes"]),
        "groups": group_table("group", results["groups"]),
        "beside": group_table("form", [overall, *results["beside"]]),
        "metric_rows": [metric_row(name, entry) for name, entry in metrics.items()],
        "null_note": NULL_NOTE,
        "facts": [*count_facts(counts), *histogram_facts(results), *flat(facts)],
    }


def has_model(results: Mapping[str, Any]) -> bool:
    """Whether the numbers are known to be of a model: a table need not say of which."""
    facts = results.get("facts", {})
    return "model" in facts or facts.get("kind", SCORE) == SCORE


def title(results: Mapping[str, Any]) -> str:
    task = str(results["overall"]["task"])
    if not has_model(results):
        return task
    return f"{results['facts'].get('model', 'the model')} on {task}"


def asked_form(overall: Mapping[str, Any]) -> list[dict[str, str]]:
    """The tile on answers in the asked form, where the records say."""
    if "parse_rate" not in overall:
        return []
    return [
        {
            "name": "answers in the asked form",
            "value": percent(overall["parse_rate"], 1),
            "note": f"option mass {fixed(overall['mass'], 3)}",
        }
    ]


def headline(results: Mapping[str, Any]) -> str:
    """What the confidence is worth where it is stated most often, in one sentence."""
    bin_ = max(results["diagram"]["rows"], key=lambda row: row["n"])
    n, counts = bin_["n"], results["counts"]
    missing = counts["total"] < counts["planned"]
    begun = f"Unfinished, {counts['total']:,} of {counts['planned']:,}: " if missing else ""
    within_95 = f"95 % interval {bounds_of(bin_)}"
    if not has_model(results):
        if n < LEAST_TOLD:
            answers = count(results["overall"]["n"])
            return f"{answers} answers are too few to say what the confidence is worth."
        near = share(bin_["confidence"])
        return (
            f"Of {count(n)} answers with a confidence of {near}, {count(bin_['correct'])} are "
            f"right ({within_95})."
        )
    if n < LEAST_TOLD:
        return (
            f"{begun}{count(results['overall']['n'])} questions are too few to say what its "
            "confidence is worth."
        )
    return (
        f"{begun}When it says {share(bin_['confidence'])}, it is right {count(bin_['correct'])} "
        f"times of {count(n)} ({within_95})."
    )


def bounds_of(bin_: Mapping[str, Any]) -> str:
    low, high = bin_["accuracy_low"], bin_["accuracy_high"]
    return "–" if low is None else within(low, high)


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


def table_verdict(overall: Mapping[str, Any]) -> str:
    """The same of answers of which no model is known."""
    p = pvalue(overall["holm"], relation=True, at_most=overall["at_most"])
    numbers = (
        f"Over {count(overall['n'])} answers the confidence is {percent(overall['confidence'], 1)} "
        f"on average, and {percent(overall['accuracy'], 1)} are right. The expected calibration "
        f"error is {fixed(overall['ece'], 3)}; perfectly calibrated confidences would show "
        f"{fixed(overall['expected'], 3)} (p {p})."
    )
    if overall["holm"] >= LEVEL:
        return f"No miscalibration is shown. {numbers}"
    if abs(overall["gap"]) < 0.01:
        return f"The confidence is wrong in places, though not on average. {numbers}"
    return f"The confidence is too {'high' if overall['gap'] > 0 else 'low'}. {numbers}"


def remedy(results: Mapping[str, Any]) -> str:
    """What the fitted temperature does on questions it has not seen, as far as that is shown."""
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
        tried = [f"{t['label']} p {p_of(t)}" for t in tests.values() if t["p"] is not None]
        told = f" ({', '.join(tried)})" if tried else ", as nothing can be tested there"
        sentence += f"; on the other half no improvement is shown{told}"
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
    if overall.get("mass", 1.0) < LEAST_MASS:
        said.append(forced_choice("its", overall["mass"]))
    accuracy, guess = results["metrics"]["accuracy"], overall.get("guess")
    if guess is not None and (accuracy["low"] is None or accuracy["low"] <= guess):
        said.append(
            f"It is not shown to be right more often than a guess, which is right "
            f"{percent(guess, 1)} of the time."
        )
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


def mistake_table(mistakes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mistakes as text: what was given and right where there are options."""
    full = all("given" in item for item in mistakes)
    head = ["id", "question", "given", "confidence", "right"] if full else ["id", "confidence"]

    def row(item: Mapping[str, Any]) -> list[str]:
        sure = percent(item["confidence"], 1)
        if not full:
            return [item["id"], sure]
        return [item["id"], item["question"], item["given"], sure, item["gold"]]

    return {"head": head, "rows": [row(item) for item in mistakes]}


def group_table(first: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Groups of questions, or the same questions in other forms, a line each, as text."""
    columns: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("questions", lambda row: count(row["n"])),
        ("accuracy", lambda row: percent(row["accuracy"], 1)),
        ("confidence", lambda row: percent(row["confidence"], 1)),
        ("gap, points", lambda row: points(row["gap"])),
        ("ECE", lambda row: fixed(row["ece"])),
        ("expected if calibrated", lambda row: fixed(row["expected"])),
        ("p", lambda row: pvalue(row["holm"], at_most=row["at_most"])),
    ]
    if all("mass" in row for row in rows):
        columns.append(("option mass", lambda row: fixed(row["mass"])))
    if all("parse_rate" in row for row in rows):
        columns.append(("parsed", lambda row: percent(row["parse_rate"], 1)))
    name = "task" if first == "form" else first
    return {
        "head": [first, *(head for head, _ in columns)],
        "rows": [[row[name], *(cell(row) for _, cell in columns)] for row in rows],
        "gap": 1 + [head for head, _ in columns].index("gap, points"),
    }


def count_facts(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """What became of every row, in words."""
    ended = counts.get("ended", 0)
    read = []
    if "parsed" in counts:
        read.append(("top token was an option", count(counts["parsed"])))
    if "ties" in counts:
        read.append(
            ("ties for the best option", f"{count(counts['ties'])} (the first option was taken)")
        )
    closed = ("scored to the answer's end", f"{count(ended)} (one option begins another)")
    return [
        ("questions", count(counts["total"])),
        ("scored", count(counts["scored"])),
        ("without an answer", count(counts["without_answer"])),
        ("invalid (NaN)", count(counts["invalid"])),
        *read,
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
