"""What can be done with a Triton kernel where there is no GPU: interpret it, compile it."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from calib_kernels.gpu import tuning

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


POINTERS = {
    "*fp32": "t edges sums logprob prob mass confidence entropy vocab_entropy "
    "lse sum_p2 label_logprob losses loss top log2_d slope d_loss d_lse d_entropy variance unless "
    "value left logprob_unfiltered",
    "*fp64": "terms nll grad hess uniforms",
    "*i64": "ids labels prediction token seen kept count item sample step",
    "*i32": "tokens slow counted ties tied",
    "*i1": "correct valid",
}
TYPES = {f"{name}_ptr": kind for kind, names in POINTERS.items() for name in names.split()}


@dataclass(frozen=True)
class Compiled:
    """What came out of the compiler for one kernel."""

    instructions: list[str]  # SASS, in order
    loops: list[list[str]]  # the instructions of each loop, nested ones included
    resources: dict[str, int]  # REG, STACK, LOCAL, SHARED
    jumps: dict[int, int]  # branch -> where it leads, as places in ``instructions``
    asm: dict[str, Any]

    def walks(self) -> list[list[str]]:
        """The main loops by 128-bit loads; first that of the blocks which are loaded together, on
        which most of a row is spent. What is left of it has loops of one block at a time."""
        loops = [body for body in self.main_loops() if not narrow(body)]
        return sorted(loops, key=lambda body: -len(per_element(body)))

    def main_loops(self) -> list[list[str]]:
        """The innermost loops that raise e to something: where the time goes."""
        exponential = [body for body in self.loops if per_element(body)]
        return [
            body
            for body in exponential
            if not any(other is not body and contains(body, other) for other in exponential)
            and any("LDG" in line for line in body)
            and len(per_element(body)) > 1
        ]

    def shortest_way(self, through: str | None = None) -> list[str]:
        """The fewest instructions from the first to the last that stores.

        ``through``: past every instruction of that name, in order.
        """
        stops = [i for i, line in enumerate(self.instructions) if through and through in line]
        stops.append(max(i for i, line in enumerate(self.instructions) if "STG" in line))
        way, at = [0], 0
        for stop in stops:
            way += self._leg(at, stop)
            at = stop
        return [self.instructions[i] for i in way]

    def round(self, loop: list[str]) -> list[str]:
        """The fewest instructions of one round of a loop, the jump that ends it left out."""
        first, last = (self.instructions.index(loop[i]) for i in (0, -1))
        return [self.instructions[i] for i in [first, *self._leg(first, last)[:-1]]]

    def _leg(self, start: int, stop: int) -> list[int]:
        """Places after ``start`` up to ``stop``: breadth first."""
        before = {start: start}
        queue = deque([start])
        while stop not in before:
            at = queue.popleft()
            certain = re.match(r"\w+ (BRA(\.\w+)* `|EXIT)", self.instructions[at])
            following = [self.jumps[at]] if at in self.jumps else []
            following += [] if certain else [at + 1]
            for place in following:
                if place not in before:
                    before[place] = at
                    queue.append(place)
        way = [stop]
        while before[way[-1]] != start:
            way.append(before[way[-1]])
        return way[::-1]


def per_element(body: list[str]) -> list[str]:
    """Instructions of which a logit needs exactly one: exponentials."""
    return [line for line in body if "MUFU.EX2" in line]


def narrow(body: list[str]) -> bool:
    """Whether a loop has loads of fewer than 128 bits."""
    return any("LDG" in line and ".128" not in line for line in body)


def contains(outer: list[str], inner: list[str]) -> bool:
    return len(outer) > len(inner) and inner[0] in outer and inner[-1] in outer


def disassembled(cubin: bytes, folder: Path) -> Any:
    """Instructions, loops, resources and jumps, by the tools that come with triton."""
    import triton

    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    path = folder / "kernel.cubin"
    path.write_bytes(cubin)

    def run(tool: str, flag: str) -> str:
        command = [str(tools / tool), flag, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    instructions: list[str] = []
    labels: dict[str, int] = {}
    for line in run("nvdisasm", "-c").splitlines():
        if label := re.match(r"\s*(\.L_x_\d+):", line):
            labels[label[1]] = len(instructions)
        elif code := re.match(r"\s*/\*([0-9a-f]+)\*/\s+(.*?);", line):
            instructions.append(f"{code[1]} {code[2]}")
    jumps = {}
    for i, line in enumerate(instructions):
        target = re.search(r"BRA.*`\((\.L_x_\d+)\)", line)
        if target and target[1] in labels:
            jumps[i] = labels[target[1]]
    loops = [instructions[to : i + 1] for i, to in jumps.items() if to < i]
    usage = run("cuobjdump", "-res-usage")
    resources = {name: int(value) for name, value in re.findall(r"\b([A-Z]+):(\d+)", usage)}
    return instructions, loops, resources, jumps


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """compiled(kernel, arch, dtype, constants, tune): ahead of time, as a launch would have it."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    @cache
    def build(
        kernel: Any, arch: int | str, dtype: str, items: frozenset[Any], tune: tuning.RowTuning
    ) -> Compiled:
        constants = {"AHEAD": tune.ahead, **dict(items)}
        names = list(kernel.arg_names)
        constants = {name: value for name, value in constants.items() if name in names}
        reals = dict.fromkeys(("scale", "cap", "smoothing", "z_loss"), "fp32")
        types = {**TYPES, **reals, "x_ptr": dtype, "dx_ptr": dtype}
        types |= {f"scale{i}": "fp32" for i in range(4)}
        types |= {"gap": "fp32", "top_p_bits": "i64"}
        outputs = [n for n in names if n.endswith("_ptr") and n not in kernel_unspecialised(kernel)]
        source = ASTSource(
            fn=kernel,
            constexprs=constants,
            signature={
                name: "constexpr" if name in constants else types.get(name, "i32") for name in names
            },
            attrs={
                (names.index(name),): [["tt.divisibility", 16]]
                for name in outputs
                if name not in constants
            },
        )
        nvidia = isinstance(arch, int)
        target = GPUTarget("cuda", arch, 32) if nvidia else GPUTarget("hip", arch, 64)
        options = {"num_warps": tune.warps, "enable_fp_fusion": False}
        if nvidia:
            options["maxnreg"] = tuning.registers(tune, arch)
        built = triton.compile(source, target=target, options=options)
        if not nvidia:
            return Compiled([], [], {}, {}, dict(built.asm))
        folder = tmp_path_factory.mktemp("cubin")
        return Compiled(*disassembled(built.asm["cubin"], folder), dict(built.asm))

    def compile_kernel(
        kernel: Any,
        arch: int | str,
        dtype: str,
        constants: dict[str, Any],
        tune: tuning.RowTuning = tuning.ROW,
    ) -> Compiled:
        return build(kernel, arch, dtype, frozenset(constants.items()), tune)

    return compile_kernel


def kernel_unspecialised(kernel: Any) -> set[str]:
    return {p.name for p in kernel.params if p.do_not_specialize or p.is_constexpr}
