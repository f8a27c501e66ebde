"""Every op of the registry at tiny sizes: its rivals agree, its bytes are counted right."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from calib_kernels import use_backend
from torch import Tensor

from bench import cases, sizes, timing
from bench.cases import OURS, Case, Run
from bench.clock import CpuClock
from bench.ops import OPS, row_stats
from bench.timing import inputs, measure, rows_of, size_of

CPU = torch.device("cpu")
FORMS = [(name, mode) for name, op in OPS.items() for mode in op.modes]
# Real configurations of models have one that is "tiny" beside them, which stands for them here.
SMALL_FORMS = [form for form in FORMS if form[1] == "tiny" or "tiny" not in OPS[form[0]].modes]


def tiny(name: str, mode: str, dtype: torch.dtype = torch.float32) -> Case:
    rows, columns = {"ece": (300, 0), "temperature_fit": (400, 10)}.get(name, (9, 90))
    return Case(name, rows, columns, dtype, mode, hidden=16, threads=1)


@pytest.fixture(autouse=True)
def on_reference() -> Iterator[None]:
    with use_backend("reference"):
        yield


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds per function; what it would compile runs as it is."""
    for module in (cases, row_stats):
        monkeypatch.setattr(module, "compiler", lambda case: cases.as_it_is)


@pytest.mark.parametrize(("name", "mode"), SMALL_FORMS)
@pytest.mark.usefixtures("no_compiler")
def test_the_rivals_compute_the_same(name: str, mode: str) -> None:
    dtypes = [torch.float32] if name == "ece" else [torch.float32, torch.bfloat16]
    for dtype in dtypes if name != "temperature_fit" else dtypes[:1]:
        case = tiny(name, mode, dtype)
        found = measure(case, CPU, CpuClock(8), rounds=1, seconds=0)
        missing = {
            variant: reason
            for variant, reason in found.missing.items()
            if not reason.startswith("ModuleNotFoundError")
        }
        assert not missing
        rows = list(rows_of(found, CPU, 1e10))
        assert [row["variant"] for row in rows] == list(OPS[name].variants(case, CPU))
        for row in rows:
            assert "error" in row or 0 < row["us_least"] <= row["us"] < math.inf


@pytest.mark.parametrize("name", [name for name in OPS if "tiny" not in OPS[name].modes])
@pytest.mark.usefixtures("no_compiler")
def test_a_wrong_rival_is_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is given other inputs than ours."""
    op = OPS[name]
    case = tiny(name, op.modes[0])
    others = op.inputs(case, CPU, torch.Generator().manual_seed(5))

    def confused(case: Case, compiled: Any) -> Run:
        run = op.plain(case, compiled)
        return lambda *given: run(*others)

    changed = cases.Op(**{**vars(op), "plain": confused, "rivals": {}})
    monkeypatch.setitem(timing.OPS, name, changed)
    found = measure(case, CPU, CpuClock(8), rounds=1, seconds=0)
    assert OURS in found.seconds and found.missing["eager"].startswith("AssertionError")


def tensors(results: Any) -> Iterator[Tensor]:
    if isinstance(results, Tensor):
        yield results
    elif isinstance(results, tuple):
        for part in results:
            yield from tensors(part)


COUNTED = ("row_stats", "option_scores", "cross_entropy", "linear_cross_entropy")


@pytest.mark.parametrize(("name", "mode"), [form for form in FORMS if form[0] in COUNTED])
def test_bytes_moved_are_those_of_inputs_and_results(name: str, mode: str) -> None:
    """Scalars, and ids that all rows share, apart."""
    case, op = tiny(name, mode), OPS[name]
    (given,) = inputs(op, case, CPU, 8)
    shared = 1 if name == "option_scores" else None
    kept = tuple(x for k, x in enumerate(given) if k != shared and x.dim())
    results = [x for x in tensors(op.ours(case)(*given)) if x.dim()]
    assert op.moved_bytes is not None
    expected = size_of(kept) + size_of(tuple(results))
    # A linear op's labels are beside its matrices nothing.
    assert abs(op.moved_bytes(case) - expected) <= 8 * case.rows * name.startswith("linear")


def test_inputs_outgrow_the_cache_and_differ() -> None:
    case = tiny("row_stats", "")
    made = inputs(OPS["row_stats"], case, CPU, 4000)
    assert 4000 * 4 <= sum(map(size_of, made)) < 4000 * 4 + 2 * size_of(made[0])
    assert not torch.equal(made[0][0], made[1][0])
    again = inputs(OPS["row_stats"], case, CPU, 4000)
    assert torch.equal(made[1][0], again[1][0])


def test_a_case_without_room_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "free_bytes", lambda device: 1000)
    found = measure(tiny("row_stats", ""), CPU, CpuClock(8), rounds=1, seconds=0)
    assert not found.seconds and set(found.missing) == set(
        OPS["row_stats"].variants(found.case, CPU)
    )
    assert all(reason.startswith("skipped: needs about") for reason in found.missing.values())


def test_the_time_limit() -> None:
    with pytest.raises(TimeoutError, match="not ready after 0 s"), timing.time_limit(0.01):
        while True:
            pass
    with pytest.raises(TimeoutError, match="time is up"), timing.time_limit(-1.0):
        pass


def test_every_op_and_size_is_selected() -> None:
    default, everything = sizes.cpu("default"), sizes.cpu("all")
    assert {case.op for case in default} == set(OPS) == {case.op for case in sizes.gpu()}
    assert set(default) <= set(everything)
    for name in ("row_stats", "option_scores"):
        mine = [case for case in default if case.op == name]
        assert {(case.rows, case.columns) for case in mine} >= {(64, 32_000), (1024, 151_936)}
        assert {case.threads for case in mine} == {1, 2}
    for chosen in (default, everything, sizes.gpu()):
        assert len(set(chosen)) == len(chosen)
        assert all(case.mode in OPS[case.op].modes for case in chosen)
    assert {case.op for case in sizes.cpu("ece,sample")} == {"ece", "sample"}
    with pytest.raises(ValueError, match="no op called nothing"):
        sizes.cpu("nothing")


@pytest.mark.parametrize("module", ["liger_kernel", "quack", "flash_attn", "flashinfer"])
def test_rivals_that_are_not_installed_say_so(module: str) -> None:
    if importlib.util.find_spec(module):
        pytest.skip(f"{module} is installed")
    cuda = torch.device("cuda")
    builds = [
        (Case(name, 8, 64, torch.bfloat16, mode), rival)
        for name, mode in FORMS
        for rival in OPS[name].variants(Case(name, 8, 64, torch.bfloat16, mode), cuda).values()
        if rival.devices == ("cuda",)
    ]
    said = []
    for case, rival in builds:
        try:
            rival.build(case)  # what is ours in another form can be built
        except ModuleNotFoundError as error:
            said.append(str(error))
    assert any(module in sentence for sentence in said)
