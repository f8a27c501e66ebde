"""The records of a sampled run: one line per answer, in a file of its own for every process.

``records-R.jsonl``  what process R wrote. All answers to an item stand together, in the order of
                     their samples; an item that lacks some was torn and counts as not begun.
``items.jsonl``      the questions, once.

Which process wrote an item does not matter, so a run may go on with another number of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from calib.records import Answer, Item

ITEMS = "items.jsonl"
HEAD = re.compile(rb'\{"index": (\d+), "sample": (\d+), ')


def shard(rank: int) -> str:
    return f"records-{rank}.jsonl"


def shards(path: Path) -> list[Path]:
    return sorted(path.glob("records-*.jsonl"))


def whole_items(file: Path, samples: int) -> tuple[set[int], int]:
    """Items with all of their answers, and the byte behind the last of them.

    Only the head of a line is looked at: millions of answers are counted in seconds.
    """
    done: set[int] = set()
    position = end = 0
    index, count = -1, 0
    with file.open("rb") as lines:
        for line in lines:
            head = HEAD.match(line)
            if head is None or not line.endswith(b"}\n"):
                break  # torn
            position += len(line)
            number, sample = int(head[1]), int(head[2])
            count = count + 1 if number == index and sample == count else int(sample == 0)
            index = number
            if count == samples:
                done.add(index)
                end = position
    return done, end


def rows_of(
    index: int, item: Item, task: str, answers: Sequence[Answer]
) -> Iterator[dict[str, Any]]:
    """One record per answer. ``index`` and ``sample`` come first, as ``HEAD`` expects."""
    for sample, answer in enumerate(answers):
        yield {
            "index": index,
            "sample": sample,
            "id": item.id,
            "task": task,
            "text": answer.text,
            "tokens": answer.tokens,
            "logprob": answer.logprob,
            "mean_logprob": answer.mean_logprob,
            "entropy": answer.entropy,
            "finish": answer.finish,
        }


def item_row(index: int, item: Item, images: Sequence[str]) -> dict[str, Any]:
    """An item as ``items.jsonl`` keeps it."""
    return {
        "index": index,
        "id": item.id,
        "question": item.question,
        "images": list(images),
        "options": list(item.options),
        "answer": item.answer,
        "group": item.group,
        "cluster": item.meta.get("cluster", item.id),
        "meta": {name: value for name, value in item.meta.items() if name != "cluster"},
    }


def read_items(path: Path) -> list[Item]:
    """The questions of a sampled run, in their order."""
    items = []
    with (path / ITEMS).open() as lines:
        for row in map(json.loads, lines):
            items.append(
                Item(
                    id=row["id"],
                    question=row["question"],
                    images=tuple(map(Path, row["images"])),
                    options=tuple(row["options"]),
                    answer=row["answer"],
                    group=row["group"],
                    meta={"cluster": row["cluster"], **row["meta"]},
                )
            )
    return items


def read_answers(path: Path, samples: int) -> Iterator[dict[str, Any]]:
    """Every answer of every whole item, items in no order; of an item given twice, the first."""
    seen: set[int] = set()
    for file in shards(path):
        whole, end = whole_items(file, samples)
        position = 0
        with file.open("rb") as lines:
            for line in lines:
                position += len(line)
                if position > end:
                    break
                row = json.loads(line)
                if row["index"] in whole and row["index"] not in seen:
                    yield row
        seen |= whole
