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
        alike = list(dict.fromkeys(fields.values()))
        self._plan = [(name, alike.index(field), *field) for name, field in fields.items()]
        self._kinds_of_field = len(alike)

    def schema(self, more: int = 0) -> str:
        """What a registered op returns: the fields, and so many tensors after them."""
        return f"({', '.join(['Tensor'] * (len(self.fields) + more))})"

    def empty(self, like: Tensor, absent: Collection[str] = (), **sizes: int) -> T:
        """Allocated on the device of ``like``, None where absent."""
        # Of one shape and dtype the first is made, and others after it: on short rows, allocating
        # is much of what a call costs.
        first: list[Tensor | None] = [None] * self._kinds_of_field
        made: list[Tensor | None] = []
        for name, place, shape, dtype in self._plan:
            if name in absent:
                made.append(None)
                continue
            tensor = first[place]
            if tensor is None:
                dtype = dtype or dispatch.real_dtype(like)
                tensor = like.new_empty([sizes[axis] for axis in shape], dtype=dtype)
                first[place] = tensor
            else:
                tensor = torch.empty_like(tensor)
            made.append(tensor)
        return self.kind._make(made)  # type: ignore[no-any-return]

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
