"""The picture of the committed CPU results: how many times our time the rivals take.

python -m bench.figures [RESULTS.json [PICTURE.png]]        (make figures)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from bench.cases import OURS
from bench.results import FOLDER, ROOT

PICTURE = ROOT / "docs" / "speed.png"
COLOURS = {"eager": "#4C72B0", "compile": "#DD8452"}
OTHERS = ("#55A868", "#8172B3", "#937860", "#64B5CD")
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
    """One panel per dtype: horizontal bars on a logarithmic scale, 1 being our time."""
    panels = {dtype: largest(content["rows"], dtype) for dtype in ("float32", "bfloat16")}
    panels = {dtype: ratios for dtype, ratios in panels.items() if ratios}
    if not panels:
        raise SystemExit("These results hold no times to draw: run make bench first.")
    heights = [sum(len(r) + 1 for r in ratios.values()) for ratios in panels.values()]
    figure, axes = plt.subplots(
        1, len(panels), figsize=(12, 1.5 + 0.19 * max(heights)), squeeze=False
    )
    for ax, (dtype, ratios) in zip(axes[0], panels.items(), strict=True):
        place, ticks = 0.0, []
        for name, rivals in ratios.items():
            others = iter(OTHERS)
            for k, (rival, ratio) in enumerate(rivals.items()):
                ax.barh(place - k, ratio, color=COLOURS.get(rival) or next(others, "#999999"))
                ax.text(ratio * 1.05, place - k, f"{rival} {ratio:.1f}", va="center", fontsize=7)
            ticks.append((place - (len(rivals) - 1) / 2, name))
            place -= len(rivals) + 1
        ax.set_yticks([y for y, _ in ticks], [name for _, name in ticks], fontsize=8)
        ax.set_xscale("log")
        ax.set_xlim(0.5, 4 * max(max(r.values()) for r in ratios.values()))
        ax.axvline(1.0, color="black", linewidth=0.8)
        ax.set_title(dtype, fontsize=10)
        ax.set_xlabel("time / that of calib_kernels", fontsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    facts = content["facts"]
    versions = f"torch {facts['versions']['torch']}, commit {facts['commit']}, {facts['date']}"
    figure.suptitle(f"{facts['machine']}: {versions}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(words: list[str]) -> None:
    source = Path(words[0]) if words else newest()
    path = Path(words[1]) if len(words) > 1 else PICTURE
    draw(json.loads(source.read_text()), path)
    print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
