"""Write a page into its folder: report.html, report.md and a CSV of every table.

The HTML needs nothing but itself: drawings are inline, pictures embedded. All files can be deleted
and written again.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jinja2

from calib.records import CalibError
from calib.report.blocks import Page
from calib.report.csv_tables import csv_text, file_of, remove_others, tables_of
from calib.report.formats import printable, short
from calib.report.markdown import markdown
from calib.runs.durable import replace

TEMPLATES = Path(__file__).with_name("templates")
PART = re.compile(r"(?<=[/_])(?=\w)")
TIED = re.compile(r"(?<=\bp) (?=[=<≤])|(?<=[=<≤]) (?=\d)|(?<=\d) (?=%)")


def make_folder(folder: Path) -> None:
    """Make the folder of a page. CalibError where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CalibError(f"{folder}: it cannot be made ({error.strerror})") from error


def write_page(folder: Path, page: Page) -> Path:
    """Write the page as report.html, report.md and tables/NAME.csv; return the first's path.

    Raises CalibError where a file cannot be written.
    """
    remove_others(folder, page)
    for table in tables_of(page):
        write_file(folder / file_of(table), csv_text(table))
    write_file(folder / "report.md", markdown(page))
    write_file(folder / "report.html", html(page))
    return folder / "report.html"


def html(page: Page) -> str:
    """The page as one file of HTML."""
    return (
        templates()
        .get_template("page.html.j2")
        .render(page=page, css=style(), script=part("page.js"), version=own_version())
    )


@cache
def templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html", "html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=as_seen,
    )
    environment.filters |= {"csv_file": file_of, "short": short, "tied": tied, "parts": parts}
    return environment


def tied(text: str) -> str:
    """The text, its numbers tied to their signs and units, so that no line ends between them."""
    return TIED.sub("\N{NO-BREAK SPACE}", text)


def parts(text: str) -> list[str]:
    """The parts of a name, between which a line may end: behind a slash or an underscore."""
    return PART.split(text)


def as_seen(value: Any) -> Any:
    """A text without what would turn its neighbours around; what is HTML already stays."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def part(name: str) -> str:
    """A file of the templates' folder, as text."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def style() -> str:
    """The style sheet that all pages share."""
    return part("report.css")


def own_version() -> str:
    try:
        return version("mllm-calib")
    except PackageNotFoundError:
        return "(not installed)"


def write_file(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        replace(path, text)
    except OSError as cause:
        raise CalibError(f"{path}: could not be written ({cause.strerror})") from cause
