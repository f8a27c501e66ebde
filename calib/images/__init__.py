"""Pictures: which files are read, what is refused before a model loads, what a model sees.

A picture is a path, a PIL image, the bytes of an image file (``calib.records.EncodedImage``) or
made of one of these (``MadeImage``). It is decoded at every use and never stored decoded. Docs:
``docs/pictures.md``.
"""

from calib.images.check import check_images
from calib.images.formats import ALLOWED, format_of, suffix_of
from calib.images.opening import MAX_PIXELS, open_image, size_of
from calib.images.places import key_of

__all__ = [
    "ALLOWED",
    "MAX_PIXELS",
    "check_images",
    "format_of",
    "key_of",
    "open_image",
    "size_of",
    "suffix_of",
]
