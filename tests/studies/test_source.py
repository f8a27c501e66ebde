"""YAML as people mean it, with the line of every value."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from calib.records import InputError
from calib.studies.source import parsed, read_source

HERE = Path("study.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("no", "no"),
        ("true", True),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("007", "007"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1e-3", 0.001),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("2026-11-28", "2026-11-28"),
        ("0x10", "0x10"),
        ("'12'", "12"),
        (".inf", ".inf"),
        ("9" * 400, "9" * 400),
        ("[1, a, 'b']", [1, "a", "b"]),
        ("{a: 1}", {"a": 1}),
    ],
)
def test_values_are_what_is_written(text: str, value: object):
    found = parsed(f"x: {text}\n", HERE).content["x"]
    assert found == value and type(found) is type(value)


def test_ordinary_values_are_those_of_another_reader():
    text = "a: 1\nb: [x, 2.5, true]\nc:\n  d: >-\n    one\n    two\n  e: |\n    lines\n"
    assert parsed(text, HERE).content == yaml.safe_load(text)


def test_every_value_knows_its_line():
    source = parsed("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", HERE)
    assert source.lines["a",] == 1 and source.lines["b",] == 2
    assert source.lines["b", 0] == 3 and source.lines["b", 1, "d"] == 5
    with pytest.raises(InputError, match=r"study.yaml, line 5: wrong"):
        source.refuse(("b", 1, "d", "deeper"), "wrong")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\na: 2\n", "line 2: a stands twice"),
        ("a: 1\nb: 2\n<<: {c: 3}\n", r"line 3: merge keys \(<<\) are not read"),
        ("a: 1\nb: '\0'\n", "line 2: this is not YAML"),
        ("a: &x 1\nb: *x\n", "line 2: aliases are not read"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1|expected"),
        ("a: !!python/name:os.system x\n", "line 1: expected text, a number"),
        ("a: !mine 3\n", "line 1: expected text, a number"),
        ("a: [1\nb: 2\n", "line 2: this is not YAML"),
        ("? [1, 2]\n: x\n", "line 1: expected a name"),
        ("1: x\n", "line 1: expected a name"),
        ("- 1\n", "expected a study, names with values"),
        ("", "expected a study, names with values"),
        ("a: \t1\n b: 2", "this is not YAML"),
        ("[" * 5000, "nested too deeply|not YAML"),
    ],
)
def test_what_is_no_study_is_refused_by_its_line(text: str, why: str):
    with pytest.raises(InputError, match=why):
        parsed(text, HERE)


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(InputError, match="expected a regular file"):
        read_source(tmp_path)
    path = tmp_path / "latin.yaml"
    path.write_bytes("title: \xe9".encode("latin-1"))
    with pytest.raises(InputError, match="expected a text in UTF-8"):
        read_source(path)
    path.write_text("a: " + "x" * 1_000_001)
    with pytest.raises(InputError, match="at most 1,000,000 characters"):
        read_source(path)
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_source(path).content == {"a": 1}
