"""The figures of a study's finding as blocks of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calib.report import plots
from calib.report.blocks import Figure, Figures
from calib.report.comparison_names import cut_names
from calib.report.formats import count, printable
from calib.report.plots.study import DRAWINGS, FORMS, numbered

Data = Mapping[str, Any]
ROOM = 64
"""Characters of a name that a drawing has room for."""


def figures_of(found: Sequence[Data]) -> list[Figures]:
    """All figures side by side; one of no rows, and one of no kind that is known, is left out."""
    figures = [each for k, one in enumerate(found, 1) for each in figure(one, f"figure{k}")]
    return [Figures(figures)] if figures else []


def figure(found: Data, name: str) -> Iterator[Figure]:
    """The drawings of one figure: several where one has no room for all."""
    draw, data = DRAWINGS.get(found["kind"]), found["data"]
    if draw is None or not (data.get("rows") or data.get("series")) or data.get("columns") == []:
        return
    data = shortened(data)
    drawn = draw(data)
    for k, each in enumerate(drawn, 1):
        title = found["title"] if len(drawn) == 1 else f"{found['title']} ({k} of {len(drawn)})"
        own = name if len(drawn) == 1 else f"{name}part{k}"
        svg = plots.svg(each, name=own, label=title)
        yield Figure(title, svg, caption(found, data))


def caption(found: Data, data: Data) -> str:
    """The finding's own, and what marks of the drawing mean."""
    said = [found["caption"].strip()] if found["caption"].strip() else []
    if found["kind"] == "forest" and data.get("zero") is not None:
        zero = data["zero"]
        at = "0" if zero == 0 else str(FORMS[data["unit"]](zero))
        said.append(f"Filled: the interval leaves out {at}.")
    if found["kind"] == "matrix":
        if numbered(data):
            names = [f"{k} {name}" for k, name in enumerate(data["columns"], 1)]
            said.append(f"Columns: {', '.join(names)}.")
        if any(map(any, data.get("marks") or [])):
            said.append("Outlined: shown.")
    return " ".join(said)


def shortened(data: Data) -> dict[str, Any]:
    """The data, every name in it in one line and with its middle left out where it is long."""
    names = named_in(data)
    short = dict(zip(names, cut_names([one_line(name) for name in names], ROOM), strict=True))

    def of(name: Any) -> str:
        return short[str(name)]

    told = dict(data)
    for key in ("rows", "columns", "groups"):
        if data.get(key):
            told[key] = [
                of(one) if isinstance(one, str) else [of(one[0]), *one[1:]] for one in data[key]
            ]
    if data.get("series"):
        told["series"] = [{**one, "name": of(one["name"])} for one in data["series"]]
    return told


def named_in(data: Data) -> list[str]:
    """Every name that a drawing writes, once."""
    names = [one for key in ("columns", "groups") for one in data.get(key) or []]
    names += [one if isinstance(one, str) else one[0] for one in data.get("rows") or []]
    names += [one["name"] for one in data.get("series") or []]
    return list(dict.fromkeys(map(str, names)))


def one_line(name: str) -> str:
    return printable(" ".join(name.split())) or count(None)
