"""The pictures of a set: copied into its folder, so that they move with it, and their digests."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

from calib.fields import Fields, check_fields, is_mapping, is_text, read_object
from calib.images import key_of, open_image, suffix_of
from calib.images.kept import FOLDER, NAMES, copies_in
from calib.records import CalibError, EncodedImage, ImageRef
from calib.runs.durable import replace
from calib.tasks.task import image_name

PICTURES = "pictures.json"
OF_PICTURES: Fields = {
    "items": ("text", is_text),
    "pictures": ("an object of texts", is_mapping(is_text)),
}
DIGITS = 32
"""Of the SHA-256 of a file's bytes: no two pictures share a name, and no picture has two copies."""
OWN_PICTURES = """
The set holds its pictures, wherever it is moved. The Parquet files have them decoded by `datasets`:

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", "labels", split="train")
rows[0]["images"]  # pictures of PIL
```

The JSONL files hold the same rows, and name the pictures in `images/` relative to this folder.
"""


class Copies:
    """Called with a picture, it copies it below ``out`` and gives its path relative to that.

    A file is copied as it is; an image in memory becomes a PNG. ``names.json`` keeps what came from
    which path, so that a set that was moved away from them can be written again.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._names: dict[object, str] = {}
        self._origins = dict(copies_in(out))

    def __call__(self, image: ImageRef) -> str:
        key = key_of(image)
        if key not in self._names:
            self._names[key] = self._copied(image)
        return self._names[key]

    def _copied(self, image: ImageRef) -> str:
        if isinstance(image, Path):
            if image.parent == self.out / FOLDER and image.is_file():
                return name_in(self.out, image)  # a copy itself: what it came from is gone
            earlier = self._origins.get(str(image))
            if earlier is not None and not image.exists() and (self.out / earlier).is_file():
                return earlier
        data = bytes_of(image)
        name = hashlib.sha256(data).hexdigest()[:DIGITS] + suffix_of(data)
        path = self.out / FOLDER / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != data:
                replace(path, data)
        except OSError as error:
            raise CalibError(f"{path}: writing failed ({error.strerror})") from error
        if isinstance(image, Path):
            self._origins[name_in(self.out, image)] = f"{FOLDER}/{name}"
        return f"{FOLDER}/{name}"

    def close(self) -> None:
        """Write ``names.json``."""
        if self._origins:
            text = json.dumps(self._origins, indent=0) + "\n"
            replace(self.out / FOLDER / NAMES, text)


class Contents:
    """Called with a picture of the set in ``out``, it gives the digest that identifies it.

    ``pictures.json`` keeps the digests, so that a set whose pictures are gone is parted as before;
    they hold for the questions whose digest is ``items``.
    """

    def __init__(self, out: Path, items: str) -> None:
        self.out = out
        self.unread: list[str] = []
        """Pictures that are gone and have no digest: each counts as different from all others."""
        self._items = items
        self._digests: dict[str, str] = {}
        if (out / PICTURES).is_file():
            before = read_object(out / PICTURES)
            check_fields(before, str(out / PICTURES), OF_PICTURES)
            if before["items"] == items:
                self._digests = before["pictures"]

    def __call__(self, image: ImageRef) -> str:
        if not isinstance(image, Path):
            return image_name(image)
        name = name_in(self.out, image)
        if name not in self._digests:
            try:
                self._digests[name] = image_name(image)
            except OSError:
                self.unread.append(name)
                return f"gone: {name}"
        return self._digests[name]

    def close(self) -> None:
        """Write ``pictures.json``."""
        digests = {"items": self._items, "pictures": self._digests}
        replace(self.out / PICTURES, json.dumps(digests, indent=0) + "\n")


def name_in(out: Path, image: Path) -> str:
    """The path of an image; relative to ``out`` where it lies in there."""
    return str(image.relative_to(out) if image.is_relative_to(out) else image)


def bytes_of(image: ImageRef) -> bytes:
    """Of an image file. CalibError where there is none any more, or it is no image."""
    if isinstance(image, EncodedImage):
        return image.data
    picture = open_image(image)
    if isinstance(image, Path):
        return image.read_bytes()
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
