"""The pictures of a set in its own folder, so that it can be moved with them."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

from calib.images import key_of, open_image, suffix_of
from calib.records import CalibError, EncodedImage, ImageRef
from calib.runs import replace

FOLDER = "images"
NAMES = "names.json"
DIGITS = 32
"""Of the SHA-256 of a file's bytes: no two pictures share a name, and no picture has two copies."""
OWN_PICTURES = """
The pictures are in `images/`, and rows name them relative to this folder, wherever it is moved:

```python
from datasets import Image, List, load_dataset

folder = "path/to/this/folder"
rows = load_dataset(folder, "labels", split="train")
rows = rows.map(lambda row: {"images": [f"{folder}/{name}" for name in row["images"]]})
rows = rows.cast_column("images", List(Image()))
```
"""


class Copies:
    """Called with a picture, it copies it below ``out`` and gives its path relative to that.

    A file is copied as it is; an image in memory becomes a PNG. ``names.json`` keeps what came from
    which path, so that a set that was moved away from them can be written again.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._names: dict[object, str] = {}
        self._origins: dict[str, str] = {}
        self._file = out / FOLDER / NAMES
        if self._file.is_file():
            self._origins = json.loads(self._file.read_text(encoding="utf-8"))

    def __call__(self, image: ImageRef) -> str:
        key = key_of(image)
        if key not in self._names:
            self._names[key] = self._copied(image)
        return self._names[key]

    def _copied(self, image: ImageRef) -> str:
        if isinstance(image, Path):
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
            self._origins[str(image)] = f"{FOLDER}/{name}"
        return f"{FOLDER}/{name}"

    def close(self) -> None:
        """Write ``names.json``."""
        if self._origins:
            replace(self._file, json.dumps(self._origins, indent=0) + "\n")


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
