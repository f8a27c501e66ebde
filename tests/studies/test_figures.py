"""Figures of findings: every number where it belongs, long names and many rows readable."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from calib.report import plots
from calib.report.plots.study import DRAWINGS, in_groups, numbered
from calib.report.study_figures import ROOM, figures_of, shortened
from tests.drawn import EMPTY, NARROW
from tests.studies.reported import (
    CURVES,
    DIAGRAMS,
    FIGURES,
    FOREST,
    HOSTILE,
    LONG,
    MATRIX,
    figure,
    forest,
)

MANY = [[f"{LONG}-{k}", 0.01 * k, 0.01 * k - 0.05, 0.01 * k + 0.05] for k in range(40)]
SQUARE = [f"task-of-a-long-name-{k}" for k in range(20)]
WIDE = {
    "rows": SQUARE,
    "columns": SQUARE,
    "values": [[0.1 * (i - j) for j in range(20)] for i in range(20)],
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{each["kind"]: (each["kind"], each["data"]) for each in FIGURES},
    "many": ("forest", forest(MANY, unit="percent", zero=None)),
    "unknown": ("forest", forest([["a", None, None, None]], zero=None, unit="fixed")),
    "wide": ("matrix", WIDE),
    "empty matrix": ("matrix", {**MATRIX, "values": [[None] * 3] * 3, "marks": None}),
    "one point": (
        "curves",
        {**CURVES, "series": [{"name": "a", "x": [1], "y": [0.5], "low": None, "high": None}]},
    ),
    "no run": ("diagrams", {"series": [{"name": "a", "rows": EMPTY}]}),
}


def drawn(kind: str, data: dict[str, Any], **more: Any) -> list[Figure]:
    return DRAWINGS[kind](shortened(data), **more)


@pytest.mark.parametrize("name", CASES)
def test_svg_is_whole_themed_and_readable(name: str):
    for one in drawn(*CASES[name]):
        text = plots.svg(one, name="x", label="said")
        root = ElementTree.fromstring(text)
        assert len(root.get("aria-label") or "") > len("said. a: –")
        assert "#0100" not in text and not re.search(r"#(000000|ffffff)", text)
        found = re.search(r'viewBox="0 0 ([\d.]+) ', text)
        assert found is not None and float(found[1]) <= 480
        sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )?([\d.]+)px", text)]
        # A page of 400 pixels shows a drawing 353 wide.
        assert sizes and min(sizes) * 353 / float(found[1]) >= 9


@pytest.mark.parametrize("name", ["forest", "many", "matrix", "wide"])
def test_names_stay_inside_and_apart(name: str):
    (one,) = drawn(*CASES[name])
    one.draw_without_rendering()
    (axes,) = one.axes
    texts = [*axes.get_yticklabels(), *axes.texts] if "for" in CASES[name][0] else axes.texts
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    assert all(one.bbox.x0 - 1 <= box.x0 and box.x1 <= one.bbox.x1 + 1 for box in boxes)
    for k, box in enumerate(boxes):
        for other in boxes[k + 1 :]:
            apart = box.x1 <= other.x0 + 1 or other.x1 <= box.x0 + 1
            assert apart or box.y1 <= other.y0 + 1 or other.y1 <= box.y0 + 1


def test_a_forest_draws_values_intervals_and_groups():
    (one,) = drawn("forest", FOREST, theme=plots.LIGHT)
    (axes,) = one.axes
    labels = [text.get_text().replace("\n", "") for text in axes.get_yticklabels()]
    assert labels[:3] == ["first stage", "stage1/words", "stage1/letters"]
    assert labels[3] == "second stage" and labels[-1] == "nothing" and len(labels) == 7
    spans = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    assert [list(span) for span in spans if span[0] != span[1]] == [
        [0.07, 0.38],
        [-0.05, 0.05],
        [-0.258, -0.029],
    ]
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    assert [float(line.get_xdata()[0]) for line in marks] == [0.24, 0.0, -0.163, 0.1]
    filled = [to_rgb(line.get_markerfacecolor()) == to_rgb(plots.LIGHT.ink) for line in marks]
    assert filled == [True, False, True, False]
    assert [text.get_text() for text in axes.texts] == ["+24.0", "−0.0", "−16.3", "+10.0", "–"]
    said = one.get_label()
    assert "stage1/words: +24.0, +7.0 to +38.0." in said and "no interval: +10.0." in said


def test_differences_have_a_sign_and_other_numbers_none():
    rows = [["a", 0.0221, 0.01, 0.03], ["b", -0.5, -1.0, 0.5], ["c", 0.0, None, None]]
    for zero, told in ((0.0, ["+0.022", "−0.500", "0.000"]), (1.0, ["0.022", "−0.500", "0.000"])):
        (one,) = drawn("forest", forest(rows, unit="fixed", zero=zero))
        assert [text.get_text() for text in one.axes[0].texts] == told


def test_groups_are_named_once_where_they_begin():
    rows = [["a", 1, 0, 2], ["b", 1, 0, 2], ["c", 1, 0, 2]]
    named = [name for name, row in in_groups(rows, ["x", "x", "y"]) if row is None]
    assert named == ["x", "y"]
    assert all(row is not None for _, row in in_groups(rows, None))


def test_a_matrix_outlines_what_is_shown_and_numbers_long_columns():
    (one,) = drawn("matrix", MATRIX, theme=plots.LIGHT)
    (axes,) = one.axes
    texts = [text.get_text().replace("\n", "") for text in axes.texts]
    assert texts[:3] == ["1", "2", "3"] and texts[3:5] == ["1 words", "2 letters"]
    assert texts[6:] == [".00", "−.12", "+.30", "+.05", ".00", "+.20", "+.10", ".00"]
    outlined = [
        patch for patch in axes.patches if to_rgb(patch.get_edgecolor()) == to_rgb(plots.LIGHT.ink)
    ]
    assert len([patch for patch in outlined if not patch.get_fill()]) == 3
    colours = {to_rgb(patch.get_facecolor()) for patch in axes.patches if patch.get_fill()}
    assert {to_rgb(plots.LIGHT.over), to_rgb(plots.LIGHT.under)} == colours
    short = {**MATRIX, "rows": list("abc"), "columns": list("def")}
    assert not numbered(short) and numbered(MATRIX)
    assert [text.get_text() for text in drawn("matrix", short)[0].axes[0].texts][:3] == list("def")
    assert len(drawn("matrix", WIDE)[0].axes[0].texts) == 40  # names and numbers, no values


def test_curves_have_lines_bounds_and_the_same_axes():
    first, second = drawn("curves", CURVES, theme=plots.LIGHT)
    lines = first.axes[0].lines
    assert [line.get_label() for line in lines] == [f"stage {k}" for k in range(4)]
    assert (
        len({(line.get_color(), line.get_marker(), str(line._dash_pattern)) for line in lines}) == 4
    )
    assert list(lines[0].get_xdata()) == [0, 250, 500, 900]
    assert list(lines[0].get_ydata())[:2] == [0.8, 0.7]
    bounds = first.axes[0].collections[0].get_segments()
    assert [segment.tolist() for segment in bounds] == [
        [[0.0, 0.75], [0.0, 0.85]],
        [[900.0, 0.3], [900.0, 0.5]],
    ]
    assert first.axes[0].get_ylim() == second.axes[0].get_ylim()
    assert first.axes[0].get_ylabel() == "confidence, %"
    assert "stage 0: 80.0\N{NO-BREAK SPACE}% at 0, 40.0\N{NO-BREAK SPACE}% at 900." in (
        first.get_label()
    )


def test_curves_of_many_points_have_bands_and_those_of_names_their_names():
    x = [k / 20 for k in range(21)]
    line = {"name": "a", "x": x, "y": x, "low": [0.0] * 21, "high": [1.0] * 21}
    (one,) = drawn("curves", {"series": [line], "x": "x", "y": "y", "unit": "fixed"})
    assert one.axes[0].lines[0].get_marker() == "" and len(one.axes[0].collections) == 1
    named = {"name": "a", "x": ["none", 900], "y": [0.1, 0.2], "low": None, "high": None}
    (one,) = drawn("curves", {"series": [named], "x": "x", "y": "points", "unit": "points"})
    assert [text.get_text() for text in one.axes[0].get_xticklabels()] == ["none", "900"]
    assert one.axes[0].get_ylabel() == "points"


def test_diagrams_are_four_to_a_drawing():
    first, second = drawn("diagrams", DIAGRAMS)
    assert [len(one.axes[0].get_legend().get_texts()) for one in (first, second)] == [4, 1]
    line = first.axes[0].lines[2]
    assert line.get_xydata().tolist() == [[0.65, 0.75], [0.75, 0.7]]
    assert NARROW[0]["confidence"] == 0.65


def test_captions_say_what_marks_mean():
    (block,) = figures_of(FIGURES)
    said = {one.title: one.caption for one in block.figures}
    assert said["Confidence − accuracy"] == "What it shows. Filled: the interval leaves out 0."
    short = shortened(MATRIX)["columns"][2]
    assert said["Transfer"] == (
        f"What it shows. Columns: 1 words, 2 letters, 3 {short}. Outlined: shown."
    )
    assert {"Over noise (1 of 2)", "Over noise (2 of 2)", "Reliability (2 of 2)"} <= set(said)
    (block,) = figures_of([figure("forest", forest([["a", 0.5, 0.4, 0.6]], zero=0.05))])
    assert block.figures[0].caption.endswith("leaves out +5.0.")


def test_figures_of_nothing_are_left_out():
    nothing = [
        figure("forest", forest([])),
        figure("matrix", {**MATRIX, "rows": ["a"], "columns": [], "values": [[]]}),
        figure("curves", {**CURVES, "series": []}),
        figure("pie", {"rows": [1]}),
    ]
    assert figures_of(nothing) == []


def test_names_of_any_script_are_drawn_without_a_warning():
    rows = [["模型 🦙", 0.1, 0.0, 0.2], [HOSTILE, 0.1, 0.0, 0.2], ["a\nb\x07", 0.1, 0.0, 0.2]]
    (block,) = figures_of([figure("forest", forest(rows)), figure("diagrams", DIAGRAMS)])
    texts = "".join(ElementTree.fromstring(block.figures[0].svg).itertext())
    assert "模型 🦙" in texts and "a b\\x07" in texts and "<script>" in texts


def test_long_names_are_cut_in_their_middle_and_stay_apart():
    names = [f"{'x' * 90}{k}{'y' * 90}" for k in range(3)]
    told = shortened(forest([[name, 0.1, 0.0, 0.2] for name in names]))
    short = [row[0] for row in told["rows"]]
    assert len(set(short)) == 3
    assert max(map(len, [row[0] for row in shortened(forest(MANY))["rows"]])) <= ROOM
