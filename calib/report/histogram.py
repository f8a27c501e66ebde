"""The report of a run that kept a histogram and no records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calib.report import captions, plots, words
from calib.report.blocks import Figure, Figures, Page, Section, Table, Text, Tile
from calib.report.facts import facts_section, run_facts
from calib.report.formats import count, fixed, percent, points
from calib.report.page import write_file, write_page
from calib.report.scores import asked_line
from calib.report.tables import metric_row
from calib.runs import Run
from calib.runs.folder import RESULTS
from calib.summary import to_json
from calib.summary.histogram import summarize_histogram

LEAD = (
    "This run kept sums and no records, so its numbers have no intervals, no expectation under "
    "perfect calibration and no remedy: score with --log_samples all for those."
)


def write_histogram_report(run: Run) -> Path:
    """Write results.json and the page of a run of ``log_samples="none"``."""
    results = to_json(summarize_histogram(run))
    write_file(run.path / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return write_page(run.path, histogram_page(results))


def histogram_page(results: Mapping[str, Any]) -> Page:
    counts, facts = results["counts"], results["facts"]
    value = {name: entry["value"] for name, entry in results["metrics"].items()}
    scored = count(counts["scored"])
    lead = (
        f"Over {scored} questions it was {percent(value['confidence'], 1)} sure on average and "
        f"right {percent(value['accuracy'], 1)} of the time."
    )
    rows = [metric_row(name, entry) for name, entry in results["metrics"].items()]
    table = Table(
        "metrics",
        ["metric", "value", "n", "convention"],
        [[row[0], row[1], row[5], row[6]] for row in rows],
        prose=(3,),
    )
    return Page(
        title=f"{facts.get('model', 'the model')} on {facts.get('task', 'its task')}",
        headline=headline(results),
        lead=[
            Text(lead, "lead"),
            Text(LEAD, "lead"),
            *(Text(line, "caveat") for line in caveats(results)),
        ],
        tiles=[
            Tile("accuracy", percent(value["accuracy"], 1), f"{scored} questions"),
            Tile(
                "mean confidence",
                percent(value["confidence"], 1),
                f"{points(value['gap'])} points to accuracy",
            ),
            Tile("ECE", fixed(value["ece"], 3), f"{results['diagram']['bins']} bins"),
            Tile(
                "answers in the asked form",
                percent(value["parse_rate"], 1),
                f"option mass {fixed(value['mass'], 3)}",
            ),
        ],
        asked=asked_line(results),
        sections=[
            Section(
                "reliability",
                "Does it keep its word?",
                [Text(captions.dots()), Figures(figures(results))],
            ),
            Section("metrics", "Every number, with its convention", [table]),
            facts_section(run_facts(facts)),
        ],
        footer="The numbers are in results.json, every batch in histogram.jsonl.",
    )


def headline(results: Mapping[str, Any]) -> str:
    """What the confidence that it states most often is worth, and whether the run is finished."""
    value = {name: entry["value"] for name, entry in results["metrics"].items()}
    overall = {**value, "n": results["counts"]["scored"]}
    return words.headline({**results, "overall": overall})


def caveats(results: Mapping[str, Any]) -> list[str]:
    counts, mass = results["counts"], results["metrics"]["mass"]["value"]
    said = [words.forced_choice("its", mass)] if mass < words.LEAST_MASS else []
    if counts["total"] == counts["scored"]:
        return said
    return [
        *said,
        f"{count(counts['total'] - counts['scored'])} of {count(counts['total'])} questions are "
        f"not in these numbers: {count(counts['without_answer'])} have no known answer, "
        f"{count(counts['invalid'])} gave no valid scores.",
    ]


def figures(results: Mapping[str, Any]) -> list[Figure]:
    rows = results["diagram"]["rows"]
    value = {name: entry["value"] for name, entry in results["metrics"].items()}
    ece = f"ECE {fixed(value['ece'], 3)}"
    lies = plots.confidence_histogram(
        rows, confidence=value["confidence"], accuracy=value["accuracy"]
    )
    return [
        Figure(
            "All questions",
            plots.svg(plots.reliability(rows, note=ece), name="reliability", label=ece),
            "All counted questions, bins of equal width.",
        ),
        Figure(
            "Where the confidences lie",
            plots.svg(lies, name="histogram", label="Confidence histogram"),
            captions.HISTOGRAM,
        ),
    ]
