"""What the letter judge reads in the published responses to MMMU-Pro; the table of docs/judging.md.

    python bench/judging.py mmmu_pro.tar.xz --readings now.jsonl
    python bench/judging.py mmmu_pro.tar.xz --before then.jsonl --changed changed.jsonl

The archive holds the 27 files of ``mmmu-pro/output`` of ``MMMU-Benchmark/MMMU``. ``--readings``
keeps what is read of each response, one a line, for a later tree to be compared with: its
``--changed`` lists every response that is read otherwise.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calib.judge import letter
from calib.records import Item

PLAIN = re.compile(r"^\W*([A-J])\W*$|[Aa]nswer:?\s*(?:is)?:?\s*\(?([A-J])\b")
EXCERPT = 400  # characters of either end of a response that is read otherwise


def responses(archive: Path) -> Iterator[tuple[str, Item, str]]:
    """File, item and response of every row; a response that is no text is empty."""
    with tarfile.open(archive) as tar:
        for member in sorted(tar, key=lambda m: m.name):
            source = tar.extractfile(member) if member.name.endswith(".jsonl") else None
            for line in source or ():
                row = json.loads(line)
                name = Path(member.name).stem
                kind = "" if "4opts" in name else "shuffled_"
                options = row[f"{kind}options"]
                texts = ast.literal_eval(options) if isinstance(options, str) else options
                answer = ord(row[f"{kind}options_answer" if kind else "answer"]) - ord("A")
                said = row["response"] if isinstance(row["response"], str) else ""
                yield (
                    name,
                    Item(row["id"], row["question"], (), tuple(map(str, texts)), answer),
                    said,
                )


def reading(name: str, item: Item, said: str) -> dict[str, Any]:
    start = time.perf_counter()
    verdict = letter(said, item)
    return {
        "file": name,
        "id": item.id,
        "parsed": verdict.parsed,
        "how": verdict.how,
        "refused": verdict.refused,
        "gold": item.answer,
        "plain": bool(PLAIN.search(said)),
        "empty": not said.strip(),
        "seconds": time.perf_counter() - start,
    }


def table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for name in [*dict.fromkeys(row["file"] for row in rows), None]:
        own = [row for row in rows if name in (row["file"], None)]
        model, prompt, options = (name or "all__").split("_")
        parsed = [row for row in own if row["parsed"] is not None]
        right = sum(row["parsed"] == row["gold"] for row in parsed)
        cells = [model, options, prompt, f"{sum(row['plain'] for row in own) / len(own):.3f}"]
        cells += [f"{len(parsed) / len(own):.3f}", str(sum(row["refused"] for row in own))]
        cells += [str(sum(row["empty"] for row in own))]
        cells += [f"{right / len(own):.3f}", f"{right / len(parsed):.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--readings", type=Path, help="write what is read of each response")
    parser.add_argument("--before", type=Path, help="the readings of an earlier tree")
    parser.add_argument("--changed", type=Path, help="write what is read otherwise than before")
    asked = parser.parse_args()
    sources = list(responses(asked.archive))
    rows = [reading(*source) for source in sources]
    print(table(rows))
    print(f"slowest: {max(row.pop('seconds') for row in rows):.3f} s")
    if asked.readings:
        asked.readings.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if not asked.before:
        return
    before = [json.loads(line) for line in asked.before.read_text().splitlines()]
    changed = []
    for (_, item, said), now, then in zip(sources, rows, before, strict=True):
        assert (now["file"], now["id"]) == (then["file"], then["id"])
        if (now["parsed"], now["refused"]) != (then["parsed"], then["refused"]):
            short = (
                said if len(said) <= 2 * EXCERPT else f"{said[:EXCERPT]} [...] {said[-EXCERPT:]}"
            )
            pair = {key: [then[key], now[key]] for key in ("parsed", "how", "refused")}
            named = {"file": now["file"], "id": now["id"], "gold": now["gold"], **pair}
            changed.append({**named, "options": item.options, "response": short})
    kinds = [(row["parsed"][0] == row["gold"], row["parsed"][1] == row["gold"]) for row in changed]
    lost, won = kinds.count((True, False)), kinds.count((False, True))
    print(f"changed: {len(changed)}; gold before and no more: {lost}; gold now, not before: {won}")
    if asked.changed:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in changed)
        asked.changed.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
