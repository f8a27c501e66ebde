"""A run folder's results.json, report.html and report.md, written from its rows.

The HTML needs nothing but itself: drawings are inline, pictures embedded. All three files can be
deleted and written again from the records.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from calib.records import CalibError, InputError
from calib.report import plots
from calib.report.formats import (
    beginning,
    cell,
    count,
    fixed,
    literal,
    percent,
    points,
    printable,
    pvalue,
)
from calib.report.items import PICTURES, write_items
from calib.report.pictures import Gone, for_page, found
from calib.report.words import words
from calib.runs.durable import replace
from calib.runs.folder import Progress
from calib.runs.prompts import first_prompt, title_of
from calib.summary import summarize

TEMPLATES = Path(__file__).with_name("templates")
LARGEST_PICTURE = 150_000
"""Bytes of a picture that is embedded as it is; a larger one is scaled to LARGEST_SIDE pixels."""
LARGEST_SIDE = 640
SMALL_SIDE = 128
"""A picture no larger than this is shown enlarged, its pixels kept square."""
OPTIONS_SHOWN = 5


def write_report(run: Any, *, progress: Progress | None = None, pictures: int = PICTURES) -> Path:
    """Write results.json, report.md, report.html and items.html into the run's folder.

    items.html has its data beside it, and keeps at most so many ``pictures``. Returns the path of
    report.html. Raises InputError for a run that is a file.
    """
    folder = Path(run.path)
    if folder.is_file():
        raise InputError(
            f"{folder}: a report needs a folder; calib.read_log(..., out=FOLDER) makes one"
        )
    results = summarize(run, progress=progress)
    write_file(folder / "results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write_items(run, pictures=pictures, progress=progress)
    return write_pages(folder, "report", context_of(results, folder))


def context_of(results: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What the templates show of ``results``; ``folder`` is where relative pictures lie."""
    return {
        "results": results,
        "words": words(results),
        "figures": figures(results),
        "mistakes": [card(item, folder) for item in results["mistakes"]],
        "prompt": prompt_shown(folder),
    }


def prompt_shown(folder: Path) -> dict[str, str] | None:
    """What the template ``prompt`` shows of the first prompt of a run; None where it has none."""
    row = first_prompt(folder)
    if row is None:
        return None
    text = beginning(row["text"], lines=100, characters=10_000)
    return {"title": printable(title_of(row)), "text": text}


def render(name: str, context: Mapping[str, Any]) -> dict[str, str]:
    """Render the templates ``name``.html and .md: a text for each of "html" and "md".

    A template sees ``context``, the style sheet as ``css`` and ``version``.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html", "html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        percent=percent,
        fixed=fixed,
        points=points,
        pvalue=pvalue,
        count=count,
        cell=cell,
        literal=literal,
    )
    css = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    variables = {**context, "css": css, "version": own_version()}
    return {
        kind: environment.get_template(f"{name}.{kind}.j2").render(variables)
        for kind in ("html", "md")
    }


def write_pages(folder: Path, name: str, context: Mapping[str, Any]) -> Path:
    """Render the templates ``name`` into report.md and report.html; return the latter's path."""
    pages = render(name, context)
    write_file(folder / "report.md", pages["md"])
    write_file(folder / "report.html", pages["html"])
    return folder / "report.html"


def figures(results: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The drawings with their titles and captions."""
    overall = results["overall"]
    reliability = diagrams(results)
    curve = results["risk_coverage"]
    histogram = plots.confidence_histogram(
        results["diagram"]["rows"], confidence=overall["confidence"], accuracy=overall["accuracy"]
    )
    ranking = plots.risk_coverage(curve["points"], overall=curve["overall"], best=curve["best"])
    auroc = fixed(results["metrics"]["auroc"]["value"], 3)
    return {
        "reliability": reliability,
        "ranking": [
            {
                "title": "Where its confidence lies",
                "svg": Markup(plots.svg(histogram, name="histogram", label="Confidence histogram")),
                "caption": "Right and wrong answers by confidence. The dashed line is the mean "
                "confidence, the solid line the accuracy: calibrated means that they meet.",
            },
            {
                "title": "Risk and coverage",
                "svg": Markup(plots.svg(ranking, name="risk", label="Risk-coverage curve")),
                "caption": "Answer only the most confident share: how many of those answers are "
                f"wrong? AUROC of confidence against correctness: {auroc}.",
            },
        ],
    }


def diagrams(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Diagrams of the held-out half, before and after the temperature.

    Without a temperature there is one diagram, of all questions.
    """
    temperature = results["temperature"]
    if temperature is None:
        overall = results["overall"]
        caption = f"All {count(overall['n'])} scored questions."
        return [
            reliability_figure("before", "As it is", results["diagram"]["rows"], overall, caption)
        ]
    n_fit, n_held_out = count(temperature["n_fit"]), count(temperature["n_judged"])
    ece = temperature["metrics"]["ece"]
    return [
        reliability_figure(
            "before",
            "As it is",
            temperature["before"],
            {**ece["before"], "ece": ece["before"]["value"]},
            f"{n_held_out} questions that the temperature has not seen.",
        ),
        reliability_figure(
            "after",
            f"After temperature {fixed(temperature['value'], 2)}",
            temperature["after"],
            {**ece["after"], "ece": ece["after"]["value"]},
            f"The same questions. T was fitted on {n_fit} others; no answer changed.",
        ),
    ]


def card(item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """One mistake with its pictures embedded and its likeliest options first."""
    options = sorted(item["options"], key=lambda option: -option["prob"])
    shown = [o for i, o in enumerate(options) if i < OPTIONS_SHOWN or o["role"]]
    hidden = [o for o in options if o not in shown]
    return {
        **item,
        "options": [{**o, "width": round(100 * o["prob"], 1)} for o in shown],
        "others": {"count": len(hidden), "prob": sum(o["prob"] for o in hidden)}
        if hidden
        else None,
        "pictures": [picture(folder, name) for name in item["images"]],
    }


def picture(folder: Path, name: str) -> dict[str, Any]:
    """A picture as a data URI, scaled down where it is large; else ``missing`` says why not."""
    try:
        shown = for_page(found(folder, name), largest=LARGEST_PICTURE, side=LARGEST_SIDE)
    except Gone:
        return {"uri": None, "missing": f"{name}: no longer there, or not readable"}
    code = base64.b64encode(shown.content).decode("ascii")
    return {"uri": f"data:image/{shown.media};base64,{code}", "small": shown.side <= SMALL_SIDE}


def reliability_figure(
    name: str, title: str, rows: Sequence[Any], ece: Mapping[str, Any], caption: str
) -> dict[str, Any]:
    note = f"ECE {fixed(ece['ece'], 3)}\n{fixed(ece['expected'], 3)} if calibrated"
    drawing = plots.svg(plots.reliability(rows, note=note), name=name, label=f"{title}: {note}")
    return {"title": title, "svg": Markup(drawing), "caption": caption}


def own_version() -> str:
    try:
        return version("mllm-calib")
    except PackageNotFoundError:
        return "(not installed)"


def write_file(path: Path, text: str) -> None:
    try:
        replace(path, text)
    except OSError as cause:
        raise CalibError(f"{path}: could not be written ({cause.strerror})") from cause
