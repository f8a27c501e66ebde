"""What a check yields, and how an exception is told in one line."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import calib

# Float32 sums of a tiny model in another order differ by 1e-5 at the most.
BOUND = 1e-4

PASSED, FAILED, UNSETTLED, REFUSED = "passed", "failed", "unsettled", "refused"
OWN = str(Path(calib.__file__).parent)


class Unsettled(Exception):
    """The forward by hand fails, or contradicts itself: there is nothing to compare with."""


@dataclass(frozen=True)
class Check:
    """``error`` is the largest difference from the forward by hand, where there is one."""

    name: str
    outcome: str  # PASSED, FAILED, UNSETTLED or REFUSED
    error: float | None = None
    reason: str = ""


def checked(name: str, measure: Callable[..., tuple[float, float, str]], *given: Any) -> Check:
    """The record of ``measure(*given)``, which returns (error, bound, what to say)."""
    try:
        error, bound, note = measure(*given)
    except Unsettled as reason:
        return Check(name, UNSETTLED, reason=str(reason))
    except calib.CalibError as refusal:
        return Check(name, REFUSED, reason=first_line(refusal))
    except Exception as trouble:  # noqa: BLE001  (whatever comes up is the family's record)
        spoken = isinstance(trouble, ValueError) and of_calib(trouble)
        return Check(name, REFUSED if spoken else FAILED, reason=told(trouble))
    # A NaN is no match either.
    return Check(name, PASSED if error <= bound else FAILED, error, note)


def of_calib(error: Exception) -> bool:
    """Whether calib itself raised it."""
    return traceback.extract_tb(error.__traceback__)[-1].filename.startswith(OWN)


def told(error: Exception) -> str:
    """Kind, first line, and where: calib's last line on the way, and the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(OWN)]
    places = [f"{Path(f.filename).name}:{f.lineno}" for f in (*own[-1:], frames[-1])]
    return f"{type(error).__name__}: {first_line(error)} [{' <- '.join(dict.fromkeys(places))}]"


def first_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if len(line) <= 200 else f"{line[:197]}..."
