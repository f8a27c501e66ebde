"""Lettered options in several orders: golden cases on a model whose position bias is known."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib.cli import app
from calib.models.orders import averaged, planned, sets_of, turned
from calib.models.protocol import Scoring
from calib.records import InputError, Item
from calib.report.formats import percent
from calib.runs import open_run
from calib.tasks import Task
from tests.drives import stop_after
from tests.fake_model import Fake, Scores

BIAS = (0.6, 0.2, 0.15, 0.05)
"""What the models below give the positions; the first option is the right one where i % 4 == 0."""
SHARE = 0.5


def question(i: int, count: int = 4) -> Item:
    options = tuple(f"{'right' if k == i % count else 'wrong'} {i} {k}" for k in range(count))
    return Item(
        f"q{i}", f"Question {i}?", options=options, answer=i % count, meta={"cluster": f"c{i // 2}"}
    )


def knowledge(item: Item) -> list[float]:
    """(O,) what the model would say without bias: sure of the right option, in varying degree."""
    i = int(item.id.removeprefix("q"))
    sure = 0.52 + 0.02 * (i % 20)
    rest = (1 - sure) / (len(item.options) - 1)
    return [sure if text.startswith("right") else rest for text in item.options]


class Mixed(Scores):
    """(1 - SHARE) of what it knows and SHARE of the bias: a mean over all orders knows the rest."""

    def shares(self, item: Item) -> list[float]:
        bias = np.array(BIAS[: len(item.options)])
        mixed = (1 - SHARE) * np.array(knowledge(item)) + SHARE * bias / bias.sum()
        return list(map(float, mixed))


class Weighed(Scores):
    """What it knows times the bias: dividing by the prior gives what it knows."""

    def shares(self, item: Item) -> list[float]:
        weighed = np.array(knowledge(item)) * np.array(BIAS[: len(item.options)])
        return list(map(float, weighed / weighed.sum()))


@dataclass(init=False)
class Biased(Fake):
    plan: Any = Mixed

    def __init__(self, plan: Any = Mixed) -> None:
        super().__init__()
        self.plan = plan


def task(items: list[Item]) -> Task:
    return Task("biased", items, prompt="letters")


ITEMS = [question(i) for i in range(80)]


def test_an_order_moves_what_belongs_to_options() -> None:
    meta = {"idk": 1, "spellings": [["a"], ["b"], ["c"]], "cluster": "x"}
    item = Item("q", "?", options=("a", "b", "c"), answer=0, meta=meta)
    moved = turned(item, 1)
    assert moved.options == ("b", "c", "a") and moved.answer == 2
    assert moved.meta == {"idk": 0, "spellings": (["b"], ["c"], ["a"]), "cluster": "x"}
    assert turned(item, 0).options == item.options and turned(turned(item, 2), 1) == replace(
        item, meta={**meta, "spellings": (["a"], ["b"], ["c"])}
    )
    assert turned(replace(item, answer=None), 1).answer is None


def test_averaging_removes_a_bias_exactly(tmp_path: Path) -> None:
    run = calib.score(Biased(), task(ITEMS), out=tmp_path, orders=4)
    assert run.config["orders"] == 4
    for row, item in zip(run.rows(), ITEMS, strict=True):
        known = [(1 - SHARE) * p + SHARE / 4 for p in knowledge(item)]
        assert row["prob"] == pytest.approx(known, abs=1e-12)
        assert row["prediction"] == item.answer and row["correct"]
        assert row["confidence"] == max(row["prob"]) and row["mass"] == pytest.approx(0.5)
        assert sum(map(math.exp, row["logprob"])) == pytest.approx(row["mass"])
        assert [order["shift"] for order in row["orders"]] == [0, 1, 2, 3]
        for order in row["orders"]:
            one = Mixed([], Scoring("letters")).shares(turned(item, order["shift"]))
            assert order["prob"] == pytest.approx(one)
            assert order["prediction"] == (int(np.argmax(one)) + order["shift"]) % 4


def test_what_the_report_says_of_it(tmp_path: Path) -> None:
    run = calib.score(Biased(), task(ITEMS), out=tmp_path, orders=4)
    calib.write_report(run)
    orders = run.results["orders"]
    alone = [Mixed([], Scoring("letters")).shares(item) for item in ITEMS]
    right = [int(np.argmax(p)) == item.answer for p, item in zip(alone, ITEMS, strict=True)]
    flipped = [len({o["prediction"] for o in row["orders"]}) > 1 for row in run.rows()]
    assert 0 < sum(right) < 80 and 0 < sum(flipped) < 80
    flips = orders["flips"]
    assert flips["value"] == pytest.approx(np.mean(flipped))
    assert flips["low"] < flips["value"] < flips["high"]
    for one, bias in zip(orders["positions"], BIAS, strict=True):
        assert one["n"] == 80 and one["right"]["value"] == pytest.approx(0.25)
        assert one["difference"]["value"] == pytest.approx(SHARE * (bias - 0.25))
    metrics, tests = orders["metrics"], orders["tests"]
    assert metrics["single"]["accuracy"]["value"] == pytest.approx(np.mean(right))
    assert metrics["averaged"]["accuracy"]["value"] == 1.0
    assert tests["averaged"]["accuracy"]["value"] == pytest.approx(1 - np.mean(right))
    assert orders["changed"]["averaged"] == {
        "answers": 80 - sum(right), "gained": 80 - sum(right), "lost": 0
    }  # fmt: skip
    assert list(tests) == ["averaged", "debiased"]
    for of_way in tests.values():
        assert set(of_way) == {"accuracy", "debiased_rmsce", "brier", "nll"}
        assert all(test["holm"] >= (test["p"] or 0) for test in of_way.values())
    assert tests["averaged"]["accuracy"]["holm"] < 0.01
    page, twin = ((tmp_path / f"report.{kind}").read_text() for kind in ("html", "md"))
    for text in (page, twin):
        assert "The order of the options" in text
        assert f"{percent(flips['value'])}".replace("\N{NO-BREAK SPACE}", " ")[:3] in text
    assert (tmp_path / "tables" / "order_positions.csv").read_text().count("\n") == 5


def test_debiasing_without_labels_removes_a_prior_exactly(tmp_path: Path) -> None:
    run = calib.score(Biased(Weighed), task(ITEMS), out=tmp_path, orders=4)
    calib.write_report(run)
    orders = run.results["orders"]
    (prior,) = orders["priors"]
    assert prior["options"] == 4 and prior["n"] == 80
    assert prior["prior"] == pytest.approx(BIAS, abs=1e-9)
    assert orders["metrics"]["single"]["accuracy"]["value"] < 1
    assert orders["metrics"]["debiased"]["accuracy"]["value"] == 1.0
    expected = -np.mean([math.log(max(knowledge(item))) for item in ITEMS])
    assert orders["metrics"]["debiased"]["nll"]["value"] == pytest.approx(expected)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("plan", [Mixed, Weighed])
def test_no_starting_order_changes_an_average_over_all(count: int, plan: Any) -> None:
    how = Scoring("letters", orders=count)
    items = [question(i, count) for i in range(9)]

    def rows(shift: int) -> list[dict[str, Any]]:
        begun = [turned(item, shift) for item in items]
        made = planned(Biased(plan), begun, how)
        by = {}
        for batch in made.run(range(len(made.batches))):
            by.update(zip(made.batches[batch.number], batch.rows, strict=True))
        return [by[i] for i in range(len(items))]

    first = rows(0)
    for shift in range(1, count):
        for one, other in zip(first, rows(shift), strict=True):
            # Sums are rounded once, so even the bits are the same.
            back = [(o - shift) % count for o in range(count)]
            assert one["prob"] == [other["prob"][o] for o in back]
            assert one["logprob"] == pytest.approx([other["logprob"][o] for o in back], abs=1e-12)
            assert one["confidence"] == other["confidence"]
            assert back[one["prediction"]] == other["prediction"]


def test_one_order_is_todays_path(tmp_path: Path) -> None:
    plain = calib.score(Biased(), task(ITEMS), out=tmp_path / "plain")
    one = calib.score(Biased(), task(ITEMS), out=tmp_path / "one", orders=1)
    assert plain.rows() == one.rows() and "orders" not in one.rows()[0]
    calib.write_report(one)
    assert one.results["orders"] is None
    assert "The order of the options" not in (tmp_path / "one" / "report.md").read_text()


def test_a_run_from_before_there_were_orders_goes_on(tmp_path: Path) -> None:
    config = calib.score(Biased(), task(ITEMS), out=tmp_path).config
    before = {name: value for name, value in config.items() if name != "orders"}
    (tmp_path / "config.json").write_text(json.dumps(before))
    calib.score(Biased(), task(ITEMS), out=tmp_path)
    assert open_run(tmp_path).config["orders"] == 1
    with pytest.raises(InputError, match="orders: 1 there, 4 now"):
        calib.score(Biased(), task(ITEMS), out=tmp_path, orders=4)


@pytest.mark.parametrize("logs", ["all", "none"])
def test_a_stopped_run_goes_on(logs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how = {"orders": 3, "log_samples": logs}
    calm = calib.score(Biased(), task(ITEMS), out=tmp_path / "calm", **how)
    if logs == "all":
        with monkeypatch.context() as patch:
            stop_after(patch, 2)
            with pytest.raises(KeyboardInterrupt):
                calib.score(Biased(), task(ITEMS), out=tmp_path / "run", **how)
    else:
        lines = (tmp_path / "calm" / "histogram.jsonl").read_text().splitlines(keepends=True)
        calib.score(Biased(), task(ITEMS), out=tmp_path / "run", **how)
        (tmp_path / "run" / "histogram.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    again = calib.score(Biased(), task(ITEMS), out=tmp_path / "run", **how)
    name = "records.jsonl" if logs == "all" else "histogram.jsonl"
    assert (again.path / name).read_text() == (calm.path / name).read_text()


def test_processes_divide_the_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = calib.score(Biased(), task(ITEMS), out=tmp_path / "alone", orders=4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        run = calib.score(Biased(), task(ITEMS), out=tmp_path / "two", orders=4)
    assert len(list(run.path.glob("records-*.jsonl"))) == 2
    assert run.rows() == alone.rows()


def test_a_histogram_alone_counts_the_averages(tmp_path: Path) -> None:
    from calib.runs.histogram import read_totals

    rows = calib.score(Biased(), task(ITEMS), out=tmp_path / "all", orders=4).rows()
    calib.score(Biased(), task(ITEMS), out=tmp_path / "none", orders=4, log_samples="none")
    totals = read_totals(tmp_path / "none")
    assert totals is not None and totals.questions == 80
    assert totals.histogram.confidence.sum() == pytest.approx(sum(r["confidence"] for r in rows))
    assert totals.sums["right"] == 80


def test_questions_of_fewer_options_are_asked_in_all_of_theirs(tmp_path: Path) -> None:
    items = [question(i, 2 + i % 3) for i in range(30)]
    run = calib.score(Biased(), task(items), out=tmp_path, orders=3)
    assert [len(row["orders"]) for row in run.rows()] == [min(3, 2 + i % 3) for i in range(30)]
    calib.write_report(run)
    orders = run.results["orders"]
    assert orders["fewer"] == 10 and not orders["all"]
    assert [one["n"] for one in orders["positions"]] == [30, 30, 20, 10]
    assert "with fewer options in all of theirs" in (tmp_path / "report.md").read_text()


def test_one_cluster_has_neither_intervals_nor_a_prior(tmp_path: Path) -> None:
    items = [replace(item, meta={"cluster": "c"}) for item in ITEMS[:12]]
    run = calib.score(Biased(), task(items), out=tmp_path, orders=4)
    calib.write_report(run)
    orders = run.results["orders"]
    assert orders["flips"]["low"] is None and list(orders["tests"]) == ["averaged"]
    assert orders["tests"]["averaged"] == {}


def test_a_row_that_is_not_known_is_not_judged(tmp_path: Path) -> None:
    class Lost(Mixed):
        def row(self, item: Item) -> dict[str, Any]:
            row = super().row(item)
            if item.id != "q3" or item.options[0].endswith("0"):
                return row
            nan = [math.nan] * 4
            return {**row, "prob": nan, "logprob": nan, "mass": math.nan, "valid": False}

    run = calib.score(Biased(Lost), task(ITEMS), out=tmp_path, orders=4)
    row = run.rows()[3]
    assert row["confidence"] is None and not row["valid"] and not row["correct"]
    calib.write_report(run)
    assert run.results["counts"]["invalid"] == 1 and run.results["orders"]["n"] == 79


def test_orders_of_one_question_apart_are_noticed() -> None:
    how = Scoring("letters", orders=4)
    assert sets_of([turned(ITEMS[i], s) for i in (0, 1) for s in range(4)], 4) == [
        [0, 1, 2, 3], [4, 5, 6, 7]
    ]  # fmt: skip

    class Apart(Biased):
        def scores(self, items: Any, how: Any) -> Any:
            return Mixed(items, how, [[0, 4, 5, 6, 7], [1, 2, 3]])

    plan = planned(Apart(), ITEMS[:2], how)
    with pytest.raises((ValueError, KeyError)):
        list(plan.run([0]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"orders": 0}, "orders: expected a positive whole number, got 0"),
        ({"orders": True}, "orders: expected a positive whole number, got True"),
        ({"orders": 5}, "orders: expected at most 4, the most options of a question, got 5"),
        (
            {"orders": 2, "prompt": "listed"},
            "orders: expected prompt letters, llava or paper with 2 orders, got listed",
        ),
        ({"orders": 2, "prompt": "reason"}, "expected prompt letters, llava or paper"),
        ({"orders": 2, "confidence": "vocab"}, "confidence: 'vocab' is a probability behind one"),
        ({"orders": 2, "normalize": "mean"}, "normalize: 'mean' gives no probabilities that could"),
        ({"orders": 2, "thinking": "on"}, "thinking: thoughts are about one order of the options"),
    ],
)
def test_what_cannot_be_averaged_is_refused(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        calib.score(Biased(), task(ITEMS), out=tmp_path / "run", **settings)
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_reasoning_about_one_order_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    reasoned = replace(ITEMS[0], meta={"reasoning": "(A) it is"})
    with pytest.raises(InputError, match="item 'q0': its reasoning is about one order"):
        calib.score(Biased(), task([reasoned]), out=tmp_path / "run", orders=2)
    arguments = ["score", "--model", str(tiny_model), "--tasks", "easy-vqa", "--orders", "2"]
    for more, message in (
        (["--reason"], "--reason: reasoning is about one order of the options"),
        ([], "orders: expected prompt letters, llava or paper with 2 orders, got options"),
    ):
        result = CliRunner().invoke(app, [*arguments, "--limit", "3", *more])
        assert result.exit_code == 2 and message in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda orders: orders[1].update(shift=2), "order 1 has shift 2"),
        (lambda orders: orders[1].update(prediction=4), "order 1 has shift 1 and prediction 4"),
        (lambda orders: orders[0]["prob"].pop(), "prob of order 0 has 3 values"),
        (lambda orders: orders[2].update(prob=[1, 0, 0, 0]), "but the mean over its orders is"),
        (lambda orders: orders[2].update(prob="x"), "order 2: prob: expected a list of numbers"),
        (lambda orders: orders.append(3), "orders: expected a list of objects"),
    ],
)
def test_damaged_orders_are_refused(change: Any, message: str, tmp_path: Path) -> None:
    run = calib.score(Biased(), task(ITEMS), out=tmp_path, orders=4)
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    row = json.loads(lines[5])
    change(row["orders"])
    lines[5] = json.dumps(row)
    (tmp_path / "records.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=message) as caught:
        run.rows()
    assert "line 6" in str(caught.value)


def test_shares_that_end_at_zero_keep_their_logarithms() -> None:
    """A float32 probability ends at 1e-45; the logarithms go on, and so does NLL."""
    row = {"prob": [1.0, 0.0], "logprob": [0.0, -200.0], "mass": 1.0, "prediction": 0}
    rows = [{**row, "parsed": True, "valid": True} for _ in range(2)]
    rows[1] |= {"prob": [0.0, 1.0], "logprob": [-200.0, 0.0], "prediction": 1}
    mean = averaged(rows, 1)
    assert mean["prob"] == [1.0, 0.0]
    assert mean["logprob"] == pytest.approx([0.0, -200.0])
