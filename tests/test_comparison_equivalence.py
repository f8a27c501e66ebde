"""A comparison says what is shown to be the same: its numbers, its words, page and terminal."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli, metrics
from calib.intervals import mean_of, paired_equivalence
from calib.intervals.decomposition import brier_parts, paired_refinement
from calib.report.comparison import comparison_page, headline, write_comparison
from calib.report.comparison_equivalence import about, equivalence_table, needed
from calib.report.csv_tables import tables_of
from calib.report.markdown import markdown
from calib.report.significance import claim
from calib.runs import Run, open_run
from calib.summary.compare import compare
from calib.summary.equivalence import add_needs
from tests.altered import altered, answer_first_option
from tests.browser import axe, measured
from tests.house import ROOT
from tests.oracle_comparison import PAIRS, compared, row
from tests.oracle_ranking import FOLDER
from tests.twins import check_twins

GAP = mean_of(lambda confidence, correct: np.asarray(confidence, float) - correct)
NAMES = ["gap", "debiased_rmsce", "brier"]


def a_little_else(row: dict[str, Any]) -> None:
    """The same answers, by turns a little surer and less sure."""
    z = np.array(row["logprob"]) * (1 + 0.001 * (-1) ** row["index"])
    p = np.exp(z) / np.exp(z).sum()
    row |= {"prob": p.tolist(), "logprob": np.log(p).tolist()}
    row |= dict.fromkeys(("confidence", "confidence_options", "confidence_vocab"), p.max())
    row["mass"] = 1.0


def alone(row: dict[str, Any]) -> None:
    row["cluster"] = row["id"]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, make_run: Any) -> list[Run]:
    """A run, one that is nearly the same, and one that answers otherwise."""
    root = tmp_path_factory.mktemp("equivalent")
    first = altered(open_run(make_run(root / "made", n=600)), root / "first", alone, model="a/one")
    return [
        first,
        altered(first, root / "near", a_little_else, model="a/near"),
        altered(first, root / "far", answer_first_option, model="a/far"),
    ]


@pytest.fixture(scope="module")
def found(three: list[Run]) -> dict[str, Any]:
    return compare(three)


def arrays(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    rows = run.rows()
    if name == "brier":
        p = np.zeros((len(rows), max(len(row["prob"]) for row in rows)))
        for place, row in enumerate(rows):
            p[place, : len(row["prob"])] = row["prob"]
        return p, np.array([row["answer"] for row in rows])
    return np.array([r["confidence"] for r in rows]), np.array([r["correct"] for r in rows])


def test_every_pair_has_its_equivalences(three, found):
    functions = {
        "gap": GAP,
        "brier": metrics.brier,
        "debiased_rmsce": partial(metrics.debiased_rmsce, bins=15),
    }
    for pair, other in zip(found["pairs"], three[1:], strict=True):
        assert list(pair["equivalences"]) == NAMES
        for name, test in pair["equivalences"].items():
            own = paired_equivalence(functions[name], arrays(other, name), arrays(three[0], name))
            for field in ("value", "low", "high", "p"):
                assert test[field] == pytest.approx(getattr(own, field), rel=1e-9), (name, field)
            assert test["needs_at"][0] == pytest.approx(own.needs, rel=1e-6)
            assert test["margin"] == 0.02 and test["needs"] >= test["needs_at"][0]
    near, far = (pair["equivalences"] for pair in found["pairs"])
    assert near["gap"]["holm"] < 0.05 and near["brier"]["holm"] < 0.05
    assert all(test["p"] > 0.05 for test in far.values())


def test_equivalences_are_a_family_of_their_own(found):
    tests = [test for pair in found["pairs"] for test in pair["equivalences"].values()]
    assert found["equivalence_tests"] == len(tests) == 6 and found["tests"] == 14
    least = 0.0
    for place, test in enumerate(sorted(tests, key=lambda test: test["p"])):  # Holm's, by hand
        least = max(least, min(1.0, (6 - place) * test["p"]))
        assert test["holm"] == pytest.approx(least)
    p = sorted(pair["refinement"]["p"] for pair in found["pairs"])
    holm = sorted(pair["refinement"]["holm"] for pair in found["pairs"])
    assert holm == pytest.approx([min(1, 2 * p[0]), min(1, max(2 * p[0], p[1]))])


def test_the_parts_are_those_of_the_rows(three, found):
    for run, told in zip(three, found["runs"], strict=True):
        own = brier_parts(*arrays(run, "gap"))
        for name in ("calibration", "refinement"):
            part = getattr(own, name)
            assert told["parts"][name]["value"] == pytest.approx(part.value, rel=1e-9)
            assert told["parts"][name]["low"] == pytest.approx(part.low, rel=1e-9)
        assert told["parts"]["brier"] == pytest.approx(metrics.brier(*arrays(run, "gap")))
    for pair, other in zip(found["pairs"], three[1:], strict=True):
        own = paired_refinement(arrays(other, "gap"), arrays(three[0], "gap"))
        assert pair["refinement"]["value"] == pytest.approx(own.value, rel=1e-9)
        assert pair["refinement"]["p"] == pytest.approx(own.p, rel=1e-6)


@pytest.mark.parametrize(
    ("differs", "same", "said"),
    [
        (0.01, 0.4, "shown to differ"),
        (0.4, 0.01, "shown to be equivalent within 0.02"),
        (0.01, 0.01, "shown to differ and be equivalent within 0.02"),
        (1.0, 0.06, "neither is shown"),
        (1.0, None, "neither is shown"),
        (None, 0.01, "shown to be equivalent within 0.02"),
    ],
)
def test_a_large_p_is_no_equivalence(differs, same, said):
    tests = ({"p": p, "holm": p, "margin": 0.02} for p in (differs, same))
    assert claim(*tests) == said


def test_the_headline_claims_equivalence_where_it_is_shown(found):
    pair = json.loads(json.dumps(found["pairs"][0]))
    pair["differences"]["debiased_rmsce"] |= {"p": 0.9, "holm": 1.0}
    pair["differences"]["gap"] |= {"p": 0.9, "holm": 1.0}
    assert headline(pair, found["runs"]).startswith(
        "No difference in debiased calibration error is"
    )
    assert next(needed(pair)).startswith("If the calibration errors of a/near and a/one were equal")
    pair["equivalences"]["debiased_rmsce"] |= {"p": 0.001, "holm": 0.006}
    assert headline(pair, found["runs"]).startswith(
        "The debiased calibration error of a/near is shown to be within 0.02 of that of a/one: ECE"
    )
    assert not list(needed(pair))
    pair["differences"]["debiased_rmsce"] |= {"p": 0.001, "holm": 0.01, "value": 0.001}
    assert headline(pair, found["runs"]).startswith("a/near is calibrated worse")


def test_questions_are_rounded_up_to_two_digits():
    assert [str(about(n)) for n in (None, 3, 29, 299, 4_900, 17_938, 20_001)] == [
        "–", "3", "29", "300", "4,900", "18,000", "21,000",
    ]  # fmt: skip
    assert about(17_938).value == 17_938


def test_the_page_and_its_twins(found, tmp_path):
    page = write_comparison(found, tmp_path / "page")
    check_twins(page.parent)
    text = page.with_suffix(".md").read_text(encoding="utf-8")
    assert "corrected for the 6 tests of this section" in text
    assert "less than 0.02 (2 points of the gap) to either side" in text
    with (page.parent / "tables" / "equivalence-1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for cells, test in zip(rows, found["pairs"][0]["equivalences"].values(), strict=True):
        assert float(cells["it lies within, low"]) == pytest.approx(test["low"])
        assert float(cells["p, Holm"]) == pytest.approx(test["holm"])
        assert int(cells["questions needed"]) == test["needs"]
    assert rows[0]["what is shown"].endswith("be equivalent within 0.02")
    for name in ("parts", "refinement-1", "refinement-2"):
        assert (page.parent / "tables" / f"{name}.csv").is_file()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_the_sections_in_a_browser(found, tmp_path, open_page, width, scheme):
    opened = open_page(write_comparison(found, tmp_path / "page"), width, scheme)
    seen = measured(opened.page)
    assert seen["scroll"] == width and not seen["wide"]
    assert not axe(opened.page)
    assert "neither is shown" in opened.page.locator("#equivalence").inner_text()
    assert opened.page.locator("#parts tbody tr").count() == 3 + 2 * 2


def test_an_earlier_comparison_claims_no_equivalence(found):
    old = json.loads(json.dumps(found))
    del old["equivalence_tests"]
    for run in old["runs"]:
        del run["parts"]
    for pair in old["pairs"]:
        del pair["equivalences"], pair["refinement"]
    names = [table.name for table in tables_of(comparison_page(old))]
    assert "equivalence-1" not in names and "parts" not in names


def test_a_terminal_of_80_columns(three):
    ran = CliRunner().invoke(
        cli.app, ["compare", *(str(run.path) for run in three)], env={"COLUMNS": "80"}
    )
    assert ran.exit_code == 0, ran.output
    lines = ran.output.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert "near − one" in lines and "far − one" in lines
    same = [line for line in lines if "equivalent within 0.02" in line]
    assert {line.split("  ")[0] for line in same} == {"confidence − accuracy", "Brier"}
    assert any(line.startswith("RMSCE, debiased") and "neither" in line for line in lines)


def test_a_margin_of_ones_own(three, tmp_path):
    """Every test is that of the margin, and page and terminal name it."""
    found = compare(three, margin=0.05)
    assert found["margin"] == found["facts"]["margin"] == 0.05
    for each, run in zip(found["pairs"], three[1:], strict=True):
        expected = paired_equivalence(
            GAP, arrays(run, "gap"), arrays(three[0], "gap"), margin=0.05, clusters=np.arange(600)
        )
        assert each["equivalences"]["gap"]["p"] == pytest.approx(expected.p, abs=1e-12)
        assert {test["margin"] for test in each["equivalences"].values()} == {0.05}
    said = "less than 0.05 (5 points of the gap) to either side"
    assert said in markdown(comparison_page(found)) and "within 0.02" not in json.dumps(found)
    command = ["compare", *(str(run.path) for run in three), "--margin", ".05"]
    ran = CliRunner().invoke(cli.app, [*command, "--output_path", str(tmp_path / "page")])
    assert ran.exit_code == 0 and "Equivalent: within 0.05." in ran.output
    assert json.loads((tmp_path / "page/results.json").read_text())["margin"] == 0.05


@pytest.mark.parametrize("margin", [0, 1, -0.02, 2.0, float("nan"), float("inf"), "0.1", True])
def test_what_is_no_margin_is_refused(three, margin):
    with pytest.raises(calib.InputError, match="margin: expected a number above 0 and below 1"):
        compare(three, margin=margin)
    if not isinstance(margin, str | bool):
        command = ["compare", "nowhere", "either", "--margin", str(margin)]
        assert CliRunner().invoke(cli.app, command).exit_code == 2


def test_a_run_against_itself_is_equivalent_where_questions_are_enough(three, tmp_path):
    needs = math.ceil(math.log(0.05 / 3) / math.log1p(-0.01 * 0.999))  # the third test shows less
    for n, shown in ((600, True), (needs, True), (needs - 1, False), (200, False)):
        sides = []
        for name in ("one", "two"):
            run = altered(three[0], tmp_path / f"{name}{n}", lambda row: None, model=name)
            lines = (run.path / "records.jsonl").read_text().splitlines(keepends=True)
            (run.path / "records.jsonl").write_text("".join(lines[:n]))
            sides.append(open_run(run.path))
        (pair,) = compare(sides)["pairs"]
        for name in ("gap", "brier"):
            assert pair["differences"][name]["holm"] == 1
            said = claim(pair["differences"][name], pair["equivalences"][name])
            assert said == ("shown to be equivalent within 0.02" if shown else "neither is shown")
            assert pair["equivalences"][name]["needs"] == needs == 408


def test_what_is_needed_is_reckoned_as_holm_shows_one_after_another():
    def tests(*each):
        return [
            {"p": 0.5, "value": value, "margin": 0.02, "needs": 1, "needs_at": at}
            for value, at in each
        ]

    def needs(family):
        add_needs(family)
        return [test["needs"] for test in family]

    quick, slow, slowest = [100, 120, 140], [300, 350, 390], [900, 950, 990]
    assert needs(tests((0, slow), (0, quick), (0, slowest))) == [350, 140, 900]
    # What is beyond the margin is never shown, but would be if there were no difference in it.
    assert needs(tests((0, slow), (0.1, quick), (0, slowest))) == [390, 140, 950]
    assert needs(tests((0, [299, 368, 408]), (0, [299, 368, 408]), (0, slowest))) == [408, 408, 900]
    assert needs(tests((0, [None] * 3), (0, quick))) == [None, 120]
    assert needs(tests(*[(0, [10, 20])] * 3)) == [None] * 3  # among three nothing is known
    without = [{"p": None, "value": None, "margin": None, "needs": None, "needs_at": None}]
    assert needs([*tests((0, quick)), *without]) == [100, None]
    earlier = {"p": 0.5, "value": 0.0, "margin": 0.02, "needs": 7}
    assert needs([earlier, *tests((0, quick))]) == [7, 100]


def test_one_question_has_no_equivalence(tmp_path, make_run):
    one = open_run(make_run(tmp_path / "one", n=1))
    found = compare([one, altered(one, tmp_path / "other", answer_first_option)])
    (pair,) = found["pairs"]
    assert found["equivalence_tests"] == 0 and pair["refinement"]["p"] is None
    table = equivalence_table(1, pair)
    assert all(row[1] == "neither is shown" and row[-1] == "–" for row in table.rows)
    assert "less than 0.02 (2 points of the gap) to either side" in markdown(comparison_page(found))


def stated(folder: Path, cluster: Callable[[int], object]) -> list[Run]:
    """Two tables of stated confidences, of the same 60 questions."""
    for name, right in (("one", 0.8), ("two", 0.7)):
        rows = (f"{k},{right},{int(k % 4 > 0)},{cluster(k)}\n" for k in range(60))
        (folder / f"{name}.csv").write_text("id,confidence,correct,cluster\n" + "".join(rows))
        calib.read_log(folder / f"{name}.csv", out=folder / name)
    return [open_run(folder / name) for name in ("one", "two")]


def test_stated_confidences_have_one_brier_score(tmp_path):
    (pair,) = compare(stated(tmp_path, lambda k: k))["pairs"]
    assert list(pair["equivalences"]) == ["gap", "debiased_rmsce", "brier_confidence"]
    # All differ by 0.1.
    assert pair["equivalences"]["gap"]["method"] == "none: the error has no spread"
    found = pair["equivalences"]["brier_confidence"]
    one, two = (np.where(np.arange(60) % 4 > 0, (c - 1) ** 2, c**2) for c in (0.8, 0.7))
    assert found["value"] == pytest.approx((two - one).mean())


def test_questions_of_one_cluster_show_nothing(tmp_path):
    found = compare(stated(tmp_path, lambda k: "one"))
    (pair,) = found["pairs"]
    assert found["equivalence_tests"] == 0 and found["runs"][0]["parts"] is None
    assert all("two clusters" in test["method"] for test in pair["equivalences"].values())
    text = markdown(comparison_page(found))
    assert text.count("neither is shown") == 3 and "apart" not in text


with (FOLDER / "published.csv").open() as file:
    PUBLISHED = {f"{row['model']}.{row['dataset']}": row for row in csv.DictReader(file)}
SLOW = [pytest.param(*pair, marks=pytest.mark.slow) for pair in PAIRS]


@pytest.mark.parametrize(("first", "second"), [PAIRS[1], SLOW[0], *SLOW[2:]])
def test_published_errors_stand_beside_each_other(first, second, tmp_path):
    """Published: float32, 15 bins, softmax over six options. The docs show what was found."""
    found = compared(first, second, tmp_path)
    assert found["n"] == int(PUBLISHED[first]["rows"])
    for name, run in zip((first, second), found["runs"], strict=True):
        published = float(PUBLISHED[name]["ece15"])
        assert run["metrics"]["ece"]["value"] == pytest.approx(published, abs=2e-6)
        assert run["metrics"]["ece"]["bins"] == 15
    assert row(first, second, found) in (ROOT / "docs/comparing.md").read_text(encoding="utf-8")
