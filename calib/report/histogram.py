"""The report of a run that kept a histogram and no records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from calib.report import plots
from calib.report.formats import count, fixed, percent, points, share, within
from calib.report.page import write_file, write_pages
from calib.report.tables import flat, metric_row
from calib.report.words import LEAST_TOLD
from calib.runs import Run
from calib.runs.folder import RESULTS
from calib.summary import to_json
from calib.summary.histogram import summarize_histogram

LEAD = (
    "This run kept sums and no records, so its numbers have no intervals, no expectation under "
    "perfect calibration and no remedy: score with --log_samples all for those."
)


def write_histogram_report(run: Run) -> Path:
    """Write results.json, report.html and report.md of a run of ``log_samples="none"``."""
    results = to_json(summarize_histogram(run))
    write_file(run.path / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    rows = [list(metric_row(n, e).values()) for n, e in results["metrics"].items()]
    context = {
        "results": results,
        "words": words(results),
        "figures": figures(results),
        "table_of": {
            "head": ("metric", "value", "n", "convention"),
            "rows": [[row[0], row[1], row[5], row[6]] for row in rows],
        },
    }
    return write_pages(run.path, "histogram", context)


def words(results: Mapping[str, Any]) -> dict[str, Any]:
    counts = results["counts"]
    value = {name: entry["value"] for name, entry in results["metrics"].items()}
    facts = results["facts"]
    return {
        "title": f"{facts.get('model', 'the model')} on {facts.get('task', 'its task')}",
        "headline": headline(results),
        "lead": [
            f"Over {count(counts['scored'])} questions it was {percent(value['confidence'], 1)} "
            f"sure on average and right {percent(value['accuracy'], 1)} of the time.",
            LEAD,
        ],
        "caveats": caveats(counts),
        "tiles": [
            tile("accuracy", percent(value["accuracy"], 1), f"{count(counts['scored'])} questions"),
            tile(
                "mean confidence",
                percent(value["confidence"], 1),
                f"{points(value['gap'])} points to accuracy",
            ),
            tile("ECE", fixed(value["ece"], 3), f"{results['diagram']['bins']} bins"),
            tile(
                "answers in the asked form",
                percent(value["parse_rate"], 1),
                f"option mass {fixed(value['mass'], 3)}",
            ),
        ],
        "facts": flat(facts),
        "footer": "The numbers are in results.json, every batch in histogram.jsonl.",
    }


def tile(name: str, value: str, note: str) -> dict[str, str]:
    return {"name": name, "value": value, "note": note}


def headline(results: Mapping[str, Any]) -> str:
    """What the confidence that it states most often is worth, and whether the run is finished."""
    counts = results["counts"]
    fullest = max(results["diagram"]["rows"], key=lambda row: row["n"])
    missing = counts["total"] < counts["planned"]
    begun = f"Unfinished, {counts['total']:,} of {counts['planned']:,}: " if missing else ""
    if fullest["n"] < LEAST_TOLD:
        return f"{begun}{count(counts['scored'])} questions are too few to say what it is worth."
    return (
        f"{begun}When it says {share(fullest['confidence'])}, it is right "
        f"{count(fullest['correct'])} times of {count(fullest['n'])} (95 % interval "
        f"{within(fullest['accuracy_low'], fullest['accuracy_high'])})."
    )


def caveats(counts: Mapping[str, int]) -> list[str]:
    if counts["total"] == counts["scored"]:
        return []
    return [
        f"{count(counts['total'] - counts['scored'])} of {count(counts['total'])} questions are "
        f"not in these numbers: {count(counts['without_answer'])} have no known answer, "
        f"{count(counts['invalid'])} gave no valid scores."
    ]


def figures(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = results["diagram"]["rows"]
    value = {name: entry["value"] for name, entry in results["metrics"].items()}
    reliability = plots.reliability(rows, note=f"ECE {fixed(value['ece'], 3)}")
    lies = plots.confidence_histogram(
        rows, confidence=value["confidence"], accuracy=value["accuracy"]
    )
    return [
        {
            "title": title,
            "svg": Markup(plots.svg(drawing, name=name, label=title)),
            "caption": caption,
        }
        for name, title, drawing, caption in (
            ("reliability", "Does it keep its word?", reliability, "All counted questions."),
            ("histogram", "Where its confidence lies", lies, "Right and wrong answers."),
        )
    ]
