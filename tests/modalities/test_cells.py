"""What each arm and cell shows: the exact prompt, the exact picture; and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calib.images import open_image
from calib.modalities.cells import (
    ARMS,
    Cell,
    cell_of,
    cells_of,
    checked_arms,
    checked_levels,
    checked_sentences,
)
from calib.modalities.noise import noisy
from calib.modalities.pictures import ABSENT, CLEAN, Pictures
from calib.records import InputError, Item
from calib.tasks.prompts import build
from tests.modalities.seer import questions

ASKED = "Which is square 3 of 0?\n(A) red\n(B) green\n(C) blue\nAnswer with the option's letter."
SAID = "Context: The square is 3. It is large. Nothing else is there.\n"
TEXTS = {arm: SAID + ASKED if arm in ("text", "both") else ASKED for arm in ARMS}


def pixels(image) -> np.ndarray:
    return np.asarray(open_image(image), int)


def shown(tmp_path: Path, arm_or_cell: str | Cell) -> tuple[Item, tuple[Item, ...]]:
    """Question 3-0 as a cell asks it, and the items as they are."""
    task = questions(tmp_path)
    said = {item.id: tuple(item.meta["description"]) for item in task.items}
    cell = cell_of(arm_or_cell, 3) if isinstance(arm_or_cell, str) else arm_or_cell
    asked = cell.items(task.items, Pictures(task.items, seed=0, side=448), said)
    return next(item for item in asked if item.id == "3-0"), task.items


@pytest.mark.parametrize("arm", ARMS)
def test_the_prompt_of_an_arm(tmp_path: Path, arm: str):
    item, _ = shown(tmp_path, arm)
    assert build(item, "letters").text == TEXTS[arm]


def test_the_pictures_of_the_arms(tmp_path: Path):
    own = pixels(tmp_path / "3.png") if shown(tmp_path, "image") else None
    found = {arm: shown(tmp_path, arm)[0].images for arm in ARMS}
    assert found["neither"] == found["text"] == ()
    assert found["image"] == found["both"] == (tmp_path / "3.png",)
    assert (pixels(found["blank"][0]) == 128).all()
    assert pixels(found["blank"][0]).shape == own.shape
    # Of pictures of one colour each the mean has the mean colour, up to half a step of rounding.
    colour = np.mean([(20 * k, 255 - 20 * k, 90) for k in range(12)], axis=0)
    assert np.abs(pixels(found["mean"][0]) - colour).max() <= 0.5
    assert pixels(found["mean"][0]).shape == own.shape
    assert found["shuffled"][0] != found["image"][0] and found["shuffled"][0].is_file()


@pytest.mark.parametrize(
    ("k", "said"), [(0, ""), (1, "The square is 3."), (2, "The square is 3. It is large.")]
)
def test_the_first_k_sentences_under_noise(tmp_path: Path, k: int, said: str):
    item, _ = shown(tmp_path, Cell(500, k))
    assert build(item, "letters").text == (f"Context: {said}\n" if said else "") + ASKED
    picture = open_image(tmp_path / "3.png")
    wanted = noisy(picture, 500, seed=0, question="3-0", number=0, side=448)
    assert (pixels(item.images[0]) == np.asarray(wanted)).all()


def test_a_description_of_fewer_sentences_is_shown_whole_and_stands_behind_the_items_own_context(
    tmp_path: Path,
):
    task = questions(tmp_path)
    last = replace(task.items[-1], meta={**task.items[-1].meta, "context": "Seen at night."})
    pictures = Pictures(task.items, seed=0, side=448)
    asked = Cell(CLEAN, 3).item(last, pictures, last.meta["description"][:3])
    assert asked.meta["context"] == "Seen at night.\nThe square is 11. It is large."
    assert Cell(ABSENT, 0).item(last, pictures, ()).meta["context"] == "Seen at night."


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_pictures_are_another_questions(tmp_path: Path, seed: int):
    task = questions(tmp_path, pictures=5)
    copy = tmp_path / "copy.png"
    copy.write_bytes((tmp_path / "2.png").read_bytes())  # the same picture by another name
    items = (*task.items, Item("copied", "Which?", (copy,), ("a", "b"), 0))
    pictures = Pictures(items, seed=seed, side=448)
    for item in items:
        assert (pixels(pictures.of(item, "shuffled")[0]) != pixels(item.images[0])).any()
    assert pictures.of(items[0], "shuffled") == pictures.of(items[1], "shuffled")
    again = Pictures(items[::-1], seed=seed, side=448)
    for item in items:  # of two files with one content either may be named
        both = (pixels(p.of(item, "shuffled")[0]) for p in (again, pictures))
        assert np.array_equal(*both)


def of_pairs(tmp_path: Path, *pairs: tuple[int, int]) -> tuple[Item, ...]:
    questions(tmp_path, pictures=4)
    return tuple(
        Item(f"q{n}", "Which?", tuple(tmp_path / f"{name}.png" for name in pair), ("a", "b"), 0)
        for n, pair in enumerate(pairs)
    )


@pytest.mark.parametrize("seed", range(5))
def test_several_pictures_are_shuffled_with_none_of_them(tmp_path: Path, seed: int):
    items = of_pairs(tmp_path, (0, 1), (1, 0), (2, 3), (3, 2))
    pictures = Pictures(items, seed=seed, side=448)
    for item in items:
        assert not set(pictures.of(item, "shuffled")) & set(item.images)
    alike = of_pairs(tmp_path, (0, 1), (1, 0), (1, 2))
    with pytest.raises(InputError, match="none of its pictures, and there is none"):
        Pictures(alike, seed=seed, side=448).of(alike[0], "shuffled")


def test_one_picture_cannot_be_shuffled(tmp_path: Path):
    task = questions(tmp_path, pictures=1)
    with pytest.raises(InputError, match="arm shuffled: expected questions about two pictures"):
        Pictures(task.items, seed=0, side=448).of(task.items[0], "shuffled")


def test_cells_of_arms_and_grid_are_there_once():
    cells = cells_of(list(ARMS), (CLEAN, 100), 2)
    assert [cell.name for cell in cells] == [
        *("absent-k0", "absent-k2", "clean-k0", "clean-k2", "blank-k0", "shuffled-k0", "mean-k0"),
        *("clean-k1", "noise-100-k0", "noise-100-k1", "noise-100-k2"),
    ]


def test_arms_and_levels_are_put_in_order():
    assert checked_arms(["both", "neither"]) == ["neither", "both"]
    assert checked_levels([900, "none", 0]) == ("none", 0, 900)
    assert checked_levels([]) == () and len(checked_levels(None)) == 6
    assert checked_sentences(None, 9) == 4 and checked_sentences(None, 2) == 2


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (lambda: checked_arms(["picture"]), "arms: expected one of neither, .*, got 'picture'"),
        (lambda: checked_arms("both"), "arms: expected a list of names, got 'both'"),
        (lambda: checked_levels("none"), "noise: expected a list of levels"),
        (lambda: checked_levels([1000]), "noise: expected none or a step from 0 to 999, got 1000"),
        (lambda: checked_levels([True]), "got True"),
        (lambda: checked_levels([5, 5]), "each level may appear only once"),
        (lambda: checked_sentences(3, 2), "expected at most 2, which the longest .*, got 3"),
        (lambda: checked_sentences(-1, 2), "expected a whole number from 0, got -1"),
    ],
)
def test_what_is_no_arm_level_or_number_is_refused(refused, said: str):
    with pytest.raises(InputError, match=said):
        refused()
