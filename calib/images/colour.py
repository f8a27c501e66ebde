"""Any mode of PIL's as RGB, as a person sees it: transparent on white, wide numbers scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from calib.images.places import Unreadable

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

WHITE = 255
WIDE = ("I", "F")
"""Modes of 32 bits; those of 16 begin with "I;16"."""
STRIP = 1 << 20
"""Wide samples that are scaled at once, as float64."""
FULL_RANGE = ("PNG", "PPM")
"""Formats whose wide samples are 16 bits of a range that the file defines."""

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
WHITE_IS_ZERO, UNSIGNED = 0, 1


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file says of its samples and PIL does not apply to wide ones."""

    bits: int = 16
    full_range: bool = False  # 0 is black and 65,535 white
    unsigned: bool = False  # 32 bits that PIL takes as signed
    inverted: bool = False  # TIFF's WhiteIsZero
    key: Any = None  # the one value that is transparent

    @classmethod
    def of(cls, image: Image) -> Stored:
        tags = getattr(image, "tag_v2", {})
        return cls(
            bits=int(tags.get(BITS_PER_SAMPLE, (16,))[0]),
            full_range=image.format in FULL_RANGE,
            unsigned=tags.get(SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED and bool(tags),
            inverted=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO,
            key=image.info.get("transparency"),
        )


def as_rgb(image: Image, stored: Stored) -> Image:
    """Mode RGB. Raises Unreadable for NaN and infinities."""
    from PIL import Image

    if is_wide(image):
        return Image.fromarray(grey(image, stored)).convert("RGB")
    if image.mode == "LAB":
        return of_lab(image)
    if image.mode == "La":
        image = image.convert("LA")
    return on_white(image) if image.has_transparency_data else image.convert("RGB")


def is_wide(image: Image) -> bool:
    return image.mode in WIDE or image.mode.startswith("I;16")


def on_white(image: Image) -> Image:
    from PIL import Image

    if image.mode != "RGBA":
        image = image.convert("RGBA")
    canvas = Image.new("RGB", image.size, (WHITE, WHITE, WHITE))
    canvas.paste(image, mask=image)
    return canvas


def grey(image: Image, stored: Stored) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Wide samples as 8 bits.

    Of samples of 16 bits (or as many as a TIFF says) the upper 8. Of the others: floats from 0 to 1
    are stretched from black to white, what lies from 0 to 255 is taken as it is, and of any other
    range the lowest becomes black and the highest white.
    """
    import numpy as np

    values = np.asarray(image)
    if image.mode not in WIDE or (image.mode == "I" and stored.full_range):
        eight = (values >> max(stored.bits - 8, 0)).clip(0, WHITE).astype(np.uint8)
    elif image.mode == "F":
        eight = stretched(values)
    else:
        eight = stretched(values.view(np.uint32) if stored.unsigned else values)
    if stored.inverted:
        eight = WHITE - eight
    if isinstance(stored.key, int):
        eight[values == stored.key] = WHITE
    return eight


def stretched(values: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    import numpy as np

    low, high = limits(values)
    if low >= 0 and high <= 1 and values.dtype.kind == "f":
        low, high = 0.0, 1.0
    elif low >= 0 and high <= WHITE:
        low, high = 0.0, float(WHITE)
    scale = WHITE / (high - low or 1.0)  # of one value alone: black
    eight = np.empty(values.shape, np.uint8)
    rows = max(1, STRIP // values.shape[1])
    for top in range(0, len(values), rows):
        strip = values[top : top + rows].astype(np.float64)
        eight[top : top + rows] = np.rint((strip - low) * scale)
    return eight


def limits(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The lowest and the highest. Raises Unreadable for NaN and infinities, which show in them."""
    import numpy as np

    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise Unreadable("some of its values are NaN or infinite")
    return low, high


def check_numbers(image: Image) -> None:
    """Raises Unreadable for NaN and infinities."""
    import numpy as np

    if image.mode == "F":
        limits(np.asarray(image))


def of_lab(image: Image) -> Image:
    """CIE L*a*b* as sRGB, which PIL's ``convert`` refuses."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise Unreadable("its colours cannot be converted")
    return converted
