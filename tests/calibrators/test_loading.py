"""Files of calibrators: read as written, refused when damaged or made for another."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import calib
from calib.calibrators import CALIBRATORS, TemperatureScaling
from calib.calibrators.facts import MADE_FOR, made_for
from calib.records import InputError
from tests.calibrated import sure


def saved(name, path, facts=None):
    z, y = sure(120)
    fitted = CALIBRATORS[name].load_class()().fit(z, y, groups=np.arange(120) % 3)
    fitted.save(path, facts=facts)
    return fitted


FACTS = {
    "model": "a/model",
    "revision": "abc",
    "dtype": "float32",
    "prompt": "letters",
    "template": "1234",
    "normalize": "sum",
    "orders": "4",
}


@pytest.mark.parametrize("name", MADE_FOR)
def test_another_is_refused_unless_told(tmp_path, name):
    path = tmp_path / "platt.json"
    saved("platt", path, {"made for": made_for(FACTS, ["1", "2"])})
    assert calib.load_calibrator(path, use=FACTS).made_for_["fitted_ids"] is not None
    other = {**FACTS, name: "another"}
    with pytest.raises(InputError, match=rf"fitted for .* '{FACTS[name]}', not 'another'"):
        calib.load_calibrator(path, use=other)
    assert calib.load_calibrator(path, use=other, anyway=True).n_fit_ == 120
    # What one of the two does not say is not compared.
    calib.load_calibrator(path, use={key: FACTS[key] for key in FACTS if key != name})
    calib.load_calibrator(path)


def test_the_ids_digest_is_of_the_set():
    one, other = made_for({}, [3, 1, 2])["fitted_ids"], made_for({}, ["1", "2", "3"])["fitted_ids"]
    assert one == other != made_for({}, [1, 2])["fitted_ids"]


def test_an_earlier_temperature_is_loaded_and_compared(tmp_path):
    path = tmp_path / "temperature.json"
    fitted = saved("temperature", path, {"fitted on": {"model": "a/model", "prompt": "letters"}})
    assert calib.load_calibrator(path, use={"model": "a/model"}) == fitted
    with pytest.raises(InputError, match="prompt form 'letters', not 'options'"):
        calib.load_calibrator(path, use={"prompt": "options"})
    TemperatureScaling().fit(*sure(50)).save(path)  # without facts
    assert calib.load_calibrator(path, use=FACTS).made_for_["model"] is None


def test_a_model_is_compared_by_its_facts(tmp_path):
    path = tmp_path / "platt.json"
    saved("platt", path, {"made for": made_for(FACTS, [])})
    model = type("Loaded", (), {"facts": {"model": "b/model", "dtype": "float32"}})()
    with pytest.raises(InputError, match="model 'a/model', not 'b/model'"):
        calib.load_calibrator(path, use=model)
    with pytest.raises(InputError, match="use: expected a run"):
        calib.load_calibrator(path, use=3)


@pytest.mark.parametrize("use", [{"promt": "letters"}, {}, {"prompt": "letters", "dtpye": "x"}])
def test_what_names_nothing_known_is_no_use(tmp_path, use):
    path = tmp_path / "platt.json"
    saved("platt", path, {"made for": made_for(FACTS, [])})
    with pytest.raises(InputError, match="use: expected any of dtype, fitted_ids, model"):
        calib.load_calibrator(path, use=use)
    calib.load_calibrator(path, use={**FACTS, "kind": "score", "task": "any"})  # a config.json


def test_scores_of_options_are_no_stated_confidences(tmp_path, make_run):
    """A temperature of the one is none of the other; a map of confidences takes both."""
    scored = make_run(tmp_path / "scored", n=60)
    table = tmp_path / "table.csv"
    table.write_text("confidence,correct\n" + "0.8,1\n0.6,0\n" * 30)
    calib.cli.app(["import", str(table), "--output_path", str(tmp_path / "stated")],
                  standalone_mode=False)  # fmt: skip
    for kind, other in (("stated", scored), ("options", tmp_path / "stated")):
        facts = {"made for": made_for({}, [], kind)}
        for name in ("temperature", "platt"):
            saved(name, tmp_path / f"{name}.json", facts)
        with pytest.raises(InputError, match=f"fitted for scores of '{kind}', not"):
            calib.load_calibrator(tmp_path / "temperature.json", use=other)
        calib.load_calibrator(tmp_path / "platt.json", use=other)


@pytest.mark.parametrize("name", CALIBRATORS)
def test_damaged_files_are_refused_by_name(tmp_path, name):
    path = tmp_path / "c.json"
    saved(name, path)
    content = json.loads(path.read_text())
    for key in content:
        if key in ("facts", "objective", "low", "high"):
            continue
        for value in (None, "x", [None, "x"], {}, 10**400, math.nan):
            if (key == "reason" and value in (None, "x")) or (key[:3] == "nll" and value != value):
                continue  # may stand there
            if key == "n_fit" and value == 10**400:
                continue  # a whole number
            path.write_text(json.dumps({**content, key: value}))
            with pytest.raises(InputError, match=r"c\.json: "):
                calib.load_calibrator(path)
        path.write_text(json.dumps({k: v for k, v in content.items() if k != key}))
        with pytest.raises(InputError, match=r"c\.json: "):
            calib.load_calibrator(path)
    path.unlink()
    with pytest.raises(InputError, match=r"c\.json: cannot be read"):
        calib.load_calibrator(path)
