"""A study on a tiny LLaVA: pictures are encoded once, and cells are runs as any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import calib
from calib.hf.model import Model
from calib.modalities.cells import Cell
from calib.modalities.pictures import Pictures
from calib.runs import open_run
from calib.tasks import Task
from tests.hf.conftest import make_llava, make_processor
from tests.modalities.seer import questions


@pytest.fixture(scope="module")
def model() -> Model:
    processor = make_processor()
    return Model("tiny", make_llava(), processor.tokenizer, processor)


def test_cells_are_what_calib_score_says_of_their_items(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encoded: list[int] = []
    encode = type(model.hf.model).get_image_features

    def counted(self: Any, pixel_values: Any, *more: Any, **named: Any) -> Any:
        encoded.append(len(pixel_values))
        return encode(self, pixel_values, *more, **named)

    monkeypatch.setattr(type(model.hf.model), "get_image_features", counted)
    task = questions(tmp_path, pictures=4, each=2)
    study = calib.modality(model, task, noise=("none", 900), sentences=2, out=tmp_path / "out")
    # 4 pictures, as often under noise as there are questions; blank, 4 shuffled, which are the
    # same 4, and one mean of one size.
    assert sum(encoded) == 4 + 8 + 1 + 1
    said = {item.id: tuple(item.meta["description"]) for item in task.items}
    asked = Cell(900, 2).items(task.items, Pictures(task.items, seed=0, side=448), said)
    alone = calib.score(model, Task("alone", asked, "letters"), out=tmp_path / "alone")
    cell = open_run(study.path / "cells" / "noise-900-k2").scores()
    own = alone.scores()
    assert cell["id"].tolist() == own["id"].tolist()
    # The pictures were encoded one by one and here in a batch: rounding of float32.
    assert abs(cell["confidence"] - own["confidence"]).max() < 1e-5
    prompts = open_run(study.path / "cells" / "noise-900-k2").prompts()
    assert prompts == alone.prompts()
    assert (
        prompts["3-1"].count("<image>") == 1
        and "Context: The square is 3. It is large." in (prompts["3-1"])
    )
    assert "<image>" not in open_run(study.path / "cells" / "absent-k2").prompts()["3-1"]
