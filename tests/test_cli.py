"""The command: helps that fit a terminal, exit codes, one paragraph per error, plain progress."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from calib import cli
from calib.cli import base, progress
from calib.records import CalibError, InputError

COMMANDS = [
    "demo",
    "score",
    "sample",
    "p_true",
    "fit",
    "compare",
    "report",
    "tasks",
    "doctor",
    "crosscheck",
    "idk",
]
runner = CliRunner()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_eighty_columns_and_shows_an_example(command):
    shown = runner.invoke(cli.app, [command, "--help"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert f"Example: calib {command}" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    assert "..." not in shown.output.partition("\n")[2]  # behind the usage: RUN... takes several


def test_the_list_of_commands_is_whole_and_uncut():
    shown = runner.invoke(cli.app, ["--help"], env={"COLUMNS": "80"})
    listed = re.findall(r"^  ([a-z_]+)  +\S", shown.output, re.M)
    assert listed == COMMANDS
    assert "..." not in shown.output.partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_are_spelled_as_in_lm_eval(command):
    shown = runner.invoke(cli.app, [command, "--help"], env={"COLUMNS": "80"})
    assert not re.search(r"--[a-z]+-[a-z]+", shown.output)


def test_help_imports_nothing_heavy():
    code = (
        "import sys, calib.cli\n"
        "try: calib.cli.app(['score', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'pandas', 'matplotlib', 'transformers', 'jinja2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def failing(error: BaseException):
    @base.readable
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("the file is empty"), 2),
        (CalibError("the model ran out of memory"), 1),
        (OSError(28, "No space left on device", "records.jsonl"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_one_paragraph_and_a_code(error, code, capsys):
    with pytest.raises(typer.Exit) as caught:
        failing(error)()
    assert caught.value.exit_code == code
    said = capsys.readouterr().err.strip()
    assert said.startswith("calib: ")
    assert "\n" not in said


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError())()


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "no/such/run"],
        ["report", "no/such/run"],
        ["compare", "no/such/run", "nor/this"],
        ["compare"],
        ["crosscheck", "no/such/run"],
        ["score", "--model", "m", "--tasks", ","],
        ["score", "--model", "hf", "--tasks", "easy-vqa"],
        ["score", "--model", "m", "--tasks", "no-such-task"],
        ["score", "--model", "m", "--tasks", "easy-vqa", "--batch_size", "0"],
        ["score", "--model", "m", "--tasks", "easy-vqa", "--model_args", "dtype"],
        ["score", "--model", "m", "--tasks", "easy-vqa", "--limit", "0"],
        ["score", "--tasks", "easy-vqa"],
        ["nonsense"],
    ],
)
def test_refused_before_a_model_is_loaded(arguments, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "calib.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80"},
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stderr.strip()
    assert not list(tmp_path.iterdir())


def test_progress_in_a_log_gives_rate_and_time_left(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 15.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    tell = progress.Lines()
    for done in (0, 50, 75, 100):
        tell(done, 100, "scoring")
    assert capsys.readouterr().err.splitlines() == [
        "scoring: 0 of 100, 0.0/s",
        "scoring: 50 of 100, 5.0/s, 10 s left",
        "scoring: 100 of 100, 5.0/s",
    ]
