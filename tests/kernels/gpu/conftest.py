"""What can be done with a Triton kernel where there is no GPU: interpret it, compile it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("triton", reason="triton is not installed")

ROOT = Path(__file__).resolve().parents[3]


class Interpreter:
    """Calls functions of ``interpreter.py`` in a process where Triton interprets."""

    def __init__(self) -> None:
        paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("interpreter.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "TRITON_INTERPRET": "1",
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            },
        )

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        requests, replies = self.process.stdin, self.process.stdout
        assert requests and replies
        pickle.dump((name, args, kwargs), requests)
        requests.flush()
        result, error = pickle.load(replies)
        assert error is None, error
        return result

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()
        self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def interpreted() -> Iterator[Interpreter]:
    worker = Interpreter()
    yield worker
    worker.close()
