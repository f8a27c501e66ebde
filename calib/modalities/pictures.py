"""What a question's picture is replaced by: noise over it, nothing, another's, the mean of all.

Pictures are made where they are looked at (``calib.records.MadeImage``): a run of every cell would
else hold a copy that does not compress for every question.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from calib.images import open_image
from calib.modalities.noise import noisy
from calib.records import ImageRef, InputError, Item, MadeImage
from calib.tasks.task import ImageNames

if TYPE_CHECKING:
    from PIL.Image import Image

ABSENT, CLEAN = "absent", "none"
BLANK, SHUFFLED, MEAN = "blank", "shuffled", "mean"
REPLACED = (BLANK, SHUFFLED, MEAN)
GREY = (128, 128, 128)
"""The middle of the range of values, of which a processor makes about 0."""
MEAN_SIDE = 224
"""Pixels of each side of the mean picture, before it takes a question's own size."""

Shown: TypeAlias = str | int
"""What is shown of a picture: ``ABSENT``, ``CLEAN``, one of ``REPLACED``, or a step of noise."""


class Pictures:
    """Gives the pictures of each of ``items`` as a cell shows them."""

    def __init__(self, items: Sequence[Item], *, seed: int, side: int) -> None:
        self.items, self.seed, self.side = items, seed, side
        self.name = ImageNames()
        self._others: dict[tuple[str, ...], tuple[ImageRef, ...]] = {}
        self._mean: tuple[Image, str] | None = None

    def of(self, item: Item, shown: Shown) -> tuple[ImageRef, ...]:
        """Raises InputError where there is no other picture to shuffle with."""
        if shown == ABSENT:
            return ()
        if shown == CLEAN:
            return item.images
        if shown == SHUFFLED:
            return self.others()[self.content(item)]
        return tuple(self.made(item, number, shown) for number in range(len(item.images)))

    def made(self, item: Item, number: int, shown: Shown) -> ImageRef:
        source = item.images[number]
        assert not isinstance(source, MadeImage), "a study begins with pictures as they are"
        if shown == BLANK:
            return MadeImage(source, "blank", blank)
        if shown == MEAN:
            mean, name = self.mean()
            return MadeImage(source, f"mean of all, {name}", partial(resized, mean))
        assert isinstance(shown, int)
        make = partial(
            noisy, step=shown, seed=self.seed, question=item.id, number=number, side=self.side
        )
        recipe = f"noise {shown}, seed {self.seed}, picture {number} of {item.id}, {self.side} px"
        return MadeImage(source, recipe, make)

    def content(self, item: Item) -> tuple[str, ...]:
        """What tells the pictures of one question from another's, whatever their files' names."""
        return tuple(self.name(image) for image in item.images)

    def others(self) -> dict[tuple[str, ...], tuple[ImageRef, ...]]:
        """For the pictures of each question those of another, none of which is its own.

        Distinct sets of them stand in an order drawn by the seed, and each gets the next that
        shares none with it: of sets of one, each is shown as often as it is in the order.
        """
        if not self._others:
            distinct = {self.content(item): item.images for item in self.items}
            if len(distinct) < 2:
                raise InputError(
                    "arm shuffled: expected questions about two pictures or more, and all "
                    f"{len(self.items)} are about one"
                )
            order = sorted(distinct)
            random.Random(self.seed).shuffle(order)
            for place, own in enumerate(order):
                after = [*order[place + 1 :], *order[:place]]
                other = next((o for o in after if not set(o) & set(own)), None)
                if other is None:
                    item = next(item for item in self.items if self.content(item) == own)
                    raise InputError(
                        f"arm shuffled: item {item.id!r}: expected another question that shows "
                        "none of its pictures, and there is none"
                    )
                self._others[own] = distinct[other]
        return self._others

    def mean(self) -> tuple[Image, str]:
        """The mean of all distinct pictures, each scaled to one size, and its digest."""
        if self._mean is None:
            from PIL import Image

            distinct = {self.name(image): image for item in self.items for image in item.images}
            total = np.zeros((MEAN_SIDE, MEAN_SIDE, 3))
            for name in sorted(distinct):
                total += np.asarray(resized_to(open_image(distinct[name])), float)
            pixels = np.rint(total / len(distinct)).astype(np.uint8)
            digest = hashlib.sha256(pixels.tobytes()).hexdigest()[:12]
            self._mean = Image.fromarray(pixels, "RGB"), digest
        return self._mean


def blank(image: Image) -> Image:
    """A grey picture of the same size."""
    from PIL import Image as pil

    return pil.new("RGB", image.size, GREY)


def resized(picture: Image, image: Image) -> Image:
    """``picture`` in the size of ``image``."""
    return picture.resize(image.size)


def resized_to(image: Image) -> Image:
    return image.resize((MEAN_SIDE, MEAN_SIDE))
