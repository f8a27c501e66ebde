"""The drawings of a study of images against text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calib.modalities.pictures import ABSENT, CLEAN
from calib.report import plots
from calib.report.blocks import Block, Figure, Figures, Key
from calib.report.formats import fixed, plural
from calib.report.modality_tables import noise_name

Results = Mapping[str, Any]
MAPS = {
    "confidence": "mean confidence",
    "entropy": "option entropy, nats",
    "accuracy": "accuracy",
    "gap": "confidence − accuracy",
}
CURVES = {"confidence": "confidence", "accuracy": "accuracy", "entropy": "entropy, nats"}


def by_place(results: Results) -> dict[tuple[str | int, int], Mapping[str, Any]]:
    """The metrics of each cell by what is shown and the number of sentences."""
    return {(cell["shown"], cell["sentences"]): cell["metrics"] for cell in results["cells"]}


def maps(results: Results) -> Iterator[Block]:
    """A map for each of ``MAPS``: a row for each level, and one without a picture."""
    cells = by_place(results)
    ks = range(results["sentences"] + 1)
    rows = [shown for shown in (ABSENT, *results["levels"]) if any((shown, k) in cells for k in ks)]
    figures = []
    for name, title in MAPS.items():
        values = [[value_at(cells, shown, k, name) for k in ks] for shown in rows]
        drawn = plots.heat_map(
            [row_name(shown) for shown in rows],
            [f"k = {k}" for k in ks],
            values,
            sided=name == "gap",
            said=said_of(rows, values, title),
        )
        figures.append(
            Figure(title, plots.svg(drawn, name=f"map-{name}", label=title), CAPTION[name == "gap"])
        )
    yield Figures(figures)
    yield Key(
        (("over", "red: surer than right"), ("under", "blue: less sure than right")),
        "Of confidence − accuracy; the other maps: the stronger the shade, the larger the number.",
    )


CAPTION = {
    False: "Rows: noise over the picture. Columns: the first k sentences of its description.",
    True: "Rows and columns as there; a plus is over-confident.",
}


def row_name(shown: str | int) -> str:
    return (
        f"noise {shown}"
        if shown not in (ABSENT, CLEAN)
        else {ABSENT: "no picture"}.get(str(shown), "no noise")
    )


def value_at(
    cells: Mapping[tuple[str | int, int], Mapping[str, Any]], shown: str | int, k: int, name: str
) -> float | None:
    found: float | None = cells[shown, k][name]["value"] if (shown, k) in cells else None
    return found


def said_of(rows: Sequence[str | int], values: Sequence[Sequence[float | None]], title: str) -> str:
    known = [
        (value, f"{noise_name(shown)}, k = {k}")
        for shown, own in zip(rows, values, strict=True)
        for k, value in enumerate(own)
        if value is not None
    ]
    low, high = min(known), max(known)
    return f"{title} from {fixed(low[0])} ({low[1]}) to {fixed(high[0])} ({high[1]})"


def curves(results: Results) -> Iterator[Block]:
    """Over the noise, without the description and with all sentences shown."""
    levels, most = results["levels"], results["sentences"]
    if len(levels) < 2:
        return
    cells = by_place(results)
    figures = []
    for name, label in CURVES.items():
        lines = [
            (said, [cells[level, k][name] for level in levels])
            for said, k in (("no description", 0), (plural(most, "sentence"), most))
            if k or said == "no description"
        ]
        text = cells.get((ABSENT, most)) if most else None
        beside = None if text is None else ("description, no picture", text[name]["value"])
        drawn = plots.over_noise(
            [str(level) for level in levels],
            lines,
            beside=beside,
            label=label,
            percent=name != "entropy",
        )
        caption = "Bars: 95 % intervals."
        if beside is not None:
            caption += " Dotted: the description without a picture."
        figures.append(
            Figure(
                f"{label.partition(',')[0]} over noise",
                plots.svg(drawn, name=f"noise-{name}", label=label),
                caption,
            )
        )
    yield Figures(figures)
