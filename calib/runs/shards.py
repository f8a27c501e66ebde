"""The records of a sampled run: one line per answer, in a file of its own for every process.

``records-R.jsonl``  what process R wrote. All answers to an item that were drawn together stand
                     together, in the order of their samples; where some are missing, the line was
                     torn and all of them count as not begun.
``items.jsonl``      the questions, once.

Which process wrote an item does not matter, so a run may go on with another number of them. A run
may also go on with more samples: then each item has its samples in parts, 0 to 7 and 8 to 11,
and config.json says where parts end (``parts: [8, 12]``).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.fields import (
    PLAIN,
    Fields,
    check_fields,
    is_count,
    is_list,
    is_mapping,
    is_number,
    is_plain,
    is_text,
    object_in,
    or_null,
    read_objects,
    refuse_irregular,
)
from calib.images.kept import Kept
from calib.records import Answer, InputError, Item
from calib.runs.prompts import PROMPTS
from calib.tasks.files.checks import check_item

ITEMS = "items.jsonl"
HEAD = re.compile(rb'\{"index": (\d{1,18}), "sample": (\d{1,18}), ')

OF_ITEM: Fields = {
    "index": ("a whole number from 0", is_count),
    "id": ("text", is_text),
    "question": ("text", is_text),
    "images": ("a list of paths", is_list(is_text)),
    "options": ("a list of texts", is_list(is_text)),
    "answer": ("an option's index or null", or_null(is_count)),
    "group": (PLAIN, is_plain),
    "cluster": (PLAIN, is_plain),
    "meta": ("an object with named fields", is_mapping(lambda value: True)),
}
OF_ANSWER: Fields = {"id": ("text", is_text), "text": ("text", is_text)}
ANY_NUMBER = ("a number or null", or_null(lambda value: is_number(value, -math.inf, math.inf)))
OF_TOKENS: Fields = {
    "tokens": ("a whole number from 0", is_count),
    **dict.fromkeys(("logprob", "mean_logprob", "entropy"), ANY_NUMBER),
}


def shard(rank: int) -> str:
    return f"records-{rank}.jsonl"


def shards(path: Path) -> list[Path]:
    files = sorted(path.glob("records-*.jsonl"))
    for file in files:
        refuse_irregular(file)
    return files


def parts_of(config: Mapping[str, Any]) -> list[int]:
    """Where the parts end in which a run's samples are drawn; a run that never grew has one."""
    return list(map(int, config.get("parts") or [config["samples"]]))


def more_samples(before: Mapping[str, Any], requested: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json is to hold when a run goes on, perhaps with more samples than ``before``.

    Raises InputError where they are fewer.
    """
    if before.get("kind") != "sample" or "samples" not in before:
        return {}
    parts, samples = parts_of(before), int(requested["samples"])
    if samples < parts[-1]:
        raise InputError(
            f"samples: {samples} were asked for, and the run holds {parts[-1]} of each question, "
            "none of which is thrown away; read the first of them, or choose another folder"
        )
    if samples > parts[-1]:
        return {"samples": samples, "parts": [*parts, samples]}
    return {"parts": parts} if "parts" in before else {}


def whole_parts(file: Path, parts: Sequence[int]) -> tuple[list[set[int]], int]:
    """Items of which a file has all answers of a part, for each; the byte behind the last of them.

    Only the head of a line is looked at: millions of answers are counted in seconds.
    """
    begins = {begin: part for part, begin in enumerate([0, *parts[:-1]])}
    done: list[set[int]] = [set() for _ in parts]
    position = end = 0
    index, part, awaited = -1, 0, -1  # the answers being counted, and the sample that is next
    with file.open("rb") as lines:
        for line in lines:
            head = HEAD.match(line)
            if head is None or not line.endswith(b"}\n"):
                break  # torn
            position += len(line)
            number, sample = int(head[1]), int(head[2])
            if number == index and sample == awaited:
                awaited += 1
            elif sample in begins:
                index, part, awaited = number, begins[sample], sample + 1
            else:
                awaited = -1
            if awaited == parts[part]:
                done[part].add(index)
                end, awaited = position, -1
    return done, end


def items_by_part(path: Path, parts: Sequence[int]) -> list[set[int]]:
    """The same of all files of the run in folder ``path``."""
    done: list[set[int]] = [set() for _ in parts]
    for file in shards(path):
        for both, more in zip(done, whole_parts(file, parts)[0], strict=True):
            both |= more
    return done


def whole_items(path: Path, config: Mapping[str, Any]) -> set[int]:
    """Items of the run in folder ``path`` that have all of their answers."""
    return set.intersection(*items_by_part(path, parts_of(config)))


def rows_of(
    index: int, item: Item, task: str, answers: Sequence[Answer], first: int = 0
) -> Iterator[dict[str, Any]]:
    """One record per answer, from sample ``first`` on. What ``HEAD`` expects comes first."""
    for sample, answer in enumerate(answers, first):
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
    """The questions of a sampled run, in their order, with their pictures where they lie now."""
    items: list[Item] = []
    picture_of = Kept(path)
    # A run without prompts.jsonl is older than ``ask_for_text`` and calls it ``instruction``.
    names = {} if (path / PROMPTS).exists() else {"instruction": "ask_for_text"}
    for row, where in read_objects(path / ITEMS):
        check_fields(row, where, OF_ITEM)
        if row["index"] != len(items):
            raise InputError(f"{where}: index: expected {len(items)}, got {row['index']}")
        item = Item(
            id=row["id"],
            question=row["question"],
            images=tuple(picture_of(row["index"], k, name) for k, name in enumerate(row["images"])),
            options=tuple(row["options"]),
            answer=row["answer"],
            group=row["group"],
            meta={
                "cluster": row["cluster"],
                **{names.get(name, name): value for name, value in row["meta"].items()},
            },
        )
        check_item(item, where)
        items.append(item)
    return items


def read_answers(path: Path, config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every answer of every whole item, items in no order; of one given twice, the first."""
    parts = parts_of(config)
    whole = whole_items(path, config)
    done: list[set[int]] = [set() for _ in parts]
    for file in shards(path):
        here, end = whole_parts(file, parts)
        position = 0
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                position += len(line)
                if position > end:
                    break
                where = f"{file}, line {number}"
                row = object_in(line, where)
                check_fields(row, where, OF_ANSWER, OF_TOKENS)
                index, part = row["index"], bisect_right(parts, row["sample"])
                if index in whole and index in here[part] and index not in done[part]:
                    yield row
        for before, now in zip(done, here, strict=True):
            before |= now
