"""What a page of twins says in sentences: nothing that no test shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calib.report.formats import count, listed, percent, points
from calib.report.significance import p_of, sign
from calib.twin_sets.pairs import GIVEN
from calib.twin_sets.ways import ABOUT, LIMITS

Results = Mapping[str, Any]
CAVEATS = {
    "swap": "A swapped twin may have an answer after all: the file does not ask the same of its "
    "picture, and no more is known. Abstaining from it counts as right all the same.",
    "remove": "Where the right option is gone, every other option's share rises even if nothing is "
    "recognised: a rise of mass by remove shows no more than that.",
}
"""What a reader must know of the numbers of a way."""
UNREAD = 0.1
"""More unread answers than this share are warned of."""


def headline(results: Results) -> str:
    """Whether it abstains more often from what nobody can answer, as far as tests show it."""
    tests = [test for test in results["tests"] if test["measure"] == "abstention"]
    more = [test for test in tests if sign(test) > 0]
    less = [test for test in tests if sign(test) < 0]
    said = []
    for adverb, own in (("more", more), ("less", less)):
        if own:
            ways = listed(
                [
                    f"{test['how']} by {points(test['value'])} points (p {p_of(test)})"
                    for test in own
                ]
            )
            said.append(
                f"It abstains {adverb} often from twins that nobody can answer than from their "
                f"questions: {ways}."
            )
    if len(more) + len(less) < len(tests):
        rest = listed([test["how"] for test in tests if not sign(test)])
        said.append(
            "It is not shown to abstain more or less often from twins than from their questions"
            + (f" by {rest}." if said else ".")
        )
    return " ".join(said)


def lead(results: Results) -> Iterator[str]:
    dual = [f"{row['how']} {percent(row['rates']['dual']['value'], 1)}" for row in results["ways"]]
    yield (
        f"Dual accuracy, the question answered right and its twin abstained from: {listed(dual)}. "
        "Always to answer and always to abstain both have a dual accuracy of 0."
    )
    mass = [test for test in results["tests"] if test["measure"] == "mass"]
    if mass:
        told = [
            f"{test['how']} {points(test['value'])} points ("
            + (f"p {p_of(test)}" if sign(test) else "no difference shown")
            + ")"
            for test in mass
        ]
        yield f"Mass on “{results['idk']}”, twin minus question: {listed(told)}."


def caveats(results: Results) -> Iterator[str]:
    for row in results["ways"]:
        if row["how"] in CAVEATS:
            yield CAVEATS[row["how"]]
    for row in results["ways"]:
        unread, answers = row["unread"] + row["unread_twin"], 2 * row["pairs"]
        if unread > UNREAD * answers:
            yield (
                f"{row['how']}: {count(unread)} of {count(answers)} answers could not be read; "
                "they are neither right nor abstentions."
            )
    for entry in results["left_out"]:
        yield f"{count(entry['number'])} left out: {entry['reason']} ({', '.join(entry['first'])})."


def about(way: str) -> str:
    """What a way does to a question."""
    return "as the file has it" if way == GIVEN else ABOUT.get(way, f"as the file has it: {way}")


def limit(way: str) -> str:
    return LIMITS.get(way, "whether nobody can answer it is what the file says")
