"""Numbers that no setting can be: one sentence and exit code 2, by flag and in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.checks.crosscheck import crosscheck_run
from calib.cli.arguments import batch
from calib.idk.ask import ask_set
from calib.records import InputError
from calib.runs import open_run
from calib.summary.remedies import fit_runs

MODEL = ["--model", "embedded:base", "--tasks", "capitals"]
COMMANDS = {
    "demo": [],
    "score": MODEL,
    "sample": MODEL,
    "fit": ["RUN"],
    "compare": ["RUN", "OTHER"],
    "idk build": [*MODEL, "--output_path", "set"],
    "idk evaluate": ["set"],
}


@pytest.fixture
def runs(make_run, tmp_path: Path) -> dict[str, str]:
    return {
        "RUN": str(make_run(tmp_path / "run", n=60)),
        "OTHER": str(make_run(tmp_path / "other", n=60, model="b")),
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_takes_a_seed_below_0(command: str, runs: dict[str, str], tmp_path: Path):
    words = [runs.get(word, word) for word in [*command.split(), *COMMANDS[command]]]
    ran = CliRunner().invoke(cli.app, [*words, "--seed", "-1"])
    assert ran.exit_code == 2, ran.output
    assert "Invalid value for '--seed'" in ran.output
    assert not (tmp_path / "run" / "temperature.json").exists()


@pytest.mark.parametrize("command", ["score", "crosscheck"])
@pytest.mark.parametrize("bins", ["0", "10001", "1000000000"])
def test_no_command_takes_more_bins_than_a_run_has(command: str, bins: str, runs: dict[str, str]):
    words = MODEL if command == "score" else [runs["RUN"]]
    ran = CliRunner().invoke(cli.app, [command, *words, "--bins", bins])
    assert ran.exit_code == 2, ran.output
    assert "Invalid value for '--bins'" in ran.output


@pytest.mark.parametrize(
    "given", ["temperature=hot", "top_k=abc", "max_new_tokens=1.5", "greedy=3", "top_p=1e400"]
)
def test_settings_of_answers_are_refused_by_name(given: str):
    ran = CliRunner().invoke(cli.app, ["sample", *MODEL, "--gen_kwargs", given])
    assert ran.exit_code == 2, ran.output
    assert f"calib: {given.partition('=')[0]}: expected" in ran.output


def test_temperature_0_is_told_its_name():
    ran = CliRunner().invoke(cli.app, ["sample", *MODEL, "--gen_kwargs", "temperature=0"])
    assert ran.exit_code == 2
    assert "greedy=true takes the likeliest token, as at temperature 0" in ran.output


@pytest.mark.parametrize("rows", ["\u00b2", "9" * 5000, "true", "1.5"])
def test_a_batch_size_is_written_in_digits(rows: str):
    with pytest.raises(InputError, match="batch_size: expected auto or a positive number"):
        batch(rows)


CALLS: dict[str, Callable[[Path, Path, Any], Any]] = {
    "score": lambda run, other, seed: calib.score("embedded:base", "capitals", seed=seed),
    "compare": lambda run, other, seed: calib.compare([open_run(run), open_run(other)], seed=seed),
    "summarize": lambda run, other, seed: calib.summarize(open_run(run), seed=seed),
    "fit": lambda run, other, seed: fit_runs(run, None, method="exact", seed=seed),
    "evaluate": lambda run, other, seed: ask_set(None, run, seed=seed),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("seed", [-1, 1.5, "1", True])
def test_a_seed_is_a_whole_number_from_0(name: str, seed: Any, runs: dict[str, str]):
    with pytest.raises(InputError, match=r"^seed: expected a whole number from 0, got"):
        CALLS[name](Path(runs["RUN"]), Path(runs["OTHER"]), seed)


def test_a_seed_may_be_numpys(runs: dict[str, str]):
    fitted = [CALLS["fit"](Path(runs["RUN"]), Path("x"), seed)[0] for seed in (3, np.int64(3))]
    assert fitted[0] == fitted[1]


@pytest.mark.parametrize("bins", [0, -1, 2.5, 10**9, "15", None])
def test_bins_are_those_of_a_run(bins: Any, runs: dict[str, str]):
    message = "^bins: expected a whole number from 1 to 10,000, got"
    with pytest.raises(InputError, match=message):
        crosscheck_run(Path(runs["RUN"]), bins)
    with pytest.raises(InputError, match=message):
        calib.score("embedded:base", "capitals", bins=bins)
