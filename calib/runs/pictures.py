"""Pictures that a run keeps: those that have no file of their own."""

from __future__ import annotations

from pathlib import Path

from calib.fields import refuse_irregular
from calib.images import open_image, suffix_of
from calib.images.kept import FOLDER
from calib.records import CalibError, EncodedImage, Item, MadeImage
from calib.runs.config import CONFIG as CONFIG
from calib.runs.durable import refuse_no_folder


def saved(folder: Path, item: Item, index: int, number: int) -> str:
    """What a record calls an item's image: its path, or its place in the run folder.

    An image without a file is written into the run folder, and moves with it. Of one that is made
    of another that other is kept: noise does not compress, and ``made`` says how it was made.
    """
    image = item.images[number]
    if isinstance(image, MadeImage):
        image = image.source
    if isinstance(image, Path):
        return str(image)
    suffix = suffix_of(image.data) if isinstance(image, EncodedImage) else ".png"
    path = folder / FOLDER / f"{index}-{number}{suffix}"
    refuse_no_folder(path.parent)
    refuse_irregular(path)
    try:
        path.parent.mkdir(exist_ok=True)
        if isinstance(image, EncodedImage):
            path.write_bytes(image.data)
        else:
            open_image(image).save(path)
    except OSError as error:
        raise CalibError(f"{path}: writing failed ({error})") from error
    return f"{FOLDER}/{path.name}"


def made(item: Item) -> dict[str, list[str | None]]:
    """What a record says of images that are made of others: each one's recipe; None for the others.

    Empty where none is.
    """
    recipes = [i.recipe if isinstance(i, MadeImage) else None for i in item.images]
    return {"made": recipes} if any(recipes) else {}
