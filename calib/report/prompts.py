"""The report of a search for a prompt's wording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.fields import read_saved
from calib.prompts.parts import FORMAT, OF_ANSWERS, PARTS
from calib.records import InputError
from calib.report import plots
from calib.report.blocks import Block, Figure, Figures, Page, Quote, Section, Table, Text, Tile
from calib.report.comparison_tables import TESTED, tested, value_cell
from calib.report.facts import facts_section, run_facts
from calib.report.formats import UNKNOWN, count, fixed, percent, plural, printable, short
from calib.report.page import write_page
from calib.report.significance import moved
from calib.runs.config import read_config
from calib.runs.kinds import RESULTS
from calib.runs.prompts import first_prompt, title_of

Results = Mapping[str, Any]
MEASURES = {"ece": "ECE", "brier": "Brier score", "truthful_rate": "truthful rate"}
KEY = {
    "ece": "by bands of accuracy a fifth wide, the higher first, then by the lower ECE",
    "brier": "by the lower Brier score of the confidence",
    "truthful": "by the share of truthful answers, then by the fewer known questions refused",
}
ENTRIES = ("accuracy", "gap", "ece", "debiased_rmsce", "brier")
SHOWN = 3
"""Wordings that could not be asked which a page names."""
WORDING = 400
"""Characters of a wording that a headline or a sentence shows."""


def write_prompts_report(folder: Path) -> Path:
    """Write the page of a search from its results.json; return it. InputError where that is gone
    or no search's."""
    if not (folder / RESULTS).is_file():
        raise InputError(f"{folder}: this search has not come to its end; the same call goes on")
    results = read_saved(folder / RESULTS, "the results of calib prompts", FORMAT)
    config = read_config(folder)
    return write_page(folder, prompts_page(results, config, folder))


def prompts_page(results: Results, config: Mapping[str, Any], folder: Path) -> Page:
    read, whole = results["read"], results["whole_pool"]
    return Page(
        title=f"A wording for {results['task']}: {PARTS[results['part']].about}",
        headline=headline(results),
        lead=[
            *(Text(line, "lead") for line in lead(results)),
            *(Text(line, "caveat") for line in caveats(results)),
        ],
        tiles=[
            Tile("wordings tried", count(results["wordings"]), f"in {rounds(results)}"),
            Tile(
                "prompts read",
                count(read),
                f"{percent(read / whole, 0)} of all wordings on all questions" if whole else "",
            ),
            Tile("searched on", count(results["searched"]), "questions, which chose the winner"),
            Tile("held out", count(results["held_out"]["n"]), "questions, which chose nothing"),
        ],
        sections=list(sections(results, config, folder)),
        asked=f"{results['model']}, the {results['part']} of its prompt",
        footer="The numbers are in results.json, every question's in search.jsonl.",
    )


def rounds(results: Results) -> str:
    ended = ", then none brought anything" if results["settled"] else ""
    return plural(results["rounds"], "round") + ended


def quoted(text: str) -> str:
    return f"“{short(printable(' '.join(text.split())), WORDING)}”"


def headline(results: Results) -> str:
    """What the held-out questions show of the winner."""
    if results["winner"] == results["seed"]:
        return (
            f"No wording did better on the searched questions than the seed "
            f"{quoted(results['seed'])}."
        )
    found = moved(differences(results))
    n = plural(results["held_out"]["compared"], "question")
    if found:
        return f"On {n} that chose nothing, {quoted(results['winner'])} {found}."
    return (
        f"On {n} that chose nothing, {quoted(results['winner'])} is not shown to differ from the "
        f"seed {quoted(results['seed'])}."
    )


def differences(results: Results) -> Mapping[str, Any]:
    """The tests of the winner; empty where it was not judged."""
    held_out = results["held_out"]
    if results["winner"] not in held_out["judged"]:
        return {}
    found: Mapping[str, Any] = held_out["pairs"][held_out["judged"].index(results["winner"])]
    return {name: d for name, d in found["differences"].items() if d["value"] is not None}


def lead(results: Results) -> Iterator[str]:
    yield (
        f"{count(results['wordings'])} wordings were ranked on {count(results['searched'])} "
        f"questions {KEY[results['objective']]}; the first is the winner. A number that "
        "chose a wording flatters it, so the held-out questions judge."
    )
    if results["gain"] is not None:
        yield flattery(results)
        yield gain_words(results["gain"])


def caveats(results: Results) -> Iterator[str]:
    if results["continued"]:
        yield (
            "The search went on after its held-out numbers could be looked at: whoever went on "
            "because of them should judge on other questions."
        )
    if refused := results["refused"]:
        wordings = ", ".join(quoted(text) for text in list(refused)[:SHOWN])
        more = f" and {count(len(refused) - SHOWN)} more" if len(refused) > SHOWN else ""
        yield (
            f"{wordings}{more}: the model cannot be asked so, as results.json says, and "
            f"{'it was' if len(refused) == 1 else 'they were'} left out."
        )


def flattery(results: Results) -> str:
    """What wordings were chosen by, on the questions that chose and on those that did not."""
    last, first = results["history"][-1]["kept"][0], results["history"][0]["kept"]
    seed = next(row for row in first if row["text"] == results["seed"])
    name = next(name for name in MEASURES if name in last)
    runs = results["held_out"]["runs"]
    metrics = [run.get("metrics") or run["rates"] for run in (runs[1], runs[0])]
    held = [entry["truthful" if name == "truthful_rate" else name]["value"] for entry in metrics]
    inside, outside = (
        f"{fixed(winner, 3)} in the winner's wording and {fixed(before, 3)} in the seed's"
        for winner, before in ((last[name], seed[name]), held)
    )
    return f"{MEASURES[name]} on the searched questions: {inside}; on the held-out ones: {outside}."


def gain_words(gain: Results) -> str:
    measure = gain["measure"]
    inside, outside, chosen = gain["searched"], gain["held_out"], gain["selection"]
    between = span(chosen)
    return (
        f"{measure[0].upper()}{measure[1:]}, winner minus seed: {signed(inside['value'])} on the "
        f"searched questions and {signed(outside['value'])}{span(outside)} on the held-out ones. "
        f"The difference of the two, {signed(chosen['value'])}{between}, is what choosing adds."
    )


def signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{fixed(value, 4)}"


def span(test: Results) -> str:
    if test["low"] is None:
        return ""
    return f" (95 % interval {signed(test['low'])} to {signed(test['high'])})"


def sections(results: Results, config: Mapping[str, Any], folder: Path) -> Iterator[Section]:
    yield Section("kept", "What was kept", [kept_table(results)])
    yield Section("rounds", "Round by round", [figures(results), rounds_table(results)])
    yield Section("held-out", "On questions that chose nothing", list(held_out(results)))
    if results["elsewhere"]:
        yield Section("elsewhere", "On other tasks", list(elsewhere(results)))
    shown = None if results["run"] is None else first_prompt(folder / results["run"])
    if shown is not None:
        told = f"The first held-out prompt in the winner's wording, {title_of(shown)}:"
        yield Section("asked", "What the model is asked", [Text(told), Quote(shown["text"])])
    yield facts_section(run_facts(config))


def kept_table(results: Results) -> Table:
    """The kept wordings as the searched questions see them, the first first."""
    kept = results["history"][-1]["kept"]
    names = {row["text"]: wording_role(row["text"], results) for row in kept}
    if "ece" not in kept[0]:
        return Table(
            "kept",
            ["wording", "", "truthful", "unknown refused", "known refused"],
            [
                [
                    row["text"],
                    names[row["text"]],
                    percent(row["truthful_rate"], 1),
                    count(row["admitted"]),
                    count(row["over_refused"]),
                ]
                for row in kept
            ],
            on_searched(results),
            prose=(0,),
        )
    return Table(
        "kept",
        ["wording", "", "band", "accuracy", "confidence", "ECE", "Brier score"],
        [
            [
                row["text"],
                names[row["text"]],
                str(row["band"]),
                percent(row["accuracy"], 1),
                percent(row["confidence"], 1),
                fixed(row["ece"], 4),
                fixed(row["brier"], 4),
            ]
            for row in kept
        ],
        on_searched(results),
        prose=(0,),
    )


def on_searched(results: Results) -> str:
    return (
        f"On the {count(results['searched'])} searched questions, which chose them: these numbers "
        "look better than new questions' would."
    )


def wording_role(text: str, results: Results) -> str:
    roles = [role for role in ("winner", "seed") if results[role] == text]
    return ", ".join(roles)


def figures(results: Results) -> Figures:
    history = results["history"]
    shown = [name for name in MEASURES if name in history[0]["kept"][0]]
    return Figures(
        [
            Figure(
                MEASURES[name],
                plots.svg(
                    plots.over_rounds(history, name, MEASURES[name]),
                    name=f"rounds-{name}",
                    label=f"{MEASURES[name]} over rounds",
                ),
                "Of the kept wordings on the searched questions; round 0 has the seeds.",
            )
            for name in shown
        ]
    )


def rounds_table(results: Results) -> Table:
    return Table(
        "rounds",
        ["round", "new", "now kept", *measures_of(results), "the first", "asked"],
        [
            [
                str(entry["round"]),
                count(entry["new"]),
                count(entry["entered"]),
                *(fixed(entry["kept"][0][name], 4) for name in measures_named(results)),
                entry["kept"][0]["text"],
                ladder(entry["ladder"]),
            ]
            for entry in results["history"]
        ],
        "New: wordings tried. Asked: how many of them on how many questions. Now kept: how many of "
        "them are among the kept.",
        prose=(3 + len(measures_named(results)), 4 + len(measures_named(results))),
    )


def measures_named(results: Results) -> list[str]:
    return [name for name in MEASURES if name in results["history"][0]["kept"][0]]


def measures_of(results: Results) -> list[str]:
    return [MEASURES[name] for name in measures_named(results)]


def ladder(rungs: Sequence[Mapping[str, int]]) -> str:
    """ "25 on 25, 13 on 50"; of the seeds, which are asked everything, a dash."""
    said = (f"{count(rung['wordings'])} on {count(rung['questions'])}" for rung in rungs)
    return ", ".join(said) or UNKNOWN


def held_out(results: Results) -> Iterator[Block]:
    judged = results["held_out"]["judged"]
    if not judged:
        yield Text("The seed was kept as the first, so nothing is judged against it.")
        return
    first = quoted(results["seed"])
    yield Text(f"Each wording minus the seed {first}; p corrected for all of these tests (Holm).")
    for place, (text, pair) in enumerate(
        zip(judged, results["held_out"]["pairs"], strict=True), start=1
    ):
        yield Text(quoted(text))
        yield test_table(f"held-out-{place}", pair["differences"], values(results, place))


def values(results: Results, place: int) -> list[Mapping[str, float | None]]:
    """What the seed and the wording have of each metric."""
    runs = results["held_out"]["runs"]
    found: list[Mapping[str, float | None]] = []
    for run in (runs[0], runs[place]):
        metrics = run.get("metrics") or run["rates"]
        found.append({name: m["value"] for name, m in metrics.items() if m is not None})
    return found


def test_table(
    name: str, tests: Mapping[str, Any], values: Sequence[Mapping[str, float | None]] = ()
) -> Table:
    before = ["seed", "wording"] if values else []
    return Table(
        name,
        ["metric", *before, *TESTED],
        [
            [test["label"], *(cell(metric, own) for own in values), *tested(metric, test)]
            for metric, test in tests.items()
        ],
        no_bounds(tests),
    )


def cell(metric: str, values: Mapping[str, float | None]) -> str:
    """A run's value in the unit of its difference."""
    value = values.get(metric)
    if metric == "debiased_rmsce" and value is not None:
        return fixed(value * value)
    return percent(value, 1) if metric in OF_ANSWERS else value_cell(metric, value)


def no_bounds(tests: Mapping[str, Any]) -> str:
    """Why tests have no interval, where the method says so."""
    reasons = dict.fromkeys(
        test["method"].partition(";")[0].removeprefix("none: ")
        for test in tests.values()
        if test["p"] is not None and test["low"] is None
    )
    return f"Without an interval: {'; '.join(reasons)}." if reasons else ""


def elsewhere(results: Results) -> Iterator[Block]:
    yield Text(
        "The winner minus the seed on questions of other tasks, none of which chose anything; p "
        "corrected for all of these tests together (Holm)."
    )
    yield Table("elsewhere", ELSEWHERE_HEAD, elsewhere_rows(results))


ELSEWHERE_HEAD = ("task", "questions", "metric", *TESTED)


def elsewhere_rows(results: Results) -> list[list[str]]:
    """A line for each metric on each other task."""
    rows: list[list[str]] = []
    for row in results["elsewhere"]:
        for name, test in row["pairs"][0]["differences"].items():
            if test["value"] is not None and name in ENTRIES:
                cells = tested(name, test)
                rows.append([row["task"], count(row["compared"]), test["label"], *cells])
    return rows
