"""The page of a study: what it asked, what tests conclude, its tables and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.fields import read_saved
from calib.report.blocks import Block, Page, Quote, Section, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import count, duration, listed, plural, printable
from calib.report.page import write_page
from calib.report.study_figures import figures_of
from calib.report.study_tables import (
    asked,
    conclusion_table,
    found_table,
    refused_table,
    seed_table,
    step_table,
    table_names,
)
from calib.report.study_words import (
    AGAINST,
    ILLUSTRATION,
    OPEN,
    SHOWN,
    answers,
    headline,
    stability,
    unstable,
    verdicts_of,
)
from calib.runs.kinds import RESULTS

Results = Mapping[str, Any]
FORMAT = "calib.study/1"
OWN_TABLES = ("conclusions", "seeds", "steps", "nothing", "facts")
OWN_SECTIONS = ("found", "asked", "limits", "file", *OWN_TABLES)


def write_study_report(folder: Path) -> Path:
    """Write the page of a study from its results.json; return it. InputError where that is gone or
    no study's."""
    return write_page(folder, study_page(read_study_results(folder)))


def read_study_results(folder: Path) -> dict[str, Any]:
    """What results.json of a study holds. InputError where that is gone or no study's."""
    return read_saved(folder / RESULTS, "the results of calib study", FORMAT)


def study_page(results: Results) -> Page:
    found = results["runs"][0]["found"]
    return Page(
        title=results["title"],
        asked=results["question"],
        headline=headline(found),
        lead=list(lead(results)),
        tiles=tiles(results),
        sections=list(sections(results)),
        footer="No number here is that of a paper: the study measured each; they are in "
        "results.json.",
    )


def lead(results: Results) -> Iterator[Text]:
    """What is to be known before anything else, then the answer, then what weakens it."""
    runs = results["runs"]
    if results["quick"]:
        yield Text(ILLUSTRATION, "caveat")
    for line in answers(runs[0]["found"]):
        yield Text(line, "lead")
    if stable := stability(runs):
        yield Text(stable, "caveat" if unstable(runs) else "lead")
    for caution in runs[0]["found"]["cautions"]:
        yield Text(caution, "caveat")


def tiles(results: Results) -> list[Tile]:
    conclusions = results["runs"][0]["found"]["conclusions"]
    verdicts = verdicts_of(conclusions)
    jobs = jobs_of(results["runs"])
    written = asked(jobs, "answers")
    answer = "answer" if written == "1" else "answers"
    told = []
    if conclusions:
        of = plural(len(conclusions), "statement")
        told = [
            Tile("shown", count(verdicts[SHOWN]), f"of {of}, by tests"),
            Tile("against", count(verdicts[AGAINST]), "the contrary is shown"),
            Tile("not shown", count(verdicts[OPEN]), "neither is, which shows nothing"),
        ]
    return [
        *told,
        Tile("asked", asked(jobs, "prompts"), f"prompts; {written} {answer} written"),
        Tile("time", duration(seconds_of(jobs)), plural(len(jobs), "step")),
    ]


def jobs_of(runs: Sequence[Results]) -> list[Results]:
    """Every step once: seeds share those of which a seed decides nothing."""
    jobs: dict[Any, Results] = {}
    for run in runs:
        for step in run["steps"]:
            place = step["page"] or (step["name"], run["seed"])
            jobs.setdefault(place, step)
    return list(jobs.values())


def seconds_of(jobs: Sequence[Results]) -> float:
    return float(sum(job["seconds"] for job in jobs))


def sections(results: Results) -> Iterator[Section]:
    """The page's sections, in reading order."""
    runs = results["runs"]
    yield from found_sections(runs)
    if len(runs) > 1:
        yield Section("seeds", "The same with another seed?", list(seed_blocks(runs)))
    yield Section("asked", "How it was asked", list(asked_blocks(results)))
    if (refused := refused_table(runs)) is not None:
        told = "Where a step over runs has too little to judge, the study goes on without it."
        yield Section("nothing", "What concluded nothing", [Text(told), refused])
    if limits := paragraphs(results["limits"]):
        yield Section("limits", "What it cannot say", limits)
    told = "To ask otherwise, copy it, edit it and give it to calib study run."
    file = "\n".join(printable(line) for line in results["file"].rstrip().splitlines())
    yield Section("file", f"The study's file, {results['name of file']}", [Text(told), Quote(file)])
    yield facts_section(facts(results))


def found_sections(runs: Sequence[Results]) -> Iterator[Section]:
    """Figures and conclusions of the first seed, then its tables, each behind its title."""
    found, *others = [run["found"] for run in runs]
    blocks: list[Block] = [*figures_of(found["figures"])]
    if found["conclusions"]:
        blocks.append(conclusion_table(found["conclusions"]))
    else:
        blocks.append(Text("This study describes: no statement of it is decided by a test."))
    yield Section("found", "What was found", blocks)
    every = [table for each in (found, *others) for table in each["tables"]]
    own = len(found["tables"])
    names = table_names(every[:own], OWN_SECTIONS)
    for name, table in zip(names, found["tables"], strict=True):
        yield Section(name, table["title"], [found_table(table, name)])


def seed_blocks(runs: Sequence[Results]) -> Iterator[Block]:
    """The verdicts by seed, and the tables of the other seeds."""
    if said := stability(runs):
        yield Text(said)
        yield seed_table(runs)
    taken = [*OWN_SECTIONS, *table_names(runs[0]["found"]["tables"], OWN_SECTIONS)]
    for run in runs[1:]:
        tables = [
            {**table, "name": f"{table['name']}-seed-{run['seed']}"}
            for table in run["found"]["tables"]
        ]
        for name, table in zip(table_names(tables, taken), tables, strict=True):
            taken.append(name)
            yield Text(f"{table['title']}, with the seed {run['seed']}:")
            yield found_table(table, name)


def asked_blocks(results: Results) -> Iterator[Block]:
    """The question, the design, and every step."""
    yield Text(results["question"], "lead")
    yield from paragraphs(results["design"])
    yield step_table(results["runs"])


def paragraphs(text: str) -> list[Block]:
    """A text of the study's file; blank lines part its paragraphs."""
    parts = [part.strip() for part in text.split("\n\n")]
    return [Text(part) for part in parts if part.strip("-– \n")]


def facts(results: Results) -> list[tuple[str, str]]:
    """Of what the page was made."""
    runs = results["runs"]
    dates = sorted({step["date"] for run in runs for step in run["steps"]})
    lines = [
        ("study", results["study"]),
        ("finding", results["finding"]),
        ("claims it bears on", ", ".join(results["claims"])),
        ("seeds" if len(runs) > 1 else "seed", listed([str(run["seed"]) for run in runs])),
        ("quick", "yes, an illustration" if results["quick"] else "no"),
        ("steps done", " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else ""),
        *run_facts(results.get("facts") or {}),
    ]
    return [(name, told) for name, told in lines if told]
