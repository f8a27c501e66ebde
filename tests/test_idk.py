"""Known and unknown, refused and answered: counts, labels, quadrants, rates and rows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from calib.idk import (
    ARMS,
    Draws,
    Outcome,
    arm,
    card,
    compare,
    count,
    evaluate,
    need,
    parts,
    preference_rows,
    quadrant,
    record_rows,
    sft_rows,
    sweep,
)
from calib.judge import letter
from calib.records import Answer, CalibError, InputError, Item, Verdict


def item(name: str = "q", **meta: object) -> Item:
    return Item(name, "Which?", (Path("x.png"),), ("red", "blue"), 0, meta=meta)


def drawn(correct: int, n: int = 10, name: str = "q", **meta: object) -> Draws:
    return Draws(item(name, **meta), n, correct, 0, 0, "red" if correct else None, "blue")


def outcomes(counts: dict[tuple[bool, bool, bool], int], per_image: int = 1) -> list[Outcome]:
    """(known, refused, correct) -> how many."""
    keys = [key for key, times in counts.items() for _ in range(times)]
    cluster = [None if per_image == 1 else str(i // per_image) for i in range(len(keys))]
    return [
        Outcome(str(i), *key, cluster=c)
        for i, (key, c) in enumerate(zip(keys, cluster, strict=True))
    ]


def test_counts_of_judged_samples() -> None:
    answers = ["B", "A", Answer("(A)"), "I don't know", "both, I think"]
    found = count(item(), answers, [letter(a, item()) for a in answers])
    assert (found.n, found.correct, found.refused, found.unparsed) == (5, 2, 1, 1)
    assert (found.right, found.wrong) == ("A", "B")
    with pytest.raises(ValueError, match="got 1 for 2"):
        count(item(), ["A", "B"], [Verdict(True, 0, False, "")])
    with pytest.raises(ValueError, match="was not judged"):
        count(item(), ["A"], [Verdict(None, 0, False, "")])


def test_thresholds_compare_counts_exactly() -> None:
    for n in range(1, 101):
        for hundredths in range(1, 101):
            # The least k with 100 k >= hundredths n, in integers.
            assert need(hundredths / 100, n) == -(-hundredths * n // 100)
    assert drawn(7).known(0.7) and not drawn(6).known(0.7)
    assert drawn(28, 100).known(0.28), "0.28 * 100 is above 28 in floats"
    assert not drawn(0).known(0.01)
    for tau in (0, 1.1):
        with pytest.raises(ValueError, match="tau"):
            need(tau, 10)


def test_a_sweep_needs_no_new_samples() -> None:
    rows = sweep([drawn(k) for k in range(11)])
    assert [row["known"] for row in rows] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert all(row["known"] + row["unknown"] == 11 for row in rows)
    assert rows[-1]["uncertain"] == 1, "only the item that was always right may be known"


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (1, 1)])
def test_the_interval_of_a_label(k: int, n: int) -> None:
    found = drawn(k, n).interval
    exact = stats.binomtest(k, n).proportion_ci(method="exact")
    assert found.value == k / n
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_parts_keep_images_together() -> None:
    draws = [without_picture(drawn(1, name=str(i), cluster=i // 3)) for i in range(300)]
    found = parts(draws, {"train": 0.8, "test": 0.2}, seed=3)
    assert found == parts(draws, {"train": 0.8, "test": 0.2}, seed=3)
    assert found != parts(draws, {"train": 0.8, "test": 0.2}, seed=4)
    assert found.count("test") == 60
    for start in range(0, 300, 3):
        assert len(set(found[start : start + 3])) == 1
    with pytest.raises(ValueError, match="sum to 1"):
        parts(draws, {"train": 0.8})


def without_picture(it: Draws) -> Draws:
    return replace(it, item=replace(it.item, images=()))


def test_equal_pictures_are_in_one_part_under_whatever_names(tmp_path: Path) -> None:
    """Ten contents under thirty names, each a cluster; and clusters that pictures chain."""
    draws = []
    for i in range(30):
        path = tmp_path / f"{i}.png"
        path.write_bytes(bytes([i % 10]))
        draws.append(Draws(Item(str(i), "?", (path,), ("a", "b"), 0), 1, 1, 0, 0))
    shares = {"train": 0.5, "test": 0.5}
    for seed in range(5):
        found = parts(draws, shares, seed)
        assert found == found[:10] * 3 and found.count("test") == 15
    linked = [
        replace(it, item=replace(it.item, images=(*it.item.images, after.item.images[0])))
        for it, after in pairwise(draws[:11])
    ]
    assert len(set(parts(linked, shares))) == 1, "a second picture joins as the first does"


def test_parts_without_twins_are_as_they_were(tmp_path: Path) -> None:
    """The shuffle of clusters by name, as sets built earlier have it."""
    draws, shares = [], {"train": 0.8, "test": 0.2}
    for i in range(40):
        path = tmp_path / f"{i // 2}.png"
        path.write_bytes(bytes([i // 2]))
        item = Item(str(i), "?", (path,), ("a", "b"), 0, meta={"cluster": f"c{i // 2}"})
        draws.append(Draws(item, 1, 1, 0, 0))
    for seed in range(3):
        clusters_alone = parts([without_picture(it) for it in draws], shares, seed)
        assert parts(draws, shares, seed) == clusters_alone
    found = parts([without_picture(it) for it in draws], shares, 3)
    # What the split by cluster alone gave before pictures were compared.
    assert [i for i in range(0, 40, 2) if found[i] == "test"] == [18, 24, 26, 30]


def test_each_picture_is_read_once_and_one_that_is_gone_is_named(tmp_path: Path) -> None:
    asked: list[object] = []

    def content(image: object) -> str:
        asked.append(image)
        return str(image)

    pixels = Image.new("RGB", (2, 2))
    draws = [Draws(Item(str(i), "?", (Path("x"), pixels)), 1, 1, 0, 0) for i in range(4)]
    parts(draws, {"train": 1.0}, content=content)
    assert asked == [Path("x"), pixels]
    with pytest.raises(CalibError, match="item '0': x cannot be read"):
        parts(draws, {"train": 1.0})


def test_quadrants() -> None:
    def place(known: bool, refused: bool, correct: bool) -> str:
        return quadrant(known=known, refused=refused, correct=correct)

    for label in (True, False):
        assert place(label, False, True) == "Ik-Ik"
        assert place(label, False, False) == "Idk-Idk"
    for right in (True, False):
        assert place(False, True, right) == "Ik-Idk"
        assert place(True, True, right) == "Idk-Ik"


def test_the_published_example_adds_up() -> None:
    """38.37 + 40.59 = 78.96 truthful; with 11.53 and 9.51 the quadrants make 100 %."""
    found = evaluate(
        outcomes(
            {
                (True, False, True): 3837,
                (False, True, False): 4059,
                (True, True, False): 1153,
                (False, False, False): 951,
            }
        )
    )
    shares = {name: count / 100 for name, count in found.quadrants.items()}
    assert shares == {"Ik-Ik": 38.37, "Ik-Idk": 40.59, "Idk-Ik": 11.53, "Idk-Idk": 9.51}
    assert sum(found.quadrants.values()) == 10_000
    truthful = found.rates["truthful"]
    assert truthful is not None and truthful.value == pytest.approx(0.7896, abs=1e-12)
    assert truthful.method == "Wilson, n = 10000"


MIXED = {
    (True, False, True): 30,
    (True, False, False): 6,
    (True, True, False): 4,
    (False, True, False): 12,
    (False, False, False): 20,
    (False, False, True): 8,
}


def test_rates() -> None:
    found = evaluate(outcomes(MIXED))
    assert (found.n, found.known) == (80, 40)
    assert found.of == {
        "truthful": (50, 80),
        "Ik-Ik": (38, 80),
        "Ik-Idk": (12, 80),
        "Idk-Ik": (4, 80),
        "Idk-Idk": (26, 80),
        "admit_rate": (12, 40),
        "over_refusal": (4, 40),
        "refusal_precision": (12, 16),
        "answered_accuracy": (38, 64),
        "answer_rate": (64, 80),
    }
    for name, interval in found.rates.items():
        hits, items = found.of[name]
        assert interval is not None and interval.value == pytest.approx(hits / items)
        wilson = stats.binomtest(hits, items).proportion_ci(method="wilson")
        assert (interval.low, interval.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


def test_items_of_one_image_widen_an_interval() -> None:
    """Five equal answers about an image tell no more than one."""
    alone, shared = (evaluate(outcomes(MIXED, per_image=k)).rates["truthful"] for k in (1, 5))
    assert alone is not None and shared is not None
    assert shared.method == "BCa bootstrap, 2,000 resamples of images"
    assert shared.high - shared.low > 1.5 * (alone.high - alone.low)


def test_a_rate_of_zero_still_has_room() -> None:
    found = evaluate(outcomes({(True, False, True): 40, (False, False, False): 20}, per_image=10))
    over = found.rates["over_refusal"]
    assert over is not None and over.method == "Wilson, n = 4"
    assert over.low == 0 and over.high > 0.4
    assert found.rates["refusal_precision"] is None, "nothing was refused"
    assert found.of["refusal_precision"] == (0, 0)


def test_wilson_covers() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        refused = rng.random(60) < 0.3
        rows = [Outcome(str(i), False, bool(r), False) for i, r in enumerate(refused)]
        interval = evaluate(rows).rates["admit_rate"]
        assert interval is not None
        covered += interval.low <= 0.3 <= interval.high
    # 190 are expected, with a standard deviation of 3.
    assert covered >= 180


def test_arms_are_compared_item_by_item() -> None:
    plain = [
        Outcome(str(i), i % 2 == 0, False, i % 2 == 0, cluster=str(i // 4)) for i in range(200)
    ]
    allowed = [
        Outcome(o.id, o.known, i % 4 != 0, o.correct, cluster=o.cluster)
        for i, o in enumerate(plain)
    ]
    found = compare(allowed, plain)
    admit, truthful = found["admit_rate"], found["truthful"]
    assert admit is not None and admit.value == 1 and admit.p < 0.01
    # All of the unknown refused: + 1/2; half of the known lost: - 1/4.
    assert truthful is not None and truthful.value == pytest.approx(0.25)
    assert found["refusal_precision"] is None
    with pytest.raises(ValueError, match="the same items with the same labels"):
        compare(allowed, plain[1:])


def test_outcomes_of_verdicts() -> None:
    found = Outcome.of("q", True, Verdict(False, None, False, "no option named"), "x.png")
    assert found.unparsed and not found.refused
    assert evaluate([found, Outcome("r", True, False, True)]).unparsed == 1
    with pytest.raises(ValueError, match="was not judged"):
        Outcome.of("q", True, Verdict(None, 1, False, ""))
    with pytest.raises(ValueError, match="at least one answer"):
        evaluate([])


def test_arms(tmp_path: Path) -> None:
    assert ARMS["plain"](item()) == item()
    asked = ARMS["permission"](item()).question
    assert asked == (
        "Answer the following question, and if you don't know the answer, only reply with "
        "'I don't know': Which?"
    )
    spelled = item(spellings=(("red", "crimson"), ("blue",)))
    offered = ARMS["option"](spelled)
    assert offered.options == ("red", "blue", "I don't know")
    assert offered.meta["spellings"] == (("red", "crimson"), ("blue",), ("I don't know",))
    assert letter("C", offered).refused
    assert ARMS["option"](offered) == offered
    assert arm("Hm. {question}")(item()).question == "Hm. Which?"
    (tmp_path / "own.txt").write_text("So: {question}\n")
    assert arm(str(tmp_path / "own.txt"))(item()).question == "So: Which?"
    with pytest.raises(InputError, match="expected one of plain, permission, option"):
        arm("polite")
    with pytest.raises(InputError, match="no options"):
        ARMS["option"](Item("q", "Which?"))


def test_rows_are_plain_values() -> None:
    draws = [drawn(10, name="a"), drawn(2, name="b"), drawn(0, name="c")]
    rows = record_rows(draws, 0.5, parts=["train", "test", "test"])
    assert json.loads(json.dumps(rows)) == rows
    assert [row["known"] for row in rows] == [True, False, False]
    assert rows[0]["gold"] == ["red"] and rows[0]["images"] == ["x.png"]
    assert rows[1]["accuracy"] == 0.2 and rows[1]["part"] == "test"
    in_memory = Draws(Item("m", "?", (Image.new("RGB", (2, 2)),), ("a", "b"), 0), 1, 1, 0, 0)
    with pytest.raises(InputError, match="save it to a file first"):
        record_rows([in_memory], 0.5)


def test_training_rows() -> None:
    unsaid = Draws(item("d"), 10, 0, 10, 0)
    draws = [drawn(10, name="a"), drawn(0, name="b"), unsaid]
    spoken = [row["messages"][1]["content"] for row in sft_rows(draws, 1.0)]
    assert spoken == ["red", "I don't know.", "I don't know."]
    asked = sft_rows(draws, 1.0, prompt=lambda it: f"<{it.question}>")[0]["messages"][0]
    assert asked == {"role": "user", "content": "<Which?>"}
    pairs = preference_rows(draws, 1.0, refusal="No idea")
    assert [(p["id"], p["chosen"], p["rejected"]) for p in pairs] == [
        ("a", "red", "No idea"),
        ("b", "No idea", "blue"),
    ]


def test_a_card_names_what_the_labels_belong_to() -> None:
    provenance = {"model": "tiny|vlm", "prompt": "letters", "temperature": 1.0, "seed": 0}
    text = card([drawn(k) for k in range(11)], 0.7, provenance)
    assert "11 questions, 4 known and 7 unknown at tau = 0.7" in text
    assert "| model | tiny\\|vlm |" in text
    assert "| 0.5 | 6 | 5 |" in text
    with pytest.raises(ValueError, match="provenance: seed must be given"):
        card([drawn(1)], 0.7, {k: v for k, v in provenance.items() if k != "seed"})
    assert math.isclose(drawn(3).accuracy, 0.3)
