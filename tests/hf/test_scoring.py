"""A scored batch against the plain way: every option behind its prompt, alone, in float64."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from calib_kernels import CalibrationHistogram

from calib.hf import reading
from calib.hf.reading import Source
from calib.hf.scoring import score_batch

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGE = 4  # as in conftest
PROMPTS = [[1, 17, 30, 41, 42], [1, 50, 51], [1, 60, 61, 62, 63, 64, 65, 66, 67]]
SINGLE = [
    [[(10,)], [(11,)], [(12,)]],
    [[(20,)], [(21,)]],
    [[(150,)], [(151,)], [(152,)], [(153,)]],
]
SPELLED = [
    [[(10,), (110,)], [(11,)], [(12,), (13,), (14,)]],
    [[(20,)], [(21,), (22,)]],
    [[(150,), (155,)], [(151,)]],
]
LONGER = [
    [[(10, 11, 12)], [(20, 21)], [(30, 31, 32, 33)]],
    [[(40, 41)], [(50,)]],
    [[(60,)], [(70, 71, 72)], [(80,)], [(90, 91)]],
]
SHARED = [
    [[(10, 11)], [(10, 12)], [(10, 13, 14)]],
    [[(20,)], [(21, 22), (21, 23)]],
    [[(30, 31), (32,)], [(30, 33)], [(32, 40)]],
]
SETS = {"single": SINGLE, "spelled": SPELLED, "longer": LONGER, "shared": SHARED}
# "shared" ends in an option that another begins: there the end of the answer is scored, too.
STOP = 2  # the models' end token


def padded(prompts: list[list[int]], extra: int = 0) -> dict[str, torch.Tensor]:
    """Left-padded inputs, ``extra`` columns wider than they need be."""
    width = max(map(len, prompts)) + extra
    ids = [[0] * (width - len(p)) + p for p in prompts]
    mask = [[0] * (width - len(p)) + [1] * len(p) for p in prompts]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


@pytest.fixture(scope="module")
def exact(llama: Any, llava: Any) -> dict[str, Any]:
    """The models in float64."""
    return {"llama": copy.deepcopy(llama).double(), "llava": copy.deepcopy(llava).double()}


def token_logprobs(
    hf: Any, prompt: list[int], ids: tuple[int, ...], temperature: float, **more: Any
) -> list[float]:
    """log p of each of ``ids`` behind ``prompt``: one whole, unpadded forward."""
    with torch.no_grad():
        logits = hf(input_ids=torch.tensor([[*prompt, *ids]]), use_cache=False, **more).logits[0]
    assert logits.dtype == torch.float64
    logp = (logits / temperature).log_softmax(1)
    return [logp[len(prompt) - 1 + k, token].item() for k, token in enumerate(ids)]


def naive(
    hf: Any,
    prompt: list[int],
    options: list[list[tuple[int, ...]]],
    temperature: float = 1.0,
    normalize: str = "sum",
    **more: Any,
) -> dict[str, Any]:
    """What a row should hold, in Python's floats."""
    spelled = [ids for option in options for ids in option]
    ended = any(a != b and b[: len(a)] == a for a in spelled for b in spelled)
    if ended:
        options = [[(*ids, STOP) for ids in option] for option in options]
    logprob, ranked = [], []
    for option in options:
        sums, means = [], []
        for ids in option:
            tokens = token_logprobs(hf, prompt, ids, temperature, **more)
            sums.append(sum(tokens))
            means.append(sum(tokens) / len(tokens))
        logprob.append(math.log(sum(map(math.exp, sums))))
        ranked.append(math.log(sum(map(math.exp, means))) if normalize == "mean" else logprob[-1])
    total = sum(map(math.exp, ranked))
    prob = [math.exp(r) / total for r in ranked]
    prediction = prob.index(max(prob))
    with torch.no_grad():
        last = hf(input_ids=torch.tensor([prompt]), **more).logits[0, -1]
    p = (last / temperature).softmax(0)
    token = int(last.argmax())
    return {
        "logprob": logprob,
        "prob": prob,
        "prediction": prediction,
        "mass": sum(map(math.exp, logprob)),
        "confidence_options": prob[prediction],
        "confidence_vocab": math.exp(logprob[prediction]),
        "entropy": -sum(q * math.log(q) for q in prob),
        "vocab_entropy": -(p * p.log()).sum().item(),
        "token": token,
        "parsed": any(ids[0] == token for option in options for ids in option),
        "valid": True,
        "ended": ended,
    }


def same(row: dict[str, Any], expected: dict[str, Any], tolerance: float = 1e-4) -> None:
    for name, value in expected.items():
        if isinstance(value, list):
            assert len(row[name]) == len(value), name
        assert row[name] == pytest.approx(value, abs=tolerance, rel=tolerance), name


@pytest.mark.parametrize("options", SETS)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("normalize", ["sum", "mean"])
def test_rows_are_what_each_prompt_gives_alone(
    llama: Any, exact: dict[str, Any], options: str, temperature: float, normalize: str
):
    given = {"temperature": temperature, "normalize": normalize}
    answers = [0, 1, None]
    rows = score_batch(llama, padded(PROMPTS), SETS[options], answers, **given).rows()
    for row, prompt, opts, answer in zip(rows, PROMPTS, SETS[options], answers, strict=True):
        expected = naive(exact["llama"], prompt, opts, **given)
        same(row, expected)
        assert row["correct"] == (expected["prediction"] == answer)


def test_the_reference_tells_every_setting_apart(exact: dict[str, Any]):
    """The comparisons above can fail: each setting moves the numbers by far more than 1e-4."""

    def probabilities(prefix: tuple[int, ...] = (), **given: Any) -> torch.Tensor:
        pairs = zip(PROMPTS, LONGER, strict=True)
        rows = [naive(exact["llama"], [*prefix, *p], o, **given)["prob"] for p, o in pairs]
        return torch.tensor([value for row in rows for value in row])

    base = probabilities()
    for changed in ({"temperature": 2.5}, {"normalize": "mean"}, {"prefix": (0,)}):
        assert (probabilities(**changed) - base).abs().max() > 0.01, changed


def test_parsed_and_token(llama: Any):
    inputs = padded(PROMPTS[:1])
    first = score_batch(llama, inputs, [[[(10,)], [(11,)]]], [0]).rows()[0]
    assert not first["parsed"]
    top = first["token"]
    other = 10 if top != 10 else 11
    second = [[(other,)], [(12,), (top,)]]
    longer = [[(top, 5)], [(other,)]]
    for options in ([[(top,)], [(other,)]], second, longer):
        assert score_batch(llama, inputs, [options], [0]).rows()[0]["parsed"]
    # The likeliest token as a second token is no answer.
    assert not score_batch(llama, inputs, [[[(other, top)], [(12,)]]], [0]).rows()[0]["parsed"]


@pytest.mark.parametrize("options", SETS)
def test_neither_padding_nor_neighbours_change_a_row(llama: Any, options: str):
    together = score_batch(llama, padded(PROMPTS, extra=5), SETS[options], [0, 1, 0]).rows()
    backwards = score_batch(llama, padded(PROMPTS[::-1]), SETS[options][::-1], [0, 1, 0]).rows()[
        ::-1
    ]
    for n, (prompt, opts) in enumerate(zip(PROMPTS, SETS[options], strict=True)):
        alone = score_batch(llama, padded([prompt]), [opts], [[0, 1, 0][n]]).rows()[0]
        same(together[n], alone)
        same(backwards[n], alone)


@pytest.mark.parametrize("options", SETS)
@pytest.mark.parametrize("plain", [True, False])
def test_images(
    llava: Any,
    exact: dict[str, Any],
    options: str,
    plain: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    if not plain:
        monkeypatch.setattr(reading, "way_of", lambda cache, use_cache: "expanded")
    pixels = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    prompts = [[1, *[IMAGE] * 4, *p[1:]] for p in PROMPTS]
    inputs = {**padded(prompts), "pixel_values": pixels}

    def again(rows: list[int]) -> dict[str, torch.Tensor]:
        return {**padded([prompts[n] for n in rows]), "pixel_values": pixels[rows]}

    rows = score_batch(llava, inputs, SETS[options], [0, 1, 0], source=Source(again)).rows()
    for n, (prompt, opts) in enumerate(zip(prompts, SETS[options], strict=True)):
        expected = naive(exact["llava"], prompt, opts, pixel_values=pixels[n : n + 1].double())
        same(rows[n], expected)
    # The pictures matter: with another row's, the scores are others.
    swapped = {**inputs, "pixel_values": pixels.flip(0)}

    def swap(rows: list[int]) -> dict[str, torch.Tensor]:
        return again(rows) | {"pixel_values": pixels.flip(0)[rows]}

    moved = score_batch(llava, swapped, SETS[options], [0, 1, 0], source=Source(swap)).rows()
    assert abs(rows[0]["logprob"][0] - moved[0]["logprob"][0]) > 0.01


def test_two_images_of_one_prompt_stay_with_it(
    llava: Any, exact: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    pixels = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    prompts = [[1, *[IMAGE] * 4, 9, *[IMAGE] * 4, *p[1:]] for p in PROMPTS[:2]]
    inputs = {**padded(prompts), "pixel_values": pixels}

    def again(rows: list[int]) -> dict[str, torch.Tensor]:
        own = torch.cat([pixels[2 * n : 2 * n + 2] for n in rows])
        return {**padded([prompts[n] for n in rows]), "pixel_values": own}

    for way in ("shared", "expanded"):
        monkeypatch.setattr(reading, "way_of", lambda cache, use_cache, way=way: way)
        rows = score_batch(llava, inputs, LONGER[:2], [0, 1], source=Source(again)).rows()
        for n, prompt in enumerate(prompts):
            own = pixels[2 * n : 2 * n + 2].double()
            same(rows[n], naive(exact["llava"], prompt, LONGER[n], pixel_values=own))


@pytest.mark.parametrize("options", ["longer", "shared"])
@pytest.mark.parametrize("given", [{}, {"temperature": 0.5}, {"normalize": "mean"}])
def test_without_a_cache_of_rows_the_numbers_are_the_same(
    llama: Any, options: str, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    inputs = padded(PROMPTS)
    fast = score_batch(llama, inputs, SETS[options], [0, 1, 0], **given).rows()
    asked = []

    def never(cache: Any, use_cache: bool) -> str:
        asked.append(cache)
        return "expanded"

    monkeypatch.setattr(reading, "way_of", never)
    slow = score_batch(llama, inputs, SETS[options], [0, 1, 0], **given).rows()
    assert len(asked) == 1
    for a, b in zip(fast, slow, strict=True):
        same(a, b)


def test_pictures_of_no_prompt_are_not_divided(llava: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "way_of", lambda cache, use_cache: "expanded")
    prompts = [[1, *[IMAGE] * 4, *p[1:]] for p in PROMPTS]
    inputs = {**padded(prompts), "pixel_values": torch.zeros(3, 3, 16, 16)}
    with pytest.raises(reading.CannotAttribute, match="pixel_values cannot be divided among 3"):
        score_batch(llava, inputs, LONGER, [0, 1, 0])


def test_an_end_that_the_model_does_not_have(llama: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(llama.generation_config, "eos_token_id", None)
    with pytest.raises(ValueError, match=r"\[32\] begin the other spelling \[32, 40\]"):
        score_batch(llama, padded(PROMPTS), SHARED, [0, 1, 0])


def test_any_of_several_ends_closes_an_option(
    llama: Any, exact: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    ends = [STOP, 77, 78]
    monkeypatch.setattr(llama.generation_config, "eos_token_id", ends)
    (row,) = score_batch(llama, padded(PROMPTS[:1]), [[[(32,)], [(32, 40)]]], [0]).rows()
    expected = []
    for ids in ((32,), (32, 40)):
        paths = [token_logprobs(exact["llama"], PROMPTS[0], (*ids, end), 1.0) for end in ends]
        expected.append(math.log(sum(math.exp(sum(path)) for path in paths)))
    assert row["logprob"] == pytest.approx(expected, abs=1e-4)
    assert row["mass"] == pytest.approx(sum(map(math.exp, expected)), rel=1e-4)
    assert row["ended"]


def test_sliding_windows_are_right():
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(2)
    config = MistralConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=200,
        sliding_window=4,
        initializer_range=0.3,
    )
    model = MistralForCausalLM(config).eval()
    rows = score_batch(model, padded(PROMPTS), LONGER, [0, 1, 0]).rows()
    double = copy.deepcopy(model).double()
    for row, prompt, options in zip(rows, PROMPTS, LONGER, strict=True):
        same(row, naive(double, prompt, options))


@pytest.mark.parametrize("options", SETS)
@pytest.mark.parametrize("confidence", ["options", "vocab"])
def test_confidence_and_histogram_are_those_of_the_rows(llama: Any, options: str, confidence: str):
    histogram = CalibrationHistogram(10)
    found = []
    given = [
        row["prediction"]
        for row in score_batch(llama, padded(PROMPTS), SETS[options], [0] * 3).rows()
    ]
    right = [None, given[1], 1 - min(1, given[2])]  # not asked, right, wrong
    for answers in (right, [1, None, 1], [None, None, None], [1, 0, 0]):
        scores = score_batch(
            llama,
            padded(PROMPTS),
            SETS[options],
            answers,
            confidence=confidence,
            histogram=histogram,
        )
        for row, answer in zip(scores.rows(), answers, strict=True):
            assert row["confidence"] == row[f"confidence_{confidence}"]
            if answer is not None:
                found.append(row)
            else:
                assert not row["correct"]
    assert len(found) == 7
    count, correct, summed = [0] * 10, [0] * 10, [0.0] * 10
    for row in found:
        place = min(9, int(row["confidence"] * 10))
        count[place] += 1
        correct[place] += row["correct"]
        summed[place] += row["confidence"]
    assert histogram.count.tolist() == count
    assert histogram.correct.tolist() == correct
    assert histogram.confidence.tolist() == pytest.approx(summed, abs=1e-6)
    assert int(histogram.invalid) == 0


@pytest.mark.parametrize("options", ["single", "longer"])
def test_a_row_that_is_not_a_number_is_invalid_and_alone(llama: Any, options: str):
    broken = copy.deepcopy(llama)
    with torch.no_grad():
        broken.model.embed_tokens.weight[51] = torch.nan  # the second prompt's last token
    for answer in (0, 1):
        histogram = CalibrationHistogram(10)
        rows = score_batch(
            broken, padded(PROMPTS), SETS[options], [0, answer, 0], histogram=histogram
        ).rows()
        assert [row["valid"] for row in rows] == [True, False, True]
        assert not rows[1]["correct"]
        assert math.isnan(rows[1]["confidence"])
        assert (int(histogram.count.sum()), int(histogram.invalid)) == (2, 1)
    alone = score_batch(llama, padded(PROMPTS[:1]), SETS[options][:1], [0]).rows()[0]
    same(rows[0], alone)


def test_rows_have_the_length_of_their_own_options(llama: Any):
    for options in SETS.values():
        rows = score_batch(llama, padded(PROMPTS), options, [0, 0, 0]).rows()
        assert [len(row["prob"]) for row in rows] == [len(row) for row in options]
        for row in rows:
            assert sum(row["prob"]) == pytest.approx(1, abs=1e-5)
            assert all(type(row[name]) is int for name in ("prediction", "token"))
            assert all(type(row[name]) is bool for name in ("correct", "parsed", "valid"))


def test_scores_stay_on_the_device_until_rows_are_asked_for(llama: Any):
    scores = score_batch(llama, padded(PROMPTS), LONGER, [0, 1, 0])
    tensors = [scores.logprob, scores.prob, *scores.columns.values()]
    assert all(isinstance(t, torch.Tensor) and not t.requires_grad for t in tensors)
