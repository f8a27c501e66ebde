"""Long tier: damaged records and settings, and metrics of anything, raise what is documented."""

from __future__ import annotations

import json
import math
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calib import metrics
from calib.calibrators.abstention import abstention
from calib.intervals import bootstrap, paired_difference
from calib.records import CalibError
from calib.runs import open_run
from calib.summary import remedies, summarize, table

QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 10**9), st.floats(), st.text(max_size=6),
        st.sampled_from(["\ud800", "<script>", 1e308, -0.0, 2.5, 10**400]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    """The numbers do not matter here, and a thousand resamples take a second."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (table, remedies):
            patch.setattr(module, "RESAMPLES", 12)
        yield


@pytest.fixture(scope="module")
def whole(make_run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("fuzz") / "run", n=12)


def read(folder: Path) -> None:
    """Everything that a reader does with a run; only CalibError may come of it."""
    with suppress(CalibError):
        run = open_run(folder)
        run.scores()
        json.dumps(summarize(run))


@pytest.mark.slow
@settings(max_examples=1500, **QUIET)
@given(data=st.data())
def test_records(whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    folder = tmp_path_factory.mktemp("r")
    (folder / "config.json").write_bytes((whole / "config.json").read_bytes())
    lines = (whole / "records.jsonl").read_bytes().splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["value", "drop", "bytes", "copy", "cut"]))
        if how == "copy":
            lines.insert(at, lines[data.draw(st.integers(0, len(lines) - 1))])
        elif how == "cut":
            del lines[at]
        elif how == "bytes":
            lines[at] = (
                data.draw(st.binary(max_size=30)) + lines[at][data.draw(st.integers(0, 9)) :]
            )
        else:
            try:
                row = json.loads(lines[at])
                name = data.draw(st.sampled_from(sorted(row)))
            except (ValueError, TypeError, IndexError):
                continue
            if how == "drop":
                del row[name]
            else:
                row[name] = data.draw(VALUES)
            lines[at] = json.dumps(row).encode() + b"\n"
        if not lines:
            break
    (folder / "records.jsonl").write_bytes(b"".join(lines))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(folder)


@pytest.mark.slow
@settings(max_examples=400, **QUIET)
@given(name=st.text(max_size=9) | st.sampled_from(["bins", "seed", "model", "task", "confidence",
       "kind", "questions", "parts", "versions"]), value=VALUES)  # fmt: skip
def test_settings(whole: Path, tmp_path_factory: pytest.TempPathFactory, name: str, value: Any):
    folder = tmp_path_factory.mktemp("c")
    config = json.loads((whole / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, name: value}), encoding="utf-8")
    (folder / "records.jsonl").write_bytes((whole / "records.jsonl").read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(folder)


ONE_NUMBER = [
    getattr(metrics, name)
    for name in ("accuracy", "ace", "aurc", "auroc", "brier", "classwise_ece", "debiased_rmsce",
                 "ece", "ence", "ks", "mce", "nll", "rmsce", "smooth_ece")
]  # fmt: skip
ARRAYS = st.one_of(
    st.lists(st.floats(0, 1), max_size=30),
    st.lists(st.floats(), max_size=6),
    st.lists(VALUES, max_size=4),
    st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.float32),
    st.lists(st.floats(0, 1), max_size=9).map(lambda v: np.ma.masked_array(v, [False] * len(v))),
    VALUES,
)


@pytest.mark.slow
@settings(max_examples=2500, **QUIET)
@given(
    metric=st.sampled_from(ONE_NUMBER),
    confidence=ARRAYS,
    correct=st.one_of(st.lists(st.sampled_from([0, 1, True, False]), max_size=30), ARRAYS),
    clusters=st.none() | st.lists(st.integers(0, 3), max_size=30),
)
def test_metrics(metric: Any, confidence: Any, correct: Any, clusters: Any):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = metric(confidence, correct)
        except ValueError:
            return
        assert isinstance(value, float)
        assert math.isinf(value) or math.isnan(value) or value >= -1e-12
        if not math.isfinite(value):
            return
        pair = (confidence, correct)
        with suppress(ValueError):  # one cluster, or clusters of another length
            found = bootstrap(metric, *pair, clusters=clusters, n=20)
            assert found.low is None or found.low <= found.high
            assert paired_difference(metric, pair, pair, clusters=clusters, n=20).value == 0
            abstention(*pair, risk=0.1, clusters=clusters)
