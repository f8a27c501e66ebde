"""Pictures of a row: paths beside the file, or the bytes of image files in base64."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calib.images.formats import ALLOWED, format_of
from calib.records import EncodedImage, ImageRef, InputError, at_home
from calib.tasks.files.values import is_absent, list_in, shown

BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]*={0,2}\s*")
CHARACTERS = 64
"""As many characters of base64 distinguish it from a path."""

DATA = re.compile(r"data:[^,]{0,200},", re.I)
ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]{1,30}://|(?:https?|s3|gs|ftp|file|hf):)", re.I)
DICOM = (".dcm", ".dicom")
LONGEST = 4096  # characters of a path


class Pictures:
    """Reads the image columns of one file; a picture that comes again is read once."""

    def __init__(self, file: Path) -> None:
        self.folder = file.parent
        self._known: dict[str | bytes, EncodedImage] = {}

    def read(self, value: Any, where: str) -> tuple[ImageRef, ...]:
        """A picture or a list of them. InputError for what can be none.

        ``where``: the row's place and the column, as "q.tsv, line 3: image".
        """
        parts = list_in(value, where) if isinstance(value, (list, tuple)) else [value]
        while parts and is_absent(parts[-1]):
            parts.pop()
        return tuple(self.one(part, where) for part in parts)

    def one(self, value: Any, where: str) -> ImageRef:
        if isinstance(value, Mapping):
            return self.stored(value, where)
        if isinstance(value, bytes):
            return self.encoded(value, where)
        if not isinstance(value, str) or is_absent(value):
            raise InputError(f"{where}: expected a path or a picture in base64, got {shown(value)}")
        data = DATA.match(value)
        if data and data[0].casefold().endswith(";base64,"):
            return self.decoded(value[data.end() :], where)
        if value.lstrip().casefold().startswith("file:"):
            raise InputError(
                f"{where}: {shown(value)} is an address; write the path without file://"
            )
        if data or ADDRESS.match(value):
            raise InputError(
                f"{where}: {shown(value)} is an address, and calib fetches none; download the "
                "picture and write its path"
            )
        if is_base64(value):
            return self.decoded(value, where)
        if len(value) > LONGEST:
            raise InputError(
                f"{where}: {shown(value)} is too long for a path and does not begin as the base64 "
                "of a picture does"
            )
        if value.rstrip().casefold().endswith(DICOM):
            raise InputError(
                f"{where}: {shown(value)} is named as a DICOM file, and calib reads none; save its "
                "picture as PNG, with the window that is meant"
            )
        return existing(self.folder / at_home(value))

    def stored(self, value: Mapping[str, Any], where: str) -> ImageRef:
        """A picture as the library datasets exports it: its path, or its bytes in base64."""
        known = value.keys() <= {"path", "bytes"}
        data, path = value.get("bytes"), value.get("path")
        if known and isinstance(data, bytes) and data:
            return self.encoded(data, where)
        if known and isinstance(data, str) and data:
            return self.decoded(data, where)
        if known and is_absent(data) and isinstance(path, str) and path:
            return self.one(path, where)
        raise InputError(
            f"{where}: expected an object of a path, or of bytes in base64, got {shown(value)}"
        )

    def encoded(self, data: bytes, where: str) -> EncodedImage:
        if data not in self._known:
            if format_of(data) is None:
                raise InputError(f"{where}: {len(data):,} bytes are not those of a picture")
            self._known[data] = EncodedImage(data, name=where.rpartition(": ")[0])
        return self._known[data]

    def decoded(self, text: str, where: str) -> EncodedImage:
        if text not in self._known:
            try:
                data = base64.b64decode(standard(text), validate=True)
            except (binascii.Error, ValueError) as error:
                raise InputError(f"{where}: the base64 is broken or cut off ({error})") from error
            if format_of(data) is None:
                raise InputError(f"{where}: the base64 {shown(text)} is not that of a picture")
            self._known[text] = self.encoded(data, where)
        return self._known[text]


def existing(path: Path) -> Path:
    """The path, or the one file whose name is the same text in another Unicode normalisation."""
    name = str(path)
    if name.isascii() or os.path.lexists(name):
        return path
    others = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    there = [other for other in others if os.path.lexists(other)]
    return Path(there[0]) if len(there) == 1 else path


def standard(text: str) -> str:
    """Base64 in the common alphabet, without line breaks."""
    return "".join(text.split()).replace("-", "+").replace("_", "/")


def is_base64(text: str) -> bool:
    """Whether ``text`` begins as the base64 of an image file: no path does so by chance."""
    head = standard(text[: 2 * CHARACTERS])[:CHARACTERS]
    if len(head) < 16 or not BASE64.fullmatch(head):
        return False
    head = head.rstrip("=")
    known = format_of(base64.b64decode(head[: len(head) // 4 * 4]))
    return known in ALLOWED and known != "PPM"  # which two characters tell


def cluster_of(image: ImageRef, written: Any) -> str:
    """What questions about one picture share: the path as the file has it, or the bytes' digest."""
    if isinstance(image, EncodedImage):
        return hashlib.sha256(image.data).hexdigest()[:16]
    first = written[0] if isinstance(written, (list, tuple)) else written
    return str(first["path"] if isinstance(first, Mapping) else first)
