"""Is anything slower than it was? Ratios to the rivals, never absolute times.

    python -m bench.regression [RESULTS.json]        (make bench-check)

Compares a run (default: the CPU's file written last in ``bench/results``) with the last committed
one of the same machine. Times of a shared machine swing by a third and more, the ratio of minima of
two variants that took turns by less. But plain PyTorch asks for gigabytes anew in every call, and
what those cost swings threefold. An op that became slower loses to all of its rivals at once: where
every ratio of a size fell by more than TOLERANCE it is reported, and the exit code is 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.cases import OURS
from bench.results import FOLDER, ROOT

TOLERANCE = 0.30
KEY = ("op", "mode", "rows", "columns", "hidden", "dtype", "threads", "variant")
# A call this short is mostly overhead, and the ratio that of two overheads.
LEAST_MICROSECONDS = 100.0

Content = dict[str, Any]


def ratios(content: Content) -> dict[tuple[Any, ...], float]:
    """Ratio of minima to ours by op, size and rival."""
    return {
        tuple(row.get(name) for name in KEY): row["ratio_of_minima"]
        for row in content["rows"]
        if row.get("kind") == "timing"
        and row.get("ratio_of_minima")
        and row["variant"] != OURS
        and row["us_least"] / row["ratio_of_minima"] >= LEAST_MICROSECONDS
    }


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def committed() -> Iterator[Content]:
    """Every committed file of results, as it stands in the last commit."""
    for name in git("ls-tree", "--name-only", "HEAD", "bench/results/").split():
        if name.endswith(".json"):
            yield json.loads(git("show", f"HEAD:{name}"))


def baseline(machine: str, before: Iterator[Content]) -> Content | None:
    """The latest of a machine."""
    mine = [content for content in before if content["facts"]["machine"] == machine]
    return max(mine, key=lambda content: content["facts"]["date"], default=None)


def slower(new: Content, old: Content) -> list[str]:
    """A sentence for each size whose ratios all fell by more than the tolerance."""
    found, before = ratios(new), ratios(old)
    sizes: dict[tuple[Any, ...], list[str]] = {}
    for *size, variant in found.keys() & before.keys():
        sizes.setdefault(tuple(size), []).append(variant)
    said = []
    for size, rivals in sizes.items():
        best = max(rivals, key=lambda rival: found[*size, rival] / before[*size, rival])
        if found[*size, best] < before[*size, best] * (1 - TOLERANCE):
            named = label(dict(zip(KEY, size, strict=False)))
            said.append(
                f"{named}: {best} took {before[*size, best]:.2f} times our time and takes "
                f"{found[*size, best]:.2f} times now, and no rival fell less"
            )
    return sorted(said)


def label(values: dict[str, Any]) -> str:
    size = " x ".join(str(values[n]) for n in ("rows", "columns", "hidden") if values[n])
    mode = f", {values['mode']}" if values["mode"] else ""
    return f"{values['op']}{mode} {size} {values['dtype']}, {values['threads']} threads"


def main(words: list[str]) -> int:
    written = [path for path in FOLDER.glob("*.json") if not path.name.startswith("gpu-")]
    newest = sorted(written, key=lambda path: path.stat().st_mtime)[-1:]
    files = [Path(word) for word in words] or newest
    if not files:
        print("There are no results to compare: run make bench first.", file=sys.stderr)
        return 1
    new = json.loads(files[0].read_text())
    try:
        old = baseline(new["facts"]["machine"], committed())
    except (OSError, subprocess.CalledProcessError):
        print("Committed results cannot be read: this is not a git checkout.", file=sys.stderr)
        return 1
    if old is None:
        print(f"No committed results of {new['facts']['machine']}: nothing to compare with.")
        return 0
    common = len({key[:-1] for key in ratios(new).keys() & ratios(old).keys()})
    said = slower(new, old)
    for sentence in said:
        print(sentence)
    print(
        f"{files[0].name} against {old['facts']['commit']} of {old['facts']['date']}: "
        f"{len(said)} of {common} sizes fell by more than {TOLERANCE:.0%} against every rival"
    )
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
