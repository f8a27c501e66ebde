"""The processor's time that a piece of work takes."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Assert that what is done inside takes less than so many seconds of this process.

    The collector waits meanwhile: where other tests have left a million objects, one collection
    takes a second by itself, and comes whenever it likes.
    """
    collected = gc.isenabled()
    gc.disable()
    began = time.process_time()
    try:
        yield
        assert time.process_time() - began < seconds
    finally:
        if collected:
            gc.enable()
