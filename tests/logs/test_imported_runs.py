"""Imported runs: kept in a folder, reported, compared and fitted, and no torch is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.records import InputError
from calib.runs import open_run
from calib.summary.remedies import fit_runs
from tests.page import Page

RUNNER = CliRunner()
NAMES = {"sharp": 3.0, "fair": 1.0}


def table(path: Path, n: int = 300, seed: int = 0, sharp: float = 2.0) -> Path:
    """Over-confident answers: the log-odds are ``sharp`` times the true ones."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(1.0, 1.0, n)
    right = rng.uniform(size=n) < 1 / (1 + np.exp(-truth))
    sure = 1 / (1 + np.exp(-sharp * truth))
    lines = ["id,confidence,correct,group"]
    lines += [f"q{i},{sure[i]:.6f},{int(right[i])},{'ab'[i % 2]}" for i in range(n)]
    path.write_text("\n".join(lines) + "\n")
    return path


def logits(path: Path, n: int = 300, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 4)) * 1.5
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    label = [rng.choice(4, p=row) for row in p]
    np.savez(path, logits=2 * z, label=label)
    return path


def ran(*arguments: object) -> str:
    done = RUNNER.invoke(cli.app, [str(value) for value in arguments])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_a_table_is_reported_directly(tmp_path):
    folder = tmp_path / "run"
    ran("report", table(tmp_path / "answers.csv"), "--output_path", folder)
    page = (folder / "report.html").read_text()
    said = (folder / "report.md").read_text()
    Page().feed(page)
    assert said.startswith("# answers\n") and "The confidence is too high." in said
    for absent in ("the model", "parse rate", "option mass", "NLL", "None", "nan"):
        assert absent not in said and absent not in page.split("</style>")[1], absent
    results = json.loads((folder / "results.json").read_text())
    assert results["facts"]["kind"] == "imported" and len(results["groups"]) == 2
    for name in ("results.json", "report.html", "report.md"):
        (folder / name).unlink()
    ran("report", folder)
    assert (folder / "report.html").read_text() == page


def test_an_import_is_repeated_and_never_replaced(tmp_path):
    path, folder = table(tmp_path / "answers.csv"), tmp_path / "run"
    told = ran("import", path, "--output_path", folder)
    assert "confidence: confidence" in told and "300 rows" in told
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    ran("import", path, "--output_path", folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert len(open_run(folder).rows()) == 300
    with pytest.raises(InputError, match="belongs to another run"):
        calib.read_log(path, out=folder, bins=10)
    table(path, seed=1)
    with pytest.raises(InputError, match="whose content was another"):
        calib.read_log(path, out=folder)


def test_an_import_does_not_overwrite_a_run(tmp_path, make_run):
    folder = make_run(tmp_path / "scored", n=20)
    with pytest.raises(InputError, match="it holds scored questions"):
        calib.read_log(table(tmp_path / "answers.csv"), out=folder)


def test_a_log_in_memory_is_summarized_and_not_written(tmp_path):
    run = calib.read_log(table(tmp_path / "answers.csv"))
    assert calib.summarize(run)["counts"]["scored"] == 300
    with pytest.raises(InputError, match="a report needs a folder"):
        calib.write_report(run)


def test_a_fit_of_bare_confidences_finds_their_temperature(tmp_path):
    run = calib.read_log(table(tmp_path / "answers.csv", n=4000), out=tmp_path / "run")
    fitted, judged = fit_runs(run.path, None, method="exact", seed=0)
    # 2000 rows: the bounds of T are about 6 % apart from it.
    assert fitted.low_ < 2.0 < fitted.high_ and 1.7 < fitted.temperature_ < 2.3
    assert set(judged["metrics"]) >= {"ece", "brier_confidence"} and "nll" not in judged["metrics"]
    both = judged["metrics"]["ece"]
    assert both["after"]["value"] < both["before"]["value"]


def test_certain_and_wrong_answers_have_no_temperature(tmp_path):
    path = table(tmp_path / "answers.csv")
    path.write_text(path.read_text() + "x,1.0,0,a\n")
    run = calib.read_log(path, out=tmp_path / "run")
    assert "1 wrong answers have the confidence 1" in calib.summarize(run)["temperature_kept"]


def test_a_fit_of_logits_is_that_of_the_arrays(tmp_path):
    path = logits(tmp_path / "t.npz")
    with np.load(path) as arrays:
        z, y = arrays["logits"], arrays["label"]
    run = calib.read_log(path, out=tmp_path / "run")
    other = calib.read_log(logits(tmp_path / "u.npz", seed=1), out=tmp_path / "other")
    fitted, _ = fit_runs(run.path, other.path, method="exact", seed=0, in_sample=True)
    expected = calib.TemperatureScaling().fit(z, y).temperature_
    assert fitted.temperature_ == pytest.approx(expected, rel=1e-9)
    told = ran("fit", run.path)
    assert "NLL" in told and (run.path / "temperature.json").exists()


def test_runs_are_compared(tmp_path):
    sharp, fair = (table(tmp_path / f"{t}.csv", n=1000, sharp=s) for t, s in NAMES.items())
    first = calib.read_log(sharp, out=tmp_path / "a")
    second = calib.read_log(fair, out=tmp_path / "b")
    told = ran("compare", first.path, second.path)
    assert "fair is calibrated better" in told and "NLL" not in told
    results = json.loads((second.path / "compare" / "results.json").read_text())
    assert "same_answer" not in results["pairs"][0]
    assert results["pairs"][0]["differences"]["brier_confidence"]["value"] < 0
    assert "None" not in (second.path / "compare" / "report.md").read_text()


def test_a_table_is_compared_with_a_scored_run_on_what_both_have(tmp_path, make_run):
    run = open_run(make_run(tmp_path / "scored", n=120))
    lines = ["id,confidence,correct"]
    lines += [f"{row['id']},{row['confidence'] ** 2},{int(row['correct'])}" for row in run.rows()]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = calib.compare([run, calib.read_log(tmp_path / "t.csv")])
    assert found["n"] == 120
    for side in found["runs"]:
        assert "nll" not in side["metrics"] and "brier_confidence" in side["metrics"]


def test_crosscheck_agrees_on_a_table(tmp_path):
    run = calib.read_log(table(tmp_path / "answers.csv"), out=tmp_path / "run")
    told = ran("crosscheck", run.path)
    assert "DIFFERS" not in told and "NLL" not in told


def test_refusals_of_the_command(tmp_path):
    path = table(tmp_path / "answers.csv")
    for arguments, told in (
        (["import", path, "--format", "excel"], "format: expected one of"),
        (["import", path, "--format_args", "confidence"], "expected name=value"),
        (["import", path, "--format_args", "confidence=gone"], "there is no column 'gone'"),
        (["report", tmp_path, "--format_args", "confidence=x"], "go with the file of a table"),
        (["compare", path, path], "this is a file and not a run folder; calib import"),
        (["fit", path], "this is a file and not a run folder"),
    ):
        done = RUNNER.invoke(cli.app, list(map(str, arguments)))
        assert done.exit_code == 2 and told in done.stderr, done.stderr


def test_no_torch_is_loaded(tmp_path):
    first, second = table(tmp_path / "a.csv"), table(tmp_path / "b.csv", sharp=1.0)
    code = f"""
import sys
from calib.cli import app
for arguments in (
    ["import", {str(first)!r}, "--output_path", {str(tmp_path / "a")!r}],
    ["report", {str(second)!r}, "--output_path", {str(tmp_path / "b")!r}],
    ["compare", {str(tmp_path / "a")!r}, {str(tmp_path / "b")!r}],
    ["fit", {str(tmp_path / "a")!r}],
):
    try:
        app(arguments)
    except SystemExit as done:
        assert not done.code, (arguments, done.code)
    loaded = {{"torch", "transformers", "datasets"}} & set(sys.modules)
    assert not loaded, (arguments[0], loaded)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_answers_without_options_that_were_lost_are_listed(tmp_path):
    for name, right in (("one", "1"), ("two", "0")):
        (tmp_path / f"{name}.csv").write_text(
            f"id,confidence,correct\na,0.9,{right}\nb,0.8,0\nc,0.6,1\nd,0.3,0\n"
        )
        calib.read_log(tmp_path / f"{name}.csv", out=tmp_path / name)
    ran("compare", tmp_path / "one", tmp_path / "two")
    assert "| a | 90.0 % | 90.0 % |" in (tmp_path / "two" / "compare" / "report.md").read_text()


def test_a_fit_to_rows_without_ids_is_not_judged_on_themselves(tmp_path):
    path = tmp_path / "x.npz"
    rng = np.random.default_rng(0)
    np.savez(path, logits=rng.normal(size=(200, 3)), label=rng.integers(0, 3, 200))
    calib.read_log(path, out=tmp_path / "run")
    with pytest.raises(InputError, match="--in_sample"):
        fit_runs(tmp_path / "run", tmp_path / "run", method="exact", seed=0)


def test_a_column_is_told_once(tmp_path):
    path = table(tmp_path / "answers.csv")
    arguments = ["import", str(path), "--format_args", "confidence=confidence,confidence=id"]
    done = RUNNER.invoke(cli.app, arguments)
    assert done.exit_code == 2 and "confidence appears twice" in done.stderr
