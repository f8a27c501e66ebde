"""Every metric beside an independent library, on random rows and on awkward ones."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from calib import metrics

from .conftest import DATA, awkward

pytestmark = pytest.mark.filterwarnings("ignore")
BINS = 15  # linspace has exact edges there


def library(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def inside(c: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows strictly between 0 and 1, for libraries that treat the ends in their own way."""
    kept = (c > 0) & (c < 1)
    return c[kept], a[kept].astype(np.int64)


def both(rows):
    return rows[0], rows[1].astype(np.int64)


@pytest.mark.parametrize("name", [*awkward(), "g", "h"])
class TestLeftClosed:
    @pytest.fixture
    def rows(self, name, request):
        if name in awkward():
            return awkward()[name]
        saved = np.load(DATA / f"{name}.npz")
        return saved["confidence"], saved["correct"]

    @pytest.mark.parametrize("metric", ["ECE", "MCE"])
    def test_netcal(self, rows, metric):
        c, a = both(rows)
        theirs = getattr(library("netcal.metrics"), metric)(BINS).measure(c, a)
        assert getattr(metrics, metric.lower())(c, a) == pytest.approx(theirs, abs=1e-12)

    @pytest.mark.parametrize("metric", ["ece", "mce"])
    def test_calibstats(self, rows, metric):
        c, a = both(rows)
        theirs = getattr(library("calibstats"), metric)(c, a, n_bins=BINS)
        assert getattr(metrics, metric)(c, a) == pytest.approx(theirs, abs=1e-12)

    @pytest.mark.parametrize(("metric", "norm"), [("ece", "l1"), ("mce", "max"), ("rmsce", "l2")])
    def test_torchmetrics(self, rows, metric, norm, name):
        if name == "edges":
            pytest.skip("torch's float64 linspace(0, 1, 16) misses 11/15 by an ulp")
        torch = library("torch")
        classification = library("torchmetrics.functional.classification")
        c, a = inside(*rows)
        theirs = classification.binary_calibration_error(
            torch.from_numpy(c), torch.from_numpy(a), n_bins=BINS, norm=norm
        )
        assert getattr(metrics, metric)(c, a) == pytest.approx(float(theirs), abs=1e-6)

    def test_root_mean_square(self, rows):
        c, a = both(rows)
        if len(c) < BINS:
            pytest.skip("uncertainty-calibration wants more rows than bins")
        theirs = library("calibration")
        for ours, debias in ((metrics.rmsce, False), (metrics.debiased_rmsce, True)):
            expected = theirs.lower_bound_scaling_ce(
                c,
                a,
                p=2,
                debias=debias,
                num_bins=BINS,
                binning_scheme=theirs.utils.get_equal_prob_bins,
                mode="top-label",
            )
            assert ours(c, a, closed="right") == pytest.approx(expected, abs=1e-12)

    def test_debiased(self, rows):
        c, a = both(rows)
        if (metrics.reliability_curve(c, a).count == 1).any():
            pytest.skip("calibstats leaves bins of one row as they are; here they add nothing")
        expected = library("calibstats").debiased_ece(c, a, n_bins=BINS)
        assert metrics.debiased_rmsce(c, a) == pytest.approx(expected, abs=1e-12)

    def test_right_closed(self, rows):
        c, a = both(rows)
        theirs = library("calibration").get_ece(c, a, num_bins=BINS)
        assert metrics.ece(c, a, closed="right") == pytest.approx(theirs, abs=1e-12)

    def test_right_closed_curve(self, rows):
        c, a = both(rows)
        right, confidence = library("sklearn.calibration").calibration_curve(a, c, n_bins=BINS)
        ours = metrics.reliability_curve(c, a, bins=BINS, closed="right")
        np.testing.assert_allclose(ours.accuracy, right, atol=1e-12)
        np.testing.assert_allclose(ours.confidence, confidence, atol=1e-12)

    def test_equal_mass(self, rows):
        c, a = both(rows)
        theirs = library("calibration").get_ece_em(c, a, num_bins=BINS)
        assert metrics.ece(c, a, strategy="mass") == pytest.approx(theirs, abs=1e-12)

    def test_quantile_edges(self, rows):
        c, a = both(rows)
        theirs = library("calibstats").ace(c, a, n_bins=BINS)
        assert metrics.ece(c, a, strategy="quantile") == pytest.approx(theirs, abs=1e-12)

    def test_smooth(self, rows):
        c, a = both(rows)
        theirs = library("relplot").smECE(c, a)
        assert metrics.smooth_ece(c, a) == pytest.approx(theirs, abs=1e-9)

    def test_ranking(self, rows):
        c, a = both(rows)
        sklearn = library("sklearn.metrics")
        if len(np.unique(a)) == 2:
            assert metrics.auroc(c, a) == pytest.approx(sklearn.roc_auc_score(a, c), abs=1e-12)
        assert metrics.brier(c, a) == pytest.approx(
            sklearn.brier_score_loss(a, c, pos_label=1), abs=1e-12
        )
        if ((c > 0) & (c < 1)).all():
            theirs = sklearn.log_loss(a, c, labels=[0, 1])
            assert metrics.nll(c, a) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("closed", ["left", "right"])
def test_mapie_agrees_away_from_its_first_bin(closed):
    saved = np.load(DATA / "g.npz")
    c, a = inside(saved["confidence"], saved["correct"])
    theirs = library("mapie.metrics.calibration").expected_calibration_error(
        a, c, num_bins=BINS + 1, split_strategy="uniform"
    )
    assert metrics.ece(c, a, closed=closed) == pytest.approx(theirs, abs=1e-12)


def test_mapie_ks_and_area():
    saved = np.load(DATA / "g.npz")
    c, a = saved["confidence"], saved["correct"].astype(np.int64)
    calibration = library("mapie.metrics.calibration")
    scale = np.sqrt(np.sum(c * (1 - c))) / len(c)
    theirs = calibration.kolmogorov_smirnov_statistic(a, c) * scale
    assert metrics.ks(c, a) == pytest.approx(theirs, abs=1e-8)  # it jitters the scores by 1e-8
    area = library("mapie.metrics.uncertainty").auarc(a, c)
    assert metrics.aurc(c, a) == pytest.approx(1 - area, abs=1e-12)


def test_several_classes():
    saved = np.load(DATA / "g.npz")
    p, y = saved["p"], saved["y"]
    theirs = library("calibration").get_ece(p, y, num_bins=BINS, mode="marginal")
    assert metrics.classwise_ece(p, y, closed="right") == pytest.approx(theirs, abs=1e-12)
    sklearn = library("sklearn.metrics")
    assert metrics.nll(p, y) == pytest.approx(sklearn.log_loss(y, p), abs=1e-12)
    brier = sklearn.brier_score_loss(y, p, labels=np.arange(4))
    assert metrics.brier(p, y) == pytest.approx(brier, abs=1e-12)


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(3)
    mean, std = rng.normal(size=1000), rng.uniform(0.2, 2.0, size=1000)
    return mean, std, mean + std * 1.3 * rng.normal(size=1000)


def test_netcal_regression(regression):
    mean, std, target = regression
    netcal = library("netcal.metrics")
    theirs = netcal.ENCE(10).measure((mean, std), target)
    assert metrics.ence_regression(*regression, bins=10) == pytest.approx(theirs.item(), abs=1e-9)
    theirs = netcal.UCE(10).measure((mean, std), target)
    assert metrics.uce(*regression, bins=10) == pytest.approx(theirs.item(), abs=1e-9)


def test_netcal_bernoulli(rows):
    c, a = inside(*rows)  # netcal refuses a std of 0
    theirs = library("netcal.metrics").ENCE(10).measure((c, np.sqrt(c * (1 - c))), a.astype(float))
    ours = metrics.ence(c, a, kind="bernoulli", bins=10)
    assert ours == pytest.approx(np.asarray(theirs).item(), abs=1e-9)


def test_equal_mass_regression_by_hand(regression):
    mean, std, target = regression
    order = np.argsort(std)
    parts = [(std[i], (mean - target)[i]) for i in np.array_split(order, 10)]
    rmv = np.array([np.sqrt(np.mean(s**2)) for s, _ in parts])
    rmse = np.array([np.sqrt(np.mean(e**2)) for _, e in parts])
    ours = metrics.ence_regression(*regression, bins=10, strategy="mass")
    assert ours == pytest.approx(np.mean(np.abs(rmv - rmse) / rmv), abs=1e-12)
