"""The book of studies: a page that opens with the claims and what was found of each.

Its folder holds those of the studies; results.json names them, and the claims, so that the page can
be written again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.fields import read_saved
from calib.records import InputError
from calib.report.blocks import Page, Section, Table, Text, Tile
from calib.report.formats import UNKNOWN, Label, Linked, count, listed
from calib.report.page import make_folder, write_file, write_page
from calib.report.study import jobs_of, read_study_results, seconds_of
from calib.report.study_tables import asked, time_of
from calib.report.study_words import (
    AGAINST,
    ILLUSTRATION,
    OPEN,
    SHOWN,
    headline,
    stability,
    unstable,
    verdicts_of,
)
from calib.runs.config import kind_of
from calib.runs.durable import refuse_no_folder
from calib.runs.kinds import BOOK, KINDS, RESULTS

FORMAT = "calib.book/1"
INDEX = "index.html"
Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A study of the book: its results.json, and where its page lies from the book's."""

    results: Results
    page: str

    @property
    def link(self) -> str:
        return Linked(self.results["title"], self.page)

    @property
    def first(self) -> Results:
        """What was found with the first seed."""
        found: Results = self.results["runs"][0]["found"]
        return found

    def of(self, claim: str) -> list[Results]:
        """The conclusions that bear on a claim."""
        return [each for each in self.first["conclusions"] if each["claim"] == claim]


def refuse_folder(root: Path) -> None:
    """InputError where the folder is none, or holds something else than a book."""
    refuse_no_folder(root)
    if (kind := kind_of(root)) not in (None, BOOK):
        raise InputError(f"{root}: it holds {KINDS[str(kind)].holds}; choose another folder")


def write_book(
    root: str | Path,
    studies: Sequence[Path],
    claims: Mapping[str, str],
    left_out: Mapping[str, str] | None = None,
) -> Path:
    """Write results.json, report.html and its copy index.html of a folder of studies.

    ``studies``: their folders; ``claims``: the short name of each claim and what it says;
    ``left_out``: the name of each study that is not in it, and why. Returns index.html. Raises
    InputError for a folder that holds something else and for one without a study's results,
    CalibError where nothing can be written.
    """
    root = Path(root)
    refuse_folder(root)
    make_folder(root)
    folders = [Path(os.path.relpath(study, root)).as_posix() for study in studies]
    results = {"format": FORMAT, "claims": dict(claims), "studies": folders}
    results["left_out"] = dict(left_out or {})
    page = book_page(results, root)  # what cannot be read is refused before anything is written
    write_file(root / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return write_index(root, page)


def rewrite_book(root: Path) -> Path:
    """Write the page again from the results of the studies. Raises as ``write_book`` does."""
    results = read_saved(root / RESULTS, "a book of studies", FORMAT)
    return write_index(root, book_page(results, root))


def write_index(root: Path, page: Page) -> Path:
    """report.html, as of every folder, and index.html, which is what a web server opens."""
    written = write_page(root, page)
    write_file(root / INDEX, written.read_text(encoding="utf-8"))
    return root / INDEX


def book_page(results: Results, root: Path) -> Page:
    studies = [
        Told(read_study_results(root / folder), f"{folder}/report.html")
        for folder in results["studies"]
    ]
    claims = results["claims"]
    return Page(
        title="Studies of calibration",
        headline=book_headline(claims, studies),
        lead=list(lead(studies, results.get("left_out", {}))),
        tiles=[claim_tile(claim, said, studies) for claim, said in claims.items()],
        sections=list(sections(claims, studies)),
        footer="The numbers of each study are in its results.json.",
    )


def lead(studies: Sequence[Told], left_out: Mapping[str, str]) -> Iterator[Text]:
    """What the numbers are, and are not."""
    if any(study.results["quick"] for study in studies):
        yield Text(ILLUSTRATION, "caveat")
    yield Text(
        "No number here is the paper's: each was measured on the models and questions that its "
        "study names, and holds for those alone. A verdict counts statements that tests decide; a "
        "claim of which some are shown is not shown of every model.",
        "caveat",
    )
    for name, why in left_out.items():
        yield Text(f"The study {name} is not in this book: {why}", "caveat")
    differ = [f"“{study.link}”" for study in studies if unstable(study.results["runs"])]
    if differ:
        yield Text(f"Unstable: in {listed(differ)} the seeds do not agree.", "caveat")


def verdicts(claim: str, studies: Sequence[Told]) -> dict[str, int]:
    """How many statements on a claim have each verdict, in all studies together."""
    return verdicts_of([each for study in studies for each in study.of(claim)])


def book_headline(claims: Mapping[str, str], studies: Sequence[Told]) -> str:
    """On which claims tests speak, and how."""
    said: dict[str, list[str]] = {"for": [], "against": [], "both ways": [], "": []}
    for claim in claims:
        found = verdicts(claim, studies)
        way = "for" * (found[SHOWN] > 0) + "against" * (found[AGAINST] > 0)
        said["both ways" if way == "foragainst" else way].append(claim)
    parts = [f"{way} {listed(own)}" for way, own in list(said.items())[:2] if own]
    if both := said["both ways"]:
        parts.append(f"both ways of {listed(both)}")
    if not parts:
        return "Tests speak for no claim and against none."
    nothing = f"; of {listed(said[''])} they show nothing" if said[""] else ""
    return f"Tests speak {', and '.join(parts)}{nothing}."


def claim_tile(claim: str, said: str, studies: Sequence[Told]) -> Tile:
    found = verdicts(claim, studies)
    total = sum(found.values())
    if not total:
        return Tile(claim, UNKNOWN, f"no statement: {said}")
    return Tile(
        claim,
        f"{count(found[SHOWN])} of {count(total)}",
        f"statements shown, {count(found[AGAINST])} contradicted: {said}",
    )


def sections(claims: Mapping[str, str], studies: Sequence[Told]) -> Iterator[Section]:
    """The page's sections, in reading order."""
    yield Section("claims", "Each claim, and what was found", [claim_table(claims, studies)])
    yield Section("studies", "The studies", [study_table(studies)])
    seeded = [study for study in studies if len(study.results["runs"]) > 1]
    if seeded:
        rows = [[study.link, stability(study.results["runs"]) or UNKNOWN] for study in seeded]
        table = Table("seeds", ["study", "do its seeds agree?"], rows, prose=(1,))
        yield Section("seeds", "The same with another seed?", [table])


def claim_table(claims: Mapping[str, str], studies: Sequence[Told]) -> Table:
    """A row for each claim and study that bears on it."""
    rows = []
    for claim, said in claims.items():
        name = f"{claim}: {said}"
        own = [study for study in studies if study.of(claim)]
        rows += [claim_row(name, claim, study) for study in own]
        if not own:
            rows.append([name, UNKNOWN, "no statement bears on it", *[UNKNOWN] * 4])
    head = ["claim", "study", "what it found", SHOWN, AGAINST, OPEN, "unstable"]
    note = (
        "Statements of the first seed that tests decide: shown, the contrary shown, neither, which "
        "is no evidence of no difference."
    )
    if any(len(study.results["runs"]) > 1 for study in studies):
        note += " Unstable: of how many another seed concludes otherwise; a dash: of one seed."
    else:
        head, rows = head[:-1], [row[:-1] for row in rows]
    return Table("claims", head, rows, note, prose=(2,))


def claim_row(name: str, claim: str, study: Told) -> list[str]:
    own = study.of(claim)
    found = verdicts_of(own)
    told = headline({**study.first, "conclusions": own})
    mark = "An illustration: " if study.results["quick"] else ""
    differ = UNKNOWN
    if len(study.results["runs"]) > 1:
        differ = count(len({each["about"] for each in own} & set(unstable(study.results["runs"]))))
    return [name, study.link, f"{mark}{told}", *map(count, found.values()), differ]


def study_table(studies: Sequence[Told]) -> Table:
    """A line for each study, which leads to its page."""
    rows = []
    for study in studies:
        runs = study.results["runs"]
        jobs = jobs_of(runs)
        rows.append(
            [
                study.link,
                f"{headline(study.first).rstrip('.')}.",
                "illustration" if study.results["quick"] else "full",
                count(len(runs)),
                asked(jobs, "prompts"),
                asked(jobs, "answers"),
                time_of(seconds_of(jobs)),
            ]
        )
    return Table(
        "studies",
        [
            "study",
            "what it found",
            "run",
            "seeds",
            "prompts",
            "answers",
            Label("time", "time, seconds"),
        ],
        rows,
        "Steps that studies share were done once and are counted in each.",
        prose=(1,),
    )
