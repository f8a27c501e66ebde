"""Pairs asked and measured: every number by hand, what is left out, a study that goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import calib
from calib.records import InputError, Item
from calib.report.twins_tables import rate_table
from calib.runs import open_run
from calib.tasks import Task, load_task
from calib.twin_sets.evaluate import scored_answers
from calib.twin_sets.file import make_twins
from calib.twin_sets.make import make
from calib.twin_sets.measures import Outcome, by_way
from calib.twin_sets.pairs import pairs_in, with_idk
from tests.twin_sets.rooms import Knowing, rooms


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("twins")
    make_twins(rooms(root), root / "made")
    return root


@pytest.fixture(scope="module")
def done(folder: Path) -> calib.Twins:
    return calib.evaluate_twins(Knowing(), folder / "made", out=folder / "out")


def ways(done: calib.Twins) -> dict[str, Any]:
    return {row["how"]: row for row in done.results["ways"]}


def test_the_numbers_of_every_way_by_hand(done: calib.Twins, folder: Path):
    scores = open_run(done.path / "scores").scores().set_index("id")
    task = {item.id: item for item in load_task(folder / "made" / "twins.jsonl").items}
    assert len(scores) == len(task) == done.results["questions"] == 144
    said = {}
    for name, row in scores.iterrows():
        place = list(row["options"]).index("I don't know")
        assert place == len(task[name].options) == len(row["options"]) - 1
        best = int(np.argmax(row["prob"]))
        said[name] = (best == place, best == task[name].answer, row["prob"][place])
    holm, n = [], 0
    for way, row in ways(done).items():
        twins = [item for item in task.values() if item.meta.get("how") == way]
        pairs = [(said[str(item.meta["pair"])], said[item.id]) for item in twins]
        rates = {name: rate["value"] for name, rate in row["rates"].items()}
        assert row["pairs"] == len(pairs) == (16 if way == "noun" else 32)
        assert rates == {
            "dual": pytest.approx(np.mean([q[1] and t[0] for q, t in pairs])),
            "accuracy": pytest.approx(np.mean([q[1] for q, _ in pairs])),
            "abstains_twin": pytest.approx(np.mean([t[0] for _, t in pairs])),
            "abstains": pytest.approx(np.mean([q[0] for q, _ in pairs])),
            "mass_twin": pytest.approx(np.mean([t[2] for _, t in pairs])),
            "mass": pytest.approx(np.mean([q[2] for q, _ in pairs])),
        }
        tests = {t["measure"]: t for t in done.results["tests"] if t["how"] == way}
        assert tests["abstention"]["value"] == pytest.approx(
            rates["abstains_twin"] - rates["abstains"]
        )
        assert tests["mass"]["value"] == pytest.approx(rates["mass_twin"] - rates["mass"])
        n += len(tests)
        holm += [t for t in tests.values() if t["p"] is not None]
    ordered = sorted(holm, key=lambda t: t["p"])
    largest = 0.0
    for place, test in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - place) * test["p"]))
        assert test["holm"] == pytest.approx(largest)
    assert n == 8


def test_what_is_grey_is_abstained_from_and_shown_to_be(done: calib.Twins):
    row = ways(done)["mask"]
    assert row["rates"]["abstains_twin"]["value"] == 1.0 and row["clusters"] == 16
    assert row["rates"]["dual"]["value"] == row["rates"]["accuracy"]["value"]
    assert row["shown"]["unanswerable"] == {"right": 0, "refused": 32, "wrong": 0}
    test = next(t for t in done.results["tests"] if (t["how"], t["measure"]) == ("mask", "mass"))
    assert test["value"] > 0 and test["holm"] < 0.05 and test["low"] > 0


def test_the_p_of_pairs_that_stand_alone_is_mcnemars():
    rng = np.random.default_rng(3)
    own = [
        Outcome(str(k), "given", str(k), True, bool(rng.random() < 0.2), bool(rng.random() < 0.5))
        for k in range(80)
    ]
    rows, (test,) = by_way(own, 0)
    gained = sum(o.abstains_twin and not o.abstains for o in own)
    lost = sum(o.abstains and not o.abstains_twin for o in own)
    assert test["p"] == pytest.approx(stats.binomtest(gained, gained + lost).pvalue)
    assert test["value"] == pytest.approx((gained - lost) / 80)
    dual = rows[0]["rates"]["dual"]
    hits = sum(o.abstains_twin for o in own)
    bounds = stats.binomtest(hits, 80).proportion_ci(method="wilson")
    assert (dual["low"], dual["high"]) == (pytest.approx(bounds.low), pytest.approx(bounds.high))
    assert set(rows[0]["rates"]) == {"dual", "accuracy", "abstains_twin", "abstains"}


def test_pairs_of_one_cluster_have_no_interval():
    own = [Outcome(str(k), "given", "a", True, False, True, 0.1, 0.3) for k in range(5)]
    rows, tests = by_way(own, 0)
    assert rows[0]["rates"]["mass"]["value"] == pytest.approx(0.1)
    assert rows[0]["rates"]["mass"]["low"] is None and "none" in rows[0]["rates"]["mass"]["method"]
    assert [(t["p"], t["holm"], t["low"]) for t in tests] == [(None, None, None)] * 2
    assert tests[1]["value"] == pytest.approx(0.2)


def test_what_each_pair_came_to_is_kept(done: calib.Twins):
    rows = [json.loads(line) for line in (done.path / "pairs.jsonl").read_text().splitlines()]
    assert len(rows) == done.results["pairs"] == 112
    assert all(row["dual"] == (row["right"] and row["abstains_twin"]) for row in rows)


def test_it_goes_on_where_it_was_stopped(folder: Path, done: calib.Twins):
    Knowing.batches, Knowing.stops_after = 0, 9
    with pytest.raises(KeyboardInterrupt):
        calib.evaluate_twins(Knowing(), folder / "made", out=folder / "again")
    Knowing.batches, Knowing.stops_after = 0, 0
    again = calib.evaluate_twins(Knowing(), folder / "made", out=folder / "again")
    assert Knowing.batches == 36 - 8
    assert again.results == done.results
    Knowing.batches = 0
    assert calib.evaluate_twins(Knowing(), folder / "made", out=folder / "again").results
    assert Knowing.batches == 0
    with pytest.raises(InputError, match="belongs to another run"):
        calib.evaluate_twins(Knowing(), folder / "made", out=folder / "again", idk="No idea")


def test_pairs_in_memory_give_the_same(folder: Path, done: calib.Twins):
    task = make(rooms(folder)).task
    found = calib.evaluate_twins(Knowing(), task, out=folder / "memory").results
    assert found["ways"] == done.results["ways"] and found["tests"] == done.results["tests"]
    assert found["made"] is None and done.results["made"]["questions"] == 48


def test_a_limit_draws_questions_with_all_of_their_twins(folder: Path):
    some = calib.evaluate_twins(Knowing(), folder / "made", limit=4, out=folder / "some").results
    assert {row["how"]: row["pairs"] for row in some["ways"]}["mask"] == 4
    one = calib.evaluate_twins(Knowing(), folder / "made", limit=1, out=folder / "one").results
    assert all(test["p"] is None for test in one["tests"])


QUESTION = Item("a", "What?", (), ("x", "y", "z"), 1, None, {"pair": "p"})
TWIN = replace(QUESTION, id="b", answer=None, meta={"pair": "p", "answerable": False})


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([QUESTION], "every question of the pair can be answered"),
        ([TWIN], "no question of the pair can be answered"),
        ([QUESTION, replace(QUESTION, id="c"), TWIN], "several questions of the pair can be"),
        ([QUESTION, TWIN, replace(TWIN, id="c")], "several twins of the pair are of one way"),
        ([QUESTION, replace(TWIN, options=())], "one has options and another has none"),
        ([replace(QUESTION, answer=None), TWIN], "its question has no answer"),
        ([replace(QUESTION, meta={}), TWIN], "the question names no pair"),
        ([replace(QUESTION, meta={"pair": " "}), TWIN], "the question names no pair"),
        (
            [replace(QUESTION, options=("x", "I don't know")), TWIN],
            "right answer is not to know",
        ),
    ],
)
def test_what_is_no_pair_is_left_out_and_named(items: list[Item], told: str, tmp_path: Path):
    pairs, left_out = pairs_in(items)
    assert pairs == [] and any(told in reason for reason in left_out)
    with pytest.raises(InputError, match="it holds no whole pair; 1 left out"):
        calib.evaluate_twins(Knowing(), Task("t", tuple(items)), out=tmp_path / "x")


def test_incomplete_pairs_stand_beside_whole_ones(folder: Path):
    task = make(rooms(folder), "mask").task
    items = (*task.items, replace(QUESTION, id="alone", meta={"pair": "alone"}))
    found = calib.evaluate_twins(Knowing(), Task("t", items), out=folder / "beside").results
    assert found["pairs"] == 32
    assert found["left_out"] == [
        {
            "reason": "every question of the pair can be answered",
            "number": 1,
            "first": ["alone"],
        }
    ]


def test_the_option_is_added_once_and_is_right_of_twins_alone():
    asked = with_idk(TWIN, "Cannot be told")
    assert asked.options[-1] == "Cannot be told" and asked.answer == asked.meta["idk"] == 3
    assert with_idk(QUESTION, "Cannot be told").answer == 1
    own = replace(TWIN, options=("x", "None of the above", "y"))
    assert with_idk(own, "none of  the Above").answer == 1
    assert len(with_idk(own, "none of the above").options) == 3
    known = replace(TWIN, options=("x", "I don't know", "y"))
    assert with_idk(known, "Cannot be told").options == known.options


@pytest.mark.parametrize("own", ["I cannot tell", "Cannot be determined", "unknown"])
def test_an_abstention_that_a_question_lists_is_the_one_that_counts(own: str):
    asked = with_idk(replace(QUESTION, options=("x", "y", own)), "I don't know")
    assert asked.options == ("x", "y", own)
    row = {"id": asked.id, "confidence": 0.5, "prob": [0.2, 0.3, 0.5], "prediction": 2}
    said = scored_answers([row], {asked.id: asked})[asked.id]
    assert (said.abstains, said.right, said.mass) == (True, False, 0.5)
    several = replace(asked, options=("x", "I don't know", own))
    said = scored_answers([row], {asked.id: several})[asked.id]
    assert said.abstains and said.mass == pytest.approx(0.8)
    named = with_idk(replace(asked, options=("x", own, "None of them")), "none of them")
    said = scored_answers([row], {asked.id: named})[asked.id]
    assert said.abstains and said.mass == pytest.approx(0.8)


FREE = {
    "mine": lambda k: Item(
        f"{k}", "What is the capital?", (), (), None, None, {"aliases": ("Paris",), "pair": str(k)}
    ),
    "twin": lambda k: Item(
        f"{k}t", "What is the capital?", (), (), None, None, {"pair": str(k), "answerable": False}
    ),
}


def test_a_way_without_mass_says_why():
    own = [Outcome("a", "mask", "a", True, False, True, 0.1, 0.2)]
    own += [Outcome("b", "mask", "b", True, False, True), replace(own[0], how="swap")]
    rows, _ = by_way(own, 0)
    table = rate_table({"ways": rows, "idk": "I don't know"})
    assert table.note.endswith("By mask there is none: 1 of 2 pairs have no options.")
    rows, _ = by_way(own[1:2], 0)
    assert "there is none" not in rate_table({"ways": rows, "idk": None}).note


def test_questions_without_options_are_asked_in_words(folder: Path, tmp_path: Path):
    grey = make(rooms(folder), "mask", limit=1).task.items[1].images
    makers: dict[str, Callable[[int], Item]] = FREE
    items = [makers["mine"](k) for k in range(12)]
    items += [replace(makers["twin"](k), images=grey if k < 9 else ()) for k in range(12)]
    found = calib.evaluate_twins(Knowing(), Task("words", tuple(items)), out=tmp_path / "x")
    (row,) = found.results["ways"]
    values = {name: rate["value"] for name, rate in row["rates"].items()}
    assert values == {"dual": 0.75, "accuracy": 1.0, "abstains_twin": 0.75, "abstains": 0.0}
    (test,) = found.results["tests"]
    assert test["p"] == pytest.approx(2 * 0.5**9) and row["how"] == "given"
    texts = open_run(found.path / "answers").items()
    assert all("if you don't know the answer" in item.question for item in texts)


MM_UPD = """index\tquestion\thint\tA\tB\tC\tD\tanswer\tcategory\tsource\ttype\tmasked_answer
7\tWhat is it?\tnan\tcat\tdog\tcow\t\tB\tanimals\tx\tstandard\t
7\tWhat is it?\t\tcat\tcow\t\t\tF\tanimals\tx\tupd\tdog
8\tWhich one?\t\tred\tblue\t\t\tA\tcolours\tx\tstandard\t
8\tWhich one?\tlook\tblue\tgreen\t\t\tC\tcolours\tx\tupd\tred
"""


def test_mm_upd_loads_by_its_columns(tmp_path: Path):
    (tmp_path / "mm.tsv").write_text(MM_UPD)
    with pytest.warns(UserWarning, match="no question uses the column 'source'$"):
        task = load_task(tmp_path / "mm.tsv")
    assert [item.id for item in task.items] == ["7-standard", "7-upd", "8-standard", "8-upd"]
    assert [item.meta["pair"] for item in task.items] == ["7", "7", "8", "8"]
    assert [item.answer for item in task.items] == [1, None, 0, None]
    assert task.items[0].options == ("cat", "dog", "cow") and "hint" not in task.items[0].meta
    assert task.items[3].meta["hint"] == "look" and "masked_answer" not in task.items[1].meta
    pairs, left_out = pairs_in(task.items)
    assert [pair.how for pair in pairs] == ["upd", "upd"] and left_out == {}
    found = calib.evaluate_twins(Knowing(), task, out=tmp_path / "out").results
    assert found["pairs"] == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"idk": " "}, "idk: expected the text of an option"),
        ({"prompt": "options"}, "prompt: expected one of letters"),
        ({"max_new_tokens": 0}, "max_new_tokens: expected a positive whole number"),
        ({"seed": -1}, "seed: expected"),
        ({"limit": 0}, "limit: expected"),
    ],
)
def test_what_cannot_be_asked_is_refused_first(
    folder: Path, arguments: dict[str, Any], told: str, tmp_path: Path
):
    with pytest.raises(InputError, match=told):
        calib.evaluate_twins(Knowing(), folder / "made", out=tmp_path / "x", **arguments)
    assert not (tmp_path / "x").exists()


def test_a_folder_without_pairs_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"there is no twins\.jsonl; calib twins make writes one"):
        calib.evaluate_twins(Knowing(), tmp_path)
