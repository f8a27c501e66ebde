"""Every op of the registry at tiny sizes: its rivals agree, its bytes are counted right."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from calib_kernels import use_backend
from torch import Tensor

from bench import cases, sizes, timing
from bench.cases import OURS, Case, Rival, Run
from bench.clock import CpuClock
from bench.ops import OPS, answers
from bench.results import ROOT, version
from bench.timing import inputs, measure, rows_of, size_of
from calib.hf.decoding import flash

CPU = torch.device("cpu")
RIVALS = [ROOT / "bench" / name for name in ("rivals.txt", "rivals-cute.txt")]
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
    monkeypatch.setattr(cases, "compiler", lambda case, chunked=False: cases.as_it_is)


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


LIBRARIES = {
    "liger-kernel",
    "quack-kernels",
    "flash-attn",
    "flashinfer-python",
    "cut-cross-entropy",
}


def of_libraries(package: str) -> Iterator[tuple[Case, Rival]]:
    """The rivals on a GPU that come from a package, in every form that they take part in."""
    for name, mode in FORMS:
        case = Case(name, 8, 64, torch.bfloat16, mode)
        for rival in OPS[name].variants(case, torch.device("cuda")).values():
            if rival.package == package and rival.devices == ("cuda",):
                yield case, rival


@pytest.mark.parametrize("package", sorted(LIBRARIES))
def test_a_library_that_is_not_there_is_named(package: str) -> None:
    if version(package):
        pytest.skip(f"{package} is installed")
    found = list(of_libraries(package))
    assert found
    module = {"flashinfer-python": "flashinfer", "quack-kernels": "quack"}.get(package, package)
    for case, rival in found:
        with pytest.raises(ModuleNotFoundError, match=module.replace("-", "_")):
            rival.build(case)


def test_libraries_are_carried_by_pinned_versions() -> None:
    """All but those that are built on the machine itself, which the page names."""
    pins = {}
    for path in RIVALS:
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        own = dict(line.split("==") for line in lines)
        assert list(own) == sorted(own)
        pins |= own
    assert all(pins.values()) and not pins.keys() & {"torch", "triton"}
    assert LIBRARIES - set(pins) == {"flash-attn", "flashinfer-python"}
    page = (ROOT / "bench" / "README.md").read_text()
    assert all(f"`{name}`" in page for name in LIBRARIES - set(pins))
    cuda = torch.device("cuda")
    every = [Case(name, 8, 64, torch.bfloat16, mode) for name, mode in FORMS]
    rivals = [rival for case in every for rival in OPS[case.op].variants(case, cuda).values()]
    assert {r.package for r in rivals if r.devices == ("cuda",)} - {""} == LIBRARIES


def test_answers_without_the_kernel_of_flash_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside ours where ours has it; it is then there for no step."""
    case = tiny("answers", "tiny")
    rival = OPS["answers"].variants(case, torch.device("cuda"))["aten's kernel"]
    assert "aten's kernel" not in OPS["answers"].variants(case, CPU)
    monkeypatch.setattr(flash, "of_package", lambda: None)
    with pytest.raises(ModuleNotFoundError, match="flash_attn"):
        rival.build(case)
    monkeypatch.setattr(flash, "of_package", lambda: flash.on_cpu)
    seen, decode = [], answers.decode

    def watched(*given: Any, **how: Any) -> Any:
        seen.append(flash.of_package())
        return decode(*given, **how)

    monkeypatch.setattr(answers, "decode", watched)
    given = OPS["answers"].inputs(case, CPU, torch.Generator().manual_seed(0))
    for build in (OPS["answers"].ours, rival.build):
        run = build(case)
        run(*given)
        assert run.attention.partition(" ")[0] == ("flash-attn" if seen[-1] else "aten")
    assert seen == [flash.on_cpu, None]


@pytest.mark.slow  # it compiles
def test_inductor_chunks_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its logits are four times its inputs: by itself it would leave it whole, which is noticed."""
    case = Case("linear_cross_entropy", 256, 8192, torch.float32, hidden=64, threads=1)
    op = OPS[case.op]
    given = op.inputs(case, CPU, torch.Generator().manual_seed(0))
    rival = op.rivals["compile, chunks"]
    op.agree(case, given, rival.build(case)(*given), op.ours(case)(*given))
    torch.compiler.reset()
    monkeypatch.delitem(cases.CHUNKED, "auto_chunker.amplify_ratio_threshold")
    with pytest.raises(RuntimeError, match="found nothing to chunk"):
        rival.build(case)(*given)
