"""Semantic entropy: golden values, clusterings, and who is asked what."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

import calib
from calib.records import Answer
from calib.uncertainty.semantic import (
    Settings,
    predictive_entropy,
    semantic_entropies,
    semantic_entropy,
)

# Six samples in clusters 0 0 1 0 2 1, with the log-probabilities of their tokens.
TEXTS = ["a", "a", "b", "a", "c", "b"]
TOKENS = [[-0.1, -0.2], [-0.3], [-1, -2, -0.5], [-0.1, -0.1], [-3], [-0.7, -0.9]]


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"estimator": "rao"}, 0.6124723714667648),
        ({"estimator": "rao", "length_normalize": False}, 0.3956525859142377),
        ({"estimator": "discrete"}, 1.0114042647073516),
        ({"estimator": "discrete", "normalize": "log"}, 0.5644754678724235),
        ({"estimator": "mc"}, 0.5703367),
    ],
)
def test_golden_values(settings: dict, value: float) -> None:
    """Values of other tools on these samples; that of ``mc`` is known to seven digits."""
    found = semantic_entropy(TEXTS, logprobs=TOKENS, **settings)
    assert found.entropy == pytest.approx(value, abs=5e-8 if "mc" in settings.values() else 1e-14)
    assert found.clusters == (0, 0, 1, 0, 2, 1)
    assert (found.n_clusters, found.n_samples) == (3, 6)


def test_arrays_serve_as_log_probabilities() -> None:
    arrays = [np.array(tokens) for tokens in TOKENS]
    assert semantic_entropy(TEXTS, logprobs=arrays) == semantic_entropy(TEXTS, logprobs=TOKENS)
    empty = [Answer("", 0, 0.0), Answer("a", 2, -1.0)]
    assert semantic_entropy(empty).estimator == "rao"


def test_golden_plain_entropy() -> None:
    assert predictive_entropy(logprobs=TOKENS) == pytest.approx(0.9194444, abs=5e-8)


def test_half_of_the_answers_agree() -> None:
    found = semantic_entropy(["x", "y", "z", "y"])
    assert found.clusters == (0, 1, 2, 1)
    assert found.entropy == pytest.approx(1.5 * math.log(2), abs=1e-15)
    assert found.estimator == "discrete" and found.length_normalize is None


def related(a: str, b: str) -> bool:
    """a~c, b~c, but not a~b."""
    return {a, b} in ({"a", "c"}, {"b", "c"})


def test_the_first_match_wins() -> None:
    first = semantic_entropy(["a", "b", "c"], equivalence=related)
    last = semantic_entropy(["a", "b", "c"], equivalence=related, match="last")
    assert first.clusters == (0, 1, 0)
    assert last.clusters == (0, 1, 1)
    assert first.equivalence == "related"


@given(st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=30))
def test_discrete_is_the_entropy_of_the_letter_histogram(letters: list[str]) -> None:
    expected = scipy_entropy(list(Counter(letters).values()))
    found = semantic_entropy(letters, equivalence="exact")
    assert found.entropy == pytest.approx(expected, abs=1e-12)
    assert found.entropy >= 0


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.floats(-50, 0)), min_size=1, max_size=12))
def test_estimators_against_plain_sums(samples: list[tuple[str, float]]) -> None:
    """With few samples of moderate length, no log-sum-exp is needed."""
    letters, logs = zip(*samples, strict=True)
    mass = {c: math.fsum(math.exp(v) for d, v in samples if d == c) for c in letters}
    shares = np.array(list(mass.values())) / sum(mass.values())
    settings = {"logprobs": list(logs), "length_normalize": False}
    rao = semantic_entropy(letters, estimator="rao", **settings).entropy
    mc = semantic_entropy(letters, estimator="mc", **settings).entropy
    assert rao == pytest.approx(scipy_entropy(shares), abs=1e-9)
    assert mc == pytest.approx(-np.mean([math.log(mass[c]) for c in letters]), abs=1e-9)


def test_equal_weights_make_rao_discrete_even_where_exp_underflows() -> None:
    for log in (-1.0, -5000.0):
        found = semantic_entropy(TEXTS, logprobs=[log] * 6, length_normalize=False)
        assert found.estimator == "rao"
        assert found.entropy == pytest.approx(1.0114042647073516, abs=1e-12)


def test_answers_bring_their_log_probabilities() -> None:
    answers = [
        Answer(text, len(tokens), math.fsum(tokens))
        for text, tokens in zip(TEXTS, TOKENS, strict=True)
    ]
    found = semantic_entropy(answers)
    assert found.estimator == "rao" and found.length_normalize is True
    assert found.entropy == pytest.approx(0.6124723714667648, abs=1e-14)
    assert predictive_entropy(answers) == pytest.approx(0.9194444, abs=5e-8)
    assert semantic_entropy([*answers, Answer("d", 1)]).estimator == "discrete"


def test_text_equivalences() -> None:
    texts = ["The Cat", "cat.", "CAT", "dog"]
    assert semantic_entropy(texts).clusters == (0, 0, 0, 1)
    assert semantic_entropy(texts, equivalence="exact").clusters == (0, 1, 2, 3)


class Relations:
    """Says what it is told of pairs, neutral of others; remembers what it was asked."""

    def __init__(self, **told: str) -> None:
        self.told = {tuple(pair.split("_")): label for pair, label in told.items()}
        self.asked: list[list[tuple[str, str]]] = []

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        self.asked.append(list(pairs))
        return [self.told.get(pair, "neutral") for pair in pairs]


def test_equivalence_by_entailment() -> None:
    told = {"cat_animal": "entailment", "cat_dog": "contradiction", "dog_animal": "entailment"}
    mutual = {"cat_feline": "entailment", "feline_cat": "entailment"}
    texts = ["cat", "animal", "feline", "dog", "cat"]

    def clusters(equivalence: str) -> tuple[int, ...]:
        nli = Relations(**told, **mutual)
        return semantic_entropy(texts, equivalence=equivalence, nli=nli).clusters

    assert clusters("bidirectional") == (0, 1, 0, 2, 0)
    assert clusters("either") == (0, 0, 0, 1, 0)
    assert clusters("non_contradiction") == (0, 0, 0, 1, 0)


def test_pairs_are_asked_once_in_batches_across_questions() -> None:
    nli = Relations()
    settings = Settings(equivalence="bidirectional", nli_batch_size=3)
    found = semantic_entropies([["a", "b", "a", "b"], ["b", "a", "c"]], settings, nli=nli)
    assert [f.clusters for f in found] == [(0, 1, 0, 1), (0, 1, 2)]
    asked = [pair for batch in nli.asked for pair in batch]
    assert len(asked) == len(set(asked))
    assert not any(a == b for a, b in asked)
    assert max(map(len, nli.asked)) <= 3
    assert found[0].nli_batch_size == 3


def test_the_question_stands_before_both_texts_when_asked_for() -> None:
    nli = Relations()
    by = {"equivalence": "either", "nli": nli, "question": "Who?"}
    assert not semantic_entropy(["x", "y"], **by).condition_on_question
    assert nli.asked == [[("x", "y"), ("y", "x")]]
    semantic_entropy(["x", "y"], condition_on_question=True, **by)
    assert nli.asked[-1] == [("Who? x", "Who? y"), ("Who? y", "Who? x")]


def test_the_greedy_answer_is_placed_or_counted() -> None:
    placed = semantic_entropy(["x", "y", "y"], greedy="Y")
    assert (placed.greedy_cluster, placed.n_samples) == (1, 3)
    assert semantic_entropy(["x", "y"], greedy="z").greedy_cluster is None
    counted = semantic_entropy(["x", "y", "y"], greedy="y", include_greedy=True)
    assert counted.clusters == (0, 1, 0, 0) and counted.greedy_cluster == 0
    assert counted.include_greedy


def test_a_single_answer_and_a_single_cluster_are_certain() -> None:
    for texts in (["x"], ["x", "x"]):
        found = semantic_entropy(texts, normalize="log")
        assert found.entropy == 0 and math.copysign(1, found.entropy) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"answers": []}, "at least one answer"),
        ({"estimator": "direct"}, "estimator: expected one of None, rao, mc, discrete"),
        ({"equivalence": "close"}, "equivalence: expected one of exact"),
        ({"match": "best"}, "match: expected one of first, last"),
        ({"equivalence": "bidirectional"}, "needs nli"),
        ({"estimator": "rao"}, "answer 0 has no log-probability"),
        ({"logprobs": [-1.0]}, "expected 2 logprobs, one per answer, got 1"),
        ({"logprobs": [-1.0, -2.0]}, "needs the log-probabilities of its tokens or their number"),
        ({"logprobs": [[0.5], [-1.0]]}, "must be at most 0"),
        ({"logprobs": [[math.nan], [-1.0]]}, "must be at most 0"),
        ({"condition_on_question": True}, "needs the question"),
        ({"include_greedy": True}, "needs the greedy answer"),
        ({"nli_batch_size": 0}, "must be positive"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        semantic_entropy(**{"answers": ["x", "y"], **arguments})


def test_an_nli_must_know_the_labels() -> None:
    with pytest.raises(ValueError, match="nli must give one of entailment"):
        semantic_entropy(["x", "y"], equivalence="either", nli=lambda pairs: ["yes"] * len(pairs))
    two = Relations()
    two.labels = ("entailment", "neutral")
    with pytest.raises(ValueError, match="a class for contradiction"):
        semantic_entropy(["x", "y"], equivalence="non_contradiction", nli=two)


def test_the_public_name() -> None:
    assert calib.semantic_entropy is semantic_entropy
    assert isinstance(semantic_entropy(["x"]), calib.SemanticEntropy)
