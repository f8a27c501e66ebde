"""Tables of what the ops return: each field's dtype and shape, from which its tensors are made.

A registered op returns a flat tuple of tensors, none of which is None: a field that is absent from
a result is an empty tensor there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from calib_kernels import dispatch

T = TypeVar("T", bound=tuple[Any, ...])

INT, BOOL, WIDE = torch.int64, torch.bool, torch.float64
REAL = None  # float64 for float64 logits, else float32


class Field(NamedTuple):
    shape: str  # a letter for each axis, as in the sizes that ``empty`` is given
    dtype: torch.dtype | None = REAL


class Table(Generic[T]):
    """The fields of the NamedTuple ``kind``, in its order."""

    def __init__(self, kind: Any, **fields: Field) -> None:
        assert tuple(fields) == kind._fields
        self.kind = kind
        self.fields = fields

    def schema(self, more: int = 0) -> str:
        """What a registered op returns: the fields, and so many tensors after them."""
        return f"({', '.join(['Tensor'] * (len(self.fields) + more))})"

    def empty(self, like: Tensor, absent: Collection[str] = (), **sizes: int) -> T:
        """Allocated on the device of ``like``, None where absent."""
        real = dispatch.real_dtype(like)
        return self.kind(  # type: ignore[no-any-return]
            *[
                None
                if name in absent
                else like.new_empty([sizes[axis] for axis in shape], dtype=dtype or real)
                for name, (shape, dtype) in self.fields.items()
            ]
        )

    def flat(self, like: Tensor, result: T) -> tuple[Tensor, ...]:
        """As a registered op returns it."""
        real = dispatch.real_dtype(like)
        return tuple(
            [
                like.new_empty(0, dtype=self.fields[name].dtype or real) if value is None else value
                for name, value in zip(self.fields, result, strict=True)
            ]
        )

    def read(self, tensors: Sequence[Tensor], absent: Collection[str] = ()) -> T:
        """The inverse of ``flat``."""
        pairs: Mapping[str, Tensor] = dict(zip(self.fields, tensors, strict=True))
        return self.kind(  # type: ignore[no-any-return]
            *[None if name in absent else value for name, value in pairs.items()]
        )


def present(like: Tensor, seen: Tensor | None) -> Tensor:
    """A histogram's delta as a registered op returns it: empty where there is none."""
    return like.new_empty(0, dtype=torch.int64) if seen is None else seen
