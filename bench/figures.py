"""The picture of the committed CPU results: how many times our time the rivals take.

python -m bench.figures [RESULTS.json [PICTURE.png]]        (make figures)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bench.cases import OURS
from bench.results import FOLDER, ROOT
from calib.report.plots.theme import FONT, LIGHT, SMALL, drawing, plain, png

PICTURE = ROOT / "docs" / "speed.png"
EAGER, COMPILED, OTHERWISE, LIBRARY = KINDS = (
    "PyTorch, eager",
    "PyTorch, torch.compile",
    "another way to the same",
    "another library",
)
COLOURS = dict(zip(KINDS, LIGHT.runs, strict=True))
"""A colour for each kind of rival, as pages colour the runs that they compare."""
KIND_OF = {
    "eager": EAGER,
    "compile": COMPILED,
    "compile, lean": COMPILED,
    "compile, chunks": COMPILED,
    "scikit-learn": LIBRARY,
    "torchmetrics": LIBRARY,
    "netcal": LIBRARY,
}
"""The kind of a rival; one that is not named is ``OTHERWISE``."""
# What is no other way to the same result.
NO_RIVALS = {OURS, "one row_stats", "forward alone", "products alone", "no histogram"}


def newest() -> Path:
    found = sorted(FOLDER.glob("cpu-*.json"), key=lambda path: (path.stem[-10:], path.name))
    if not found:
        raise SystemExit("There are no results to draw: run make bench first.")
    return found[-1]


def size_of(row: dict[str, Any]) -> str:
    numbers = (row["rows"], row["columns"], row.get("hidden"))
    return " x ".join(f"{number:,}" for number in numbers if number)


def largest(rows: list[dict[str, Any]], dtype: str) -> dict[str, dict[str, float]]:
    """Ratio of minima by op, mode, size and rival, of the largest size on the most threads."""
    groups: dict[str, dict[tuple[int, int, str], dict[str, float]]] = {}
    for row in rows:
        if row.get("kind") != "timing" or row["dtype"] != dtype or "error" in row:
            continue
        if row["variant"] in NO_RIVALS or not row["ratio_of_minima"]:
            continue
        name = row["op"] + (f", {row['mode']}" if row["mode"] else "")
        work = (row["rows"] * max(row["columns"], 1), row["threads"], size_of(row))
        groups.setdefault(name, {}).setdefault(work, {})[row["variant"]] = row["ratio_of_minima"]
    return {f"{name}\n{max(sized)[2]}": sized[max(sized)] for name, sized in groups.items()}


def draw(content: dict[str, Any], path: Path) -> None:
    """One panel per dtype: horizontal bars from 1, our time, on a logarithmic scale."""
    panels = {dtype: largest(content["rows"], dtype) for dtype in ("float32", "bfloat16")}
    panels = {dtype: ratios for dtype, ratios in panels.items() if ratios}
    if not panels:
        raise SystemExit("These results hold no times to draw: run make bench first.")
    tallest = max(sum(len(r) + 1 for r in ratios.values()) for ratios in panels.values())
    most = max(max(r.values()) for ratios in panels.values() for r in ratios.values())
    with drawing(12, 2 + 0.19 * tallest, LIGHT) as figure:
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (dtype, ratios) in zip(row, panels.items(), strict=True):
            draw_panel(axes, ratios)
            axes.set(xlim=(0.5, 5 * most), ylim=(1 - tallest, 1))
            axes.set_title(dtype, color=LIGHT.ink, loc="left", fontweight="bold")
        facts = content["facts"]
        versions = f"torch {facts['versions']['torch']}, commit {facts['commit']}, {facts['date']}"
        title = "How many times as long others take as calib_kernels, at the largest size measured"
        figure.suptitle(f"{title}\n{facts['machine']}: {versions}", color=LIGHT.ink, fontsize=11)
        shown = {kind_of(rival) for each in panels.values() for r in each.values() for rival in r}
        figure.legend(
            handles=[Patch(color=COLOURS[kind], label=kind) for kind in KINDS if kind in shown],
            loc="outside lower center",  # type: ignore[arg-type]
            ncols=len(KINDS),
            frameon=False,
            labelcolor=LIGHT.ink,
        )
        png(figure, path, dpi=110)


def draw_panel(axes: Axes, ratios: dict[str, dict[str, float]]) -> None:
    """The rivals of each op under its name; right of the line at 1 they take longer than we do."""
    plain(axes, LIGHT)
    axes.grid(visible=False, axis="y")
    place, ticks = 0.0, []
    for name, rivals in ratios.items():
        for k, (rival, ratio) in enumerate(rivals.items()):
            axes.barh(place - k, ratio - 1, left=1, color=COLOURS[kind_of(rival)], linewidth=0)
            axes.text(
                max(ratio, 1) * 1.07,
                place - k,
                f"{rival} {ratio:.1f}",
                color=LIGHT.ink,
                va="center",
                fontsize=SMALL - 1,
            )
        ticks.append((place - (len(rivals) - 1) / 2, name))
        place -= len(rivals) + 1
    axes.set_yticks([y for y, _ in ticks], [name for _, name in ticks], fontsize=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.axvline(1.0, color=LIGHT.ink, linewidth=1)
    axes.set_xlabel("time divided by that of calib_kernels (log scale)", fontsize=FONT)


def kind_of(rival: str) -> str:
    return KIND_OF.get(rival, OTHERWISE)


def main(words: list[str]) -> None:
    source = Path(words[0]) if words else newest()
    path = Path(words[1]) if len(words) > 1 else PICTURE
    draw(json.loads(source.read_text()), path)
    print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
