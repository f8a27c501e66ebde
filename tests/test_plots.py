"""Drawings: every number where it belongs, both themes, the same bytes every time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_rgb

from calib.report import plots
from tests.drawn import BINS, EMPTY, NARROW, a_bin

STYLE = Path(plots.__file__).parents[1] / "templates" / "report.css"


def a_curve(**other: Any) -> dict[str, Any]:
    curve = {"points": [[0.5, 0.1], [1.0, 0.4]], "low": [0.05, 0.3], "high": [0.2, 0.5]}
    return {**curve, "overall": 0.4, "best": 0.6, "label": "entropy", **other}


def no_band(overall: float) -> dict[str, Any]:
    points = [[0.5, 0.0], [1.0, overall]]
    return a_curve(
        points=points, low=[None] * 2, high=[None] * 2, overall=overall, best=1 - overall
    )


ARM = {
    "known": {"right": 14, "refused": 2, "wrong": 1},
    "unknown": {"right": 1, "refused": 7, "wrong": 5},
}
STEPS = [
    {"step": step, "ece": ece, "confidence": 0.8, "top1_accuracy": 0.8 - ece, "expected_ece": 0.03}
    for step, ece in ((0, 0.2), (4, 0.1))
]

POINTS = [
    {"value": 0.8, "low": 0.7, "high": 0.9},
    {"value": 0.4, "low": None, "high": None},
]

DRAWINGS = {
    "reliability": lambda: plots.reliability(BINS, note="ECE 0.1"),
    "empty": lambda: plots.reliability(EMPTY),
    "zoomed": lambda: plots.reliability_zoomed(NARROW, note="ECE 0.1"),
    "histogram": lambda: plots.confidence_histogram(BINS, confidence=0.7, accuracy=0.6),
    "no rows": lambda: plots.confidence_histogram(EMPTY, confidence=0.7, accuracy=0.6),
    "risk": lambda: plots.risk_coverage(a_curve()),
    "measures": lambda: plots.risk_coverage_by_measure([a_curve(label=str(k)) for k in range(5)]),
    "overlay": lambda: plots.overlay([("a", NARROW), ("b", BINS)]),
    "arms": lambda: plots.arms({"plain": ARM, "option": ARM}),
    "ranks": lambda: plots.correlations(["a", "b"], [[1.0, -0.5], [-0.5, 1.0]]),
    "heat": lambda: plots.heat_map(
        ["none", "noise 9"], ["k = 0"], [[0.2], [None]], said="a map of two squares, one empty"
    ),
    "gaps": lambda: plots.heat_map(
        ["a"], list("bcd"), [[-0.2, 0.1, 1.0]], sided=True, said="gaps of three squares"
    ),
    "noise": lambda: plots.over_noise(
        ["none", "900"],
        [("no description", POINTS), ("2 sentences", POINTS)],
        beside=("description", 0.5),
        label="confidence",
    ),
    "steps": lambda: plots.over_steps(STEPS, measure="ece", stacked=True, title="Steps"),
}


def test_histogram_shows_wrong_answers_below_on_their_own_scale():
    upper, lower = plots.confidence_histogram(BINS, confidence=0.7, accuracy=0.6).axes
    # Three bins are filled; the first is empty and outside.
    assert [bar.get_height() for bar in upper.patches] == [30, 60, 3]
    assert [bar.get_height() for bar in lower.patches] == [10, 40, 0]
    assert upper.get_xlim() == lower.get_xlim() == (0.4, 1.0)
    bottom, top = lower.get_ylim()
    assert top == 0 and 40 < bottom < 50 and upper.get_ylim()[1] > 60
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("93 right", "50 wrong")


@pytest.mark.parametrize(
    ("confidence", "accuracy", "shown"),
    [(0.7, 0.6, (0.4, 1.0)), (0.7, 0.15, (0.1, 1.0)), (0.7, 0.0, (0.0, 1.0))],
)
def test_the_axis_of_a_histogram_reaches_both_lines(confidence, accuracy, shown):
    bins = [a_bin(k / 10, 0, 0.0, 0) for k in range(4)] + BINS[1:]
    figure = plots.confidence_histogram(bins, confidence=confidence, accuracy=accuracy)
    for axes in figure.axes:
        assert axes.get_xlim() == pytest.approx(shown)
        assert [line.get_xdata() for line in axes.lines] == [[confidence] * 2, [accuracy] * 2]
        assert not any(line.get_clip_on() for line in axes.lines)  # whole at an end of the axis


def test_one_confidence_has_an_axis_and_lies_in_its_bar():
    bins = [a_bin(k / 15, 0, 0.0, 0) | {"high": (k + 1) / 15} for k in range(14)]
    bins.append(a_bin(14 / 15, 300, 1.0, 297) | {"high": 1.0})
    axes = plots.confidence_histogram(bins, confidence=1.0, accuracy=0.99).axes[0]
    low, high = axes.get_xlim()
    assert high - low >= 0.1 and high == 1.0
    (bar,) = [bar for bar in axes.patches if bar.get_height()]
    assert bar.get_x() + bar.get_width() == pytest.approx(1.0, abs=1e-12)


def test_a_perfect_ranking_ends_at_the_overall_error():
    axes = plots.risk_coverage(a_curve()).axes[0]
    perfect = next(line for line in axes.lines if line.get_label() == "perfect ranking")
    assert perfect.get_ydata()[-1] == pytest.approx(0.4)


def test_surest_answers_that_tie_are_one_level_line():
    curve = a_curve(points=[[1.0, 0.4]], low=[0.3], high=[0.5])
    line = plots.risk_coverage(curve).axes[0].lines[0]
    assert line.get_xydata().tolist() == [[0.0, 0.4], [1.0, 0.4]]


def test_a_band_lies_about_the_curve_and_is_absent_where_unknown():
    axes = plots.risk_coverage(a_curve()).axes[0]
    ends = axes.collections[0].get_paths()[0].get_extents()
    assert (ends.y0, ends.y1) == (0.05, 0.5)
    assert not plots.risk_coverage(no_band(0.4)).axes[0].collections


def test_a_legend_names_a_band_only_where_one_is_drawn():
    tied = a_curve(points=[[1.0, 0.4]], low=[0.3], high=[0.5])
    for curve, banded in ((a_curve(), True), (no_band(0.4), False), (tied, False)):
        axes = plots.risk_coverage(curve).axes[0]
        named = [text.get_text() for text in axes.get_legend().get_texts()]
        assert ("95 % band" in named) == bool(axes.collections) == plots.has_band(curve) == banded
    # A first panel without a band hides no other's name.
    (legend,) = plots.risk_coverage_by_measure([{**tied, "label": "a"}, a_curve()]).legends
    assert "95 % band" in [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize("overall", [0.0004, 0.022, 0.4, 1.0])
def test_no_two_ticks_of_an_axis_read_the_same(overall: float):
    figure = plots.risk_coverage(no_band(overall))
    figure.canvas.draw()
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        labels = [tick.get_text() for tick in axis.get_ticklabels()]
        assert len(set(labels)) == len(labels) > 2


def test_each_measure_has_a_panel_and_the_others_behind_it():
    figure = plots.risk_coverage_by_measure(
        [a_curve(label=f"measure {k}") for k in range(5)], theme=plots.LIGHT
    )
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == [f"measure {k}" for k in range(5)]
    for axes in shown:
        own = [line for line in axes.lines if line.get_color() == plots.LIGHT.over]
        assert len(own) == 1 and own[0].get_xydata()[1:].tolist() == a_curve()["points"]
        assert len(axes.lines) == 6  # four others, one own, the overall error
        assert len(axes.collections) == 1


def test_runs_have_colours_markers_and_dashes_of_their_own():
    runs = [(f"run {k}", NARROW) for k in range(4)]
    lines = plots.overlay(runs, theme=plots.LIGHT).axes[0].lines[1:]
    assert [line.get_label() for line in lines] == ["run 0", "run 1", "run 2", "run 3"]
    assert [line.get_color() for line in lines] == list(plots.LIGHT.runs)
    assert len({line.get_marker() for line in lines}) == 4
    assert len({str(line._dash_pattern) for line in lines}) == 4
    assert lines[0].get_xydata().tolist() == [[0.65, 0.75], [0.75, 0.7]]
    with pytest.raises(ValueError, match="at most 4 runs, got 5"):
        plots.overlay([*runs, ("five", NARROW)])


@pytest.mark.parametrize("name", ["W" * 41, "m" * 41, "a-long-name-of-a-checkpoint-of-step-000123"])
def test_a_long_name_leaves_the_small_square_alone(name):
    figure = plots.overlay([(name, NARROW), ("_b", NARROW)])
    figure.canvas.draw()
    (axes,) = figure.axes
    (square,) = axes.child_axes
    legend = axes.get_legend()
    said = [text.get_text() for text in legend.get_texts()]
    assert [text.replace("\n", "").strip("\N{ZERO WIDTH SPACE}") for text in said] == [name, "_b"]
    ends = max(text.get_window_extent().x1 for text in legend.get_texts())
    assert ends < square.get_window_extent().x0
    assert legend.get_window_extent().y1 <= figure.bbox.y1


@pytest.mark.parametrize("name", ["$x$", "$\\frac{", "a$b$c"])
def test_a_dollar_in_a_name_begins_no_formula(name):
    entropy = [{"step": 1, "entropy": 0.5}]
    for figure in (
        plots.arms({name: ARM}),
        plots.overlay([(name, NARROW)]),
        plots.entropy_over_steps({name: entropy}),
        plots.risk_coverage_by_measure([a_curve(label=name)]),
        plots.correlations([name], [[1.0]]),
        plots.over_steps(STEPS, measure="ece", title=name),
    ):
        root = ElementTree.fromstring(plots.svg(figure, name="x", label=""))
        assert any(text.strip() == name for text in root.itertext())


def test_a_level_line_stays_beneath_the_legend():
    level = [{"step": step, "entropy": 4.12 - 1e-3 * step} for step in (1, 2)]
    figures = [plots.entropy_over_steps({"eval": level, "other": level})]
    rows = [{**row, "ece": 0.2, "expected_ece": 0.2} for row in STEPS]
    figures.append(plots.over_steps(rows, measure="ece", stacked=True))
    for figure in figures:
        figure.canvas.draw()
        axes = figure.axes[0]
        assert axes.get_ylim()[0] == 0
        marks = max(line.get_window_extent().y1 for line in axes.lines)
        assert marks + 2 < axes.get_legend().get_window_extent().y0


def test_arms_outline_what_is_truthful():
    (axes,) = plots.arms({"plain": ARM}, theme=plots.LIGHT).axes
    outlines = {
        bar.get_y() + bar.get_height() / 2: bar.get_width()
        for bar in axes.patches
        if bar.get_facecolor()[3] == 0
    }
    assert outlines == {0: pytest.approx(14 / 17), 1: pytest.approx(8 / 13)}
    assert [text.get_text() for text in axes.texts] == ["14", "2", "1", "7", "5"]  # no room: 1
    assert axes.get_title(loc="left") == "plain"


def test_correlations_are_half_a_matrix():
    matrix = [[1.0, -0.5, None], [-0.5, 1.0, 0.25], [None, 0.25, 1.0]]
    (axes,) = plots.correlations(["a", "b", "c"], matrix, theme=plots.LIGHT).axes
    squares = {
        (round(s.get_xy()[:, 0].mean()), round(s.get_xy()[:, 1].mean())): s.get_facecolor()[:3]
        for s in axes.patches
    }
    assert squares == {(0, 1): to_rgb(plots.LIGHT.over), (1, 2): to_rgb(plots.LIGHT.under)}
    assert [text.get_text() for text in axes.texts] == ["a", "b", "−.50", "c", ".25"]


@pytest.mark.parametrize("name", DRAWINGS)
def test_svg_is_whole_themed_and_repeatable(name):
    first, second = (plots.svg(DRAWINGS[name](), name=name, label='a < "b"') for _ in range(2))
    assert first == second
    root = ElementTree.fromstring(first)
    said = root.get("aria-label")
    assert root.get("role") == "img" and said.startswith('a < "b". ') and len(said) > 25
    assert "#0100" not in first  # a stand-in colour that was not replaced
    assert "var(--ink)" in first
    # White and black would vanish in one of the two themes.
    assert not re.search(r"#(000000|ffffff)", first)
    ids = re.findall(r'\bid="([^"]*)"', first)
    assert all(entry.startswith(f"{name}-") for entry in ids)
    used = re.findall(r'(?:url\(#|href="#)([^")]*)', first)
    assert set(used) <= set(ids)


@pytest.mark.parametrize("name", DRAWINGS)
def test_texts_are_readable_on_a_narrow_page(name):
    """A page of 400 pixels shows a drawing 353 wide; its texts are then 9 high or more."""
    drawn = plots.svg(DRAWINGS[name](), name=name, label="")
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', drawn)[1])
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )?([\d.]+)px", drawn)]
    assert sizes and min(sizes) * 353 / width >= 9.0


def test_the_numbers_are_said_in_words():
    said = {name: re.search('aria-label="([^"]*)', plots.svg(d(), name="x", label=""))[1]
            for name, d in DRAWINGS.items()}  # fmt: skip
    assert "100 with 85\N{NO-BREAK SPACE}% confidence are right 60.0" in said["reliability"]
    assert "93 right and 50 wrong" in said["histogram"]
    assert "50\N{NO-BREAK SPACE}% answered, 10.0\N{NO-BREAK SPACE}% wrong" in said["risk"]
    assert "a: 80 questions, 70.0\N{NO-BREAK SPACE}% sure, 72.5" in said["overlay"]
    assert "of 13 unknown questions 1 right, 7 refused, 5 wrong" in said["arms"]
    assert "−0.50 (b and a)" in said["ranks"]
    assert (
        "ECE 0.200 at step 0, 0.100 at step 4, where calibrated rows would give 0.030"
        in (said["steps"])
    )


@pytest.mark.parametrize(("theme", "block"), [(plots.LIGHT, 0), (plots.DARK, 1)])
def test_the_style_sheet_has_the_same_colours(theme, block):
    found = re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.S)[block]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", found))
    shared = set(colours) & set(plots.Theme.__slots__)
    assert {"ink", "over", "under"} <= shared
    assert {role: colours[role] for role in shared} == {r: getattr(theme, r) for r in shared}


def test_over_steps_draws_both_kinds_of_rows_where_they_are():
    rows = [{k: v for k, v in row.items() if k != "expected_ece"} for row in STEPS]
    left, right = plots.over_steps(rows, rows[1:], measure="ece").axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in (*left.lines, *right.lines)}
    assert drawn == {
        "training rows": [[4, 0.1]],
        "evaluations": [[0, 0.2], [4, 0.1]],
        "mean confidence": [[0, 0.8], [4, 0.8]],
        "accuracy": [[0, pytest.approx(0.6)], [4, pytest.approx(0.7)]],
    }
    assert left.get_ylim()[0] == 0.0
    assert [line.get_label() for line in plots.over_steps(rows, measure="ece").axes[0].lines] == [
        "evaluations"
    ]


def test_over_steps_has_a_title_and_the_floor_of_the_records_that_know_it():
    rows = [STEPS[0], {**STEPS[1], "expected_ece": None}]
    figure = plots.over_steps(rows, measure="ece", title="Calibration")
    floor = next(line for line in figure.axes[0].lines if "floor" in line.get_label())
    assert floor.get_xydata().tolist() == [[0, 0.03]]
    assert figure.get_suptitle() == "Calibration"


def test_a_map_has_the_colour_of_each_side_and_the_darkest_of_the_largest():
    drawn = plots.heat_map(["a"], list("bcd"), [[-0.2, 0.1, None]], sided=True, said="gaps")
    filled = [p for p in drawn.axes[0].patches if p.get_fill()]
    assert [p.get_facecolor()[:3] for p in filled] == [
        to_rgb(plots.CSS.under),
        to_rgb(plots.CSS.over),
    ]
    assert filled[0].get_alpha() == pytest.approx(2 * filled[1].get_alpha())
    assert [t.get_text() for t in drawn.axes[0].texts[-2:]] == ["−.20", "+.10"]
    plain = plots.heat_map(
        ["a"], list("bc"), [[0.4, 1.0]], said="a map of two squares, one empty"
    ).axes[0]
    alphas = [p.get_alpha() for p in plain.patches if p.get_fill()]
    assert alphas[0] == 0 and alphas[1] > 0.3  # from the smallest value to the largest
    assert [t.get_text() for t in plain.texts[-2:]] == [".40", "1.00"]


def test_a_curve_over_noise_says_its_ends():
    drawn = plots.over_noise(["none", "900"], [("no description", POINTS)], label="confidence")
    assert drawn.get_label() == (
        "confidence over noise. no description: 0.800 at none to 0.400 at 900"
    )
