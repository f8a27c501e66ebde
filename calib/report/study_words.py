"""What the page of a study says in sentences: what tests decide, and whether seeds agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from calib.report.formats import count, listed, plural

Results = Mapping[str, Any]
Conclusion = Mapping[str, Any]
SHOWN, AGAINST, OPEN = "shown", "against", "not shown"
"""Verdicts of conclusions in results.json: tests show the statement, show its contrary, or neither.
"""
ILLUSTRATION = "An illustration: few questions; conclusions need the full study."
FEW = 2
"""Statements that a headline says as they are."""
LINES = 5
"""Sentences of which an answer has no more."""
NAMED = 4
"""Of more names a sentence says how many more there are."""
GROUPS = 3
"""Of more things that are said a headline counts verdicts."""


def headline(found: Results) -> str:
    """What is concluded: one or two statements as they are, else how many say the same."""
    conclusions = found["conclusions"]
    if not conclusions:
        return "No test decides anything here."
    if len(conclusions) <= FEW:
        return " ".join(lines_of(conclusions))
    groups = said_alike(conclusions)
    if len(groups) > GROUPS or not all(map(can_be_plural, groups)):
        return first_said(conclusions)
    said = [f"{count(len(names))} {of_many(words, len(names))}" for words, names in groups.items()]
    things = noun(conclusions, found["tables"])
    return f"Of {count(len(conclusions))} {things} {listed(said)}."


def first_said(conclusions: Sequence[Conclusion]) -> str:
    """What tests show where that is one or two statements, else how many they are."""
    decided = [each for each in conclusions if each["verdict"] != OPEN]
    of = plural(len(conclusions), "statement")
    if not decided:
        return f"Of {of} none is shown."
    if len(decided) <= FEW:
        return f"{' '.join(lines_of(decided))} Of {of} no other is shown."
    return of_verdicts(conclusions)


def of_verdicts(conclusions: Sequence[Conclusion]) -> str:
    """How many statements are shown: "Of 9 statements 3 are shown and 6 are not shown."."""
    verdicts = verdicts_of(conclusions)
    words = {SHOWN: "shown", AGAINST: "contradicted", OPEN: "not shown"}
    said = [f"{count(n)} {be(n)} {words[v]}" for v, n in verdicts.items() if n]
    return f"Of {plural(len(conclusions), 'statement')} {listed(said)}."


def verdicts_of(conclusions: Sequence[Conclusion]) -> dict[str, int]:
    """How many conclusions have each verdict."""
    found = Counter(each["verdict"] for each in conclusions)
    return {verdict: found[verdict] for verdict in (SHOWN, AGAINST, OPEN)}


def be(number: int) -> str:
    return "is" if number == 1 else "are"


def said_alike(conclusions: Sequence[Conclusion]) -> dict[str, list[str]]:
    """What is said behind its subject, " is shown ..." or ": it is ...", and of which subjects; a
    whole sentence where it does not begin with the subject that ``about`` names."""
    groups: dict[str, list[str]] = {}
    for each in conclusions:
        subject, said = subject_of(each), str(each["said"])
        begins = said.startswith((f"{subject} ", f"{subject}: "))
        words = said.removeprefix(subject) if begins else said
        groups.setdefault(words, []).append(subject if begins else "")
    return groups


def subject_of(conclusion: Conclusion) -> str:
    """What stands before the last colon of ``about``: "stage1: over-confident" is of stage1."""
    about = str(conclusion["about"])
    return about.rpartition(": ")[0] or about


def can_be_plural(words: str) -> bool:
    return words.startswith(" is ")


def of_many(words: str, number: int) -> str:
    """The words behind a number of subjects, without their full stop."""
    return be(number) + words.removeprefix(" is").removesuffix(".")


def noun(conclusions: Sequence[Conclusion], tables: Sequence[Results]) -> str:
    """What the subjects are, by the head of the column in which they all stand."""
    subjects = set(map(subject_of, conclusions))
    for table in tables:
        if table["rows"] and subjects <= {str(row[0]) for row in table["rows"]}:
            return f"{table['columns'][0][0]}s"
    return "cases"


def answers(found: Results) -> list[str]:
    """What is concluded, a line for all of which the same is said; what is shown comes first, and
    what the headline has said is left out."""
    told = headline(found)
    lines = []
    for verdict in (SHOWN, AGAINST, OPEN):
        own = [each for each in found["conclusions"] if each["verdict"] == verdict]
        lines += [line for line in lines_of(own) if line not in told]
    more = len(lines) - LINES
    if more > 0:
        lines[LINES:] = [
            f"{count(more)} more {'line stands' if more == 1 else 'lines stand'} below."
        ]
    return lines


def lines_of(conclusions: Sequence[Conclusion]) -> list[str]:
    """Each statement in a line, those in one that say the same of several subjects."""
    lines = []
    for words, names in said_alike(conclusions).items():
        if len(names) > 1 and can_be_plural(words):
            lines.append(f"{some(names)} {of_many(words, len(names))}.")
        elif words.startswith(": "):
            lines.append(f"{some(names)}{words}")
        else:
            lines += [f"{name}{words}" for name in names]
    return lines


def some(names: Sequence[str], most: int = NAMED) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return listed([*names[:most], *([f"{count(more)} more"] if more > 0 else [])])


def by_seed(runs: Sequence[Results]) -> dict[str, list[str | None]]:
    """The verdict of each seed on what each conclusion is ``about``; None where it draws none."""
    verdicts = [{c["about"]: c["verdict"] for c in run["found"]["conclusions"]} for run in runs]
    every = dict.fromkeys(about for own in verdicts for about in own)
    return {about: [own.get(about) for own in verdicts] for about in every}


def pages_of(run: Results) -> set[str]:
    """The runs that a seed has read or made, which lie where what decides them says."""
    asking = [step for step in run["steps"] if step["prompts"] or step["answers"]]
    return {str(step["page"]) for step in asking}


def unstable(runs: Sequence[Results]) -> list[str]:
    """What seeds do not agree on."""
    return [about for about, verdicts in by_seed(runs).items() if len(set(verdicts)) > 1]


def stability(runs: Sequence[Results]) -> str:
    """Whether the seeds conclude the same; "" of one seed, or where nothing is concluded."""
    if len(runs) < 2 or not by_seed(runs):
        return ""
    seeds = listed([str(run["seed"]) for run in runs])
    differ = unstable(runs)
    if differ:
        return f"Unstable: the seeds {seeds} do not conclude the same of {some(differ, 2 * NAMED)}."
    if all(pages_of(run) == pages_of(runs[0]) for run in runs):
        return (
            f"No question or answer is drawn anew with the seeds {seeds}: they read the same runs."
        )
    return f"The seeds {seeds} conclude the same."
