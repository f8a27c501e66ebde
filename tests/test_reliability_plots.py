"""Reliability diagrams: dots, bars and counts where they belong, and the part that is shown."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_rgb

from calib.report import plots
from calib.report.plots.frame import part
from calib.report.plots.reliability import spoken
from tests.drawn import BINS, NARROW, a_bin


def test_dots_stand_at_confidence_and_accuracy():
    axes = plots.reliability(BINS, theme=plots.LIGHT).axes[0]
    dots = {tuple(d.get_offsets()[0]): tuple(d.get_facecolor()[0][:3]) for d in axes.collections}
    assert dots == {
        (0.45, 0.75): to_rgb(plots.LIGHT.under),
        (0.85, 0.60): to_rgb(plots.LIGHT.over),
        (0.99, 1.00): to_rgb(plots.LIGHT.under),
    }


def test_bars_are_the_intervals_and_few_questions_are_faint():
    axes = plots.reliability(BINS, theme=plots.LIGHT).axes[0]
    bars = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in axes.patches]
    assert bars == [pytest.approx((row["accuracy_low"], row["accuracy_high"])) for row in BINS[1:]]
    strengths = [bar.get_alpha() for bar in axes.patches]
    assert strengths[2] < strengths[0] == strengths[1]


def test_a_bar_stands_about_its_dot():
    axes = plots.reliability(BINS).axes[0]
    for bar, row in zip(axes.patches, BINS[1:], strict=True):
        assert bar.get_x() + bar.get_width() / 2 == pytest.approx(row["confidence"])
        assert bar.get_width() == pytest.approx(0.072)
    wide = plots.reliability([{**BINS[1], "low": 0.0, "high": 0.5}]).axes[0].patches[0]
    assert wide.get_width() == pytest.approx(0.08)


@pytest.mark.parametrize("drawn", [plots.reliability, plots.reliability_zoomed])
def test_a_dot_on_the_diagonal_has_no_side(drawn):
    level = {**a_bin(0.7, 40, 0.7, 28), "confidence": 0.7 + 1e-12}
    axes = drawn([a_bin(0.4, 40, 0.45, 30), level], theme=plots.LIGHT).axes[0]
    dots = [to_rgb(dot.get_facecolor()[0][:3]) for dot in axes.collections]
    assert dots == [to_rgb(plots.LIGHT.under), to_rgb(plots.LIGHT.ink)]
    said = [text.get_text() for text in axes.get_legend().get_texts()]
    assert said == ["over-confident", "under-confident", "on the diagonal"]
    assert spoken([level]).endswith("(on the diagonal).")
    assert len(drawn(NARROW).axes[0].get_legend().get_texts()) == 2


@pytest.mark.parametrize("confidence", [0.7, 1.0])
def test_a_dot_on_the_frame_is_drawn_whole(confidence):
    one = a_bin(confidence, 40, confidence, 24) | {"high": confidence}
    axes = plots.reliability_zoomed([one]).axes[0]
    assert axes.get_xlim()[1] == pytest.approx(confidence, abs=1e-12)
    assert not any(mark.get_clip_on() for mark in (*axes.lines[1:], *axes.collections))
    edge = plots.reliability([a_bin(0.9, 40, 1.0, 24)]).axes[0]
    assert not any(mark.get_clip_on() for mark in (*edge.patches, *edge.collections))


def test_bins_say_how_many_they_hold():
    ties = plots.reliability_zoomed([a_bin(0.6, 33, 0.65, 30), a_bin(0.7, 100, 0.75, 28)])
    assert ties.axes[0].get_xlabel().endswith("\n33 to 100 questions in each bin")
    one = plots.reliability_zoomed(NARROW[:1]).axes[0]
    assert one.get_xlabel().endswith("\n40 questions in one bin")


def test_rows_of_training_are_not_called_questions():
    figure = plots.reliability(BINS, unit="rows")
    assert figure.axes[1].get_ylabel() == "rows" and "143 rows in bins" in figure.get_label()
    assert "questions" not in plots.svg(figure, name="x", label="")
    assert plots.reliability(BINS).axes[1].get_ylabel() == "questions"


@pytest.mark.parametrize("last", [36, 40])  # the second on the diagonal: a longer legend
def test_the_square_stays_above_its_strip(last):
    edge = [a_bin(0.0, 40, 0.0, 4), a_bin(0.9, 40, 1.0, last)]
    figure = plots.reliability(edge)
    figure.canvas.draw()
    square, strip = (axes.get_window_extent() for axes in figure.axes)
    assert (square.x0, square.x1) == pytest.approx((strip.x0, strip.x1), abs=1)
    for mark in (*figure.axes[0].patches, *figure.axes[0].collections):
        ends = mark.get_window_extent()
        assert figure.bbox.x0 <= ends.x0 and ends.x1 <= figure.bbox.x1


def test_a_larger_dot_is_a_fuller_bin():
    for drawn in (plots.reliability, plots.reliability_zoomed):
        sizes = [dot.get_sizes()[0] for dot in drawn(BINS[1:]).axes[0].collections]
        assert sizes[2] < sizes[0] < sizes[1]


def test_the_strip_counts_every_bin_and_writes_the_counts():
    strip = plots.reliability(BINS).axes[1]
    assert [bar.get_height() for bar in strip.patches] == [0, 40, 100, 3]
    assert [text.get_text() for text in strip.texts] == ["40", "100", "3"]


def test_no_text_stands_over_the_data():
    for figure in (
        plots.reliability(BINS, note="ECE 0.1\nof all"),
        plots.reliability_zoomed(NARROW),
    ):
        figure.canvas.draw()
        axes = figure.axes[0]
        inside = axes.get_window_extent()
        legend = axes.get_legend().get_window_extent()
        assert not axes.texts
        assert legend.y0 >= inside.y1 - 1


def test_a_zoomed_diagram_is_square_and_says_what_it_shows():
    figure = plots.reliability_zoomed(NARROW)
    axes = figure.axes[0]
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx((0.6, 0.85))
    assert "axis from 60 to 85" in axes.get_xlabel() and "40 questions in each" in axes.get_xlabel()
    small = axes.child_axes[0].patches[0]
    assert (small.get_x(), small.get_y()) == pytest.approx((0.6, 0.6))
    assert small.get_width() == pytest.approx(0.25)
    whole = plots.reliability_zoomed(BINS[1:]).axes[0]
    spread_out = plots.reliability_zoomed([a_bin(0.0, 20, 0.05, 1), a_bin(0.9, 20, 0.95, 19)])
    assert whole.get_xlim() == pytest.approx((0.4, 1.0))
    assert spread_out.axes[0].get_xlim() == (0, 1) and not spread_out.axes[0].child_axes


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.97, 0.9999], (0.97, 1.0)),
        ([0.506, 1.0], (0.5, 1.0)),
        ([0.0, 0.9], (0.0, 1.0)),
        ([], (0.0, 1.0)),
    ],
)
def test_the_part_that_is_shown_holds_all_and_ends_at_round_numbers(values, shown):
    assert part(values) == pytest.approx(shown)


@pytest.mark.parametrize("value", [0.0, 0.5, 0.3, 1.0])
def test_one_value_has_room(value):
    low, high = part([value, value])
    assert 0 <= low <= value <= high <= 1 and low < high
