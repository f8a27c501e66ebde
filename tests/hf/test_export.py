"""A fitted temperature where one decodes: inside ``generate``, in a pipeline, in others' calls."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GenerationConfig, pipeline
from typer.testing import CliRunner

import calib
from calib import cli
from calib.calibrators.export import EXPORTS, OF_TOKENS, export
from calib.calibrators.temperature import TemperatureScaling, softmax
from calib.hf.model import Model
from calib.records import CalibError, InputError, Item
from calib.summary.remedies import collect, fit_runs, split
from calib.tasks import Task
from tests.hf.conftest import make_llama, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

QUESTIONS = 160
TRUE = 3.0
"""The temperature at which the right answers are drawn."""


@pytest.fixture(scope="module")
def model() -> Model:
    return Model("tiny", make_llama(), make_tokenizer(), None)


@pytest.fixture(scope="module")
def task(model: Model) -> Task:
    """Lettered questions whose right answers are drawn from the model's scores at T = 3."""
    items = [
        Item(f"q{n}", f"Which is {n * 37 % 101} of {n}?", (), ("red", "green", "blue"), 0, f"g{n}")
        for n in range(QUESTIONS)
    ]
    logits = np.array([row["logprob"] for row in model.option_scores(items, prompt="letters")])
    rng = np.random.default_rng(0)
    gold = [int(rng.choice(3, p=row)) for row in softmax(logits / TRUE)]
    drawn = tuple(replace(item, answer=y) for item, y in zip(items, gold, strict=True))
    return Task("drawn", drawn, "letters")


@pytest.fixture(scope="module")
def run(model: Model, task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "drawn"
    calib.score(model, task, out=folder, batch_size=16)
    return folder


def fit(run: Path, *options: str) -> Any:
    return CliRunner().invoke(cli.app, ["fit", str(run), *options], env={"COLUMNS": "100"})


def held_out_in_generate(model: Model, task: Task, run: Path, **how: Any) -> tuple[Any, Any]:
    """Confidence in the answer, and whether it is right, of the held-out half: as one decodes."""
    scored, rows, _ = collect(calib.open_run(run).rows(), vocabulary=False, of=run)
    ids = [rows[n]["id"] for n in split(scored.cluster, 0)[1]]
    items = [item for item in task.items if item.id in set(ids)]
    confidence, correct = [], []
    for start in range(0, len(items), 16):
        batch = items[start : start + 16]
        encoded = model.encode(batch, "letters")
        letters = [[spelling[0] for spelling in option] for option in encoded[0].options]
        monitor = calib.Monitor(letters)
        inputs = model.reader.inputs(encoded)
        model.hf.generate(**inputs, custom_generate=monitor.as_drawn, **how)
        prob = monitor.result().option_prob[:, 0]
        confidence += prob.max(axis=1).tolist()
        correct += (prob.argmax(axis=1) == [item.answer for item in batch]).tolist()
    return confidence, correct


def test_the_processor_reproduces_the_held_out_ece_inside_generate(
    model: Model, task: Task, run: Path
) -> None:
    fitted, results = fit_runs(run, None, method="exact", seed=0)
    assert 2 < fitted.temperature_ < 5
    ece = results["metrics"]["ece"]
    assert abs(ece["before"]["value"] - ece["after"]["value"]) > 0.02
    sampled = {"do_sample": True, "top_k": 0, "top_p": 1.0, "max_new_tokens": 1}
    processor = {**sampled, "logits_processor": [fitted.logits_processor()]}
    for how, expected in ((sampled, "before"), (processor, "after")):
        ours = calib.metrics.ece(*held_out_in_generate(model, task, run, **how), bins=15)
        # A confidence within rounding of a bin's edge would move it; none is.
        assert ours == pytest.approx(ece[expected]["value"], abs=1e-5)


def test_the_generation_config_does_so_too(model: Model, task: Task, run: Path) -> None:
    ran = fit(run, "--export", "generation_config")
    assert ran.exit_code == 0 and OF_TOKENS in " ".join(ran.output.split())
    config = GenerationConfig.from_pretrained(run)
    config.max_new_tokens = 1
    confidence, correct = held_out_in_generate(model, task, run, generation_config=config)
    after = fit_runs(run, None, method="exact", seed=0)[1]["metrics"]["ece"]["after"]["value"]
    assert calib.metrics.ece(confidence, correct, bins=15) == pytest.approx(after, abs=1e-5)


def test_the_decision_pipeline_divides_by_it(run: Path, tmp_path: Path) -> None:
    configs = pytest.importorskip("transformers.decision", reason="transformers < 5.23")
    DecisionConfig = configs.DecisionConfig
    assert fit(run, "--export", "decision").exit_code == 0
    config = DecisionConfig.from_pretrained(run)
    t = calib.TemperatureScaling.load(run / "temperature.json").temperature_
    assert config.temperature == {"noul": t, "choice": t, "score": t}
    questions = {
        "tone": {"type": "choice", "instructions": "Tone?", "criteria": {"calm": None, "mad": "x"}},
        "level": {"type": "score", "instructions": "Level?", "criteria": ["low", "mid", "high"]},
    }
    request = {"state": "It broke again.", "questions": questions}
    found = []
    for settings in (DecisionConfig(), config):
        decide = pipeline(
            "decision", model=make_llama(), tokenizer=make_tokenizer(), decision_config=settings
        )
        decide.model.resize_token_embeddings(len(decide.tokenizer) + 2)
        torch.manual_seed(0)
        answers = decide(request)
        found.append([list(answers[name]["probabilities"].values()) for name in questions])
    for plain, at_t in zip(*found, strict=True):
        np.testing.assert_allclose(softmax(np.log(plain) / t), at_t, atol=1e-6)
        assert max(abs(np.array(plain) - at_t)) > 0.01


@pytest.mark.parametrize("name", EXPORTS)
def test_the_command_prints_it_and_says_when_it_holds(name: str, run: Path) -> None:
    ran = fit(run, "--export", name)
    assert ran.exit_code == (2 if name == "openai" else 0)
    t = calib.TemperatureScaling.load(run / "temperature.json").temperature_
    if name == "openai":  # which takes none above 2
        assert f"takes temperatures from 0 to 2, and the fitted one is {t:.4g}" in " ".join(
            (ran.output + ran.stderr).split()
        )
        return
    printed = " ".join(ran.output.split())
    assert f"{t:.5g}"[:5] in printed and OF_TOKENS in printed
    if EXPORTS[name].file:
        assert f"{run / EXPORTS[name].file}" in ran.output.replace("\n", "")
        assert json.loads((run / EXPORTS[name].file).read_text())


def of(temperature: float) -> TemperatureScaling:
    fitted = TemperatureScaling()
    fitted.temperature_ = temperature
    return fitted


def test_what_is_printed_is_what_runs(tmp_path: Path) -> None:
    saved = of(1.5).save(tmp_path / "temperature.json")
    text, written = export(of(1.5), "processor", saved)
    assert written is None
    called: dict[str, Any] = {}

    class Called:
        def generate(self, **how: Any) -> None:
            called.update(how)

    exec(text, {"calib": calib, "model": Called(), "inputs": {}})
    assert called["logits_processor"][0].temperature == 1.5
    assert json.loads(export(of(1.5), "openai", saved)[0]) == {"temperature": 1.5, "top_p": 1}
    assert "temperature=1.5," in export(of(1.5), "vllm", saved)[0]


def test_what_cannot_be_exported(tmp_path: Path, run: Path) -> None:
    degenerate = of(1.0)
    degenerate.degenerate_, degenerate.reason_ = True, "the logits are constant"
    with pytest.raises(CalibError, match="no temperature was determined to export: the logits"):
        export(degenerate, "vllm", tmp_path / "temperature.json")
    with pytest.raises(InputError, match="export 'nothing': expected one of processor"):
        export(of(1.5), "nothing", tmp_path / "temperature.json")
    ran = fit(run, "--export", "nothing")
    assert ran.exit_code == 2 and "--export: expected one of" in " ".join(
        (ran.output + ran.stderr).split()
    )
