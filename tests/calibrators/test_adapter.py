"""Calibrators of scikit-learn, netcal and MAPIE behind the same interface."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from calib.calibrators import Adapter, Isotonic, TemperatureScaling, adapt, judged
from calib.calibrators.scores import answered, log_softmax
from calib.records import InputError
from tests.calibrated import sure


def test_scikit_learn_with_transform_maps_confidences():
    z, y = sure(400)
    ours = Isotonic().fit(z, y)
    theirs = adapt(IsotonicRegression(y_min=1 / 402, y_max=401 / 402, out_of_bounds="clip"))
    assert theirs.of_confidence and theirs.keeps_answers
    new, _ = sure(200, seed=1)
    np.testing.assert_allclose(
        judged(theirs.fit(z, y), new).confidence, judged(ours, new).confidence, rtol=1e-12
    )


def test_scikit_learn_with_predict_proba_sees_options():
    z, y = sure(400)
    direct = LogisticRegression().fit(log_softmax(z), y)
    adapted = Adapter(LogisticRegression()).fit(z, y)
    assert not adapted.of_confidence and not adapted.keeps_answers
    np.testing.assert_allclose(adapted.predict_proba(z), direct.predict_proba(log_softmax(z)))
    # An option that is never right has no column there, and no probability here.
    few = Adapter(LogisticRegression()).fit(z[y != 2], y[y != 2])
    assert (few.predict_proba(z)[:, 2] == 0).all()
    np.testing.assert_allclose(few.predict_proba(z).sum(axis=1), 1)


def test_predict_proba_of_the_confidence_where_asked_for():
    z, y = sure(400)
    answer = answered(z)
    right = answer.option == y
    direct = LogisticRegression().fit(answer.confidence[:, None], right.astype(int))
    adapted = Adapter(LogisticRegression(), on="confidence").fit(z, y)
    np.testing.assert_allclose(
        judged(adapted, z).confidence, direct.predict_proba(answer.confidence[:, None])[:, 1]
    )
    assert np.array_equal(judged(adapted, z).prediction, answer.option)


@pytest.mark.parametrize("options", [2, 4])
def test_a_function_of_a_classifier(options):
    z, y = sure(400, options=options)
    adapted = Adapter(
        lambda model: CalibratedClassifierCV(FrozenEstimator(model), method="temperature")
    ).fit(z, y)
    # scikit-learn stops its scalar minimiser at about 1e-6.
    np.testing.assert_allclose(
        adapted.predict_proba(z), TemperatureScaling().fit(z, y).predict_proba(z), atol=1e-5
    )


@pytest.mark.parametrize("name", ["HistogramBinning", "IsotonicRegression", "BBQ"])
def test_netcal(name):
    binning = pytest.importorskip("netcal.binning")
    z, y = sure(800)
    answer = answered(z)
    direct = getattr(binning, name)()
    direct.fit(answer.confidence, (answer.option == y).astype(int))
    adapted = adapt(getattr(binning, name)()).fit(z, y)
    np.testing.assert_allclose(
        judged(adapted, z).confidence, direct.transform(answer.confidence).ravel(), rtol=1e-12
    )


def test_mapie():
    calibration = pytest.importorskip("mapie.calibration")
    z, y = sure(600)
    adapted = adapt(
        lambda model: calibration.TopLabelCalibrator(model, calibrator="isotonic", cv="prefit")
    ).fit(z, y)
    p = adapted.predict_proba(z)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-9)
    said = judged(adapted, z)
    assert np.array_equal(said.prediction, z.argmax(axis=1))
    for letter in range(4):  # isotonic regression, letter by letter, keeps the mean
        of = said.prediction == letter
        assert said.confidence[of].mean() == pytest.approx((y[of] == letter).mean(), abs=1e-9)


def test_what_is_no_estimator_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected one with fit, or a function"):
        Adapter(3)
    with pytest.raises(InputError, match="predict_proba or transform"):
        Adapter(type("Fits", (), {"fit": None})())
    with pytest.raises(InputError, match="on: expected"):
        Adapter(LogisticRegression(), on="answers")
    z, y = sure(50)
    with pytest.raises(InputError, match="not been fitted"):
        adapt(LogisticRegression()).predict_proba(z)
    with pytest.raises(InputError, match="belongs to another library"):
        adapt(LogisticRegression()).fit(z, y).save(tmp_path / "a.json")
    z[0, 3] = -np.inf
    with pytest.raises(InputError, match="the same options in every question"):
        adapt(LogisticRegression()).fit(z, np.zeros(50, int))


class Beyond:
    """A map that leaves 0 to 1."""

    def __init__(self, far: float) -> None:
        self.far = far

    def fit(self, confidence, right):
        return self

    def transform(self, confidence):
        return confidence + self.far


@pytest.mark.parametrize("far", [0.5, -0.9, np.nan])
def test_a_confidence_that_is_none_is_refused(far):
    z, y = sure(100)
    adapted = adapt(Beyond(far)).fit(z, y)
    with pytest.raises(InputError, match=r"Beyond: expected confidences from 0 to 1"):
        adapted.transform(z)


def test_a_rounding_beyond_one_is_one():
    adapted = adapt(Beyond(1e-9)).fit(*sure(100))
    z = np.array([[800.0, 0.0]])
    assert judged(adapted, z).confidence == [1.0]
