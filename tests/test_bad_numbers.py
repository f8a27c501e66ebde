"""Numbers that no setting can be: one sentence and exit code 2, by flag and in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import calib
from calib import cli, metrics
from calib.calibrators.temperature import TemperatureScaling
from calib.checks.crosscheck import crosscheck_run
from calib.cli.arguments import batch
from calib.idk.ask import ask_set
from calib.intervals import bootstrap, paired_difference, under_calibration
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
    "transfer": ["RUN", "OTHER"],
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


RNG = np.random.default_rng(0)
C = RNG.random(40)
A = (RNG.random(40) < C).astype(int)
P, Y = RNG.dirichlet(np.ones(4), 40), RNG.integers(4, size=40)
PAIR = (C, A)
SPARSE = torch.tensor(C).to_sparse()
ERROR = metrics.CalibrationError
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "risk in words": (lambda: calib.abstention(C, A, risk="0.1"), "^risk must lie between 0 and 1"),
    "no risk": (lambda: calib.abstention(C, A, risk=None), "^risk must lie .* got None"),
    "delta": (lambda: calib.abstention(C, A, risk=0.1, delta="x"), "^delta must lie between"),
    "a seed of rows": (
        lambda: calib.abstention(C, A, risk=0.1, seed=-1),
        "^seed must be a whole number from 0, got -1",
    ),
    **{
        f"{n!r} resamples": (
            lambda n=n: bootstrap(metrics.accuracy, C, A, n=n),
            "^n must be a whole number from 2, got",
        )
        for n in (-1, 0, 1, 1.5, "x", None, True)
    },
    "pairs": (
        lambda: paired_difference(metrics.auroc, PAIR, PAIR, n=1),
        "^n must be a whole number from 2, got 1",
    ),
    "redrawn": (
        lambda: under_calibration(metrics.ece, C, A, n=-1),
        "^n must be a whole number from 1, got -1",
    ),
    **{
        f"seed {seed!r}": (
            lambda seed=seed: bootstrap(metrics.auroc, C, A, seed=seed),
            "^seed must be a whole number from 0, got",
        )
        for seed in (-1, 1.5, "x")
    },
    "seed of the null": (
        lambda: under_calibration(metrics.ece, C, A, seed=-1),
        "^seed must be a whole number from 0, got -1",
    ),
    "a curve": (
        lambda: bootstrap(metrics.risk_coverage, C, A),
        "^metric must return one number, got a tuple",
    ),
    "a curve under calibration": (
        lambda: under_calibration(metrics.risk_coverage, C, A),
        "^metric must return one number, got a tuple",
    ),
    "a difference of curves": (
        lambda: paired_difference(metrics.reliability_curve, PAIR, PAIR),
        "^metric must return one number, got a ReliabilityCurve",
    ),
    "a name": (lambda: bootstrap("ece", C, A), "^metric must be a function of two arrays"),
    "arrays for pairs": (
        lambda: paired_difference(metrics.ece, C, A),
        r"^first must be a pair \(confidence, correct\), got 40 entries",
    ),
    "two numbers": (
        lambda: paired_difference(metrics.ece, C[:2], A[:2]),
        "^first must be a pair .* of arrays, got numbers",
    ),
    "three entries": (
        lambda: paired_difference(metrics.ece, PAIR, (C, A, Y)),
        "^second must be a pair .* got 3 entries",
    ),
    "none": (lambda: paired_difference(metrics.ece, None, PAIR), "^first must be a pair"),
    "sparse": (lambda: metrics.ece(SPARSE, A), "^confidence must be a dense tensor of numbers, go"),
    "sparse clusters": (
        lambda: bootstrap(metrics.auroc, C, A, clusters=torch.tensor(Y).to_sparse()),
        "^clusters must be a dense tensor of numbers, got sparse_coo",
    ),
    "meta": (
        lambda: metrics.ece(torch.empty(40, device="meta"), A),
        "^confidence must be a dense tensor of numbers, got strided torch.float32 on meta",
    ),
    "classes": (
        lambda: under_calibration(metrics.classwise_ece, P, Y),
        r"^confidence must be \(N,\), as correct is redrawn from it, got \(40, 4\)",
    ),
    "updates of arrays": (lambda: ERROR().update(C, A), "^update takes tensors of real numbers"),
    "updates of sparse tensors": (
        lambda: ERROR().update(SPARSE, torch.tensor(A)),
        "^update takes dense tensors, got layout torch.sparse_coo",
    ),
    "updates of blocks": (
        lambda: ERROR().update(torch.rand(2, 5, 4), torch.zeros(10)),
        r"^preds must be \(N,\), or \(N, C\) with target \(N,\), got \(2, 5, 4\) and \(10,\)",
    ),
    "logits past squaring": (
        lambda: TemperatureScaling().fit(np.log(P) * 1e300, Y),
        "^logits: expected numbers of at most 1e\\+100 in size",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_function_cannot_take_is_one_sentence(name: str):
    call, message = REFUSED[name]
    with pytest.raises((ValueError, InputError), match=message):
        call()


@pytest.mark.parametrize("scale", [1e90, 1e-300])
def test_logits_of_any_size_that_can_be_squared_are_fitted_in_silence(scale: float):
    with pytest.warns(UserWarning) as caught:
        TemperatureScaling().fit(np.log(P) * scale, Y)
    assert {type(warning.message).__name__ for warning in caught} == {
        "DegenerateTemperatureWarning"
    }
