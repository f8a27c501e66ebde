"""Temperature scaling: golden fits, degenerate sets, an independent solver, files."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from calib import cli
from calib.calibrators.temperature import (
    COLDEST,
    HOTTEST,
    DegenerateTemperatureWarning,
    TemperatureScaling,
    softmax,
)
from calib.records import InputError
from calib.summary.remedies import fit_runs
from tests.golden import golden_sets

ORACLES = Path(__file__).parent / "data" / "oracles" / "vlm_uncertainty_bench"

# In-sample minima over all rows, from the project's specification of the oracle files; each was
# also found by scikit-learn to five decimals.
ORACLE_TEMPERATURES = {
    "llava-v1.5-7b.mmbench": 1.362743,
    "llava-v1.5-7b.oodcv": 0.887511,
    "llava-v1.5-13b.mmbench": 1.462493,
    "llava-v1.5-13b.oodcv": 1.049259,
    "Qwen-VL.mmbench": 0.778489,
    "Qwen-VL.oodcv": 0.999694,
    "Qwen-VL-Chat.mmbench": 1.065367,
    "Qwen-VL-Chat.oodcv": 1.119863,
    "Monkey.mmbench": 0.784265,
    "Monkey.oodcv": 7.347286,
    "Monkey-Chat.mmbench": 1.018029,
    "Monkey-Chat.oodcv": 0.870029,
}


def test_golden_fits():
    for _, fitted, z, y in golden_sets():
        # The golden values are printed to seven or eight digits.
        assert TemperatureScaling().fit(z, y).temperature_ == pytest.approx(fitted, rel=1e-7)


@pytest.mark.parametrize("name", ORACLE_TEMPERATURES)
def test_oracle_temperatures(name):
    with np.load(ORACLES / f"{name}.npz", allow_pickle=False) as data:
        fitted = TemperatureScaling().fit(data["logits"], data["answer"])
    assert fitted.temperature_ == pytest.approx(ORACLE_TEMPERATURES[name], abs=6e-7)
    assert fitted.nll_after_ <= fitted.nll_before_
    assert not fitted.degenerate_


def test_closed_form():
    # All rows (s, 0, ..., 0) over K classes with share q of class 0: T = s / ln((K-1) q / (1-q)).
    z = np.tile([4.0, 0.0, 0.0], (10, 1))
    y = np.array([0] * 8 + [1, 2])
    assert TemperatureScaling().fit(z, y).temperature_ == pytest.approx(4 / math.log(8), rel=1e-12)


def test_agrees_with_scikit_learn():
    pytest.importorskip("sklearn", minversion="1.8")
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Logits(ClassifierMixin, BaseEstimator):
        def fit(self, z, y):
            self.classes_ = np.unique(y)
            return self

        def decision_function(self, z):
            return z

        def predict(self, z):
            return z.argmax(axis=1)

    _, _, z, y = next(golden_sets())
    judge = CalibratedClassifierCV(FrozenEstimator(Logits().fit(z, y)), method="temperature")
    theirs = 1 / judge.fit(z, y).calibrated_classifiers_[0].calibrators[0].beta_
    # scikit-learn stops its scalar minimiser at about 1e-6.
    assert TemperatureScaling().fit(z, y).temperature_ == pytest.approx(float(theirs), rel=2e-6)


def test_grid_takes_the_first_minimum():
    for true, fitted, z, y in golden_sets():
        if true <= 5:
            grid = TemperatureScaling(method="grid").fit(z, y)
            assert grid.temperature_ == pytest.approx(fitted, abs=0.0051)
            assert round(grid.temperature_ * 100) == pytest.approx(grid.temperature_ * 100)


@pytest.mark.parametrize("form", [np.asarray, torch.tensor], ids=["array", "tensor"])
@pytest.mark.parametrize("method", ["exact", "grid"])
@pytest.mark.parametrize(
    ("z", "y", "expected", "reason"),
    [
        ([[3.0, 0.0], [0.0, 3.0]], [0, 1], COLDEST, "highest logit"),
        ([[3.0, 0.0, -np.inf], [0.0, 3.0, 1.0]], [0, 1], COLDEST, "highest logit"),
        ([[3.0, 0.0], [0.0, 3.0]], [1, 0], HOTTEST, "no higher than the other"),
        ([[3.0, 0.0, -np.inf], [-np.inf, 0.0, 3.0]], [1, 1], HOTTEST, "no higher than the other"),
        ([[1.0, 1.0], [2.0, 2.0]], [0, 1], 1.0, "constant"),
        ([[1.0, -np.inf, 1.0], [2.0, 2.0, 2.0]], [0, 1], 1.0, "constant"),
    ],
)
def test_degenerate_sets_are_clamped_and_said(z, y, expected, reason, method, form):
    if method == "grid":
        expected = {COLDEST: 0.01, HOTTEST: 9.99, 1.0: 1.0}[expected]
    with pytest.warns(DegenerateTemperatureWarning, match=reason):
        fitted = TemperatureScaling(method).fit(form(z), form(y))
    assert fitted.temperature_ == expected
    assert fitted.degenerate_
    assert reason in str(fitted.reason_)


def test_a_finite_minimum_out_of_bounds_is_clamped():
    z = np.array([[1e-9, 0.0]] * 10)
    with pytest.warns(DegenerateTemperatureWarning, match="below"):
        assert TemperatureScaling().fit(z, [0] * 9 + [1]).temperature_ == COLDEST


def test_transform_keeps_every_answer_and_scales():
    _, _, z, y = next(golden_sets())
    fitted = TemperatureScaling().fit(z, y)
    scaled = fitted.transform(z)
    assert np.array_equal(scaled.argmax(1), z.argmax(1))
    np.testing.assert_allclose(scaled * fitted.temperature_, z, rtol=1e-15)
    np.testing.assert_allclose(fitted.predict_proba(z).sum(1), 1, rtol=1e-12)


def test_absent_classes_change_nothing():
    _, _, z, y = next(golden_sets())
    padded = np.concatenate([z, np.full((len(z), 3), -np.inf)], axis=1)
    assert TemperatureScaling().fit(padded, y).temperature_ == pytest.approx(
        TemperatureScaling().fit(z, y).temperature_, rel=1e-12
    )


def test_shift_of_a_row_changes_nothing():
    _, _, z, y = next(golden_sets())
    shifted = z + 1000 * np.arange(len(z))[:, None]
    assert TemperatureScaling().fit(shifted, y).temperature_ == pytest.approx(
        TemperatureScaling().fit(z, y).temperature_, rel=1e-8
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("method", ["exact", "grid"])
def test_a_tensor_has_the_temperature_of_its_values(dtype, method):
    for true, _, z, y in golden_sets():
        if method == "grid" and true > 5:
            continue  # no minimum on the grid
        logits = torch.tensor(z, dtype=dtype, requires_grad=True)
        logits.data[::5, 0] = -math.inf  # a class that a row does not have
        labels = torch.tensor(y).where(torch.tensor(y) != 0, 1)
        found = TemperatureScaling(method).fit(logits, labels)
        exact = TemperatureScaling(method).fit(logits.detach().double().numpy(), labels.numpy())
        # What the documentation promises; points of the grid are the same.
        assert found.temperature_ == pytest.approx(
            exact.temperature_, rel=1e-6 if method == "exact" else 1e-12
        )
        assert (found.nll_before_, found.nll_after_) == pytest.approx(
            (exact.nll_before_, exact.nll_after_), rel=1e-6
        )


def test_a_vocabulary_of_logits():
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(60, 30_000, generator=generator)
    y = z.topk(2).indices[torch.arange(60), torch.arange(60) % 2]
    for logits in (z, z.bfloat16()):
        found = TemperatureScaling().fit(logits, y).temperature_
        exact = TemperatureScaling().fit(logits.double().numpy(), y.numpy()).temperature_
        assert found == pytest.approx(exact, rel=1e-6)


def test_logits_processor_and_tensors():
    _, _, z, y = next(golden_sets())
    fitted = TemperatureScaling().fit(torch.tensor(z), torch.tensor(y))
    scores = torch.tensor(z[:2], dtype=torch.bfloat16)
    out = fitted.logits_processor()(None, scores)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, scores / fitted.temperature_)
    assert torch.equal(fitted.transform(scores), out)
    TemperatureScaling().fit(scores, torch.tensor([int(z[0].argmin()), int(z[1].argmax())]))


def test_saved_and_loaded(tmp_path):
    _, _, z, y = next(golden_sets())
    fitted = TemperatureScaling().fit(z, y)
    path = fitted.save(tmp_path / "temperature.json", facts={"model": "a"})
    loaded = TemperatureScaling.load(path)
    assert loaded == fitted
    assert [entry.name for entry in tmp_path.iterdir()] == ["temperature.json"]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": "other"}'])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "temperature.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"temperature\.json"):
        TemperatureScaling.load(path)


@pytest.mark.parametrize(
    ("z", "y", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "at least one row"),
        (np.zeros((2, 1)), [0, 0], "two classes"),
        (np.zeros((2, 3)), [0], "labels: expected shape"),
        (np.zeros((2, 3)), [0.0, 1.0], "integers"),
        (np.zeros((2, 3)), [0, 3], r"expected 0\.\.2"),
        ([[0.0, np.nan]], [0], "NaN"),
        ([[0.0, np.inf]], [0], "inf"),
        ([[0.0, -np.inf]], [1], "gold class"),
    ],
)
def test_bad_input_is_named(z, y, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for logits, labels in ((z, y), (torch.tensor(z).float(), torch.tensor(y))):
            with pytest.raises(InputError, match=message):
                TemperatureScaling().fit(logits, labels)


def test_unfitted_and_unknown_method_are_refused():
    with pytest.raises(InputError, match="not been fitted"):
        TemperatureScaling().transform(np.zeros((1, 2)))
    with pytest.raises(InputError, match="method"):
        TemperatureScaling(method="lbfgs")


def test_bounds_hold_the_true_temperature():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        z = rng.normal(0, 3, (200, 4))
        y = (rng.random((200, 1)) > softmax(z / 2).cumsum(axis=1)).sum(axis=1)
        fitted = TemperatureScaling().fit(z, y)
        held += fitted.low_ <= 2 <= fitted.high_
        assert fitted.low_ < fitted.temperature_ < fitted.high_
    assert 180 <= held <= 199  # 190 are due; both limits are three standard errors away


def test_bounds_allow_for_clusters():
    _, _, z, y = next(golden_sets())
    z, y = z[:300], y[:300]
    alone = TemperatureScaling().fit(z, y)
    copied = TemperatureScaling().fit(
        np.repeat(z, 9, axis=0), np.repeat(y, 9), clusters=np.repeat(np.arange(300), 9)
    )
    blind = TemperatureScaling().fit(np.repeat(z, 9, axis=0), np.repeat(y, 9))
    assert (copied.low_, copied.high_) == pytest.approx((alone.low_, alone.high_), rel=1e-9)
    ratio = math.log(alone.high_ / alone.low_) / math.log(blind.high_ / blind.low_)
    assert ratio == pytest.approx(3, rel=0.01)  # nine rows for one; Student's t moves it by 0.3 %


def test_bounds_of_a_tensor_are_those_of_its_array():
    _, _, z, y = next(golden_sets())
    theirs = TemperatureScaling().fit(z.astype(np.float32), y)
    ours = TemperatureScaling().fit(torch.tensor(z, dtype=torch.float32), y)
    # The sums of a tensor are float32's.
    assert (ours.low_, ours.high_) == pytest.approx((theirs.low_, theirs.high_), rel=1e-5)


def test_bounds_are_kept_in_the_file(tmp_path: Path):
    _, _, z, y = next(golden_sets())
    fitted = TemperatureScaling().fit(z, y)
    loaded = TemperatureScaling.load(fitted.save(tmp_path / "t.json"))
    assert (loaded.low_, loaded.high_) == (fitted.low_, fitted.high_)


def test_probabilities_in_place_of_logits_are_warned_of():
    _, _, z, y = next(golden_sets())
    for p in (softmax(z), torch.tensor(softmax(z), dtype=torch.float32)):
        with pytest.warns(UserWarning, match="pass logits or log-probabilities"):
            TemperatureScaling().fit(p, y)


def test_judging_on_what_was_fitted_to_is_refused(make_run, tmp_path: Path):
    run, other = make_run(tmp_path / "run", n=120), make_run(tmp_path / "other", n=100)
    with pytest.raises(InputError, match=r"100 of its 100 questions are those of .*--in_sample"):
        fit_runs(run, other, method="exact", seed=0)
    with pytest.raises(InputError, match="120 of its 120"):
        fit_runs(run, run, method="exact", seed=0)
    _, judged = fit_runs(run, other, method="exact", seed=0, in_sample=True)
    assert "in sample" in judged["split"]
    ran = CliRunner().invoke(cli.app, ["fit", str(run), "--evaluate", str(run)])
    assert ran.exit_code == 2
    ran = CliRunner().invoke(cli.app, ["fit", str(run), "--evaluate", str(run), "--in_sample"])
    assert ran.exit_code == 0, ran.output


def test_few_questions_keep_their_temperature(make_run, tmp_path: Path):
    run = make_run(tmp_path / "run", n=40)
    ran = CliRunner().invoke(cli.app, ["fit", str(run)], env={"COLUMNS": "80"})
    assert ran.exit_code == 0, ran.output
    assert "T = 1 is kept: fewer than 50 questions are scored (40)" in ran.output
    assert TemperatureScaling.load(run / "temperature.json").temperature_ == 1.0


@pytest.mark.parametrize(
    ("z", "clusters", "message"),
    [
        (np.ma.masked_array(np.eye(3), np.eye(3)), None, "3 masked entries"),
        (np.eye(3) + 1j, None, "complex"),
        (np.eye(3).astype(str), None, "must hold numbers"),
        ((row for row in np.eye(3)), None, "sequence of numbers"),
        ([[2.0, 1.0], [0.0, 1.0], [1.0, 0.0]], [1, None, 2], "what each row belongs to, got None"),
        ([[2.0, 1.0], [0.0, 2.0], [1.0, 0.0]], [1, math.nan, 2], "got nan at row 1"),
    ],
)
def test_what_holds_no_numbers_is_refused(z, clusters, message):
    with pytest.raises(InputError, match=message):
        TemperatureScaling().fit(z, [0, 1, 1], clusters=clusters)
