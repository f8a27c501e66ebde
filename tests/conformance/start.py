"""The process of one family: `python -m tests.conformance.start FAMILY OUT`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch


def declare_torchvision() -> Any:
    """Make a torchvision that was built for another torch importable; what must be kept alive.

    Its own library cannot be loaded then, and its import asks for the schemas of two ops, which no
    processor of pictures calls.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    try:
        torch.ops.load_library(str(next(Path(spec.origin).parent.glob("_C*.so"))))
    except (OSError, StopIteration):
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


if __name__ == "__main__":
    library = declare_torchvision()
    from tests.conformance.worker import run

    run(sys.argv[1], Path(sys.argv[2]))
