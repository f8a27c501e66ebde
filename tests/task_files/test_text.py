"""The bytes of a file as text: encodings, what is no file, what is no text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calib.records import InputError
from calib.tasks import load_task
from calib.tasks.files import read_file, text

CSV = "id,question,A,B,answer\r\na,Schön → 見?,ja,nein,ja\r\n"
JSONL = '{"id": "a", "question": "Schön → 見?", "options": ["ja", "nein"], "answer": "ja"}\n'


@pytest.mark.parametrize(
    "coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize(("name", "content"), [("q.csv", CSV), ("q.jsonl", JSONL)])
def test_encodings(read, coding: str, name: str, content: str):
    (item,) = read(name, content.encode(coding))
    assert (item.question, item.options) == ("Schön → 見?", ("ja", "nein"))


def test_utf_16_big_endian_by_its_mark(read):
    (item,) = read("q.csv", b"\xfe\xff" + CSV.encode("utf-16-be"))
    assert item.options == ("ja", "nein")


@pytest.mark.parametrize("coding", ["latin-1", "cp1252"])
def test_other_encodings_are_not_guessed(refusal, coding: str):
    said = refusal("q.csv", "id,question,A,B,answer\na,Schön?,x,y,A\n".encode(coding))
    assert "byte 28 (line 2) is 0xf6" in said
    assert "save the file as UTF-8" in said


def test_a_file_of_utf_16_that_is_cut_off(refusal):
    assert "which is not UTF-16" in refusal("q.csv", CSV.encode("utf-16")[:-1])


@pytest.mark.parametrize("name", ["q.csv", "q.jsonl", "q.json"])
def test_a_nul_character_is_refused_with_its_line(refusal, name: str):
    assert refusal(name, b"id,question\na,b\0c\n").startswith(f"{name}, line 2: there is a NUL")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(read, end: str):
    lines = [JSONL.strip(), "", JSONL.strip().replace('"a"', '"b"'), ""]
    assert [item.id for item in read("q.jsonl", end.join(lines))] == ["a", "b"]


def test_what_is_no_file_is_not_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "folder.json").mkdir()
    for name, kind in [
        ("pipe.jsonl", "a named pipe"),
        ("zero.csv", "a device"),
        ("folder.json", "a folder"),
    ]:
        with pytest.raises(InputError, match=f"{name}: it cannot be read: it is {kind}"):
            load_task(tmp_path / name)


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path):
    path = tmp_path / "q.csv"
    with path.open("wb") as file:
        file.truncate(10**13)  # sparse: it takes no space
    with pytest.raises(InputError, match=r"10,000,000,000,000 bytes are more than"):
        read_file(path)


def test_memory_that_does_not_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def too_much(path: Path) -> bytes:
        raise MemoryError

    monkeypatch.setattr(text, "bytes_of", too_much)
    with pytest.raises(InputError, match=r"q\.csv: it does not fit into memory"):
        read_file(tmp_path / "q.csv")


@pytest.mark.parametrize("name", ["x" * 5_000 + ".csv", "a\0b.csv", "gone.csv", "a\nb.csv"])
def test_names_of_no_file(name: str):
    with pytest.raises(InputError) as caught:
        read_file(Path(name))
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_a_file_and_its_pictures_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "q.jsonl").write_text(JSONL.replace('"ja"}', '"ja", "image": "~/a/1.png"}'))
    (item,) = read_file(Path("~/q.jsonl"))
    assert item.images == (tmp_path / "a/1.png",)


def test_a_name_with_a_tilde_that_is_nobodys_home(read, tmp_path: Path):
    (item,) = read("q.jsonl", JSONL.replace('"ja"}', '"ja", "image": "~nobody-here/1.png"}'))
    assert item.images == (tmp_path / "~nobody-here/1.png",)
