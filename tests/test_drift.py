"""``calib drift``: seldom a false alarm, each outcome counted once, the same after a stop."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.calibrators import CALIBRATORS, judged
from calib.calibrators.temperature import TemperatureScaling, softmax
from calib.intervals.betting import MOST, Evidence
from calib.summary.drift_state import Asked, State
from tests.coverage import MARGIN, NULLS, Right, over, weeks_to_alarm

LIMIT = 73
"""False alarms in 1,000: the 99.9 % limit of a binomial of 0.05."""


def alarms(right: Right, weeks: int, week_size: int, sets: int = 1000) -> int:
    """Of ``sets`` streams those with an alarm at the end of any week."""
    return sum(week < math.inf for week in weeks_to_alarm(right, weeks, week_size, sets))


@pytest.mark.parametrize("name", NULLS)
def test_false_alarms_are_as_rare_as_promised(name):
    assert alarms(NULLS[name], weeks=12, week_size=200) <= LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("name", NULLS)
def test_false_alarms_are_rare_when_looked_at_after_every_outcome(name):
    assert alarms(NULLS[name], weeks=300, week_size=1) <= LIMIT


def test_a_margin_of_zero_is_an_exact_null():
    rng = np.random.default_rng(1)
    alarmed = 0
    for _ in range(1000):
        evidence, alarm = Evidence(0.0), False
        for _ in range(8):
            evidence = evidence.after((rng.random(100) < 0.8) - 0.8)
            alarm = alarm or evidence.value >= 20
        alarmed += alarm
    assert alarmed <= LIMIT


def test_an_adversary_who_sees_the_bets_gains_nothing():
    """Each week's mean is set, within the margin, to the side on which more has been won."""
    rng = np.random.default_rng(2)
    alarmed = 0
    for _ in range(1000):
        evidence, alarm = Evidence(MARGIN), False
        for _ in range(12):
            side = 1 if sum(evidence.above) > sum(evidence.below) else -1
            evidence = evidence.after((rng.random(60) < 0.7 + side * MARGIN) - 0.7)
            alarm = alarm or evidence.value >= 20
        alarmed += alarm
    assert alarmed <= LIMIT


def test_outcomes_of_a_cluster_count_once():
    """Clusters of 12 that share their luck: as single outcomes they would raise false alarms."""
    rng = np.random.default_rng(3)
    asked = Asked(MARGIN, 0.05, 0, None)
    once = each = 0
    for _ in range(300):
        state, evidence = State(asked, Evidence(MARGIN)), Evidence(MARGIN)
        most = 0.0
        for week in range(4):
            d = np.repeat((rng.random(20) < 0.7) - 0.7, 12)
            keys = [f"{week} {k // 12}" for k in range(240)]
            state.take("f", "d", [f"{week} {k}" for k in range(240)], keys, d)
            evidence = evidence.after(d)
            most = max(most, evidence.value)
        once += state.alarm is not None
        each += most >= 20
    assert once <= 27 < each  # 27 of 300: 99.9 %


def test_drift_is_found_and_late_drift_too():
    """What docs/deploying.md says of power, of which the table has more."""
    assert alarms(over(0.10, 0), weeks=8, week_size=200, sets=100) >= 90
    assert alarms(over(0.10, 20), weeks=30, week_size=200, sets=50) >= 45


def test_the_evidence_is_what_its_definition_says():
    """A weighted mean of products over every start, bet and side, each worked out by itself."""
    rng = np.random.default_rng(4)
    weeks = [rng.uniform(-1, 1, size) for size in (3, 1, 7, 2)]
    evidence = Evidence(0.1)
    for week in weeks:
        evidence = evidence.after(week)
    products = []
    for start in range(4):
        after = np.concatenate(weeks[start:])
        for power in range(1, 9):
            for side in (1, -1):
                bet = 0.5**power / 1.1
                product = math.prod(1 + bet * (side * d - 0.1) for d in after)
                products.append(product / ((start + 1) * (start + 2)) / 16)
    assert evidence.value == pytest.approx(sum(products) + 1 / 5, rel=1e-12)
    assert Evidence(0.1).value == 1
    assert evidence.after([]) == evidence
    again = Evidence(0.1)
    for week in weeks:
        again = again.after(week[::-1])  # the order inside a week is nothing
    assert again.value == pytest.approx(evidence.value, rel=1e-12)


def test_evidence_stays_a_number():
    evidence = Evidence(0.0)
    for sign in (1, -1, 1):
        evidence = evidence.after(np.full(200_000, sign))
        assert np.isfinite(evidence.value)
    assert max(evidence.above) <= MOST
    with pytest.raises(ValueError, match=r"in \[-1, 1\]"):
        evidence.after([2.0])


def write(path: Path, start: int, n: int, over: float = 0.0, cluster: bool = False) -> Path:
    rng = np.random.default_rng(start)
    c = rng.uniform(0.5, 1, n).round(3)
    a = (rng.random(n) < c - over).astype(int)
    head = "id,confidence,correct" + (",cluster" if cluster else "")
    lines = [
        f"q{start + k},{c[k]},{a[k]}" + (f",i{(start + k) // 4}" if cluster else "")
        for k in range(n)
    ]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_weeks_are_carried_and_the_same_file_counts_once(tmp_path):
    state = tmp_path / "drift.json"
    files = [write(tmp_path / f"w{k}.csv", 1000 * k, 300, 0.25 * (k > 1)) for k in range(4)]
    first = calib.drift(files[0], state=state)
    kept = state.read_bytes()
    assert calib.drift(files[0], state=state) == first
    assert state.read_bytes() == kept
    assert (first.week.new, first.n, first.alarm) == (300, 300, None)
    found = [calib.drift(file, state=state) for file in files[1:]]
    assert [each.alarm for each in found] == [None, "w2.csv", "w2.csv"]
    assert found[-1].n == 1200
    assert calib.drift(files[0], state=state).alarm == "w2.csv"  # an alarm stays
    # The same evidence as of one process that is never stopped.
    kept = State(Asked(0.02, 0.05, 0, None), Evidence(0.02))
    for file in files:
        rows = calib.read_log(file).rows()
        ids = [row["id"] for row in rows]
        kept.take("", "", ids, ids, np.array([r["correct"] - r["confidence"] for r in rows]))
    assert kept.evidence.value == found[-1].week.evidence


def test_an_earlier_file_again_says_what_it_said_and_what_all_say(tmp_path):
    state = tmp_path / "drift.json"
    good = [write(tmp_path / f"g{k}.csv", 1000 * k, 300) for k in range(6)]
    bad = [write(tmp_path / f"b{k}.csv", 1000 * k + 10_000, 300, 0.3) for k in range(3)]
    said = [str(calib.drift(file, state=state)) for file in (*good, *bad)]
    kept = state.read_bytes()
    assert "no alarm" in said[0] and "ALARM since b" in said[-1]
    last = calib.drift(bad[-1], state=state)
    assert (str(last), last.then, last.later) == (said[-1], None, 0)
    again = calib.drift(good[0], state=state)
    assert str(again.then) == said[0]
    line, since = str(again)[: len(said[0])], str(again)[len(said[0]) :]
    assert line == said[0]
    assert since == (
        f"; 8 files since: ALARM since {last.alarm}; evidence {last.evidence:.3g}; in all 2,700, "
        f"{last.difference:+.3f}"
    )
    # The alarm and the totals are those of all files, as they are for the last one.
    assert (again.alarm, again.n, again.difference) == (last.alarm, 2700, last.difference)
    assert (again.then.alarm, again.then.n) == (None, 300)
    ran = CliRunner().invoke(cli.app, ["drift", str(good[0]), "--state", str(state)])
    assert (ran.exit_code, ran.stdout.strip()) == (3, str(again))
    assert state.read_bytes() == kept


def test_rows_that_come_again_are_left_out(tmp_path):
    """A file that grows, and questions about one picture in two weeks."""
    state = tmp_path / "drift.json"
    calib.drift(write(tmp_path / "a.csv", 0, 100, cluster=True), state=state)
    grown = calib.drift(write(tmp_path / "b.csv", 0, 160, cluster=True), state=state)
    assert (grown.week.new, grown.week.left_out, grown.n) == (15, 145, 40)
    same = calib.drift(write(tmp_path / "c.csv", 50, 100, cluster=True), state=state)
    assert same.week.new == 0
    assert same.week.difference is None
    assert same.week.evidence == grown.week.evidence
    assert "100 rows left out" in str(same)


def test_the_confidence_is_that_of_the_calibrator(tmp_path):
    rng = np.random.default_rng(5)
    z = 4 * rng.normal(size=(900, 3))
    y = [int(rng.choice(3, p=row)) for row in softmax(z / 3)]
    saved = TemperatureScaling().fit(z[:500], y[:500]).save(tmp_path / "temperature.json")
    table = tmp_path / "week.jsonl"
    table.write_text(
        "".join(
            json.dumps({"id": k, "logits": z[k].tolist(), "label": y[k]}) + "\n"
            for k in range(500, 900)
        )
    )
    raw = calib.drift(table, state=tmp_path / "raw.json")
    held = calib.drift(table, state=tmp_path / "held.json", calibrator=saved)
    assert raw.alarm == "week.jsonl"
    assert held.alarm is None
    p = calib.TemperatureScaling.load(saved).predict_proba(z[500:]).max(axis=1)
    right = z[500:].argmax(axis=1) == y[500:]
    assert held.difference == pytest.approx((right - p).mean(), abs=1e-6)  # logits as float32
    with pytest.raises(calib.InputError, match="begun with calibrator"):
        calib.drift(table, state=tmp_path / "held.json")
    # A table without options says no scores: they would be those of right and wrong.
    stated = write(tmp_path / "stated.csv", 0, 50)
    with pytest.raises(calib.InputError, match="the table has confidences alone"):
        calib.drift(stated, calibrator=saved)
    fitted = calib.TemperatureScaling.load(saved)
    with pytest.raises(calib.InputError, match="was fitted to scores of options"):
        of_options = {"made for": {"scores": "options"}}
        calib.drift(stated, calibrator=fitted.save(tmp_path / "options.json", of_options))
    saved = fitted.save(tmp_path / "stated.json", {"made for": {"scores": "stated"}})
    with pytest.raises(calib.InputError, match="the table has scores of options"):
        calib.drift(table, calibrator=saved)
    t = fitted.temperature_
    rows = calib.read_log(stated).rows()
    c = np.array([row["confidence"] for row in rows])
    odds = (c / (1 - c)) ** (1 / t)
    expected = np.mean([row["correct"] for row in rows]) - (odds / (1 + odds)).mean()
    assert calib.drift(stated, calibrator=saved).difference == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", CALIBRATORS)
def test_every_calibrator_says_the_same_of_scores_and_of_their_confidence(tmp_path, name: str):
    rng = np.random.default_rng(7)
    z = 3 * rng.normal(size=(900, 3)) + [0.4, 0.0, -0.4]
    y = np.array([rng.choice(3, p=row) for row in softmax(z / 2)])
    groups = np.where(np.arange(900) % 2, "even", "odd")
    fitted = CALIBRATORS[name].load_class()()
    fitted.fit(z[:500], y[:500], groups=groups[:500])
    saved = fitted.save(tmp_path / f"{name}.json", {"made for": {"scores": "options"}})
    table, stated = tmp_path / "week.jsonl", tmp_path / "week.csv"
    rows = range(500, 900)
    table.write_text(
        "".join(
            json.dumps({"id": k, "logits": z[k].tolist(), "label": int(y[k]), "group": groups[k]})
            + "\n"
            for k in rows
        )
    )
    found = calib.drift(table, calibrator=saved)
    said = judged(fitted, z[500:], groups=groups[500:])
    right = said.prediction == y[500:]
    assert found.difference == pytest.approx((right - said.confidence).mean(), abs=1e-6)
    c, hits = softmax(z[500:]).max(axis=1), z[500:].argmax(axis=1) == y[500:]
    lines = [f"{k},{float(c[k - 500])!r},{int(hits[k - 500])}" for k in rows]
    stated.write_text("\n".join(["id,confidence,correct", *lines]))
    if fitted.of_confidence:
        alone = calib.drift(stated, calibrator=saved)
        assert alone.difference == pytest.approx(found.difference, abs=1e-6)
    else:
        with pytest.raises(calib.InputError, match="confidences alone"):
            calib.drift(stated, calibrator=saved)


def test_exit_codes_and_one_line(tmp_path):
    runner = CliRunner()
    state = str(tmp_path / "s.json")
    for k, less in enumerate((0.0, 0.4)):
        file = write(tmp_path / f"w{k}.csv", 1000 * k, 300, less)
        ended = runner.invoke(cli.app, ["drift", str(file), "--state", state])
        assert ended.exit_code == (3 if less else 0)
        assert ended.stdout.count("\n") == 1
        assert ended.stdout.startswith("drift: ALARM since w1.csv" if less else "drift: no alarm")
        again = runner.invoke(cli.app, ["drift", str(file), "--state", state])
        assert (again.exit_code, again.stdout) == (ended.exit_code, ended.stdout)


def test_a_strange_name_is_one_line_and_kept(tmp_path):
    state = tmp_path / "s.json"
    table = tmp_path / os.fsdecode(b"we\nek [red]\xff.csv")
    write(table, 0, 20)
    for _ in range(2):
        ended = CliRunner().invoke(cli.app, ["drift", str(table), "--state", str(state)])
        assert (ended.exit_code, ended.stdout.count("\n")) == (0, 1)
        assert "we ek [red]?.csv" in ended.stdout
    assert calib.drift(write(tmp_path / "b.csv", 50, 20), state=state).n == 40


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("confidence,correct\n0.5,1\n", {}, "expected a column id or cluster"),
        ("id,confidence,correct\na,1.5,1\n", {}, "expected a number from 0 to 1"),
        ("id,confidence,correct\na,0.5,1\n", {"margin": 1}, "margin: expected a number between"),
        ("id,confidence,correct\na,0.5,1\n", {"alpha": 0}, "alpha: expected a number between"),
        ("id,confidence,correct\na,0.5,1\n", {"seed": -1}, "seed"),
        ("id,confidence,correct\na,0.5,1\n", {"calibrator": "none.json"}, "no such file"),
        ("id,confidence,correct\na,0.5,1\n", {"state": "no/such/state.json"}, "there is no folder"),
    ],
)
def test_what_cannot_be_judged_is_refused(tmp_path, text, settings, said):
    table = tmp_path / "week.csv"
    table.write_text(text)
    with pytest.raises(calib.InputError, match=said):
        calib.drift(table, **settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "calib.temperature/1"),
        ("above", [1.0]),
        ("above", [-1.0] * 8),
        ("alarm", 3),
        ("weeks", [{}]),
        ("counted", "all"),
        ("n", None),
    ],
)
def test_a_damaged_state_is_refused(tmp_path, name, value):
    table, state = write(tmp_path / "week.csv", 0, 20), tmp_path / "drift.json"
    calib.drift(table, state=state)
    content = json.loads(state.read_text())
    state.write_text(json.dumps({**content, name: value}))
    with pytest.raises(calib.InputError, match=r"drift\.json"):
        calib.drift(table, state=state)
    state.write_text("{")
    with pytest.raises(calib.InputError, match="not JSON"):
        calib.drift(table, state=state)


def test_columns_may_be_named(tmp_path):
    table = tmp_path / "week.csv"
    table.write_text("id,sure,ok\na,0.5,1\nb,0.7,0\n")
    runner = CliRunner()
    asked = ["drift", str(table), "--state", str(tmp_path / "s.json"), "--format_args"]
    ended = runner.invoke(cli.app, [*asked, "confidence=sure,correct=ok"])
    assert (ended.exit_code, "2 new outcomes" in ended.stdout) == (0, True)
    for wrong in ("state=x", "confidence=none"):
        ended = runner.invoke(cli.app, [*asked, wrong])
        assert ended.exit_code == 2
        assert ended.stderr.startswith("calib: ")


def test_a_state_is_asked_about_as_it_was_begun(tmp_path):
    table, state = write(tmp_path / "week.csv", 0, 20), tmp_path / "drift.json"
    calib.drift(table, state=state)
    for settings in ({"margin": 0.05}, {"alpha": 0.01}, {"seed": 1}):
        with pytest.raises(calib.InputError, match="choose another --state"):
            calib.drift(table, state=state, **settings)
