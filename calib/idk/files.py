"""The rows of a set as files: JSONL, and Parquet that holds the pictures as well.

``labels/train.jsonl``    a row a line; pictures are named, relative to the set where it has copies
``labels/train.parquet``  the same rows with the pictures' bytes, where the set has copies

``datasets.load_dataset`` makes decoded pictures of the Parquet files wherever the set lies; a
column of paths cannot tell it that they begin at the set.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calib.fields import refuse_irregular
from calib.runs.durable import refuse_no_folder, replace

if TYPE_CHECKING:
    import pyarrow

ROWS = 100
"""So many rows have their pictures in memory at once, and are a row group of Parquet."""
COLUMNS = {
    "text": ("id", "question", "group", "cluster", "part", "prompt", "chosen", "rejected"),
    "texts": ("options", "gold"),
    "whole": ("answer", "n", "correct", "refused", "unparsed"),
    "number": ("accuracy", "accuracy_low", "accuracy_high", "tau"),
    "truth": ("known",),
    "turns": ("messages",),
    "pictures": ("images",),
}
"""Every column of an export, by its type: both parts of a set have it, also one without values."""
OF_DATASETS = {"info": {"features": {"images": {"_type": "List", "feature": {"_type": "Image"}}}}}
"""What ``datasets`` cannot tell from the types: the bytes in this column are pictures."""


def write_rows(
    folder: Path,
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    parts: Iterable[str],
    pictures: Path | None,
) -> dict[str, str]:
    """Files of (part, row) in ``folder``; of each part with rows the one that is to be loaded.

    ``pictures`` is what names of pictures are relative to; without it there is no Parquet. The
    result names files as the card beside ``folder`` does.
    """
    refuse_no_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    named = {}
    for part in parts:
        lines, table = folder / f"{part}.jsonl", folder / f"{part}.parquet"
        for file in (lines, table):
            refuse_irregular(file)
            file.unlink(missing_ok=True)  # a part may have lost its last row
        own = [row for where, row in rows if where == part]
        if own:
            replace(lines, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in own))
            if pictures is not None:
                replace(table, parquet(own, pictures))
            named[part] = f"{folder.name}/{(lines if pictures is None else table).name}"
    return named


def parquet(rows: Sequence[Mapping[str, Any]], pictures: Path) -> Iterator[bytes]:
    """The bytes of a Parquet file of ``rows``, piece by piece."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema, sink = schema_of(rows[0]), Pieces()
    with ParquetWriter(sink, schema, compression="zstd") as writer:
        for start in range(0, len(rows), ROWS):
            some = [with_pictures(row, pictures) for row in rows[start : start + ROWS]]
            writer.write_table(pyarrow.Table.from_pylist(some, schema=schema))
            yield sink.take()
    yield sink.take()


def schema_of(row: Mapping[str, Any]) -> pyarrow.Schema:
    import pyarrow

    text = pyarrow.string()
    types = {
        "text": text,
        "texts": pyarrow.list_(text),
        "whole": pyarrow.int64(),
        "number": pyarrow.float64(),
        "truth": pyarrow.bool_(),
        "turns": pyarrow.list_(pyarrow.struct([("role", text), ("content", text)])),
        "pictures": pyarrow.list_(pyarrow.struct([("bytes", pyarrow.binary()), ("path", text)])),
    }
    of = {name: types[kind] for kind, names in COLUMNS.items() for name in names}
    return pyarrow.schema(
        [(name, of[name]) for name in row], metadata={"huggingface": json.dumps(OF_DATASETS)}
    )


def with_pictures(row: Mapping[str, Any], pictures: Path) -> dict[str, Any]:
    """The row, each picture of which is its bytes and its name."""
    images = [{"bytes": (pictures / n).read_bytes(), "path": n} for n in row["images"]]
    return {**row, "images": images}


class Pieces(io.RawIOBase):
    """A file to write to that is read while it grows, so that no more than a piece is held."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._size += len(self._pieces[-1])
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """What was written since this was last called."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
