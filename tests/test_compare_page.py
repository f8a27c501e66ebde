"""The page of a comparison: groups, gained and lost questions, facts, and a browser's view."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from calib import cli, metrics
from calib.report.comparison import comparison_page, headline, verdict, write_comparison
from calib.report.comparison_names import cut_names, short_names
from calib.report.comparison_tables import fact_tables, group_tables, metric_table, printed_metrics
from calib.report.csv_tables import tables_of
from calib.report.formats import Shown
from calib.report.markdown import markdown
from calib.runs import Run, open_run
from calib.summary import pairs
from calib.summary.compare import compare
from tests.altered import altered, answer_first_option
from tests.browser import axe, measured
from tests.conftest import HOSTILE

HOSTILE_MODEL = "$<img src=x onerror=alert(1)>$|`" + "very" * 40


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, make_run: Any) -> list[Run]:
    root = tmp_path_factory.mktemp("compared")
    first = open_run(make_run(root / "first"))
    return [first, altered(first, root / "other", answer_first_option, model=HOSTILE_MODEL)]


@pytest.fixture(scope="module")
def found(two: list[Run]) -> dict[str, Any]:
    return compare(two)


def test_groups_are_those_of_the_rows(two, found):
    first, other = (run.rows() for run in two)
    assert [group["group"] for group in found["groups"]] == ["colour", "shape", "yes/no"]
    for group, test in zip(found["groups"], found["pairs"][0]["groups"], strict=True):
        for run, rows in zip(group["runs"], (first, other), strict=True):
            here = [row for row in rows if row["group"] == group["group"]]
            right = np.array([row["correct"] for row in here])
            sure = np.array([row["confidence"] for row in here])
            assert run["n"] == len(here)
            assert run["accuracy"] == pytest.approx(right.mean(), rel=1e-12)
            assert run["gap"] == pytest.approx(sure.mean() - right.mean(), abs=1e-12)
            assert run["ece"] == pytest.approx(metrics.ece(sure, right, bins=15), rel=1e-12)
        a, b = (run["accuracy"] for run in group["runs"])
        assert test["group"] == group["group"]
        assert test["value"] == pytest.approx(b - a, abs=1e-12)


@pytest.mark.parametrize(("family", "number"), [("differences", 7), ("groups", 3)])
def test_every_p_of_a_section_is_corrected_for_all(found, family: str, number: int):
    listed = found["pairs"][0][family]
    tests = list(listed.values()) if family == "differences" else listed
    p = sorted(test["p"] for test in tests if test["p"] is not None)
    assert len(p) == number and found["tests"] == 7
    least = 0.0
    for place, value in enumerate(p):  # Holm's procedure, step by step
        least = max(least, min(1.0, (len(p) - place) * value))
        corrected = {test["holm"] for test in tests if test["p"] == value}
        assert max(corrected) >= least - 1e-12
        assert min(corrected) >= min(1.0, value * (len(p) - place)) - 1e-12
    smallest = min(test["holm"] for test in tests if test["p"] is not None)
    assert smallest == pytest.approx(min(1.0, len(p) * p[0]))


def test_the_largest_groups_are_told_apart(two, tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "MOST_GROUPS", 2)
    found = compare(two)
    assert [group["group"] for group in found["groups"]] == ["colour", "yes/no"]
    assert found["groups_left_out"] == 1 and found["tests"] == 7
    twin = write_comparison(found, tmp_path / "page").with_suffix(".md").read_text()
    assert "The 2 largest groups; 1 smaller ones are left out." in twin


def test_one_group_is_no_table(two, tmp_path):
    def one(row: dict[str, Any]) -> None:
        row["group"] = "all"

    runs = [altered(run, tmp_path / str(k), one, model=str(k)) for k, run in enumerate(two)]
    found = compare(runs)
    assert found["groups"] == [] and found["tests"] == 7 and not group_tables(found)


def test_gained_and_lost_hold_both_answers(two, found):
    first, other = ({row["id"]: row for row in run.rows()} for run in two)
    pair = found["pairs"][0]
    for key, before_right in (("gained_items", False), ("forgotten", True)):
        changed = [
            (row["confidence"], name)
            for name, row in other.items()
            if (first[name]["correct"], row["correct"]) == (before_right, not before_right)
        ]
        assert len(changed) == pair["lost" if before_right else "gained"]
        surest = sorted(changed, key=lambda one: (-one[0], one[1]))[:6]
        assert [item["id"] for item in pair[key]] == [name for _, name in surest]
        for item in pair[key]:
            row, before = other[item["id"]], first[item["id"]]
            assert item["given"] == row["options"][row["prediction"]]
            assert (item["given"] == item["gold"]) is not before_right
            assert item["first"]["given"] == before["options"][before["prediction"]]
            assert item["first"]["confidence"] == before["confidence"]
            assert [o["prob"] for o in item["first"]["options"]] == before["prob"]


def test_no_cell_holds_two_numbers_but_an_interval(found):
    names = {run["name"] for run in found["runs"]}
    for table in tables_of(comparison_page(found)):
        assert all(len(row) == len(table.head) for row in table.rows), table.name
        if table.name.startswith(("facts", "gained", "lost", "moved")):
            continue
        for row in table.rows:
            for cell in set(row[1:]) - names:
                assert "(" not in cell and ", " not in cell, (table.name, cell)
                if " … " in cell:
                    assert isinstance(cell, Shown) and isinstance(cell.value, tuple)


def test_metrics_say_what_errors_would_be_if_calibrated(found):
    table = metric_table("metrics", found["runs"], [run["metrics"] for run in found["runs"]])
    ece = next(row for row in table.rows if row[0] == "ECE")
    entries = [run["metrics"]["ece"] for run in found["runs"]]
    assert [cell.value for cell in ece[1:]] == [
        *(entry["value"] for entry in entries),
        *(entry["expected"] for entry in entries),
    ]


def test_a_terminal_has_a_column_a_run(found):
    rows = printed_metrics(found["runs"])
    place = [row[0] for row in rows].index("ECE")
    entries = [run["metrics"]["ece"] for run in found["runs"]]
    assert [cell.value for cell in rows[place][1:]] == [entry["value"] for entry in entries]
    assert rows[place + 1][0] == "  if calibrated"
    assert [cell.value for cell in rows[place + 1][1:]] == [entry["expected"] for entry in entries]
    assert {len(row) for row in rows} == {3}


def test_facts_are_told_once_and_differences_marked(found):
    differ, same = fact_tables(found)
    names = [row[0] for row in differ.rows]
    assert names == ["folder", "model"]
    for _, first, second in differ.rows:
        assert getattr(first, "mark", "") == "" and second.mark == "differs"
    told = {row[0]: row[1] for row in same.rows}
    assert told["versions, torch"] == "2" and told["questions compared"] == "400"
    assert not set(told) & set(names)


def test_a_comparison_of_an_earlier_version_is_written(found, tmp_path):
    old = json.loads(json.dumps(found))
    for name in ("groups", "groups_left_out"):
        del old[name]
    for run in old["runs"]:
        del run["quantiles"]
    pair = old["pairs"][0]
    del pair["groups"], pair["gained_items"]
    for item in pair["forgotten"]:
        del item["first"]
    twin = write_comparison(old, tmp_path / "page").with_suffix(".md").read_text()
    assert "Where is it different" not in twin and "Right with" in twin


def test_five_runs_are_drawn_over_the_first(two, found):
    five = {**found, "runs": [{**found["runs"][0], "name": str(k)} for k in range(5)]}
    five["pairs"] = [{**found["pairs"][0], "first": "0", "second": "1", "groups": []}]
    five["facts"] = {**found["facts"], **{str(k): {} for k in range(5)}}
    five["groups"] = []
    drawn = comparison_page(five).sections[0].blocks[0].figures
    assert len(drawn) == 2 and drawn[0].svg != drawn[1].svg


LONG = "/models/an-organisation-with-a-name/" + "a-checkpoint-of-an-ablation-" * 3 + "with-flash"


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["a/b/c", "a/b/d"], ["c", "d"]),
        (["org/a/last", "org/b/last", "org/b/first"], ["a/last", "b/last", "first"]),
        (["last", "org/last"], ["last", "org/last"]),
        (["x/org/last", "org/last"], ["x/org/last", "org/last"]),
        (["a/b/", "a/c//"], ["b", "c"]),
        (["a/b", "a/b/"], ["a/b", "a/b/"]),
        (["plain", "other"], ["plain", "other"]),
        (["/", "//x"], ["/", "x"]),
    ],
)
def test_names_are_as_short_as_tells_them_apart(names, short):
    assert short_names(names) == short


@given(st.lists(st.text("ab-/", min_size=1, max_size=12), min_size=2, max_size=5, unique=True))
def test_short_and_cut_names_are_distinct(names):
    short = short_names(names)
    assert len(set(short)) == len(names) and "" not in short
    cut = cut_names(short, 4)
    assert len(set(cut)) == len(names)
    assert all(a == b or len(a) < len(b) for a, b in zip(cut, short, strict=True))


def test_long_paths_leave_room_for_the_numbers(two, tmp_path, open_page):
    """The second run's value was out of sight at 1280 pixels, and all of them at 400."""
    ends = (LONG, f"{LONG}-SECOND")
    runs = [altered(run, tmp_path / str(k), str, model=ends[k]) for k, run in enumerate(two)]
    found = compare(runs)
    assert [run["name"] for run in found["runs"]] == list(ends)
    assert set(ends) <= set(found["facts"]) and set(ends) == set(found["left_out"])
    path = write_comparison(found, tmp_path / "page")
    short = [end.rpartition("/")[2] for end in ends]
    with (path.parent / "tables" / "metrics.csv").open(newline="") as file:
        assert next(csv.reader(file))[1:3] == short
    for width, seen in ((1280, 2), (400, 1)):
        page = open_page(path, width).page
        title, headline = page.locator("h1"), page.locator(".headline")
        assert LONG not in title.inner_text() + headline.inner_text()
        assert short[1] in title.inner_text()
        names = page.locator("#reliability thead th[title]")
        assert [names.nth(k).get_attribute("title") for k in (0, 1)] == list(ends)
        assert names.nth(0).inner_text() != names.nth(1).inner_text()
        assert all(len(names.nth(k).inner_text().replace("\n", "")) <= 32 for k in (0, 1))
        cells = page.locator("#reliability tbody tr").first.locator("td")
        for k in range(seen):
            box = cells.nth(k).bounding_box()
            assert box["x"] + box["width"] <= width
        assert LONG in page.locator("#facts").inner_text()


def test_a_terminal_of_80_columns_tells_long_names_apart(two, tmp_path):
    for number in (2, 3):
        ends = [f"{LONG}-{word}" for word in ("FIRST", "SECOND", "[b]THIRD")[:number]]
        runs = [
            altered(two[0], tmp_path / f"{number}{k}", str, model=end) for k, end in enumerate(ends)
        ]
        told = CliRunner().invoke(
            cli.app, ["compare", *(str(run.path) for run in runs)], env={"COLUMNS": "80"}
        )
        assert told.exit_code == 0, told.output
        head = next(line for line in told.output.splitlines() if line.startswith("on 400"))
        assert len(head) <= 80
        names = head.split()[3:]
        assert len(names) == number
        assert all(name.endswith(end[-5:]) for name, end in zip(names, ends, strict=True))


def shared_by(row: dict[str, Any], cluster: str, images: list[str]) -> None:
    row |= {"cluster": cluster, "images": images}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda row: shared_by(row, row["id"], []), "question by question"),
        (lambda row: shared_by(row, row["id"], ["a.png"]), "question by question"),
        (lambda row: shared_by(row, str(row["index"] // 4), []), "by cluster"),
        (lambda row: shared_by(row, str(row["index"] // 4), [f"{row['index'] // 4}"]), "by image"),
        (lambda row: shared_by(row, str(row["index"] // 4), [f"{row['index']}"]), "by cluster"),
        (lambda row: shared_by(row, str(row["index"] // 4), ["one"]), "by cluster"),
    ],
)
def test_a_page_says_what_is_resampled(two, tmp_path, change, told):
    runs = [altered(run, tmp_path / str(k), change, model=str(k)) for k, run in enumerate(two)]
    text = markdown(comparison_page(compare(runs)))
    assert f"Questions in pairs, resampled {told}; shares" in text


def test_an_earlier_comparison_does_not_say_image(found):
    old = {name: value for name, value in found.items() if name != "resampled"}
    assert "resampled by cluster; shares" in markdown(comparison_page(old))


def test_the_headline_names_the_error_that_was_tested(found):
    pair = json.loads(json.dumps(found["pairs"][0]))
    tests = pair["differences"]
    tests["debiased_rmsce"] |= {"p": 0.5, "holm": 1.0}
    tests["gap"] |= {"value": -0.107, "p": 1 / 10_001, "least_p": 1 / 10_001, "holm": 0.002}
    second = pair["second"]
    assert headline(pair, found["runs"]).startswith(
        f"No difference in debiased calibration error is shown, but {second}'s confidence minus "
        "accuracy is 10.7 points lower (p ≤ 0.002): ECE "
    )
    assert verdict(pair, found["runs"]).endswith("(p ≤ 0.002).")
    tests["gap"] |= {"holm": 0.06}
    assert headline(pair, found["runs"]).startswith(
        "No difference in debiased calibration error is shown: ECE "
    )


def test_csv_holds_the_numbers(found, tmp_path):
    page = write_comparison(found, tmp_path / "page")
    with (page.parent / "tables" / "group-differences-1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, test in zip(rows, found["pairs"][0]["groups"], strict=True):
        assert float(row["difference"]) == pytest.approx(test["value"])
        assert float(row["p"]) == test["p"] or row["p"].startswith("≤")
        assert float(row["95 % interval, low"]) == pytest.approx(test["low"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_in_a_browser(found, tmp_path: Path, open_page, width, scheme):
    opened = open_page(write_comparison(found, tmp_path / "page"), width, scheme)
    seen = measured(opened.page)
    assert seen["scroll"] == width and not seen["wide"] and seen["broken"] == 0
    assert not axe(opened.page)
    cards = opened.page.locator("#gained-1 .card, #lost-1 .card")
    pair = found["pairs"][0]
    assert cards.count() == len(pair["gained_items"]) + len(pair["forgotten"])
    text = opened.page.locator("#gained-1").inner_text()
    assert HOSTILE in text and HOSTILE_MODEL in text
    p = opened.page.locator("#differences .scroll").first
    p.focus()
    before = p.evaluate("e => e.scrollLeft")
    opened.page.keyboard.press("End")
    opened.page.keyboard.press("ArrowRight")
    opened.page.wait_for_timeout(300)
    scrolls = p.evaluate("e => e.scrollWidth > e.clientWidth + 1")
    assert not scrolls or p.evaluate("e => e.scrollLeft") > before
