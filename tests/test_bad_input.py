"""What users get wrong, through the command: one readable message, an exit code, nothing broken."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from calib import cli

BASE = "embedded:base"


def question(**changes: Any) -> dict[str, Any]:
    given = {"id": "a", "question": "Which?", "options": ["yes", "no"], "answer": "yes"}
    return {name: value for name, value in (given | changes).items() if value is not None}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def command(folder: Path, tasks: Path, *flags: str, model: str | Path = BASE) -> list[str]:
    given = ["score", "--model", str(model), "--tasks", str(tasks)]
    return [*given, "--output_path", str(folder / "run"), *flags]


def score(folder: Path, tasks: Path, *flags: str, model: str | Path = BASE) -> Result:
    """The command in this process; an error that it did not expect is raised here."""
    done = CliRunner().invoke(cli.app, command(folder, tasks, *flags, model=model))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def refused(code: int, expected: int, stderr: str, *words: str) -> None:
    said = [line for line in stderr.splitlines() if line.startswith("calib: ")]
    assert code == expected, stderr
    assert len(said) == 1, stderr
    assert "Traceback" not in stderr
    for word in words:
        assert word in said[0]


def truncated(path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:-900])


def bomb(path: Path) -> None:
    """20,000 x 20,000 pixels in some 50 KB: one bit a pixel, all of them alike."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(20_000 * (1 + 2_500)))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, ["no such file"]),
        (truncated, ["cut off"]),
        (bomb, ["400000000 pixels"]),
        (lambda path: path.write_text("not a picture"), ["not an image"]),
    ],
)
def test_an_image_that_cannot_be_read(tmp_path, make, words):
    make(tmp_path / "p.png")
    tasks = written(tmp_path / "own.jsonl", question(), question(id="b", images=["p.png"]))
    done = score(tmp_path, tasks, model="embedded:stage2")
    refused(done.exit_code, 2, done.stderr, "'b'", "p.png", *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([question(answer=None)], ["line 1", "answer is missing"]),
        ([question(), question()], ["'a'", "2 times"]),
        ([], ["own.jsonl", "empty"]),
        ([question(answer="maybe")], ["line 1", "'maybe'"]),
        ([question(options=["B", "A"], answer="A")], ["line 1", "'A'", "letter", "text"]),
        ([question(options=["yes"])], ["'a'", "options"]),
    ],
)
def test_a_file_that_cannot_be_asked(tmp_path, rows, words):
    done = score(tmp_path, written(tmp_path / "own.jsonl", *rows))
    refused(done.exit_code, 2, done.stderr, *words)
    assert not (tmp_path / "run").exists()


def test_options_that_are_one_token_to_the_model(tmp_path):
    rows = [question(), question(id="b", spellings=[["yes"], ["no", "yes"]])]
    tasks = written(tmp_path / "own.jsonl", *rows)
    done = score(tmp_path, tasks)
    refused(done.exit_code, 2, done.stderr, "'b'", "'yes'", "'no'")
    assert not (tmp_path / "run").exists()


def contents(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_the_folder_of_another_run_is_left_alone(tmp_path, tiny_model):
    tasks = written(tmp_path / "own.jsonl", question(), question(id="b", answer="no"))
    other = shutil.copytree(tiny_model, tmp_path / "other")
    assert score(tmp_path, tasks, model=tiny_model).exit_code == 0
    before = contents(tmp_path / "run")
    for flags, model, words in (
        (["--seed", "3"], tiny_model, "seed: 0 there, 3 now"),
        ([], other, "model"),
    ):
        done = score(tmp_path, tasks, *flags, model=model)
        refused(done.exit_code, 2, done.stderr, "another run", words)
    assert before == contents(tmp_path / "run")
    # The same command has nothing left to do and changes no record.
    assert score(tmp_path, tasks, model=tiny_model).exit_code == 0
    assert (tmp_path / "run" / "records.jsonl").read_bytes() == before[Path("records.jsonl")]


def test_a_full_disk_loses_nothing(tmp_path, tiny_model):
    """A limit on file size stands for the disk: writing past it fails as on a full one."""
    rows = [question(id=f"q{k:03}", question=f"Is {k} even?") for k in range(32)]
    tasks = written(tmp_path / "own.jsonl", *rows)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    again = command(tmp_path, tasks, "--batch_size", "4", model=tiny_model)
    call = [sys.executable, "-m", "calib.cli", *again]
    full = subprocess.run(call, capture_output=True, text=True, preexec_fn=limit)
    refused(full.returncode, 1, full.stderr, "records.jsonl", "same command continues")
    kept = (tmp_path / "run" / "records.jsonl").read_bytes()
    assert kept
    assert kept.endswith(b"\n")
    assert score(tmp_path, tasks, "--batch_size", "4", model=tiny_model).exit_code == 0
    records = (tmp_path / "run" / "records.jsonl").read_bytes()
    assert records.startswith(kept)
    ids = [json.loads(line)["id"] for line in records.splitlines()]
    assert sorted(ids) == [row["id"] for row in rows]
