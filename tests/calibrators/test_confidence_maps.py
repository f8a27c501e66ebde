"""Platt, isotonic, histogram and Venn-Abers against other implementations, and at their ends."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from calib.calibrators import CALIBRATORS, HistogramBinning, Isotonic, Platt, VennAbers, judged
from calib.calibrators.scores import Answered, DegenerateCalibratorWarning, answered
from calib.calibrators.venn_abers import tables
from calib.records import InputError
from tests.calibrated import sure

MAPS = {"platt": Platt, "isotonic": Isotonic, "histogram": HistogramBinning, "venn": VennAbers}


def confidences(z, y):
    answer = answered(z)
    return answer.confidence, (answer.option == y).astype(float), answer


def test_platt_is_the_minimum_that_scipy_finds():
    from scipy.optimize import minimize

    z, y = sure(500)
    _, right, answer = confidences(z, y)
    count = right.sum()
    target = np.where(right == 1, (count + 1) / (count + 2), 1 / (500 - count + 2))

    def loss(ab):
        at = ab[0] * answer.log_odds + ab[1]
        return (np.logaddexp(0, at) - target * at).sum()

    theirs = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 0})
    fitted = Platt().fit(z, y)
    # A minimum found by comparing losses of 1e2 is known to the root of their rounding.
    assert (fitted.slope_, fitted.intercept_) == pytest.approx(theirs.x, rel=1e-5)


def test_platt_is_scikit_learns_sigmoid():
    from sklearn.calibration import _SigmoidCalibration

    z, y = sure(500)
    _, right, answer = confidences(z, y)
    theirs = _SigmoidCalibration().fit(answer.log_odds, right)
    ours = Platt().fit(z, y).map(answer)
    # Their solver stops at a gradient of 1e-6 of the sum.
    np.testing.assert_allclose(ours, theirs.predict(answer.log_odds), atol=2e-5)


@pytest.mark.parametrize(
    ("slope", "intercept", "said"),
    [
        (-0.0001, -4.394, "0.000 x - 4.394"),
        (1.25, 0.5, "1.250 x + 0.500"),
        (-1.25, -0.0001, "-1.250 x + 0.000"),
    ],
)
def test_platt_is_said_with_one_sign(slope, intercept, said):
    platt = Platt()
    platt.slope_, platt.intercept_ = slope, intercept
    assert platt.words() == [f"log-odds of being right = {said}"]


def test_isotonic_is_scikit_learns_within_what_n_answers_can_show():
    from sklearn.isotonic import IsotonicRegression

    z, y = sure(400)
    c, right, answer = confidences(z, y)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(c, right).predict(c)
    ours = Isotonic().fit(z, y).map(answer)
    np.testing.assert_allclose(ours, np.clip(theirs, 1 / 402, 401 / 402), rtol=1e-12)


def test_histogram_is_netcals_within_what_a_bins_answers_can_show():
    binning = pytest.importorskip("netcal.binning")
    z, y = sure(4000)
    c, right, answer = confidences(z, y)
    theirs = binning.HistogramBinning(15)
    theirs.fit(c, right.astype(int))
    ours = HistogramBinning(15).fit(z, y)
    filled = np.bincount(ours.place(answer), minlength=15)[ours.place(answer)]
    least = 1 / (filled + 2)
    np.testing.assert_allclose(
        ours.map(answer), np.clip(theirs.transform(c), least, 1 - least), rtol=1e-9
    )


@pytest.mark.parametrize("values", [5, 40, 200])
def test_venn_abers_is_two_isotonic_fits_an_answer(values):
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(values)
    place = np.sort(rng.integers(values, size=60))  # of each confidence among the distinct ones
    place = np.unique(place, return_inverse=True)[1]
    right = rng.random(60) < (place / place.max()) ** 2
    p0, p1 = tables(np.bincount(place, right).tolist(), np.bincount(place).tolist())
    assert len(p0) == len(p1) == 2 * (place.max() + 1) + 1
    for at in range(len(p0)):  # a gap, a value, a gap, ...
        new = (at - 1) / 2
        for label, ours in ((0, p0[at]), (1, p1[at])):
            theirs = IsotonicRegression().fit(np.append(place, new), np.append(right, label))
            assert ours == pytest.approx(float(theirs.predict([new])[0]), abs=1e-12)


def test_venn_abers_finds_a_confidence_among_the_fitted_ones():
    c = np.array([0.5, 0.6, 0.6, 0.9])
    z = np.log(np.stack([c, 1 - c], axis=1))
    fitted = VennAbers().fit(z, [1, 0, 0, 0])
    new = np.array([0.4, 0.5, 0.55, 0.6, 0.95])
    answer = Answered(np.zeros(5, int), np.log(new), np.log(new / (1 - new)))
    answer.log_confidence[[1, 3]] = np.log(fitted.confidences_[:2])
    p0, p1 = fitted.bounds(answer)
    np.testing.assert_allclose(p0, [0, 0, 0, 2 / 3, 3 / 4], atol=1e-12)
    np.testing.assert_allclose(p1, [1 / 2, 1 / 2, 1, 1, 1], atol=1e-12)
    np.testing.assert_allclose(fitted.map(answer), p1 / (1 - p0 + p1))


@pytest.mark.parametrize("name", MAPS)
def test_the_answer_stays_and_its_confidence_is_calibrated(name):
    z, y = sure(2000, true=3)
    fitted = MAPS[name]().fit(z, y)
    new, gold = sure(2000, true=3, seed=1)
    before, after = judged(None, new), judged(fitted, new)
    assert np.array_equal(after.prediction, before.prediction)
    np.testing.assert_allclose(np.exp(after.logprob).sum(axis=1), 1, rtol=1e-12)
    right = after.prediction == gold
    assert before.confidence.mean() - right.mean() > 0.15
    # Three standard errors of a share of 2,000, on either side.
    assert abs(after.confidence.mean() - right.mean()) < 3 * (2 * 0.25 / 2000) ** 0.5
    # The other options share the rest as before.
    rows = np.arange(len(new))
    rest = np.exp(after.logprob)
    rest[rows, after.prediction] = 0
    was = np.exp(before.logprob)
    was[rows, after.prediction] = 0
    np.testing.assert_allclose(
        rest / rest.sum(1, keepdims=True), was / was.sum(1, keepdims=True), rtol=1e-9
    )


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    "case", ["right", "wrong", "one row", "one confidence", "certain", "separated"]
)
def test_degenerate_sets_stay_finite(name, case):
    z, _ = sure(40)
    y = z.argmax(axis=1)
    if case == "wrong":
        y = z.argmin(axis=1)
    if case == "one row":
        z, y = z[:1], y[:1]
    if case == "one confidence":
        z, y = np.tile([1.0, 0, 0, 0], (40, 1)), np.arange(40) % 4
    if case == "certain":
        z = np.where(np.arange(4) == y[:, None], 0, -np.inf)
        y = np.where(np.arange(40) < 5, (y + 1) % 4, y)
    if case == "separated":
        order = np.argsort(answered(z).confidence)
        y[order[:20]] = z.argmin(axis=1)[order[:20]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateCalibratorWarning)
        fitted = MAPS[name]().fit(z, y)
    for scores in (z, sure(100, seed=5)[0], np.array([[0.0, -np.inf], [900.0, -900.0]])):
        said = judged(fitted, scores)
        if name == "histogram":  # leaves confidences of empty bins as they are
            assert ((said.confidence >= 0) & (said.confidence <= 1)).all()
        else:
            assert ((said.confidence > 0) & (said.confidence < 1)).all()
        np.testing.assert_allclose(np.exp(said.logprob).sum(axis=1), 1, rtol=1e-9)


@pytest.mark.parametrize("kind", [Platt, HistogramBinning])
def test_what_the_answers_do_not_decide_is_warned_of(kind):
    z = np.tile([1.0, 0, 0, 0], (40, 1))
    with pytest.warns(DegenerateCalibratorWarning):
        fitted = kind().fit(z, np.arange(40) % 4)
    # A quarter is right: Platt's targets 11/12 and 1/32 average .253, a bin's share is .25.
    assert judged(fitted, z).confidence == pytest.approx(0.25, abs=0.003)


@pytest.mark.parametrize("name", CALIBRATORS)
def test_unfit_input_is_refused(name):
    groups = ["a", "b"]
    for z, y in (
        (np.zeros((2, 3)), [0, 3]),
        (np.zeros((2, 3)), [0.0, 1.0]),
        (np.zeros((2, 1)), [0, 0]),
        (np.full((2, 3), -np.inf), [0, 1]),
        ([[0.0, np.nan], [0.0, 1.0]], [0, 1]),
    ):
        with pytest.raises(InputError):
            CALIBRATORS[name].load_class()().fit(z, y, groups=groups)
    with pytest.raises(InputError, match="not been fitted"):
        CALIBRATORS[name].load_class()().transform(np.eye(2), groups=groups)


def test_given_answers_are_those_that_are_mapped():
    z, y = sure(500)
    given = z.argmin(axis=1)
    fitted = Isotonic().fit(z, y, given=given)
    said = judged(fitted, z, given=given)
    assert np.array_equal(said.prediction, given)
    assert said.confidence.mean() == pytest.approx((given == y).mean(), abs=0.01)
