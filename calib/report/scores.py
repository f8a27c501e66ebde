"""The report of a scored run or an imported table: results.json and its page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.report import captions, plots
from calib.report.blocks import Figure, Figures, Key, Link, Page, Quote, Section, Text, Tile
from calib.report.facts import count_facts, facts_section, histogram_facts, run_facts
from calib.report.formats import beginning, count, fixed, percent, plural, points, printable
from calib.report.items import PAGE, PICTURES, write_items
from calib.report.letters import letters_section
from calib.report.orders import orders_section
from calib.report.page import write_file, write_page
from calib.report.pictures import copied, picture
from calib.report.remedies import (
    abstain_note,
    abstain_table,
    abstain_words,
    remedy,
    temperature_note,
    temperature_table,
)
from calib.report.tables import group_table, metric_table, mistake_cards
from calib.report.words import (
    NULL_NOTE,
    caveats,
    headings,
    headline,
    title,
    verdict,
)
from calib.runs.folder import Progress
from calib.runs.prompts import first_prompt, title_of
from calib.summary import summarize

SHOWN = 4
"""Pictures of the first prompt that are shown."""
EVERY_QUESTION = Link(PAGE, "Every question, one by one")


def write_report(run: Any, *, progress: Progress | None = None, pictures: int = PICTURES) -> Path:
    """Write results.json, the report and items.html into the run's folder.

    The report is report.html, report.md and tables/*.csv. items.html has its data in items/, and
    keeps at most so many ``pictures``. Returns the path of report.html. Raises InputError for a run
    that is a file.
    """
    folder = Path(run.path)
    if folder.is_file():
        raise InputError(
            f"{folder}: a report needs a folder; calib.read_log(..., out=FOLDER) makes one"
        )
    results = summarize(run, progress=progress)
    write_file(folder / "results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write_items(run, pictures=pictures, progress=progress)
    return write_page(folder, score_page(results, folder))


def score_page(results: Mapping[str, Any], folder: Path) -> Page:
    """The page of ``results``; ``folder`` is where prompts and relative pictures lie."""
    said = headings(results)
    lead = [Text(verdict(results["overall"], said), "lead")]
    if told := remedy(results):
        lead.append(Text(told, "lead"))
    return Page(
        title=title(results),
        headline=headline(results),
        lead=[*lead, *(Text(line, "caveat") for line in caveats(results)), *lost_pictures(folder)],
        tiles=tiles(results),
        asked=asked_line(results),
        links=[EVERY_QUESTION],
        sections=list(sections(results, folder, said)),
        footer="Fractions are of 1 unless marked %. The numbers are in results.json, every "
        "question in records.jsonl, the tables in tables.",
    )


def sections(
    results: Mapping[str, Any], folder: Path, said: Mapping[str, str]
) -> Iterator[Section]:
    """The page's sections, in reading order."""
    if (shown := prompt_section(folder, results["first"])) is not None:
        yield shown
    yield reliability(results, said)
    yield ranking(results, said)
    if results["temperature"] is not None:
        yield temperature(results["temperature"])
    if results["orders"] is not None:
        yield orders_section(results["orders"])
    if results.get("letters") is not None:
        yield letters_section(results["letters"])
    abstain = results["abstain"]
    texts = [Text(abstain_words(abstain)), Text(abstain_note(abstain))]
    yield Section("thresholds", said["letting"], [*texts, abstain_table(abstain)])
    if len(results["groups"]) > 1:
        note = f"The gap is confidence minus accuracy. Above zero {said['gap']}."
        yield Section("groups", "By group", [group_table("group", results["groups"], note)])
    if results["beside"]:
        table = group_table("form", [results["overall"], *results["beside"]])
        yield Section("forms", "The same questions, asked differently", [table])
    if results["mistakes"]:
        yield mistakes(results, folder, said)
    yield Section(
        "metrics",
        "Every number, with its convention",
        [metric_table(results["metrics"], NULL_NOTE)],
    )
    yield facts_section(
        [
            *count_facts(results["counts"]),
            *histogram_facts(results),
            *run_facts(results["facts"]),
        ]
    )


def asked_line(results: Mapping[str, Any]) -> str:
    """What was asked, and where it came from; "" where the run does not say."""
    facts = results["facts"]
    names = {"task": "task", "source": "file", "prompt": "prompt form"}
    return ", ".join(f"{label} {facts[name]}" for name, label in names.items() if facts.get(name))


def tiles(results: Mapping[str, Any]) -> list[Tile]:
    overall = results["overall"]
    shown = [
        Tile(
            "accuracy",
            percent(overall["accuracy"], 1),
            plural(results["counts"]["scored"], "question"),
        ),
        Tile(
            "mean confidence",
            percent(overall["confidence"], 1),
            f"{points(overall['gap'])} points to accuracy",
        ),
        Tile(
            "ECE",
            fixed(overall["ece"], 3),
            f"of all; {fixed(overall['expected'], 3)} if calibrated",
        ),
    ]
    if "parse_rate" in overall:
        asked = percent(overall["parse_rate"], 1)
        shown.append(
            Tile("answers in the asked form", asked, f"option mass {fixed(overall['mass'], 3)}")
        )
    return shown


def prompt_section(folder: Path, first: Mapping[str, Any] | None = None) -> Section | None:
    """The first prompt of a run, with the pictures of ``first`` if that is its question.

    None where the run has no prompts.
    """
    row = first_prompt(folder)
    if row is None:
        return None
    its = first["images"][:SHOWN] if first is not None and first["id"] == row["id"] else ()
    text = beginning(row["text"], lines=100, characters=10_000)
    return Section(
        "asked",
        "What the model was asked",
        [
            Text(
                f"The first of its prompts, word for word: {printable(title_of(row))}. The others "
                "are in prompts.jsonl."
            ),
            Quote(text, [picture(folder, name) for name in its]),
        ],
    )


def lost_pictures(folder: Path) -> list[Text]:
    """How many originals of the pictures are missing, as ``calib.report.items`` has found."""
    told = copied(folder).told
    return [Text(told, "note")] if told else []


def reliability(results: Mapping[str, Any], said: Mapping[str, str]) -> Section:
    overall, rows = results["overall"], results["diagram"]["rows"]
    quantiles = results["diagram"]["quantiles"]
    closer = plots.reliability_zoomed(quantiles)
    caption = f"All scored questions ({count(overall['n'])}), bins of equal width."
    return Section(
        "reliability",
        said["word"],
        [
            Text(
                f"{said['bins']}: of the answers given with 80\N{NO-BREAK SPACE}% confidence, "
                f"80\N{NO-BREAK SPACE}% are right. {captions.dots()}"
            ),
            Figures(
                [
                    reliability_figure("reliability", "All questions", rows, overall, caption),
                    Figure(
                        "In near-equally full bins",
                        plots.svg(closer, name="closer", label="Where the confidences are"),
                        captions.closer(quantiles),
                    ),
                ]
            ),
        ],
    )


def ranking(results: Mapping[str, Any], said: Mapping[str, str]) -> Section:
    overall, curve = results["overall"], results["risk_coverage"]
    histogram = plots.confidence_histogram(
        results["diagram"]["spread"], confidence=overall["confidence"], accuracy=overall["accuracy"]
    )
    order = plots.risk_coverage(curve)
    auroc = fixed(results["metrics"]["auroc"]["value"], 3)
    return Section(
        "ranking",
        said["sorting"],
        [
            Figures(
                [
                    Figure(
                        "Where the confidences lie",
                        plots.svg(histogram, name="histogram", label="Confidence histogram"),
                        captions.HISTOGRAM,
                    ),
                    Figure(
                        "Risk and coverage",
                        plots.svg(order, name="risk", label="Risk-coverage curve"),
                        "Answer only the most confident share: how many of those answers are "
                        f"wrong? {captions.band(curve)} AUROC of confidence against correctness: "
                        f"{auroc}.",
                    ),
                ]
            )
        ],
    )


def temperature(fitted: Mapping[str, Any]) -> Section:
    """Diagrams of the held-out half, before and after the temperature."""
    n_fit, n_held_out = count(fitted["n_fit"]), count(fitted["n_judged"])
    ece, at = fitted["metrics"]["ece"], fixed(fitted["value"], 2)
    return Section(
        "temperature",
        "What a temperature does",
        [
            Text(temperature_note(fitted)),
            Figures(
                [
                    reliability_figure(
                        "before",
                        "The held-out half, as it is",
                        fitted["before"],
                        {**ece["before"], "ece": ece["before"]["value"]},
                        f"{n_held_out} questions that the temperature has not seen.",
                    ),
                    reliability_figure(
                        "after",
                        f"The same at temperature {at}",
                        fitted["after"],
                        {**ece["after"], "ece": ece["after"]["value"]},
                        f"The same questions. T was fitted on {n_fit} others; no answer changed.",
                    ),
                ]
            ),
            temperature_table(fitted),
        ],
    )


def mistakes(results: Mapping[str, Any], folder: Path, said: Mapping[str, str]) -> Section:
    items = results["mistakes"]
    shown = mistake_cards("mistakes", items, folder, browsed=True)
    colours = Key(
        (("over", "Given"), ("under", "right")), "Each with the probability that the model gave it."
    )
    blocks = [colours, shown] if items[0]["options"] else [shown]
    return Section("mistakes", said["mistakes"], blocks)


def reliability_figure(
    name: str, heading: str, rows: Any, ece: Mapping[str, Any], caption: str
) -> Figure:
    note = f"ECE {fixed(ece['ece'], 3)}\n{fixed(ece['expected'], 3)} if calibrated"
    drawing = plots.svg(plots.reliability(rows, note=note), name=name, label=f"{heading}: {note}")
    return Figure(heading, drawing, caption)
