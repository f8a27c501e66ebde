"""Which questions share a forward pass: a function of the whole list alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from calib.models.protocol import check_batch_size

AUTO_TOKENS = {"cpu": 2_048, "cuda": 32_768}
AUTO_ROWS = 64
BATCH_PIXELS = 150_000_000
"""Pixels of the pictures of a batch: processors take all of them at once, whole and decoded, and
hold about 7 bytes of each pixel, while they scale one more for some time."""


def plan(
    lengths: Sequence[int],
    kinds: Sequence[Hashable],
    batch_size: int | str,
    device: str,
    pixels: Sequence[int] | None = None,
) -> list[list[int]]:
    """Batches of indices into ``lengths`` (tokens), longest first, so that memory fails early.

    Questions of different ``kinds`` (with or without images, one or several tokens per option)
    never share a batch. ``batch_size`` is a number of rows, or "auto": as many rows as fit the
    device's share of tokens, padding included. ``pixels`` are those of each question's pictures: a
    batch ends before they are more than ``BATCH_PIXELS``, whatever its size.
    """
    check_batch_size(batch_size)
    tokens = AUTO_TOKENS.get(device, AUTO_TOKENS["cpu"])
    names: dict[Hashable, int] = {}
    for kind in kinds:
        names.setdefault(kind, len(names))
    order = sorted(range(len(lengths)), key=lambda i: (names[kinds[i]], -lengths[i], i))
    batches: list[list[int]] = []
    room = held = 0
    for index in order:
        more = pixels[index] if pixels else 0
        if room == 0 or kinds[index] != kinds[batches[-1][0]] or held + more > BATCH_PIXELS:
            batches.append([])
            held = 0
            auto = min(AUTO_ROWS, tokens // max(1, lengths[index]))
            room = max(1, auto) if batch_size == "auto" else int(batch_size)
        batches[-1].append(index)
        room -= 1
        held += more
    return batches


def fitting(pixels: Iterable[int], most: int) -> int:
    """How many of the first questions a batch may take: one or more, up to ``most``."""
    count = held = 0
    for own in pixels:
        held += own
        if count == most or (count and held > BATCH_PIXELS):
            break
        count += 1
    return count
