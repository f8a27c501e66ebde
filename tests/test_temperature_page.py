"""``docs/temperature.md``: its code runs, and what it says of T holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import calib
from calib.calibrators.temperature import softmax
from tests.house import ROOT

PAGE = (ROOT / "docs" / "temperature.md").read_text()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temperature that is far from 1, as ``calib fit`` saves it."""
    rng = np.random.default_rng(0)
    logits = 6 * rng.normal(size=(200, 3))
    path = tmp_path_factory.mktemp("fit") / "temperature.json"
    labels = [rng.choice(3, p=row) for row in softmax(logits / 3)]
    calib.TemperatureScaling().fit(logits, labels).save(path)
    return path


@pytest.fixture(scope="module")
def ran(fitted: Path, tiny_model: Path) -> dict[str, Any]:
    """The names that the page's code defines."""
    names: dict[str, Any] = {}
    torch.manual_seed(0)
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        code = code.replace("runs/llava/temperature.json", str(fitted))
        exec(code.replace("my/llava", str(tiny_model)), names)
    return names


def test_scores_of_generate_are_at_t(ran: dict[str, Any]) -> None:
    t = ran["fitted"].temperature_
    assert 2 < t < 5  # so that the test can tell T from 1
    with torch.no_grad():
        logits = ran["model"].hf(**ran["inputs"]).logits[0, -1]
    torch.testing.assert_close(ran["probabilities"][0], (logits / t).softmax(-1))


def test_options_of_one_token_are_as_calib_scores_them(ran: dict[str, Any]) -> None:
    ids = [ran["model"].tokenizer.convert_tokens_to_ids(letter) for letter in "AB"]
    with torch.no_grad():
        logprob = ran["model"].hf(**ran["inputs"]).logits[0, -1].log_softmax(-1)[ids]
    ours = softmax(ran["fitted"].transform(logprob[None].double().numpy()))
    of_tokens = ran["probabilities"][0][ids]
    np.testing.assert_allclose((of_tokens / of_tokens.sum()).numpy(), ours[0], rtol=1e-5)


def test_options_are_shares_and_nan_where_a_filter_left_none(ran: dict[str, Any]) -> None:
    seen = ran["seen"]
    np.testing.assert_allclose(seen.option_prob[seen.mask].sum(axis=1), 1, rtol=1e-5)
    assert (seen.mass[seen.mask] < 0.9).all()
    hf, inputs = ran["model"].hf, ran["inputs"]
    with torch.no_grad():
        top = int(hf(**inputs).logits[0, -1].argmax())
    monitor = calib.Monitor([k for k in (0, 1, 2) if k != top][:2])
    settings = {"do_sample": True, "top_k": 1, "max_new_tokens": 1}
    hf.generate(**inputs, **settings, custom_generate=monitor.as_drawn)
    none = monitor.result()
    assert none.tokens[0, 0] == top
    assert np.isnan(none.option_prob).all() and (none.mass == 0).all()


def test_the_monitor_sees_options_at_t(ran: dict[str, Any]) -> None:
    ids = [ran["model"].tokenizer.convert_tokens_to_ids(letter) for letter in "AB"]
    of_tokens = ran["probabilities"][0][ids]
    seen = ran["seen"]
    assert seen.distribution == "given" and seen.option_prob.shape == (1, 4, 2)
    np.testing.assert_allclose(seen.option_prob[0, 0], of_tokens / of_tokens.sum(), rtol=1e-5)
    np.testing.assert_allclose(seen.mass[0, 0], of_tokens.sum(), rtol=1e-5)


def test_options_of_two_spellings_are_not(ran: dict[str, Any]) -> None:
    """Why the page sends options of several tokens or spellings to their scores."""
    t = ran["fitted"].temperature_
    tokens = torch.tensor([0.4, 0.3, 0.3], dtype=torch.float64)  # two spellings of A, one of B
    at_t = (tokens.log() / t).softmax(-1)
    of_tokens = at_t[:2].sum()
    of_sums = (torch.stack([tokens[:2].sum(), tokens[2]]).log() / t).softmax(-1)[0]
    assert abs(of_tokens - of_sums) > 0.03


def test_the_greedy_text_is_the_same_and_the_drawn_one_that_of_the_temperature(
    ran: dict[str, Any],
) -> None:
    model, inputs, fitted = ran["model"].hf, ran["inputs"], ran["fitted"]
    asked = {"max_new_tokens": 8, "do_sample": False}
    processor = {"logits_processor": [fitted.logits_processor()]}
    plain = model.generate(**inputs, **asked)
    assert torch.equal(plain, model.generate(**inputs, **asked, **processor))

    asked = {"max_new_tokens": 24, "do_sample": True, "top_k": 0, "top_p": 1.0}
    drawn = []
    for how in (
        {**processor, "temperature": 1.0},
        {"temperature": fitted.temperature_},
        {"temperature": 1.0},
    ):
        torch.manual_seed(1)
        drawn.append(model.generate(**inputs, **asked, **how).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_page_is_listed() -> None:
    assert "(temperature.md)" in (ROOT / "docs" / "index.md").read_text()
