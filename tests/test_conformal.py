"""Conformal sets cover what they promise, are MAPIE's on real logits, and belong to their ids."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import calib
from calib.calibrators.conformal import FullSetsWarning
from calib.calibrators.option_scores import SCORES, exact, quantile
from calib.calibrators.temperature import softmax
from calib.intervals.addressed import uniforms

FOLDER = Path(__file__).parent / "data" / "oracles" / "vlm_uncertainty_bench"
ORACLES = sorted(path.stem for path in FOLDER.glob("*.npz"))
NEAR = 1e-6
"""MAPIE takes probabilities within 1e-8 of each other as equal, and puts both into a set."""


def oracle(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities and answers of a half to fit on, and of the other one, split by a seed.

    Without the questions of which two options are equally likely, or one impossible, to MAPIE, and
    without the second of two questions of equal probabilities.
    """
    saved = np.load(FOLDER / f"{name}.npz")
    p = softmax(saved["logits"].astype(np.float64))
    ordered = np.sort(p, axis=1)
    clear = (np.diff(ordered, axis=1) > NEAR).all(axis=1) & (ordered[:, 0] > NEAR)
    clear[np.setdiff1d(np.arange(len(p)), np.unique(p, axis=0, return_index=True)[1])] = False
    p, y = p[clear], saved["answer"][clear].astype(np.int64)
    assert len(p) > 1000
    order = np.random.default_rng(0).permutation(len(p))
    fit, rest = order[: len(p) // 2], order[len(p) // 2 :]
    return p[fit], y[fit], p[rest], y[rest]


class Luck(np.random.RandomState):
    """Uniform numbers that are given: MAPIE draws some even where its sets are not random."""

    def __init__(self, *given: np.ndarray | float) -> None:
        super().__init__(0)
        self.given = list(given)

    def uniform(self, low=0.0, high=1.0, size=None):
        luck = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        return np.broadcast_to(luck, (int(np.prod(size)),)).reshape(size).copy()


class Given:
    """A classifier that is handed its own probabilities (N, O)."""

    def __init__(self, options: int) -> None:
        self.classes_ = np.arange(options)
        self.fitted_ = True

    def fit(self, x, y):
        return self

    def predict_proba(self, x):
        return np.asarray(x)

    def predict(self, x):
        return np.asarray(x).argmax(axis=1)


def mapie_sets(score, p, y, new, alpha, last, luck=0.0, again=0.0):
    """MAPIE's sets and what it fitted; its estimator must look like scikit-learn's."""
    classification = pytest.importorskip("mapie.classification")
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Estimator(Given, ClassifierMixin, BaseEstimator):
        pass

    theirs = classification.SplitConformalClassifier(
        Estimator(p.shape[1]),
        confidence_level=1 - alpha,
        conformity_score=score,
        prefit=True,
        random_state=Luck(luck, again),
    )
    with warnings.catch_warnings():
        # No answer is E or F, "I don't know" and "none of the above".
        warnings.filterwarnings("ignore", ".*dataset has less labels", UserWarning)
        theirs.conformalize(p, y)
    _, sets = theirs.predict_set(new, conformity_score_params={"include_last_label": last})
    return sets[:, :, 0], theirs._conformity_score


def agree(ours, new, theirs):
    """The same sets, but for a question whose score is above the threshold by a rounding alone."""
    away = ours.scores(new) - ours.threshold_
    equal = ((away > 0) & (away < 1e-8)).any(axis=1)  # MAPIE's epsilon
    assert equal.sum() <= 1
    np.testing.assert_array_equal(ours.predict(new)[~equal], theirs[~equal])


@pytest.mark.parametrize("alpha", [0.1, 0.25])
@pytest.mark.parametrize("name", ORACLES)
def test_sets_are_those_of_mapie(name, alpha):
    p, y, new, _ = oracle(name)
    theirs, _ = mapie_sets("lac", p, y, new, alpha, True)
    ours = calib.ConformalSets("lac", alpha=alpha).fit(p, y)
    agree(ours, new, theirs)
    theirs, fitted = mapie_sets("aps", p, y, new, alpha, False)
    ours = calib.ConformalSets("aps", alpha=alpha, allow_empty=False).fit(p, y)
    assert ours.threshold_ == pytest.approx(fitted.quantiles_[0], abs=1e-12)
    agree(ours, new, theirs)


@pytest.mark.parametrize("lam", [None, 0.02])
@pytest.mark.parametrize("name", ORACLES)
def test_penalised_sets_are_those_of_mapie(name, lam):
    """With the k_reg that MAPIE chooses on rows that it sets aside for that, and with its lam,
    which is 0.5 on all of them, or another."""
    sets = pytest.importorskip("mapie.conformity_scores")

    class Score(sets.RAPSConformityScore):
        def _find_lambda_star(self, *given):
            return super()._find_lambda_star(*given) if lam is None else lam

    p, y, new, _ = oracle(name)
    theirs, fitted = mapie_sets(Score(0.2), p, y, new, 0.1, False)
    aside = (p[:, None, :2] == np.unique(fitted.X_raps, axis=0)[None, :, :2]).all(-1).any(1)
    ours = calib.ConformalSets(
        "raps", alpha=0.1, lam=fitted.lambda_star, k_reg=int(fitted.k_star[0]), allow_empty=False
    ).fit(p[~aside], y[~aside])
    assert (~aside).sum() == len(p) - len(fitted.X_raps)
    agree(ours, new, theirs)


def test_random_sets_are_those_of_mapie_with_the_same_luck():
    p, y, new, _ = oracle(ORACLES[0])
    ids = np.arange(len(p)), np.arange(len(new)) + len(p)
    luck = [uniforms(3, each.tolist()) for each in ids]
    theirs, _ = mapie_sets("aps", p, y, new, 0.1, "randomized", *luck)
    ours = calib.ConformalSets("aps", alpha=0.1, randomized=True, seed=3).fit(p, y, ids=ids[0])
    np.testing.assert_array_equal(ours.predict(new, ids[1]), theirs)


def questions(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    p = rng.dirichlet(np.full(5, 0.6), n)
    z = np.log(p + 1e-12) * 0.6  # the model is over-confident
    q = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return p, (rng.random(n)[:, None] > q.cumsum(axis=1)).sum(axis=1).clip(max=4)


@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
def test_mean_coverage_of_a_thousand_splits_is_as_promised(method):
    """In [1 - alpha, 1 - alpha + 1/(n + 1)] within three standard errors, whatever the model."""
    rng = np.random.default_rng(0)
    n, alpha, splits = 60, 0.13, 1000
    p, y = questions(1000, rng)
    settings = {"lam": 0.05, "k_reg": 2} if method == "raps" else {}
    random = method != "lac"
    ids = np.arange(1000)
    sets = calib.ConformalSets(method, alpha=alpha, randomized=random, seed=0, **settings)
    covered, own = [], np.empty(0)
    for split in range(splits):
        if random or split == 0:  # lac's scores are the same for every seed
            sets.seed = split
            own = sets.scores(p, ids)[np.arange(1000), y]
        order = rng.permutation(1000)
        threshold = quantile(own[order[:n]], alpha)
        covered.append((own[order[n:]] <= threshold).mean())
    error = np.std(covered) / splits**0.5
    assert 1 - alpha - 3 * error <= np.mean(covered) <= 1 - alpha + 1 / (n + 1) + 3 * error
    assert error < 0.002
    # What was simulated is what the class does.
    sets.fit(p[order[:n]], y[order[:n]], ids=ids[order[:n]])
    held = sets.judge(p[order[n:]], y[order[n:]], ids=ids[order[n:]])
    assert held.coverage.value == pytest.approx(covered[-1], abs=1e-12)


@pytest.mark.parametrize("name", ORACLES)
def test_mean_coverage_is_as_promised_on_real_logits(name):
    saved = np.load(FOLDER / f"{name}.npz")
    p, y = softmax(saved["logits"].astype(np.float64)), saved["answer"].astype(np.int64)
    rng = np.random.default_rng(1)
    alpha, n = 0.1, 300
    for method, random in (("lac", False), ("aps", True)):
        sets = calib.ConformalSets(method, alpha=alpha, randomized=random)
        own = sets.scores(p, np.arange(len(p)))[np.arange(len(p)), y]
        covered, equal = [], []
        for _ in range(1000):
            order = rng.permutation(len(p))
            threshold = quantile(own[order[:n]], alpha)
            covered.append((own[order[n:]] <= threshold).mean())
            equal.append((own[order[n:]] == threshold).mean())
        error = np.std(covered) / 1000**0.5
        # Scores equal to the threshold, of questions that are there twice, may be covered beyond.
        most = 1 - alpha + 1 / (n + 1) + np.mean(equal)
        assert 1 - alpha - 3 * error <= np.mean(covered) <= most + 3 * error
        assert np.mean(equal) < 0.02


def test_groups_are_each_covered_where_one_threshold_is_not_enough():
    rng = np.random.default_rng(1)
    p, y = questions(8000, rng)
    hard = rng.random(8000) < 0.3
    y = np.where(hard & (rng.random(8000) < 0.5), rng.integers(0, 5, 8000), y)
    group = np.where(hard, "hard", "easy")
    fit, new = np.arange(4000), np.arange(4000, 8000)
    one = calib.ConformalSets("lac", alpha=0.1).fit(p[fit], y[fit])
    told = one.judge(p[new], y[new], groups=group[new])
    assert told.coverage.low < 0.9 < told.coverage.high
    assert told.groups["hard"].coverage.high < 0.9 < told.groups["easy"].coverage.low
    each = calib.ConformalSets("lac", alpha=0.1).fit(p[fit], y[fit], group[fit])
    told = each.judge(p[new], y[new], groups=group[new])
    assert set(each.threshold_) == {"easy", "hard"}
    for name in each.threshold_:
        own = told.groups[name]
        assert own.coverage.low - 0.01 < 0.9 < own.coverage.high + 0.01
        assert own.n == (group[new] == name).sum()
    with pytest.raises(ValueError, match="groups must be given"):
        each.predict(p)
    with pytest.raises(ValueError, match="got 'other'"):
        each.predict(p[:1], groups=["other"])


def test_a_set_does_not_depend_on_its_place_in_the_batch():
    p, y = questions(300, np.random.default_rng(2))
    ids = [f"q{k}" for k in range(300)]
    sets = calib.ConformalSets("aps", alpha=0.2, randomized=True, seed=1).fit(p, y, ids=ids)
    whole = sets.predict(p, ids)
    order = np.random.default_rng(3).permutation(300)
    np.testing.assert_array_equal(sets.predict(p[order], [ids[k] for k in order]), whole[order])
    np.testing.assert_array_equal(sets.predict(p[7:8], ids[7:8]), whole[7:8])
    other = calib.ConformalSets("aps", alpha=0.2, randomized=True, seed=2).fit(p, y, ids=ids)
    assert (other.predict(p, ids) != whole).any()
    with pytest.raises(ValueError, match="need ids"):
        sets.predict(p)


def test_luck_is_uniform_and_belongs_to_a_name():
    drawn = uniforms(0, range(20_000))
    assert abs(drawn.mean() - 0.5) < 3 * (1 / 12 / 20_000) ** 0.5
    counts = np.bincount((drawn * 20).astype(int), minlength=20)
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-square of 19: 99.9 %
    assert uniforms(0, ["1"]) == uniforms(0, [1]) != uniforms(1, [1])
    assert (drawn >= 0).all() and (drawn < 1).all()


@pytest.mark.parametrize(
    ("n", "alpha", "rank"),
    [(9, 0.1, 9), (9, 0.3, 7), (99, 0.1, 90), (19, 0.05, 19), (10, 0.1, 10), (4, 0.5, 3)],
)
def test_the_quantile_is_exact(n, alpha, rank):
    """In floats (9 + 1)(1 - 0.3) is more than 7 where alpha is the float below 0.3."""
    assert quantile(np.arange(1.0, n + 1)[::-1], alpha) == rank
    assert exact(alpha) * 100 == round(alpha * 100)


def test_too_small_an_alpha_gives_full_sets_and_says_so(tmp_path):
    p, y = questions(18, np.random.default_rng(4))
    said = "alpha = 0.05 needs at least 19 questions, and 18 are there, so the sets hold every"
    with pytest.warns(FullSetsWarning, match=said):
        sets = calib.conformal_sets(p, y, alpha=0.05)
    assert sets.predict(p).all()
    assert sets.judge(p, y).full == 18
    again = calib.ConformalSets.load(sets.save(tmp_path / "sets.json"))
    assert again.reason_ == sets.reason_
    assert again.predict(p).all()
    p, y = questions(19, np.random.default_rng(4))
    assert calib.conformal_sets(p, y, alpha=0.05).reason_ is None


def test_questions_of_different_numbers_of_options():
    rows = [[0.7, 0.3], [0.5, 0.3, 0.2], [0.1, 0.2, 0.3, 0.4], [0.0, 1.0]] * 10
    y = [0, 0, 3, 1] * 10
    for method in ("lac", "aps"):
        sets = calib.ConformalSets(method, alpha=0.3).fit(rows, y)
        array = np.full((40, 6), np.nan)
        for k, row in enumerate(rows):
            array[k, : len(row)] = row
        given = sets.predict(rows)
        wide = calib.ConformalSets(method, alpha=0.3).fit(array, y).predict(array)
        np.testing.assert_array_equal(given, wide[:, :4])
        assert not wide[:, 4:].any()
        with pytest.warns(FullSetsWarning):
            full = calib.ConformalSets(method, alpha=0.01).fit(rows, y)
        assert full.predict(rows).sum(axis=1).tolist() == [2, 3, 4, 2] * 10
        assert full.judge(rows, y).full == 40


def test_empty_sets_are_told_or_filled():
    p = np.array([[0.99, 0.01]] * 30 + [[0.5, 0.5]] * 10)
    y = np.zeros(40, int)
    sets = calib.ConformalSets(alpha=0.3).fit(p, y)
    told = sets.judge(p, y)
    assert (told.empty, told.full, told.coverage.value, told.size.value) == (10, 0, 0.75, 0.75)
    filled = calib.ConformalSets(alpha=0.3, allow_empty=False).fit(p, y).judge(p, y)
    assert (filled.empty, filled.coverage.value) == (0, 1.0)


def test_intervals_go_by_clusters():
    p, y = questions(400, np.random.default_rng(5))
    p, y, image = np.repeat(p, 5, axis=0), np.repeat(y, 5), np.repeat(np.arange(400), 5)
    sets = calib.ConformalSets(alpha=0.2).fit(p, y, clusters=image)
    assert sets.n_fit_ == 400
    rows, images = sets.judge(p, y), sets.judge(p, y, clusters=image)
    wider = (images.coverage.high - images.coverage.low) / (rows.coverage.high - rows.coverage.low)
    assert wider == pytest.approx(5**0.5, rel=0.1)
    assert sets.judge(p[:5], y[:5], clusters=image[:5]).coverage.low is None


@pytest.mark.parametrize("method", SCORES)
@pytest.mark.parametrize("grouped", [False, True])
def test_saved_sets_are_the_same(tmp_path, method, grouped):
    p, y = questions(200, np.random.default_rng(6))
    group = np.arange(200) % 2 if grouped else None
    settings = {"lam": 0.1, "k_reg": 1} if method == "raps" else {}
    sets = calib.ConformalSets(method, alpha=0.1, **settings).fit(p, y, group)
    again = calib.ConformalSets.load(sets.save(tmp_path / "sets.json"))
    assert again == sets
    np.testing.assert_array_equal(again.predict(p, groups=group), sets.sets(p, groups=group))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "top"}, "method must be one of lac, aps, raps, got 'top'"),
        ({"alpha": 1}, "alpha must lie between 0 and 1, got 1"),
        ({"method": "raps", "lam": 0.1}, "needs both"),
        ({"method": "aps", "lam": 0.1, "k_reg": 1}, "go with raps"),
        ({"method": "raps", "lam": -1, "k_reg": 1}, "lam must be a number from 0"),
        ({"randomized": True}, "lac has no random part"),
        ({"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_settings_are_checked(settings, said):
    with pytest.raises(ValueError, match=said):
        calib.ConformalSets(**{"alpha": 0.1, **settings})


@pytest.mark.parametrize(
    ("prob", "answer", "said"),
    [
        ([[0.5, 0.4]], [0], "sum to 1, got 0.9 in row 0"),
        ([[1.5, -0.5]], [0], r"prob must lie in \[0, 1\], got 1.5 in row 0"),
        ([[0.5, 0.5]], [2], "answer must be an option of its question, got 2 in row 0"),
        ([[0.5, 0.5], [0.2, 0.3, 0.5]], [2, 0], "an option of its question, got 2 in row 0"),
        ([[0.5, 0.5]], [0.0], "integers"),
        ([], [], "at least one question"),
        (0.5, [0], "rows of probabilities"),
    ],
)
def test_unfit_arrays_are_refused(prob, answer, said):
    with pytest.raises(ValueError, match=said):
        calib.ConformalSets(alpha=0.1).fit(prob, answer)


def test_what_is_not_fitted_or_not_saved_is_refused(tmp_path):
    with pytest.raises(ValueError, match="have not been fitted"):
        calib.ConformalSets(alpha=0.1).predict([[0.5, 0.5]])
    path = tmp_path / "sets.json"
    for text in ("{}", "[]", "x", '{"format": "calib.conformal/1", "method": "lac"}'):
        path.write_text(text)
        with pytest.raises(calib.InputError, match=r"sets\.json"):
            calib.ConformalSets.load(path)
    with pytest.raises(calib.InputError, match="cannot be read"):
        calib.ConformalSets.load(tmp_path / "none.json")
