"""Drawings: every bin where it belongs, both themes, the same bytes every time."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_rgb

from calib.report import plots


def a_bin(low: float, n: int, confidence: float, right: int) -> dict:
    share = right / n if n else None
    return {
        "low": low,
        "high": low + 0.1,
        "n": n,
        "correct": right,
        "confidence": confidence if n else None,
        "accuracy": share,
        "accuracy_low": None if share is None else max(0.0, share - 0.1),
        "accuracy_high": None if share is None else min(1.0, share + 0.1),
    }


BINS = [
    a_bin(0.0, 0, 0.0, 0),
    a_bin(0.4, 40, 0.45, 30),  # under-confident
    a_bin(0.8, 100, 0.85, 60),  # over-confident
    a_bin(0.9, 3, 0.99, 3),
]
EMPTY = [a_bin(0.0, 0, 0.0, 0)]


def drawings(bins: list[dict]) -> dict[str, object]:
    return {
        "reliability": plots.reliability(bins, note="ECE 0.1"),
        "histogram": plots.confidence_histogram(bins, confidence=0.7, accuracy=0.6),
        "risk": plots.risk_coverage([(0.5, 0.1), (1.0, 0.4)], overall=0.4, best=0.6),
    }


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


def test_the_strip_counts_every_bin():
    strip = plots.reliability(BINS).axes[1]
    assert [bar.get_height() for bar in strip.patches] == [0, 40, 100, 3]


def test_histogram_stacks_right_and_wrong_to_one():
    axes = plots.confidence_histogram(BINS, confidence=0.7, accuracy=0.6).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(1)


def test_a_perfect_ranking_ends_at_the_overall_error():
    axes = plots.risk_coverage([(1.0, 0.4)], overall=0.4, best=0.6).axes[0]
    perfect = next(line for line in axes.lines if line.get_label() == "perfect ranking")
    assert perfect.get_ydata()[-1] == pytest.approx(0.4)


@pytest.mark.parametrize("overall", [0.0004, 0.022, 0.4, 1.0])
def test_no_two_ticks_of_an_axis_read_the_same(overall: float):
    figure = plots.risk_coverage([(0.5, 0.0), (1.0, overall)], overall=overall, best=1 - overall)
    figure.canvas.draw()
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        labels = [tick.get_text() for tick in axis.get_ticklabels()]
        assert len(set(labels)) == len(labels) > 2


@pytest.mark.parametrize("bins", [BINS, EMPTY], ids=["bins", "empty"])
@pytest.mark.parametrize("name", ["reliability", "histogram", "risk"])
def test_svg_is_whole_themed_and_repeatable(name, bins):
    first, second = (plots.svg(drawings(bins)[name], name=name, label='a < "b"') for _ in range(2))
    assert first == second
    root = ElementTree.fromstring(first)
    assert root.get("aria-label") == 'a < "b"'
    assert "#01000" not in first  # a stand-in colour that was not replaced
    assert "var(--ink)" in first
    # White and black would vanish in one of the two themes.
    assert not re.search(r"#(000000|ffffff)", first)
    ids = re.findall(r'\bid="([^"]*)"', first)
    assert all(entry.startswith(f"{name}-") for entry in ids)
    used = re.findall(r'(?:url\(#|href="#)([^")]*)', first)
    assert set(used) <= set(ids)


def test_before_and_after_as_a_picture(tmp_path):
    figure = plots.before_after(
        BINS, BINS, titles=("As it is", "After"), notes=("ECE 0.1", "ECE 0.0")
    )
    plots.png(figure, tmp_path / "a.png", dpi=50)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_over_steps_draws_both_kinds_of_rows_where_they_are():
    rows = [
        {"step": step, "ece": ece, "confidence": 0.8, "top1_accuracy": 0.8 - ece}
        for step, ece in ((0, 0.2), (4, 0.1))
    ]
    left, right = plots.over_steps(rows, rows[1:], measure="ece").axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in (*left.lines, *right.lines)}
    assert drawn == {
        "training rows": [[4, 0.1]],
        "evaluations": [[0, 0.2], [4, 0.1]],
        "confidence": [[0, 0.8], [4, 0.8]],
        "accuracy": [[0, pytest.approx(0.6)], [4, pytest.approx(0.7)]],
    }
    assert left.get_ylim()[0] == 0.0
    assert [line.get_label() for line in plots.over_steps(rows, measure="ece").axes[0].lines] == [
        "evaluations"
    ]
