"""The registry of calibrators: each is there, saves its own format, and is loaded by it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from calib.calibrators import CALIBRATORS, load
from calib.records import InputError


@pytest.mark.parametrize("name", CALIBRATORS)
def test_what_was_saved_is_loaded_by_its_format(name, tmp_path):
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(80, 3)), rng.integers(3, size=80)
    scores[np.arange(80), labels] += 1
    entry = CALIBRATORS[name]
    groups = np.arange(80) % 2
    fitted = entry.load_class()().fit(scores, labels, groups=groups)
    path = fitted.save(tmp_path / "saved.json")
    assert json.loads(path.read_text())["format"] == entry.format
    again = load(path)
    assert type(again) is type(fitted)
    once, twice = (each.predict_proba(scores, groups=groups) for each in (fitted, again))
    assert np.array_equal(once, twice)


@pytest.mark.parametrize("text", ["{}", '{"format": "calib.results/1"}', "[1]", "no JSON"])
def test_what_none_saved_is_refused(text, tmp_path):
    path = tmp_path / "saved.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"saved\.json: "):
        load(path)
