"""vocab_parallel_cross_entropy and _option_scores: ranks that hold slices say what one that holds
all would, on 2 and 4 gloo processes."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    available_backends,
    cross_entropy,
    option_scores,
    use_backend,
)
from torch import Tensor

from tests.gate.agreement import compare
from tests.gate.row_stats import hard_rows, option_sets, row_labels

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 330
# Where slices begin: equal ones, ones of a column, ones that are not alike, ones of no column.
BOUNDS = {
    2: ([0, 165, 330], [0, 1, 330], [0, 330, 330]),
    4: ([0, 83, 165, 248, 330], [0, 5, 6, 329, 330], [0, 0, 165, 330, 330]),
}
BACKENDS = [name for name in ("reference", "native") if name in available_backends("cpu")]


def rows() -> tuple[list[str], Tensor]:
    """Rows that break kernels, and two whose infinities lie in different slices."""
    hard = hard_rows(COLUMNS, 64)
    apart = hard["plain"].clone()
    apart[[2, 300]] = torch.inf
    hard["+inf in two slices"] = apart
    masked = torch.full((COLUMNS,), -torch.inf)
    masked[3], masked[328] = 1.0, 2.0
    hard["-inf but for the ends"] = masked
    return list(hard), torch.stack(list(hard.values()))


def calls(ranks: int) -> list[tuple[str, str, list[int], dict[str, Any]]]:
    _names, x = rows()
    n = len(x)
    labels, sets = row_labels(n, COLUMNS), option_sets(n, COLUMNS)
    t = torch.linspace(0.5, 2.0, n)
    answers = torch.arange(n) % 3
    answers[::7], answers[3] = -100, 9
    found = []
    for backend, bounds, dtype in itertools.product(
        BACKENDS, BOUNDS[ranks], (torch.float32, torch.bfloat16)
    ):
        y = x.to(dtype)
        loss = {"logits": y, "labels": labels, "vocab_size": COLUMNS}
        ups = torch.linspace(-1.0, 2.0, n)
        row_losses = {**loss, "temperature": t, "reduction": "none", "upstream": ups}
        found.append((backend, "losses", bounds, row_losses))
        finite = torch.arange(n) < 4
        few = {"logits": y[finite], "labels": labels[finite], "vocab_size": COLUMNS}
        for reduction in ("mean", "sum"):
            how = {"temperature": 1.3, "reduction": reduction, "upstream": torch.tensor(2.0)}
            found.append((backend, "losses", bounds, {**few, **how}))
        for name, ids in sets.items():
            if int(ids.max()) >= COLUMNS:  # ids on the host are checked
                continue
            score = {"logits": y, "option_ids": ids, "vocab_size": COLUMNS}
            known = None if name == "letters" else answers
            mode = "vocab" if name == "spellings" else "options"
            score |= {"labels": known, "temperature": t, "confidence": mode}
            found.append((backend, "scores", bounds, score))
    return found


@pytest.fixture(scope="module", params=[2, 4])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(calls, what each rank found), from processes that share nothing but the group."""
    ranks, folder = request.param, tmp_path_factory.mktemp("ranks")
    made = calls(ranks)
    torch.save(made, folder / "calls")
    paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    script = str(Path(__file__).with_name("vocab_parallel_worker.py"))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    workers = [
        subprocess.Popen(
            [sys.executable, script, str(rank), str(ranks), str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    errors = [worker.communicate(timeout=300)[1] for worker in workers]
    assert all(worker.returncode == 0 for worker in workers), "\n".join(errors)
    found = [torch.load(folder / f"found-{rank}") for rank in range(ranks)]
    refused = [json.loads((folder / f"refused-{rank}").read_text()) for rank in range(ranks)]
    return made, found, refused


def whole_loss(logits: Tensor, labels: Tensor, temperature: Any, upstream: Tensor, reduction: str,
               **_others: Any) -> list[Tensor]:  # fmt: skip
    x = logits.double().requires_grad_()
    t = temperature
    t = t.double().requires_grad_() if isinstance(t, Tensor) else t
    histogram = CalibrationHistogram(7)
    with use_backend("reference"):
        loss = cross_entropy(x, labels, temperature=t, reduction=reduction, histogram=histogram)
    loss.backward(upstream.double())
    assert x.grad is not None
    slope = t.grad if isinstance(t, Tensor) and t.grad is not None else torch.zeros(1)
    return [loss.detach(), x.grad, slope, histogram.state_dict()["sums"]]


def test_losses_gradients_and_bins(told: Any) -> None:
    """R1-R5, R12-R17, R22, R37: against float64 on the whole rows."""
    made, found, _ = told
    seen = 0
    for at, (_backend, op, _bounds, arguments) in enumerate(made):
        if op != "losses":
            continue
        seen += 1
        want = whole_loss(**arguments)
        eps = torch.finfo(arguments["logits"].dtype).eps
        slices = [of_rank[at] for of_rank in found]
        together = torch.cat([part[1] for part in slices], 1).double()
        error = (together - want[1]).abs()
        near = error <= 4e-6 + 1e-5 * want[1].abs() + eps * want[1].abs()
        assert (near | (together.isnan() & want[1].isnan())).all()
        for part in slices:
            torch.testing.assert_close(
                part[0].double(), want[0], rtol=1e-6, atol=4e-6, equal_nan=True
            )
            torch.testing.assert_close(
                part[2].double(), want[2].double(), rtol=1e-5, atol=1e-5, equal_nan=True
            )
            assert torch.equal(part[3][:14], want[3][:14]) and part[3][-1] == want[3][-1]
            for one, other in ((part[0], slices[0][0]), (part[2], slices[0][2])):
                assert torch.equal(one.nan_to_num(-77.0), other.nan_to_num(-77.0))
    assert seen == 3 * 6 * len(BACKENDS)


def test_slices_that_are_no_whole_are_refused(told: Any) -> None:
    """On every rank, with all slices: unequal ones without first, a gap, a lap, two sizes."""
    for of_rank in told[2]:
        assert len(of_rank["pieces"]) == 4
        for message in of_rank["pieces"]:
            assert "must be columns 0 to vocab_size - 1 in order, got 0 to " in message
    third = told[2][0]["pieces"][1]
    assert "64 of 66" in third or "32 of 34" in third


def test_what_it_does_not_do_is_said(told: Any) -> None:
    """Each would else be wrong in silence, or an error of something else."""
    for rank, of_rank in enumerate(told[2]):
        second, mapped, stranger, no_group = of_rank["others"]
        assert "vocab_parallel_cross_entropy has a first derivative and no second" in second
        assert "vocab_parallel_cross_entropy runs in no transform of torch.func" in mapped
        assert "group must be None or a process group of this process, got 'all'" in stranger
        if rank:  # the group holds rank 0 alone
            assert "group must be None or a process group of this process" in no_group


def test_padding_of_ranks_that_have_no_column(told: Any) -> None:
    """Equal slices, the last of which are padding: as a head is padded for its ranks."""
    for of_rank in told[2]:
        assert of_rank["padded"] == pytest.approx(of_rank["whole"], abs=1e-6)
        assert of_rank["of padding"] == 0.0


def test_scores_and_bins(told: Any) -> None:
    names, _ = rows()
    made, found, _ = told
    seen = 0
    for at, (_backend, op, _bounds, arguments) in enumerate(made):
        if op != "scores":
            continue
        seen += 1
        options = {k: v for k, v in arguments.items() if k != "vocab_size"}
        options["logits"] = options["logits"].double()
        histogram = None if options["labels"] is None else CalibrationHistogram(7)
        with use_backend("reference"):
            want = option_scores(**options, histogram=histogram)
        for of_rank in found:
            fields = iter(of_rank[at])
            scores = type(want)(*(None if f is None else next(fields) for f in want))
            assert not list(compare(scores, want, names))
            if histogram is not None:
                sums = histogram.state_dict()["sums"]
                told_sums = next(fields)
                assert torch.equal(told_sums[:14], sums[:14]) and told_sums[-1] == sums[-1]
    assert seen >= 2 * 4 * len(BACKENDS)
