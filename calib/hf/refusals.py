"""What other libraries raise, as one sentence that a user can act on."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from calib.records import CalibError

# Longer than any sentence of theirs that says something; what is left out is marked.
LONGEST = 500


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def sentence(error: BaseException) -> str:
    """The error's own words in one paragraph.

    A message keeps its first line, and the lines that this announces by a colon. A message that
    says what to install stays whole. A bare key or index says nothing without the error's name.
    """
    if isinstance(error, RecursionError):
        return "it is nested too deeply to be read"
    if isinstance(error, pickle.UnpicklingError):
        return (
            "the weights are a pickle that holds more than tensors, which is not run (safetensors "
            "hold tensors alone)"
        )
    if "trust_remote_code=True" in str(error):
        return "it brings code of its own, which is run only where trust_remote_code=True is passed"
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if not isinstance(error, ImportError):
        last = next((n for n, line in enumerate(lines) if not line.endswith(":")), len(lines) - 1)
        lines = lines[: last + 1]
    text = " ".join(lines)
    if not isinstance(error, (OSError, ValueError, TypeError, ImportError, RuntimeError)):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


@contextmanager
def naming(hf: Any, names: Sequence[str]) -> Iterator[None]:
    """What a model raises of these items, as a CalibError that names them; but lack of memory."""
    try:
        yield
    except (CalibError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        items = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
        raise CalibError(f"{type(hf).__name__} cannot read {items}: {sentence(error)}") from error
