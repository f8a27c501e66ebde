"""The cells of a study: a picture or none, with the first sentences of its description or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from calib.modalities.descriptions import KEY, Sentences
from calib.modalities.noise import STEPS
from calib.modalities.pictures import ABSENT, BLANK, CLEAN, MEAN, SHUFFLED, Pictures, Shown
from calib.models.protocol import is_whole, one_of
from calib.records import InputError, Item

FORMAT = "calib.modality/1"
LEVELS: tuple[Shown, ...] = (CLEAN, 100, 300, 500, 700, 900)
NEITHER, TEXT, IMAGE, BOTH = "neither", "text", "image", "both"
ARMS = {
    NEITHER: "the question alone",
    TEXT: "the description, no picture",
    IMAGE: "the picture, no description",
    BOTH: "picture and description",
    BLANK: "a grey picture, no description",
    SHUFFLED: "another question's picture, no description",
    MEAN: "the mean of all pictures, no description",
}
MOST_SENTENCES = 4
"""Sentences of the grid where nothing else is asked for and descriptions have so many."""


@dataclass(frozen=True)
class Cell:
    """What of its picture a question is ``shown``, and how many ``sentences``."""

    shown: Shown
    sentences: int

    @property
    def name(self) -> str:
        """Its folder below ``cells``."""
        shown = {CLEAN: "clean"}.get(str(self.shown), str(self.shown))
        return f"{'noise-' if isinstance(self.shown, int) else ''}{shown}-k{self.sentences}"

    @property
    def pictured(self) -> bool:
        return self.shown != ABSENT

    def items(
        self, items: Sequence[Item], pictures: Pictures, descriptions: Mapping[str, Sentences]
    ) -> tuple[Item, ...]:
        """The items as this cell asks them: the sentences stand as the context, behind the item's
        own."""
        return tuple(
            self.item(item, pictures, descriptions[item.id][: self.sentences])
            if self.sentences
            else self.item(item, pictures, ())
            for item in items
        )

    def item(self, item: Item, pictures: Pictures, said: Sequence[str]) -> Item:
        meta = {name: value for name, value in item.meta.items() if name != KEY}
        if said:
            own = [text] if (text := str(item.meta.get("context") or "").strip()) else []
            meta["context"] = "\n".join([*own, " ".join(said)])
        return replace(item, images=pictures.of(item, self.shown), meta=meta)


def cell_of(arm: str, sentences: int) -> Cell:
    """The cell of an arm; a description has as many ``sentences`` as the grid shows at most."""
    cells = {
        NEITHER: Cell(ABSENT, 0),
        TEXT: Cell(ABSENT, sentences),
        IMAGE: Cell(CLEAN, 0),
        BOTH: Cell(CLEAN, sentences),
    }
    return cells.get(arm) or Cell(arm, 0)


def cells_of(arms: Iterable[str], levels: Sequence[Shown], sentences: int) -> list[Cell]:
    """Every cell once: those of the arms, then the grid, level by level."""
    grid = [Cell(level, k) for level in levels for k in range(sentences + 1)]
    return list(dict.fromkeys([*(cell_of(arm, sentences) for arm in arms), *grid]))


def checked_arms(arms: Iterable[str] | None) -> list[str]:
    """Names of ``ARMS``, each once, in their order there. InputError for others, and for none."""
    if isinstance(arms, str):
        raise InputError(f"arms: expected a list of names, got {arms!r}")
    chosen = list(ARMS) if arms is None else list(arms)
    for arm in chosen:
        one_of("arms", arm, ARMS)
    return [arm for arm in ARMS if arm in chosen]


def checked_levels(levels: Iterable[Shown] | None) -> tuple[Shown, ...]:
    """Levels of noise, "none" first, then rising. InputError for what is none, and twice one."""
    if isinstance(levels, str):
        raise InputError(f"noise: expected a list of levels, got {levels!r}")
    chosen = LEVELS if levels is None else tuple(levels)
    for level in chosen:
        if level != CLEAN and not (is_whole(level, 0) and int(level) < STEPS):
            raise InputError(f"noise: expected none or a step from 0 to {STEPS - 1}, got {level!r}")
    if len(set(chosen)) < len(chosen):
        raise InputError(f"noise: {', '.join(map(str, chosen))}: each level may appear only once")
    return tuple(sorted(chosen, key=lambda level: -1 if level == CLEAN else int(level)))


def checked_sentences(sentences: int | None, most: int) -> int:
    """K; ``most`` is the number of sentences of the longest description. InputError for more."""
    if sentences is None:
        return min(MOST_SENTENCES, most)
    if not is_whole(sentences, 0):
        raise InputError(f"sentences: expected a whole number from 0, got {sentences!r}")
    if sentences > most:
        raise InputError(
            f"sentences: expected at most {most}, which the longest description has, got "
            f"{sentences}"
        )
    return sentences
