"""The formats that are read. The first that fits a file is its own."""

from __future__ import annotations

from calib.logs import csv_table, json_lines, lm_eval, npz, parquet
from calib.logs.log import LogFormat

FORMATS: dict[str, LogFormat] = {
    each.name: each
    for each in (
        lm_eval.FORMAT,  # before JSONL, whose suffix it has
        json_lines.FORMAT,
        csv_table.FORMAT,
        csv_table.TABBED,
        parquet.FORMAT,
        npz.FORMAT,
    )
}
