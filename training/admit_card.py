"""What the embedded model's card says of ``embedded:admits``, from the facts of ``admit``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calib.report.significance import p_of

TITLES = {
    "truthful": "truthful",
    "admit_rate": "admits not knowing",
    "over_refusal": "refuses known",
    "answered_accuracy": "right if answered",
}


def states_line(facts: Mapping[str, Any]) -> list[str]:
    """The state, in the list of states."""
    rank = facts["plan"]["rank"]
    return [
        f"* `embedded:admits`: stage 2 with one more LoRA (rank {rank}, all linear layers of the",
        "  language model), tuned to say what it does not know.",
    ]


def section(facts: Mapping[str, Any]) -> Iterator[str]:
    """How the state was trained, and what it does on held-out questions."""
    plan, training, labels = facts["plan"], facts["training"], facts["train"]["counts"]
    yield from (
        "## A state that can admit",
        "",
        "`python -m training.admit` builds, trains and evaluates it, seeded. It was trained on the",
        f"{training['rows']} rows that `calib idk build` exports for `{facts['model']}`:",
        f"{labels['known']} known (its own right answer) and {labels['unknown']} unknown (“I don't",
        f"know.”); {plan['steps']} steps of {plan['batch']}, last loss {training['loss']:.3f};",
        f"threads: {training['threads']}. The questions ask for a colour or a shape in easy-VQA's",
        f"pictures, {plan['trained']} of the training split, each as it is and under three levels",
        "of noise; known are those right in all of ten samples. Labels below are those of",
        f"`{facts['model']}` for both models. One seed.",
        "",
        "Per cent, with 95 % intervals; answers at temperature 0.1.",
        "",
    )
    for name, told in facts["held_out"].items():
        counts = told["counts"]
        yield f"### {name}: {counts['known']} known, {counts['unknown']} unknown"
        yield ""
        yield "| arm | " + " | ".join(TITLES.values()) + " |"
        yield "| --- |" + " --- |" * len(TITLES)
        for arm in told["arms"]:
            cells = (shown(arm["rates"][rate]) for rate in TITLES)
            yield f"| {arm['name']} | " + " | ".join(cells) + " |"
        yield ""
        yield from differences(told["comparisons"])


def differences(comparisons: list[Mapping[str, Any]]) -> Iterator[str]:
    """The paired differences, in points, a line for each that was tested."""
    yield "| paired difference, points | rate | difference | p, Holm |"
    yield "| --- | --- | --- | --- |"
    for row in comparisons:
        bounds = "" if row["low"] is None else f" [{points(row['low'])}, {points(row['high'])}]"
        p = "" if row["holm"] is None else p_of(row, relation=False)
        yield (
            f"| {row['first']} − {row['second']} | {TITLES[row['rate']]} "
            f"| {points(row['value'])}{bounds} | {p} |"
        )
    yield ""


def shown(rate: Mapping[str, Any]) -> str:
    """A rate in per cent with its interval; a dash where no answer can show it."""
    if rate["value"] is None:
        return "-"
    if rate["low"] is None:
        return f"{rate['value'] * 100:.0f}"
    return f"{rate['value'] * 100:.0f} [{rate['low'] * 100:.0f}-{rate['high'] * 100:.0f}]"


def points(difference: float) -> str:
    return f"{difference * 100:+.0f}".replace("-", "−").replace("+0", "0").replace("−0", "0")
