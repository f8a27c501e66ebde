"""IDK sets and evaluations compared: every number by hand, refusals, and the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from calib import cli
from calib.idk.ask import ask_set
from calib.idk.comparison import OUTCOMES, compare_idk
from calib.idk.draw import Subject
from calib.idk.folder import build_set, labels_of
from calib.records import InputError
from calib.report.idk_comparison import headline, write_idk_comparison
from calib.report.kinds import Sources, write_again
from tests.browser import axe, measured
from tests.hf.conftest import make_llama, make_tokenizer
from tests.idk_cases import SETTINGS, Scripted, questions
from tests.twins import check_twins

HOSTILE = "<script>alert(1)</script> *a* | b [c](d)"
SHARED = {"admit_shared": False, "refusal_shared": True}


def evaluation(folder: Path, n: int, seed: int, arms: tuple[str, ...], first: int = 0) -> Path:
    """An evaluation made up of ``n`` questions from number ``first`` on, each a cluster."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "id": f"q{k}",
            "question": f"What is {k}? {HOSTILE}",
            "options": ["a", "b"],
            "gold": ["a"],
            "known": bool(rng.random() < 0.5),
            "cluster": str(k),
            "arms": {arm: str(rng.choice(["right", "wrong", "refused"])) for arm in arms},
        }
        for k in range(first, first + n)
    ]
    folder.mkdir(parents=True)
    (folder / OUTCOMES).write_text("".join(json.dumps(row) + "\n" for row in rows))
    results = {
        "format": "calib.idk.evaluation/1",
        "model": f"model {HOSTILE}",
        "task": "made up",
        "tau": 0.5,
        "arms": [{"name": arm} for arm in arms],
    }
    (folder / "results.json").write_text(json.dumps(results))
    return folder


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("idks")
    return (
        evaluation(root / "one", 90, 1, ("plain", "option")),
        evaluation(root / "two", 90, 2, ("option", "plain", "own"), first=10),
    )


def rows_of(folder: Path) -> dict[str, Any]:
    lines = (folder / OUTCOMES).read_text().splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


def share(rows: list[Any], arm: str, rate: str) -> float:
    """A rate by its definition, row by row."""
    hits: dict[str, Callable[[Any], bool]] = {
        "truthful": lambda r: (
            r["arms"][arm] == "right" or (r["arms"][arm] == "refused" and not r["known"])
        ),
        "admit_rate": lambda r: r["arms"][arm] == "refused",
        "over_refusal": lambda r: r["arms"][arm] == "refused",
        "answered_accuracy": lambda r: r["arms"][arm] == "right",
    }
    counted: dict[str, Callable[[Any], bool]] = {
        "truthful": lambda r: True,
        "admit_rate": lambda r: not r["known"],
        "over_refusal": lambda r: r["known"],
        "answered_accuracy": lambda r: r["arms"][arm] != "refused",
    }
    base = [row for row in rows if counted[rate](row)]
    return float(np.mean([hits[rate](row) for row in base]))


def test_the_numbers_by_hand(sides: tuple[Path, Path]):
    results = compare_idk(sides, seed=0)
    one, two = map(rows_of, sides)
    ids = [i for i in one if i in two]
    assert results["n"] == len(ids) == 80 and [s["left_out"] for s in results["sides"]] == [10, 10]
    (pair,) = results["pairs"]
    known = np.array([[one[i]["known"], two[i]["known"]] for i in ids])
    assert pair["labels"] == {
        "both": int((known.sum(axis=1) == 2).sum()),
        "first_only": int((known[:, 0] & ~known[:, 1]).sum()),
        "second_only": int((~known[:, 0] & known[:, 1]).sum()),
        "neither": int((known.sum(axis=1) == 0).sum()),
    }
    assert pair["arms"] == ["plain", "option"] and pair["arms_left_out"] == ["own"]
    tests = {(test["arm"], test["rate"]): test for test in pair["tests"]}
    gained, lost = pair["labels"]["second_only"], pair["labels"]["first_only"]
    labels = tests.pop(("labels", "known"))
    assert labels["value"] == pytest.approx((gained - lost) / 80)
    assert labels["p"] == pytest.approx(stats.binomtest(gained, gained + lost).pvalue)
    for (arm, rate), test in tests.items():
        a, b = [one[i] for i in ids], [two[i] for i in ids]
        if rate in SHARED:
            same = (known == SHARED[rate]).all(axis=1)
            refused = [
                np.mean(
                    [row["arms"][arm] == "refused" for row, s in zip(r, same, strict=True) if s]
                )
                for r in (a, b)
            ]
            assert test["of"] == same.sum()
            assert test["value"] == pytest.approx(refused[1] - refused[0])
        else:
            assert test["value"] == pytest.approx(share(b, arm, rate) - share(a, arm, rate))
        assert test["low"] < test["value"] < test["high"]
    assert len(tests) == 2 * 6
    for side, rows in zip(results["sides"], (one, two), strict=True):
        assert side["known"] == sum(rows[i]["known"] for i in ids)
        for arm in side["arms"]:
            for rate, entry in arm["rates"].items():
                expected = share([rows[i] for i in ids], arm["name"], rate)
                assert entry["value"] == pytest.approx(expected)
                assert entry["value"] == pytest.approx(entry["of"][0] / entry["of"][1])


def test_p_are_corrected_over_all_pairs(sides: tuple[Path, Path], tmp_path: Path):
    third = evaluation(tmp_path / "three", 90, 3, ("plain",))
    results = compare_idk([*sides, third])
    tests = [t for pair in results["pairs"] for t in pair["tests"] if t["p"] is not None]
    assert len(results["pairs"]) == 2 and len(tests) == 13 + 7
    least = min(tests, key=lambda test: test["p"])
    assert least["holm"] == pytest.approx(min(1.0, len(tests) * least["p"]))


def test_an_evaluation_against_one_that_answers_the_same_differs_in_nothing(
    sides: tuple[Path, Path], tmp_path: Path
):
    same = Path(shutil.copytree(sides[0], tmp_path / "one"))
    results = compare_idk([sides[0], same])
    assert [side["name"] for side in results["sides"]] == ["one (1)", "one (2)"]
    assert all(test["value"] == 0 and test["p"] == 1 for test in results["pairs"][0]["tests"])
    assert headline(results) == "No difference between them is shown."


def test_the_headline_names_what_is_shown(sides: tuple[Path, Path]):
    results = compare_idk(sides)
    for place, test in enumerate(results["pairs"][0]["tests"]):
        value = -0.25 if place else 0.5
        test |= {"value": value, "low": value - 0.1, "high": value + 0.1}
        test |= {"p": 0.01, "holm": 0.06 if place != 2 else 0.02}
    told = "two lowers “admits not knowing, arm plain” against one by 25.0 points (p = 0.020)."
    assert headline(results) == told


def test_the_page_and_its_twins(sides: tuple[Path, Path], tmp_path: Path, open_page: Any):
    page = write_idk_comparison(compare_idk(sides), tmp_path / "out")
    check_twins(tmp_path / "out")
    before = page.read_bytes()
    assert "<script>alert(1)" not in before.decode()
    write_again(Sources(tmp_path / "out"))
    assert page.read_bytes() == before
    opened = open_page(page, width=400, scheme="dark")
    assert axe(opened.page) == []
    found = measured(opened.page)
    assert found["scroll"] <= 400 and found["wide"] == []
    with pytest.raises(InputError, match="it holds an evaluation of an IDK set"):
        write_idk_comparison(compare_idk(sides), sides[0])


def test_the_command_compares_sets_and_evaluations(tmp_path: Path):
    subject = Subject.of(Scripted("scripted", make_llama(), make_tokenizer(), None))
    task = questions(tmp_path)
    build_set(subject, task, tmp_path / "set", **SETTINGS)
    ask_set(subject, tmp_path / "set", arms=["plain", "option"])
    build_set(subject, task, tmp_path / "other", **{**SETTINGS, "limit": 9})
    both = [str(tmp_path / "set"), str(tmp_path / "other")]
    done = CliRunner().invoke(cli.app, ["compare", *both, "--output_path", str(tmp_path / "c")])
    assert done.exit_code == 0, done.stderr
    results = json.loads((tmp_path / "c" / "results.json").read_text())
    assert results["n"] == 9 and results["pairs"][0]["labels"]["first_only"] == 0
    assert results["pairs"][0]["arms"] == [] and "known" in done.output
    assert "On 9 questions that all share; not shared: set 3, other 0." in done.output
    again = CliRunner().invoke(cli.app, ["compare", *both, "--margin", "0.1"])
    assert again.exit_code == 2 and "--margin: rates of IDK sets" in again.stderr
    kept = rows_of(tmp_path / "set" / "evaluation")
    labelled = labels_of(tmp_path / "set")
    assert [row["known"] for row in kept.values()] == labelled.known
    assert {row["arms"]["option"] for row in kept.values()} <= {"right", "wrong", "refused"}
    written = json.loads((tmp_path / "set" / "evaluation" / "results.json").read_text())
    for arm in written["arms"]:
        refused = sum(row["arms"][arm["name"]] == "refused" for row in kept.values())
        assert refused == sum(arm["shown"][label]["refused"] for label in ("known", "unknown"))


def test_what_cannot_be_compared_is_refused(sides: tuple[Path, Path], tmp_path: Path):
    one, two = sides
    with pytest.raises(InputError, match="two or more IDK sets"):
        compare_idk([one])
    with pytest.raises(InputError, match="got one of them twice"):
        compare_idk([one, one])
    far = evaluation(tmp_path / "far", 5, 1, ("plain",), first=500)
    with pytest.raises(InputError, match="they have no question in common"):
        compare_idk([one, far])
    changed = Path(shutil.copytree(two, tmp_path / "changed"))
    text = (changed / OUTCOMES).read_text()
    (changed / OUTCOMES).write_text(text.replace('"gold": ["a"]', '"gold": ["b"]'))
    with pytest.raises(InputError, match=r"question 'q10' is another one .* its gold is"):
        compare_idk([one, changed])
    (changed / OUTCOMES).write_text(text.replace('"known": true', '"known": 1', 1))
    with pytest.raises(InputError, match=r"outcomes\.jsonl, line .* known"):
        compare_idk([one, changed])
    (changed / OUTCOMES).unlink()
    with pytest.raises(InputError, match=r"there is no outcomes\.jsonl; calib idk evaluate with"):
        compare_idk([one, changed])
    with pytest.raises(InputError, match="expected an IDK set or its evaluation, got neither"):
        compare_idk([one, tmp_path])
