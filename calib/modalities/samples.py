"""One question's picture as every cell shows it, kept for the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calib.images import open_image
from calib.modalities.cells import Cell, cell_of
from calib.modalities.descriptions import Sentences
from calib.modalities.design import Design
from calib.modalities.pictures import Pictures
from calib.records import CalibError
from calib.runs.durable import refuse_no_folder

FOLDER = "shown"


def keep_levels(
    folder: Path, design: Design, pictures: Pictures, descriptions: Mapping[str, Sentences]
) -> dict[str, Any] | None:
    """Write the first picture of the first question at each level and in each arm into
    ``folder/shown``; what the page tells of them. None where no cell shows a picture."""
    cells = [Cell(level, 0) for level in design.levels] + [cell_of(arm, 0) for arm in design.arms]
    kinds = list(dict.fromkeys(cell.shown for cell in cells if cell.pictured))
    item = design.items[0]
    if not kinds:
        return None
    refuse_no_folder(folder / FOLDER)
    shown = []
    for kind in kinds:
        path = folder / FOLDER / f"{kind}.png"
        try:
            path.parent.mkdir(exist_ok=True)
            open_image(pictures.of(item, kind)[0]).save(path)
        except OSError as error:
            raise CalibError(f"{path}: writing failed ({error.strerror})") from error
        shown.append({"shown": kind, "file": f"{FOLDER}/{path.name}"})
    said = descriptions.get(item.id, ())
    return {"id": item.id, "question": item.question, "pictures": shown, "sentences": list(said)}
