"""The command: helps that fit a terminal, exit codes, one paragraph per error, plain progress."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys

import pytest
import typer
from rich.console import Console
from rich.progress import Task
from typer.testing import CliRunner

from calib import cli
from calib.cli import base, progress
from calib.records import CalibError, InputError
from calib.report.formats import duration
from calib.runs.folder import Work
from calib.tasks.prompts import FORMS
from tests.house import ROOT

COMMANDS = [
    "demo",
    "score",
    "sample",
    "p_true",
    "fit",
    "prompts",
    "modality",
    "transfer",
    "trajectory",
    "compare",
    "report",
    "drift",
    "import",
    "tasks",
    "doctor",
    "crosscheck",
    "idk",
    "twins",
    "study",
]
EVERY = [
    *COMMANDS[:-3],
    *("idk build", "idk label", "idk evaluate", "twins make", "twins evaluate"),
    *("study list", "study show", "study run", "study all"),
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
def test_refused_before_a_model_is_loaded(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = runner.invoke(cli.app, arguments, env={"COLUMNS": "80"})
    assert isinstance(ran.exception, SystemExit) and ran.exit_code == 2, ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stderr.strip()
    assert not list(tmp_path.iterdir())


def test_a_process_ends_with_the_code(tmp_path):
    command = [sys.executable, "-m", "calib.cli", "report", "no/such/run"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 2 and ran.stderr.startswith("calib: "), ran.stderr


def test_progress_in_a_log_gives_rate_and_time_left(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 15.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    tell = progress.Lines()
    for done in (0, 50, 75, 100):
        tell(done, 100, "scoring")
    assert capsys.readouterr().err.splitlines() == [
        "scoring: 0 of 100",
        "scoring: 50 of 100, 5.0/s, 10 s left",
        "scoring: 100 of 100, 5.0/s",
    ]


def test_progress_names_its_unit_and_says_days_not_seconds(capsys, monkeypatch):
    clock = iter([0.0, 100.0, 0.0, 10.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    tell, work = progress.Lines(), Work("[bold]mmlu", "answers")
    tell(1_000, 8_000, work)
    tell(1_001, 8_000, work)
    thoughts = Work("[bold]mmlu", "thoughts")  # of the same task, counted for themselves
    tell.said = -progress.math.inf
    tell(0, 1, thoughts)
    tell(1, 1, thoughts)
    assert capsys.readouterr().err.splitlines() == [
        "[bold]mmlu: 1,000 of 8,000 answers",
        "[bold]mmlu: 1,001 of 8,000 answers, 36.0/h, 8 d 2 h left",
        "[bold]mmlu: 0 of 1 thought",
        "[bold]mmlu: 1 of 1 thought, 6.0/min",
    ]


def test_bars_name_their_unit_and_the_time_left_in_eighty_columns(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(progress, "err", Console(file=shown, force_terminal=True, width=80))
    with progress.progress() as tell:
        tell(0, 193_460, Work("easy-vqa-letters", "answers"))
        tell(7, 8, "no unit")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue())
    assert "0 of 193,460 answers" in text and "7 of 8" in text
    task = Task(0, "t", 100, 40, _get_time=lambda: 0.0, fields={"unit": "questions"})
    monkeypatch.setattr(Task, "time_remaining", 630_104.0)
    monkeypatch.setattr(Task, "speed", 0.01)
    assert progress.Left().render(task).plain == "7 d 7 h left"
    assert progress.Rate().render(task).plain == "36.0/h"
    assert progress.Done().render(task).plain == "40 of 100 questions"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (3_599.4, "59 min 59 s"),
        (3_599.6, "1 h"),
        (7_500, "2 h 5 min"),
        (85_000, "23 h 37 min"),
        (86_399, "1 d"),
        (630_104, "7 d 7 h"),
        (86_400 * 1_200, "1,200 d"),
    ],
)
def test_durations_are_said_in_two_units(seconds, said):
    assert duration(seconds) == said


NOTING = """
import warnings, typer
from calib.cli.base import readable
@readable
def command():
    for _ in range(3):
        warnings.warn("q.jsonl: not used are the columns\\n'split', 'topic'", UserWarning)
    warnings.warn("another [bold] thing", UserWarning)
try: command()
finally: warnings.warn("python's own")
"""


def test_warnings_are_notes_of_one_line_and_told_once():
    ran = subprocess.run([sys.executable, "-c", NOTING], capture_output=True, text=True, check=True)
    first, second, *rest = ran.stderr.splitlines()
    assert first == "calib: note: q.jsonl: not used are the columns 'split', 'topic'"
    assert second == "calib: note: another [bold] thing"
    assert rest[0].endswith("UserWarning: python's own")  # outside of the command all is as it was
    assert not ran.stdout


def test_brackets_of_a_name_are_text(capsys):
    base.show(("[bold]name[/bold]", "n"), [("[red]a[/red] [x]", "1")])
    base.out.print("/runs/[old]/report.html")
    base.complain("[dim]file.json: no")
    said = capsys.readouterr()
    assert "[bold]name[/bold]" in said.out and "[red]a[/red] [x]" in said.out
    assert "/runs/[old]/report.html" in said.out and "[dim]file.json: no" in said.err


def test_the_first_prompt_is_shown_once_it_is_there(tmp_path, capsys, monkeypatch):
    calls = []
    tell = progress.announcing(lambda *told: calls.append(told), tmp_path)
    tell(0, 2, "reasons")
    assert not capsys.readouterr().err
    text = "[bold]Which?\x1b[31m" + "\nline" * 40
    rows = [
        {"id": "q\n1", "text": text, "images": [[64, 48]]},
        {"id": "2", "text": "", "images": []},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "prompts.jsonl").write_text(lines)
    tell(0, 2, "t")
    shown = capsys.readouterr().err
    assert r"the first prompt: question 'q\n1', 1 picture: 64 x 48" in shown
    assert r"│ [bold]Which?\x1b[31m " in shown
    assert shown.count("line ") == 29 and "... 11 more lines" in shown
    assert max(map(len, shown.splitlines())) <= 80
    tell(2, 2, "t")
    assert not capsys.readouterr().err
    assert calls == [(0, 2, "reasons"), (0, 2, "t"), (2, 2, "t")]
    monkeypatch.setenv("RANK", "1")
    progress.announcing(lambda *told: None, tmp_path)(0, 2, "t")
    assert not capsys.readouterr().err


@pytest.mark.parametrize("command", EVERY)
def test_helps_say_every_default_and_no_type_of_python(command):
    env = {"COLUMNS": "80"}
    shown = runner.invoke(cli.app, [*command.split(), "--help"], env=env).output
    assert not re.search(r"[<>{}]|list\[|Path\b", re.sub(r"x>=\d|1<=x<=\d+|{question}", "", shown))
    options = shown.partition("Options:")[2].partition("Example:")[0]
    for flag in re.split(r"\n  (?=-)", options)[1:]:
        if not flag.startswith("--help"):
            assert len(re.findall(r"[Dd]efault:|\[required\]", flag)) == 1, flag


def test_arguments_are_named_as_usage_lines_do():
    usage = {}
    for command in ("fit", "compare", "tasks", "idk label"):
        shown = runner.invoke(cli.app, [*command.split(), "--help"]).output
        usage[command] = shown.splitlines()[0].partition("[OPTIONS] ")[2]
    assert usage == {
        "fit": "RUN",
        "compare": "RUN...",
        "tasks": "[show NAME|FILE]...",
        "idk label": "SET",
    }


def test_tasks_lists_the_prompt_forms_as_the_docs_do():
    shown = " ".join(runner.invoke(cli.app, ["tasks"], env={"COLUMNS": "80"}).output.split())
    page = (ROOT / "docs" / "prompts.md").read_text()
    page = page.partition("| `--prompt` |")[2].partition("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", page, re.M))
    assert told == {name: form.about for name, form in FORMS.items()}
    assert all(f"{name} {form.about}" in shown for name, form in FORMS.items())
    for command in ("score", "sample", "idk build", "tasks"):
        helped = runner.invoke(cli.app, [*command.split(), "--help"]).output
        assert all(name in helped for name in FORMS)
