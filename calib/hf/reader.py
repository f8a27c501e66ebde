"""Turn encoded prompts into a model's inputs, and learn which of them it may read together.

Some models do not mask padding in what they carry from token to token (RWKV, RecurrentGemma),
attend to the empty pictures that fill up a prompt with fewer pictures (Llama 3.2 Vision), number
pictures across a batch (HunYuan-VL) or leave out all but the first (BLIP-2). No configuration says
so; reading a first prompt shows it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from PIL import ImageOps

from calib.hf.decoding.prefix import way_of
from calib.hf.decoding.stepping import rows_step_apart
from calib.hf.encoding import Encoded, collate
from calib.hf.memory import Memory
from calib.hf.placement import input_device
from calib.hf.reading import (
    Learned,
    ReadPrompts,
    Source,
    accepted,
    close,
    moved,
    takes_positions,
)
from calib.hf.refusals import sentence
from calib.hf.speakers import Speakers
from calib.images import open_image, size_of
from calib.records import CalibError, InputError


class Condition(NamedTuple):
    """What may tell prompts of a batch from prompts alone."""

    pictures: bool  # there are some
    numbers: bool  # different numbers of them
    sizes: bool  # pictures of different size
    padded: bool


class Part(NamedTuple):
    """Prompts of a batch that are read together."""

    rows: list[int]  # which of the batch they are
    inputs: dict[str, Any]
    source: Source
    condition: Condition


class Reader:
    """The inputs of a model's prompts, and what trials have shown of the model (``learned``)."""

    def __init__(self, hf: Any, speakers: Speakers) -> None:
        self.hf, self.speakers = hf, speakers
        self.learned: Learned = {}
        self.memory: Memory | None = None  # what is kept, while somebody asks for it

    def inputs(self, batch: Sequence[Encoded]) -> dict[str, Any]:
        """What the model's forward takes for prompts of one kind, on its device."""
        return self._sent(collate(batch, self.speakers))

    def _sent(self, collated: dict[str, Any]) -> dict[str, Any]:
        return moved(accepted(self.hf, collated), input_device(self.hf))

    def _again(self, batch: Sequence[Encoded], rows: Sequence[int]) -> dict[str, Any]:
        return self.inputs([batch[n] for n in rows])

    def parts(self, batch: Sequence[Encoded]) -> list[Part]:
        """A batch as it is read: whole where other prompts do not change a prompt's logits.

        Else prompts of equal length, with pictures of equal number and size, go together. Where
        they still change each other's logits, each is read by itself.
        Raises CalibError, naming the item, for a prompt that its processor or the model refuses.
        """
        try:
            collated = collate(batch, self.speakers)
        except Exception as error:
            if len(batch) > 1:  # pictures that cannot be stacked, or one prompt that is refused
                return self._divided(batch, None)
            if isinstance(error, CalibError):
                raise
            raise CalibError(
                f"item {batch[0].name!r}: {type(self.speakers.speaker).__name__} refuses it: "
                f"{sentence(error)}"
            ) from error
        self._learn_positions(batch[0])
        for encoded in batch:
            self._refuse_unread(encoded)
        condition = condition_of(batch, collated)
        if len(batch) > 1 and not self._together(condition, batch, collated):
            return self._divided(batch, collated)
        source = self._source(batch, padded=condition.padded, learned=self.learned)
        return [Part(list(range(len(batch))), self._sent(collated), source, condition)]

    def _source(self, batch: Sequence[Encoded], **more: Any) -> Source:
        positions = bool(self.learned[("positions", bool(batch[0].images))])
        pixels = tuple(encoded.pixels for encoded in batch)
        return Source(partial(self._again, batch), positions=positions, pixels=pixels, **more)

    def _learn_positions(self, one: Encoded) -> None:
        key = ("positions", bool(one.images))
        if key not in self.learned:
            self.learned[key] = takes_positions(self.hf, self.inputs([one]))

    def _divided(self, batch: Sequence[Encoded], collated: dict[str, Any] | None) -> list[Part]:
        sizes = None if collated is None else lengths(collated)
        keys: list[Hashable] = [
            (None if sizes is None else sizes[n], tuple(map(size_of, encoded.images)))
            for n, encoded in enumerate(batch)
        ]
        groups = grouped(keys)
        if len(groups) == 1:
            groups = [[n] for n in range(len(batch))]
        return [
            part._replace(rows=[group[n] for n in part.rows])
            for group in groups
            for part in self.parts([batch[n] for n in group])
        ]

    def _together(
        self, condition: Condition, batch: Sequence[Encoded], collated: dict[str, Any]
    ) -> bool:
        """Whether prompts can be read together on this condition; the first such batch decides.

        The second of two prompts must have the same logits behind the first as alone.
        """
        if not any(condition):
            return True
        if condition not in self.learned:
            first, second = pair_of(condition, batch, lengths(collated))
            alone = self.inputs([batch[second]])
            try:
                two = self._again(batch, [first, second])
                source = self._source([batch[second]])
                self.learned[condition] = independent(self.hf, two, 1, alone, source)
            except torch.OutOfMemoryError:
                raise
            except Exception:  # noqa: BLE001  (alone it is read, or raises that again)
                self.learned[condition] = False
        return bool(self.learned[condition])

    def steps_apart(self, part: Part, batch: Sequence[Encoded]) -> bool:
        """Whether rows behind the prompts of a part decode together as each alone.

        Samples of one prompt behind a cache of plain keys and values do. For all others the first
        such part of ``batch`` is tried.
        """
        own = [batch[n] for n in part.rows]
        key = ("steps", part.condition, len(own) > 1)
        if key not in self.learned:
            first, second = pair_of(part.condition, own, lengths(part.inputs))
            alone = self.inputs([own[second]])
            cache = getattr(ReadPrompts(self.hf, alone, keep=True).outputs, "past_key_values", None)
            plain = cache is not None and way_of(cache, True) != "expanded"
            if plain and len(own) == 1:
                self.learned[key] = True
            else:
                source = self._source([own[second]])
                two = self._again(own, [first, second])
                tokenizer = self.speakers.tokenizer
                self.learned[key] = rows_step_apart(self.hf, tokenizer, two, alone, source)
        return bool(self.learned[key])

    def _refuse_unread(self, encoded: Encoded) -> None:
        """InputError where the last of several pictures changes nothing: it is not read.

        Asked of the first prompt with so many pictures.
        """
        key = ("read", len(encoded.images))
        if len(encoded.images) < 2 or key in self.learned:
            return
        *others, last = encoded.images
        inverted = encoded.with_images((*others, ImageOps.invert(open_image(last))))
        logits = [
            ReadPrompts(self.hf, self.inputs([one]), self._source([one]), keep=False).logits
            for one in (encoded, inverted)
        ]
        if torch.equal(*logits):
            raise InputError(
                f"item {encoded.name!r} has {len(encoded.images)} images, and "
                f"{type(self.hf).__name__} does not read the last of them"
            )
        self.learned[key] = True


def condition_of(batch: Sequence[Encoded], collated: dict[str, Any]) -> Condition:
    pictures = bool(batch[0].images)
    mask = collated.get("attention_mask")
    sizes = {tuple(map(size_of, encoded.images)) for encoded in batch} if pictures else set()
    return Condition(
        pictures,
        len({len(encoded.images) for encoded in batch}) > 1,
        len(sizes) > 1,
        len(batch) > 1 and (mask is None or not bool(mask.all())),
    )


def pair_of(
    condition: Condition, batch: Sequence[Encoded], sizes: Sequence[int] | None
) -> tuple[int, int]:
    """Two prompts that differ in what the condition names: the larger, the smaller."""
    measure: Sequence[Any] = range(len(batch), 0, -1)
    if condition.numbers:
        measure = [len(encoded.images) for encoded in batch]
    elif condition.padded and sizes is not None:
        measure = sizes
    elif condition.sizes:
        measure = [tuple(map(size_of, encoded.images)) for encoded in batch]
    order = sorted(range(len(batch)), key=measure.__getitem__)
    return order[-1], order[0]


def lengths(collated: dict[str, Any]) -> list[int] | None:
    """Tokens of each prompt; None where the inputs have no mask that says so."""
    mask = collated.get("attention_mask")
    return None if mask is None else mask.sum(1).tolist()


def grouped(keys: Iterable[Hashable]) -> list[list[int]]:
    """Indices by equal keys."""
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return list(groups.values())


@torch.inference_mode()
def independent(
    hf: Any, batch: dict[str, Any], row: int, alone: dict[str, Any], source: Source | None = None
) -> bool:
    """Whether prompt ``row`` has the logits in a batch that it has ``alone``."""
    batched = ReadPrompts(hf, batch, source, keep=False).logits[row]
    return close(batched, ReadPrompts(hf, alone, source, keep=False).logits[0], hf.dtype)
