"""Whatever stands in a file: items that can be asked, or InputError, within a second."""

from __future__ import annotations

import csv
import io
import json
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calib.records import EncodedImage, InputError, Item
from calib.tasks.files import read_file
from calib.tasks.files.checks import check_item
from calib.tasks.files.columns import COLUMNS, OPTIONS, STAND_INS

CASES = 2_000
SECONDS = 1.0  # of this thread's own time: others may be at work; a case takes some milliseconds
NAMES = [*COLUMNS, *(alias for names in COLUMNS.values() for alias in names), *list(OPTIONS)[:6]]
NAMES += [alias for names in STAND_INS.values() for alias in names]
NAMES += ["image_1", "image_2", "option1", "option2", "Option A"]
NAMES += ["text", "label", "path", "bytes", "", " ", "x"]

texts = st.one_of(
    st.sampled_from(
        ["<image>", "a <image> b", "<image 1>", "['a', 'b']", "1.0", "true", "option 1"]
    ),
    st.sampled_from(
        ["", " ", "A", "b", "(C)", "0", "1", "yes", "no", " yes", "nan", "NaN", "null"]
    ),
    st.sampled_from(["iVBORw0KGgo=", "data:image/png;base64,", "http://a", "~", "|", "[", "a|b"]),
    st.sampled_from(['["a", "b"]', "[null]", "{}", '{"path": 1}', "\ufeff", "\u2028", '"', "x\ny"]),
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
names = st.lists(
    (st.sampled_from(NAMES) | texts).filter(lambda name: name.strip().casefold() not in sound),
    min_size=1,
    max_size=8,
    unique_by=lambda name: name.strip().casefold(),
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A header, two questions, and further columns of anything, quoted where that is needed."""
    header = [*sound, *draw(names)]
    count = len(header) - len(sound) + draw(st.sampled_from([0] * 8 + [1, -1]))
    delimiter, end = draw(st.sampled_from([",", ";", "\t"])), draw(st.sampled_from(["\n", "\r\n"]))
    lines = [header]
    for number in ("1", "2"):
        lines.append(
            [number, "q", "x|y|z", "B", *draw(st.lists(fields, min_size=count, max_size=count))]
        )
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(lines)
    return text.getvalue()


def read_rows(path: Path, content: str | bytes) -> tuple[Item, ...]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_file(path)


def ask(path: Path, content: str | bytes) -> None:
    """Read, and look once more at what was read."""
    start = time.thread_time()
    try:
        items = read_rows(path, content)
    except InputError as error:
        assert len(str(error)) < 3_000
        assert "\n" not in str(error)
    else:
        for item in items:
            check_item(item, "again")
            assert all(isinstance(image, (Path, EncodedImage)) for image in item.images)
            json.dumps([item.question, item.options, dict(item.meta)], default=str)
    assert time.thread_time() - start < SECONDS


def fuzz(test: Any) -> Any:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return pytest.mark.slow(
        settings(max_examples=CASES, deadline=None, suppress_health_check=checks)(test)
    )


@fuzz
@given(st.lists(rows, min_size=1, max_size=2))
def test_rows_of_json(tmp_path: Path, found: list[dict[str, Any]]):
    ask(tmp_path / "q.jsonl", "\n".join(map(json.dumps, found)))


@fuzz
@given(rows, st.sampled_from(["\ud800", "\0", "\udfff x"]), st.sampled_from(NAMES))
def test_rows_with_what_is_no_character(tmp_path: Path, row: dict[str, Any], flaw: str, name: str):
    with pytest.raises(InputError, match=r"line 1: .* holds "):
        read_rows(tmp_path / "q.jsonl", json.dumps(row | {name: [flaw]}))


@fuzz
@given(tables())
def test_tables(tmp_path: Path, text: str):
    ask(tmp_path / "q.csv", text)


marked = st.lists(
    st.sampled_from(
        [
            *(
                "A",
                "B",
                "(A)",
                "(B)",
                "B.",
                "C:",
                "[a]",
                "（A）",
                "Ａ",
                "**",
                "Options:",
                "? ",
                " ",
            ),
            *("\n", "\n\n", "red", "blue", "or", "Hint: x", "Answer:", "The answer is ", "because"),
            *("###\n", "<image>", "( )", "- ", "is correct", "Please answer so", "SOLUTION:", "，"),
        ]
    )
    | st.text(max_size=3),
    max_size=14,
)
long_marked = st.builds(
    lambda parts, times: "".join(parts) * times, marked, st.sampled_from([1] * 9 + [300])
)


@fuzz
@given(long_marked, long_marked, st.booleans())
def test_conversations(tmp_path: Path, asked: str, answer: str, listed: bool):
    asked += "\nA. red\nB. blue" if listed else ""
    entry = {"conversations": [asked, answer], "images": ["1.png"] * asked.count("<image>")}
    ask(tmp_path / "q.jsonl", json.dumps(entry))


@fuzz
@given(long_marked, long_marked, values, st.sampled_from(["<image>", "img"]))
def test_decisions(tmp_path: Path, state: str, asked: str, label: Any, name: str):
    questions = {"q": {"type": "choice", "instructions": asked, "criteria": {"A": state, "B": ""}}}
    line = {"state": state, "questions": questions, "answers": {"q": label}, "assets": {name: "1"}}
    ask(tmp_path / "q.jsonl", json.dumps(line))


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
