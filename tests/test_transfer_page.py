"""The page of transfer, its command, and ``docs/transfer.md``: what they say is what was found."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.records import InputError
from calib.report.csv_tables import tables_of
from calib.report.formats import Shown
from calib.report.plots.transfer import NUMBERED
from calib.report.transfer import marks_of, transfer_page, write_transfer
from calib.report.transfer_tables import matrix_table, printed_cells
from calib.report.transfer_words import (
    carried,
    harms,
    headline,
    helps,
    lead,
    loses,
    mark_of,
    unjudged,
    verdict_of,
)
from calib.runs import Run, open_run
from calib.summary.transfer import transfer_runs
from calib.summary.transfer_cells import transfer_pairs
from tests.altered import altered, answer_first_option
from tests.browser import axe, measured
from tests.house import ROOT
from tests.oracle_transfer import table, transfers
from tests.twins import check_twins

PAGE = (ROOT / "docs" / "transfer.md").read_text()
HOSTILE = "[b]<img src=x onerror=alert(1)>[/b]|`" + "very" * 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_run: Any) -> Path:
    """Runs a, b and c of other questions, and the same of a and b with other answers."""
    folder = tmp_path_factory.mktemp("transfer")
    for seed, name in enumerate("abc"):
        drawn = open_run(make_run(folder / f"drawn-{name}", n=240, seed=seed))
        (folder / "runs").mkdir(exist_ok=True)

        def other(row: dict[str, Any], name: str = name) -> None:
            row["id"] = f"{name}{row['id']}"

        run = altered(drawn, folder / "runs" / name, other, model=f"model-{name}")
        altered(run, folder / "runs" / f"{name}-cue", answer_first_option, model=HOSTILE)
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[Run]:
    return [open_run(folder / "runs" / name) for name in "abc"]


@pytest.fixture(scope="module")
def found(runs: list[Run]) -> dict[str, Any]:
    named = [runs[0], Run(runs[1].path, {**runs[1].config, "model": HOSTILE})]
    return transfer_runs(named, runs[2:])


def test_the_twins_agree_and_csv_holds_the_numbers(found, tmp_path):
    page = write_transfer(found, tmp_path / "page")
    check_twins(page.parent)
    with (page.parent / "tables" / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found["cells"]) == 6
    for row, cell in zip(rows, found["cells"], strict=True):
        test = cell["tests"]["measure"]
        assert float(row["as it is"]) == cell["before"]["value"]
        assert float(row["difference"]) == test["value"]
        assert float(row["95 % interval, low"]) == test["low"]
    text = page.read_text()
    assert text.count("<script") == 1 and "<img" not in text


def test_no_cell_holds_two_numbers_but_an_interval(found):
    for each in tables_of(transfer_page(found)):
        assert all(len(row) == len(each.head) for row in each.rows), each.name
        for row in each.rows:
            for cell in row[1:]:
                if " … " in cell:
                    assert isinstance(cell, Shown) and isinstance(cell.value, tuple)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_in_a_browser(found, tmp_path, open_page, width, scheme):
    opened = open_page(write_transfer(found, tmp_path / "page"), width, scheme)
    seen = measured(opened.page)
    assert seen["scroll"] == width and not seen["wide"] and seen["figures"] == 1
    assert min(seen["small"]) >= 9
    assert not axe(opened.page)
    drawn = opened.page.locator("#matrix figure").inner_text()
    for cell in found["cells"]:
        number = f"{abs(cell['tests']['measure']['value']):.3f}".lstrip("0")
        assert number in drawn
    assert "model-a" in drawn and "Judged alone: 3 model-c." in drawn


def test_many_columns_have_marks_alone(found, tmp_path, open_page):
    names = [f"a-model-of-a-long-name-{k}" for k in range(12)]
    judged = [{**found["judged"][0], "name": name} for name in names]
    cells = [
        {**found["cells"][0], "fitted": row, "judged": column, "own": row == column}
        for row in names
        for column in names
    ]
    many = {**found, "fitted": [], "judged": judged, "cells": cells, "paths": {}}
    many["facts"] = {name: {} for name in names}
    assert len(names) > NUMBERED
    opened = open_page(write_transfer(many, tmp_path / "page"), 400)
    seen = measured(opened.page)
    assert seen["scroll"] == 400 and not seen["wide"] and min(seen["small"]) >= 9
    check_twins(tmp_path / "page")


def cell_with(value: float, holm: float, low: float | None, high: float | None, **more: Any) -> Any:
    test = {"value": value, "p": holm, "least_p": 0.0, "holm": holm, "low": low, "high": high}
    test["method"] = "none: fewer than 10 clusters of rows (9)" if low is None else "BCa"
    own = {"own": False, "fitted": "a", "judged": "b", "after": {}, "loss": None, "tests": {}}
    return {**own, "tests": {"measure": test}, **more}


@pytest.mark.parametrize(
    ("cell", "mark", "helped", "harmed"),
    [
        (cell_with(-0.1, 0.01, -0.2, -0.05), "↓", True, False),
        (cell_with(0.1, 0.01, 0.05, 0.2), "↑", False, True),
        (cell_with(-0.1, 0.06, -0.2, -0.05), "·", False, False),
        (cell_with(-0.1, 0.01, -0.2, 0.05), "·", False, False),
        (cell_with(-0.1, 0.01, None, None), "·", False, False),
    ],
)
def test_what_is_said_is_what_p_and_interval_show(cell, mark, helped, harmed):
    assert (mark_of(cell), helps(cell), harms(cell)) == (mark, helped, harmed)
    results = {"what": "temperature", "made": "fitted on", "cells": [cell]}
    told = headline(results)
    assert ("is shown to help on another" in told and not told.startswith("No ")) == helped
    assert ("shown to harm" in told) == harmed
    assert ("is shown neither to lower nor to raise" in " ".join(lead(results))) == (mark == "·")


def test_many_rows_are_told_by_their_numbers():
    cells = [
        cell_with(0.1, 0.01, 0.05, 0.2) | {"fitted": row, "judged": column}
        for row in "abcd"
        for column in "xyz"
    ]
    cells[0] = cell_with(-0.1, 0.01, -0.2, -0.05) | {"fitted": "a", "judged": "x"}
    cells[-1] = cell_with(0.1, 0.3, -0.05, 0.2) | {"fitted": "d", "judged": "z"}
    said = list(lead({"what": "temperature", "made": "fitted on", "cells": cells}))
    assert said == [
        "The temperature fitted on a lowers the error on 1 other run and raises it on 2 other "
        "runs.",
        "The temperature fitted on b raises the error on 3 other runs.",
        "The temperature fitted on c raises the error on 3 other runs.",
        "The temperature fitted on d raises the error on 2 other runs and is shown to do neither "
        "on 1 other run.",
    ]
    named = list(lead({"what": "temperature", "made": "fitted on", "cells": cells[:3]}))
    assert named == [
        "The temperature fitted on a lowers the error on x (p = 0.010) and raises it on y (p = "
        "0.010) and z (p = 0.010)."
    ]


def test_a_lost_accuracy_is_no_help():
    lost = {"value": -0.1, "p": 0.01, "least_p": 0, "holm": 0.01, "low": -0.2, "high": -0.05}
    cell = cell_with(-0.1, 0.01, -0.2, -0.05)
    cell["tests"]["accuracy"] = lost
    assert mark_of(cell) == "↓" and harms(cell) and not helps(cell)
    results = {"what": "prompt", "made": "found on", "cells": [cell]}
    assert headline(results) == (
        "No prompt is shown to help on another run than it was found on; in the one case it is "
        "shown to harm"
    )
    (said,) = lead(results)
    assert "lowers accuracy on b (p = 0.010)" in said


def test_a_lost_accuracy_is_marked_and_is_not_neither():
    """The error is not shown to change: the headline, the sentence and the matrix all say harm."""
    lost = {"value": -0.1, "p": 0.01, "least_p": 0, "holm": 0.01, "low": -0.2, "high": -0.05}
    cell = cell_with(-0.1, 0.9, -0.2, 0.05)
    cell["tests"]["accuracy"] = lost
    neither = cell_with(0.1, 0.9, -0.2, 0.3) | {"judged": "c"}
    results = {"what": "prompt", "made": "found on", "cells": [cell, neither]}
    assert "in 1 of 2 cases it is shown to harm" in headline(results)
    assert list(lead(results)) == [
        "The prompt found on a lowers accuracy on b (p = 0.010) and is shown neither to lower nor "
        "to raise the error on c."
    ]
    assert (verdict_of(cell), verdict_of(neither)) == ("×", "·")
    matrix = matrix_table({**results, "judged": [{"name": "b"}, {"name": "c"}]})
    assert [str(each) for each in matrix.rows[0]] == ["a", "× −0.1000", "+0.1000"]
    assert matrix.rows[0][1].mark == "over"
    assert [row[-1] for row in printed_cells([cell], {"a": "a", "b": "b"})] == ["0.900 ×"]
    assert marks_of(results)[-1] == ("over", "× red: to lower accuracy without raising it")
    assert len(marks_of({**results, "cells": [neither]})) == 2
    helped = cell_with(-0.1, 0.01, -0.2, -0.05)
    helped["tests"]["accuracy"] = lost
    assert verdict_of(helped) == "×" and harms(helped)
    raised = cell_with(0.1, 0.01, 0.05, 0.2)
    raised["tests"]["accuracy"] = lost
    assert verdict_of(raised) == "↑" and harms(raised)


@pytest.fixture
def one_sided(tmp_path: Path) -> list[Path]:
    """Tables of one run whose answers are all right, one of which all are wrong, as runs."""
    for right, name in ((1, "right"), (0, "wrong")):
        lines = [f"{name}{k},{0.5 + 0.4 * (k % 50) / 50:.3f},{right}" for k in range(200)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,confidence,correct", *lines]))
        calib.read_log(tmp_path / f"{name}.csv", out=tmp_path / name)
    return [tmp_path / name for name in ("right", "wrong")]


@pytest.mark.filterwarnings("ignore::UserWarning")  # such runs decide nothing
def test_a_loss_that_is_the_same_in_every_question_is_shown(one_sided, tmp_path):
    found = calib.transfer(one_sided, calibrator="platt", out=tmp_path / "page")
    (cell,) = [c for c in found["cells"] if (c["fitted"], c["judged"]) == ("right", "wrong")]
    assert cell["loss"]["value"] > 4 and cell["loss"]["low"] is None
    assert cell["loss"]["holm"] < 0.05 and loses(cell)
    assert "transfer is shown to lose in 2 of 2 cases" in " ".join(lead(found))
    check_twins(tmp_path / "page")


def test_what_could_not_be_judged_is_said_on_the_terminal(one_sided, folder, tmp_path):
    runs = [str(folder / "runs" / "a"), str(one_sided[0])]
    arguments = ["transfer", *runs, "--output_path", str(tmp_path / "page")]
    ran = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "400"})
    assert ran.exit_code == 0, ran.output
    head, *told = ran.output.split("\n\n")[:2]
    assert head == "No temperature could be judged on another run."
    assert " ".join(told[0].split()) == (
        "Not judged: right on made-up: it is fitted to confidences alone, and the judged run has "
        "scores of options. "
        "Not judged: made-up on right: it is fitted to scores of options, and the judged run has "
        "confidences alone."
    )
    many = [{"fitted": "a", "judged": str(k), "after": None, "why": "w"} for k in range(4)]
    assert unjudged({"cells": many}) == ["Not judged: 4 pairs: w."]
    # The document's loop says it, too.
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    loop = code[code.index("for cell") :]
    names = {"found": json.loads((tmp_path / "page" / "results.json").read_text())}
    exec(compile(loop, "docs/transfer.md", "exec"), names)


def test_pairs_of_runs_make_a_matrix(folder, runs, tmp_path):
    """What was found on a is asked of b: its differences are those of the two runs' rows."""
    cues = {name: open_run(folder / "runs" / f"{name}-cue") for name in "ab"}
    before = {"a": runs[0], "b": runs[1]}
    after = {("a", "a"): cues["a"], ("a", "b"): cues["b"]}
    found = transfer_pairs(before, after)
    assert [(c["fitted"], c["judged"], c["own"]) for c in found["cells"]] == [
        ("a", "a", True),
        ("a", "b", False),
    ]
    for cell in found["cells"]:
        rows = [run.rows() for run in (before[cell["judged"]], cues[cell["judged"]])]
        values = []
        for each in rows:
            sure = np.array([row["confidence_options"] for row in each])
            right = np.array([row["correct"] for row in each])
            values.append((-np.log(np.where(right, sure, 1 - sure)).mean(), right.mean()))
        tests = cell["tests"]
        assert cell["before"]["value"] == pytest.approx(values[0][0], abs=1e-9)
        assert cell["after"]["value"] == pytest.approx(values[1][0], abs=1e-9)
        for place, name in enumerate(("measure", "accuracy")):
            difference = values[1][place] - values[0][place]
            assert tests[name]["value"] == pytest.approx(difference, abs=1e-9)
        assert cell["loss"] is None  # nothing was found on b
    told = transfer_pairs(before, {**after, ("b", "b"): cues["b"]})
    (far,) = carried(told)
    assert far["loss"]["value"] == 0 and not loses(far)
    page = write_transfer(found, tmp_path / "page")
    check_twins(page.parent)
    assert "No prompt is shown to help on another run than it was found on" in page.read_text()
    with pytest.raises(InputError, match="no question in common"):
        transfer_pairs(before, {**after, ("b", "b"): cues["a"]})
    with pytest.raises(InputError, match="after: expected runs judged on a, b, got 'c'"):
        transfer_pairs(before, {**after, ("a", "c"): runs[2]})


def test_the_command_prints_within_eighty_columns(folder, tmp_path):
    names = [str(folder / "runs" / name) for name in ("a", "b-cue")]
    arguments = ["transfer", *names, "--judge", str(folder / "runs" / "c")]
    arguments += ["--output_path", str(tmp_path / "page")]
    ran = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "80"})
    assert ran.exit_code == 0, ran.output
    told, path = ran.output.rstrip().rsplit("\n\n", 1)
    assert path == str(tmp_path / "page" / "report.html")
    assert max(map(len, told.splitlines())) <= 80
    rows = [line for line in told.splitlines() if re.search(r" [↓↑·]\s*$", line)]
    assert len(rows) == 4 and all("(" in row for row in rows)
    before = (tmp_path / "page" / "report.html").read_text()
    (tmp_path / "page" / "report.html").unlink()
    again = CliRunner().invoke(cli.app, ["report", str(tmp_path / "page")])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "page" / "report.html").read_text() == before
    for more, message in (
        (["--calibrator", "spline"], "--calibrator: expected one of temperature"),
        (["--output_path", names[0]], "it holds scored questions (calib score)"),
    ):
        refused = CliRunner().invoke(cli.app, [*arguments, *more], env={"COLUMNS": "400"})
        assert refused.exit_code == 2 and message in refused.output
        assert "Traceback" not in refused.output


def test_the_documents_code_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"calib": calib}
    codes = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(codes) == 2
    for code in codes:
        exec(compile(code, "docs/transfer.md", "exec"), names)
    assert json.loads(Path("transfer/results.json").read_text()) == names["found"]
    assert Path("prompts/report.html").is_file()
    assert "model-a model-b" in capsys.readouterr().out


def test_the_documents_commands_run(folder, monkeypatch):
    monkeypatch.chdir(folder)
    commands = re.findall(r"^calib (.*?)(?:  +#.*)?$", PAGE, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        ran = CliRunner().invoke(cli.app, command.split())
        assert ran.exit_code == 0, ran.output


def test_the_documents_table_is_what_the_command_makes():
    lines = list(table())
    begin = PAGE.splitlines().index(lines[0])
    shown = PAGE.splitlines()[begin : begin + len(lines)]
    for said, made in zip(shown, lines, strict=True):
        number = r"[+−]?\d\.\d+"
        assert re.sub(number, "", said) == re.sub(number, "", made)
        for one, other in zip(re.findall(number, said), re.findall(number, made), strict=True):
            # A unit of the last digit: another processor may round otherwise.
            unit = 1.01 * 10.0 ** -len(one.partition(".")[2])
            values = [float(text.replace("−", "-")) for text in (one, other)]
            assert values[0] == pytest.approx(values[1], abs=unit)


def test_what_the_document_says_of_the_table():
    told = {}
    for name in ("temperature", "platt", "vector"):
        cells = [cell for results in transfers(name).values() for cell in carried(results)]
        assert len(cells) == 12
        told[name] = tuple(sum(map(each, cells)) for each in (helps, harms))
    assert told == {"temperature": (3, 8), "platt": (4, 8), "vector": (7, 3)}
    cells = [cell for results in transfers().values() for cell in results["cells"]]
    assert sum(map(loses, cells)) == 9
    assert sum(helps(cell) for cell in cells if cell["own"]) == 5
    monkey = [each["temperature"]["value"] for each in transfers()["Monkey"]["fitted"]]
    assert monkey == pytest.approx([0.78, 7.35], abs=0.006)


def test_the_document_is_listed():
    assert "(transfer.md)" in (ROOT / "docs" / "index.md").read_text()
