"""Rows of MM-UPD (Miyai and others 2024), in which a question and its twin have one ``index``.

``type`` is "standard" where the question can be answered; else it is "upd", or the way's own name.
``masked_answer`` tells what was right, and is not shown. Empty fields may hold the text "nan".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.tasks.files.columns import NOT_A_NUMBER, plain

KEPT = {"pair", "how"}
"""Columns of pairs, which are read as ``calib.twin_sets.pairs`` says: no note names them."""
NAMES = {plain(name) for name in ("index", "type", "masked_answer")}
STANDARD = "standard"
TYPES = {"upd", "aad", "iasd", "ivqd"}


def as_twin(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of MM-UPD with the columns of a pair; any other row as it is.

    An unanswerable question's ``answer`` names no option of the row, or the one that says so: it is
    dropped.
    """
    fields = {plain(name): value for name, value in row.items()}
    kind = str(fields.get("type", "")).strip().casefold()
    if not fields.keys() >= NAMES or kind not in TYPES | {STANDARD}:
        return row
    index = str(fields["index"]).strip().removesuffix(".0")
    can = kind == STANDARD
    dropped = NAMES if can else NAMES | {"answer"}
    kept = {
        name: value
        for name, value in row.items()
        if plain(name) not in dropped
        and not (isinstance(value, str) and value.strip() in NOT_A_NUMBER)
    }
    twin = {} if can else {"how": kind, "answerable": False}
    return {**kept, "id": f"{index}-{kind}", "pair": index, **twin}
