"""Open the folder of a sampled run for writing, and write its questions down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.records import CalibError, Item
from calib.runs.begin import begin
from calib.runs.durable import replace
from calib.runs.folder import Run
from calib.runs.pictures import saved
from calib.runs.shards import (
    ITEMS,
    item_row,
    items_by_part,
    more_samples,
    parts_of,
    shard,
    whole_parts,
)


@dataclass(frozen=True)
class Part:
    """Samples ``first`` to ``first + samples - 1`` of every question, and the numbers of the
    questions that have them."""

    first: int
    samples: int
    done: set[int]


def begin_shard(path: Path, config: Mapping[str, Any], rank: int) -> tuple[Run, list[Part]]:
    """Open process ``rank``'s file for writing; also the parts in which samples are drawn.

    Raises as ``calib.runs.begin.begin`` and ``calib.runs.shards.more_samples`` do.
    """
    run = begin(path, config, shard(rank), more_samples)
    ends = parts_of(run.config)
    run.cut(whole_parts(path / shard(rank), ends)[1])
    done = items_by_part(path, ends)
    return run, [
        Part(first, end - first, items)
        for first, end, items in zip([0, *ends], ends, done, strict=False)
    ]


def keep_items(run: Run, items: Sequence[Item]) -> None:
    """Write the questions down, once."""
    path = run.path / ITEMS
    if path.exists():
        return
    rows = (
        item_row(i, item, [saved(run.path, item, i, k) for k in range(len(item.images))])
        for i, item in enumerate(items)
    )
    try:
        replace(path, "".join(json.dumps(row) + "\n" for row in rows))
    except OSError as error:
        run.close()
        raise CalibError(f"{path}: writing failed ({error.strerror})") from error
