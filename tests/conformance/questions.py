"""What every family is asked: texts of unequal length, pictures of unequal size and number."""

from __future__ import annotations

from PIL import Image

from calib import Item

ONE_TOKEN = "one token"
# Words of one token, of several, and words that begin with the same token ("bl", "gr").
OPTIONS = {
    ONE_TOKEN: ("yes", "no", "red"),
    "several tokens": ("teal", "no", "white"),
    "one first token": ("blue", "black", "green", "gray"),
}


def picture(width: int, height: int, seed: int) -> Image.Image:
    """Stripes and squares in colours: no two places of it are alike."""
    made = Image.new("RGB", (width, height))
    for x in range(width):
        for y in range(height):
            colour = (37 * x + 11 * seed, 23 * y + 5 * x + 71 * seed, 13 * (x // 5) * (y // 3))
            made.putpixel((x, y), (colour[0] % 256, colour[1] % 256, colour[2] % 256))
    return made


SMALL, OTHER, LARGE = picture(40, 24, 1), picture(40, 24, 5), picture(96, 64, 3)


def free(name: str, question: str, *images: Image.Image) -> Item:
    """A question without options, whose right answer no check looks at."""
    return Item(name, question, images, meta={"aliases": ("yes",)})


TEXTS = (
    free("text-0", "Is it so?"),
    free("text-1", "What is the colour of the sea at noon?"),
    free("text-2", "Why?"),
)
ONE = free("one-small", "What colour is it?", SMALL)
REPAINTED = free("one-repainted", ONE.question, OTHER)
EQUAL = free("one-equal", "Is there anything red in this picture?", OTHER)
WIDE = free("one-large", "Which?", LARGE)
TWO = free("two", "Which of these two is the darker?", SMALL, LARGE)

TEXT_ALONE = "text alone"
TEXT_GROUPS = {TEXT_ALONE: TEXTS}
PICTURE_GROUPS = {
    "one picture": (ONE, EQUAL),
    "two sizes": (ONE, WIDE, EQUAL),
    "two pictures": (TWO,),
    "one and two": (WIDE, TWO, ONE),
    "with and without": (TEXTS[0], WIDE, TEXTS[1], TWO),
}


def groups(images: bool) -> dict[str, tuple[Item, ...]]:
    return TEXT_GROUPS | (PICTURE_GROUPS if images else {})
