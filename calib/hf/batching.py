"""Which questions share a forward pass: a function of the whole list alone."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from calib.records import InputError

AUTO_TOKENS = {"cpu": 2_048, "cuda": 32_768}
AUTO_ROWS = 64


def plan(
    lengths: Sequence[int],
    kinds: Sequence[Hashable],
    batch_size: int | str,
    device: str,
) -> list[list[int]]:
    """Batches of indices into ``lengths`` (tokens), longest first, so that memory fails early.

    Questions of different ``kinds`` (with or without images, one or several tokens per option)
    never share a batch. ``batch_size`` is a number of rows, or "auto": as many rows as fit the
    device's share of tokens, padding included.
    """
    if not (batch_size == "auto" or (isinstance(batch_size, int) and batch_size > 0)):
        raise InputError(f"batch_size: expected auto or a positive number, got {batch_size!r}")
    tokens = AUTO_TOKENS.get(device, AUTO_TOKENS["cpu"])
    names: dict[Hashable, int] = {}
    for kind in kinds:
        names.setdefault(kind, len(names))
    order = sorted(range(len(lengths)), key=lambda i: (names[kinds[i]], -lengths[i], i))
    batches: list[list[int]] = []
    room = 0
    for index in order:
        if room == 0 or kinds[index] != kinds[batches[-1][0]]:
            batches.append([])
            auto = min(AUTO_ROWS, tokens // max(1, lengths[index]))
            room = batch_size if isinstance(batch_size, int) else max(1, auto)
        batches[-1].append(index)
        room -= 1
    return batches
