"""Whatever stands in a file: items that can be asked, or InputError, within a second."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calib.records import EncodedImage, InputError
from calib.task_files import read_file
from calib.task_files.checks import check_item
from calib.task_files.columns import COLUMNS, OPTIONS, STAND_INS

CASES = 4_000
SECONDS = 1.0  # of wall time, beside other work; a case takes some milliseconds
NAMES = [*COLUMNS, *(alias for names in COLUMNS.values() for alias in names), *list(OPTIONS)[:6]]
NAMES += [alias for names in STAND_INS.values() for alias in names]
NAMES += ["text", "label", "path", "bytes", "", " ", "x"]

texts = st.one_of(
    st.sampled_from(
        ["", " ", "A", "b", "(C)", "0", "1", "yes", "no", " yes", "nan", "NaN", "null"]
    ),
    st.sampled_from(["iVBORw0KGgo=", "data:image/png;base64,", "http://a", "~", "|", "[", "a|b"]),
    st.sampled_from(
        ['["a", "b"]', "[null]", "{}", '{"path": 1}', "\ufeff", "\u2028", "\0", "\ud800"]
    ),
    st.text(max_size=8),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 30), st.floats(), texts, st.integers(10**30, 10**31)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=4),
    ),
    max_leaves=12,
)
sound = {"id": "a", "question": "Which?", "options": ["x", "y", "z"], "answer": "B"}
rows = st.dictionaries(st.sampled_from(NAMES), values, max_size=6).map(lambda row: sound | row)
fields = st.one_of(texts, values.map(lambda value: json.dumps(value, default=str)))
tables = st.tuples(
    st.lists(st.sampled_from(NAMES) | texts, min_size=1, max_size=8),
    st.lists(st.lists(fields, max_size=9), max_size=4),
    st.sampled_from([",", ";", "\t", ", "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)


def table(parts: tuple[list[str], list[list[str]], str, str]) -> str:
    names, lines, delimiter, end = parts
    quoted = ['"' + field.replace('"', '""') + '"' if len(field) % 2 else field for field in names]
    return end.join(delimiter.join(line) for line in [["id", "question", *quoted], *lines])


def ask(path: Path, content: str | bytes) -> None:
    """Read, and look once more at what was read."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    path.write_bytes(data)
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            items = read_file(path)
    except InputError as error:
        assert len(str(error)) < 3_000
        assert "\n" not in str(error)
    else:
        for item in items:
            check_item(item, "again")
            assert all(isinstance(image, (Path, EncodedImage)) for image in item.images)
            json.dumps([item.question, item.options, dict(item.meta)], default=str)
    assert time.perf_counter() - start < SECONDS


def fuzz(test: Any) -> Any:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return pytest.mark.slow(
        settings(max_examples=CASES, deadline=None, suppress_health_check=checks)(test)
    )


@fuzz
@given(st.lists(rows, min_size=1, max_size=3))
def test_rows_of_json(tmp_path: Path, found: list[dict[str, Any]]):
    ask(tmp_path / "q.jsonl", "\n".join(map(json.dumps, found)))


@fuzz
@given(tables)
def test_tables(tmp_path: Path, parts: tuple[list[str], list[list[str]], str, str]):
    ask(tmp_path / "q.csv", table(parts))


@fuzz
@given(st.data(), st.sampled_from([".jsonl", ".csv", ".json", ".tsv"]))
def test_damaged_bytes(tmp_path: Path, data: st.DataObject, suffix: str):
    whole = json.dumps(sound).encode() + b"\n"
    if suffix in (".csv", ".tsv"):
        whole = b'id,question,A,B,answer\na,"Which, or",x,y,A\n'
    whole = data.draw(st.sampled_from([whole, whole.decode().encode("utf-16")]))
    place = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(place, len(whole)))
    ask(tmp_path / f"q{suffix}", whole[:place] + data.draw(st.binary(max_size=6)) + whole[end:])
