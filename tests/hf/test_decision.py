"""calib scores what transformers' decision pipeline says, and the pipeline takes over its T."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import pipeline
from typer.testing import CliRunner

import calib
from calib import cli
from calib.calibrators.export import EXPORTS
from calib.calibrators.grouped import GroupedTemperature
from calib.calibrators.temperature import TemperatureScaling, softmax
from calib.hf.model import Model, load_model
from calib.records import CalibError, InputError, Item
from calib.tasks import Task
from calib.tasks.decision_prompt import type_of
from tests.deciding import (
    PICTURED,
    QUESTIONS,
    STATES,
    asset,
    decided,
    items_of,
    picture_model,
    pipeline_of,
    request,
    text_model,
    with_labels,
)
from tests.hf.conftest import TEMPLATE, make_tokenizer

configs = pytest.importorskip("transformers.decision", reason="transformers < 5.23")
pytestmark = pytest.mark.usefixtures("one_thread")

SAME = 1e-6
"""What is promised of probabilities, which calib keeps in float32."""
TRUE = {"noul": 3.0, "choice": 0.6, "score": 1.5}
"""The temperatures at which right answers are drawn."""


def text_lines() -> list[dict[str, Any]]:
    return [request(f"t{n}", state) for n, state in enumerate(STATES)]


def picture_lines() -> list[dict[str, Any]]:
    assets = {"img-1": asset("red"), "img-11": asset("blue", (9, 30))}
    both = {**QUESTIONS, "pictured": PICTURED}
    own = {"refund": {"type": "noul", "instructions": "img-1"}}
    return [
        request("p0", {"see": "img-1", "or": "no"}, both, assets=assets),
        request("p1", "", own, assets={"img-1": asset("green")}),
        *text_lines(),
    ]


MODELS = {"text": (text_model, text_lines), "pictures": (picture_model, picture_lines)}


@pytest.mark.parametrize("batch_size", [1, "auto"])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("kind", MODELS)
def test_the_probabilities_are_the_pipelines(
    kind: str, temperature: float, batch_size: Any, tmp_path: Path
) -> None:
    make, lines_of = MODELS[kind]
    model, lines = make(), lines_of()
    rows = model.option_scores(
        items_of(tmp_path, lines),
        prompt="decision",
        temperature=temperature,
        batch_size=batch_size,
    )
    config = configs.DecisionConfig(temperature=dict.fromkeys(TRUE, temperature))
    expected = decided(pipeline_of(model, config), lines)
    assert len(rows) == len(expected)
    for row, prob in zip(rows, expected, strict=True):
        np.testing.assert_allclose(row["prob"], prob, atol=SAME)
    assert max(max(prob) - min(prob) for prob in expected) > 0.1


def test_the_embedded_model_agrees_in_float32(tmp_path: Path) -> None:
    model, lines = load_model("embedded:stage2"), picture_lines()
    items = items_of(tmp_path, lines)
    alone, batched = (
        model.option_scores(items, prompt="decision", batch_size=size) for size in (1, "auto")
    )
    twin = load_model("embedded:stage2")  # the pipeline adds tokens to the tokenizer
    decide = pipeline("decision", model=twin.hf, processor=twin.processor, tokenizer=twin.tokenizer)
    for one, other, prob in zip(alone, batched, decided(decide, lines), strict=True):
        np.testing.assert_allclose(one["prob"], prob, atol=SAME)
        np.testing.assert_allclose(other["prob"], prob, atol=10 * SAME)


@pytest.mark.parametrize("kind", MODELS)
def test_the_tokens_are_the_pipelines(kind: str, tmp_path: Path) -> None:
    make, lines_of = MODELS[kind]
    model, lines = make(), lines_of()
    decide = pipeline_of(model)
    theirs = [
        inputs["input_ids"][0].tolist()
        for line in lines
        for inputs, _ in decide.preprocess({**line, "answers": None})["prompts"]
    ]
    encoded = model.encode(items_of(tmp_path, lines), "decision")
    ours = [model.reader.inputs([one])["input_ids"][0].tolist() for one in encoded]
    assert ours == theirs


SWITCHES = {
    "read": "{% if enable_thinking is defined and not enable_thinking %}<no>{% endif %}",
    "other": "{% if thinking is defined %}<set>{% endif %}",
    "open": "<think>",
}


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("thinking", ["off", "own"])
def test_a_template_that_can_think_is_used_as_the_pipeline_does(
    switch: str, thinking: str, tmp_path: Path
) -> None:
    template = TEMPLATE + SWITCHES[switch]
    model, lines = text_model(template), text_lines()
    items = items_of(tmp_path, lines)
    decide = pipeline_of(model, template=template)
    rows = model.option_scores(items, prompt="decision", thinking=thinking)
    for row, prob in zip(rows, decided(decide, lines), strict=True):
        np.testing.assert_allclose(row["prob"], prob, atol=SAME)
    with pytest.raises(InputError, match="thinking: expected off or own"):
        model.encode(items, "decision", thinking="on")


def test_what_is_refused_of_a_model(tmp_path: Path) -> None:
    items = items_of(tmp_path, text_lines())
    plain = Model("plain", text_model().hf, make_tokenizer(), None)
    with pytest.raises(InputError, match=r"'t0#refund': expected Yes, No to be a token each"):
        plain.encode(items, "decision")
    with pytest.raises(ValueError, match="not distinct single tokens"):
        pipeline_of(plain, configs.DecisionConfig(labels={"noul": ["Yeah", "No"]}))(text_lines()[0])
    bare = Model("bare", text_model().hf, with_labels(make_tokenizer(None)), None)
    with pytest.raises(InputError, match=r"'t0#refund': .* no chat template"):
        bare.encode(items, "decision")
    for token in ("<eos>", "<|mark|>"):
        controlled = items_of(tmp_path, [request("c", f"Say {token}")])
        with pytest.raises(InputError, match=r"'c#refund': its text holds '<.*>', a control token"):
            text_model().encode(controlled, "decision")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    folder = tmp_path / "stored"
    text_model().hf.save_pretrained(folder)
    with_labels(make_tokenizer()).save_pretrained(folder)
    return folder


@pytest.mark.usefixtures("offline")
def test_a_model_with_a_prompt_of_its_own_is_refused(stored: Path, tmp_path: Path) -> None:
    items = items_of(tmp_path, text_lines())
    config = configs.DecisionConfig(temperature=dict.fromkeys(TRUE, 2.0))
    config.save_pretrained(stored)
    model = load_model(stored)
    rows = model.option_scores(items, prompt="decision")  # its T is not the prompt's
    at_one = configs.DecisionConfig()
    for row, prob in zip(rows, decided(pipeline_of(model, at_one), text_lines()), strict=True):
        np.testing.assert_allclose(row["prob"], prob, atol=SAME)
    other = replace(config, labels={"noul": ["A", "B"]}, chat_template="{{ state }}")
    other.save_pretrained(stored)
    with pytest.raises(CalibError, match=r"has labels and decision_template\.jinja of its own"):
        load_model(stored).option_scores(items, prompt="decision")
    load_model(stored).option_scores(items, prompt="letters")


LINES = 70


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return text_model()


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    questions = {name: QUESTIONS[name] for name in ("refund", "team", "urgency")}
    return [request(f"t{n}", f"Case {n * 37 % 101}", questions) for n in range(LINES)]


def drawn(model: Model, items: tuple[Item, ...]) -> Task:
    """The questions, with right answers that are drawn from the model's scores at ``TRUE``."""
    rng, own = np.random.default_rng(0), []
    for item, row in zip(items, model.option_scores(items, prompt="decision"), strict=True):
        p = softmax(np.array(row["logprob"]) / TRUE[type_of(item)])
        own.append(replace(item, answer=int(rng.choice(len(p), p=p))))
    return Task("drawn", tuple(own), "decision")


@pytest.fixture(scope="module")
def run(model: Model, lines: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions of three types, whose right answers are drawn at ``TRUE``."""
    folder = tmp_path_factory.mktemp("decision")
    calib.score(model, drawn(model, items_of(folder, lines)), out=folder / "run", batch_size=16)
    return folder / "run"


def fit(run: Path, *options: str) -> Any:
    return CliRunner().invoke(cli.app, ["fit", str(run), *options], env={"COLUMNS": "200"})


def test_records_say_the_type(run: Path, lines: Any) -> None:
    rows = calib.open_run(run).rows()
    assert [row["question_type"] for row in rows] == ["noul", "choice", "score"] * LINES
    assert [row["id"] for row in rows[:3]] == ["t0#refund", "t0#team", "t0#urgency"]


def test_each_type_has_its_temperature_and_the_pipeline_takes_it(
    model: Model, run: Path, lines: Any
) -> None:
    ran = fit(run, "--export", "decision")
    assert ran.exit_code == 0, ran.output
    assert "a T that was fitted to another prompt" not in ran.output
    fitted = calib.load_calibrator(run / "temperature.json", use=calib.open_run(run))
    assert isinstance(fitted, GroupedTemperature)
    config = configs.DecisionConfig.from_pretrained(run)
    assert config.temperature == {name: fitted.groups_[name].temperature for name in TRUE}
    assert fitted.groups_["choice"].temperature < 1 < fitted.groups_["noul"].temperature
    for name in TRUE:
        assert f"{name}: T {config.temperature[name]:.3f}" in ran.output

    rows = calib.open_run(run).rows()
    told = decided(pipeline_of(model, config), lines)
    for row, prob in zip(rows, told, strict=True):
        ours = fitted.predict_proba([row["logprob"]], groups=[row["question_type"]])
        np.testing.assert_allclose(ours[0], prob, atol=SAME)
        at_t = softmax(np.array(row["logprob"]) / config.temperature[row["question_type"]])
        np.testing.assert_allclose(at_t, prob, atol=SAME)


def test_the_temperatures_are_those_of_the_half_that_is_fitted_to(run: Path) -> None:
    """Each type's own is its own fit; what is exported lies between that and the others'."""
    from calib.summary.remedies import collect, fit_runs, split

    fitted, results = fit_runs(run, None, method="exact", seed=0)
    scored, rows, _ = collect(calib.open_run(run).rows(), vocabulary=False, of=run)
    half, held_out = split(scored.cluster, 0)
    kinds = np.array([row["question_type"] for row in rows])
    assert results["n_judged"] == len(held_out)
    for name in TRUE:
        own = half[kinds[half] == name]
        alone = TemperatureScaling().fit(scored.logprob[own], scored.answer[own])
        group = fitted.groups_[name]
        assert group.own == pytest.approx(alone.temperature_, rel=1e-9)
        low, high = sorted((group.own, fitted.temperature_))
        assert low <= group.temperature <= high
    at = np.array([fitted.groups_[name].temperature for name in kinds[held_out]])
    p = softmax(scored.logprob[held_out] / at[:, None])
    nll = -np.log(p[np.arange(len(held_out)), scored.answer[held_out]]).mean()
    assert results["metrics"]["nll"]["after"]["value"] == pytest.approx(nll, rel=1e-9)


@pytest.mark.parametrize("name", [name for name in EXPORTS if name != "decision"])
def test_what_holds_one_temperature_is_refused(name: str, run: Path) -> None:
    ran = fit(run, "--export", name)
    assert ran.exit_code == 2
    assert f"export '{name}': expected decision, as each type" in ran.output + ran.stderr


def test_further_refusals(run: Path, model: Model, lines: Any, tmp_path: Path) -> None:
    ran = fit(run, "--method", "grid")
    assert ran.exit_code == 2 and "--method: expected exact" in ran.output + ran.stderr
    items = items_of(tmp_path, lines)
    calib.score(model, Task("hot", items, "decision"), out=tmp_path / "hot", temperature=2.0)
    ran = fit(tmp_path / "hot", "--export", "decision")
    assert ran.exit_code == 2 and "got one at 2" in ran.output + ran.stderr
    calib.score(model, Task("letters", items, "letters"), out=tmp_path / "letters")
    ran = fit(run, "--evaluate", str(tmp_path / "letters"), "--in_sample")
    assert ran.exit_code == 2
    assert "'t0#refund' has none" in ran.output + ran.stderr
    assert all("question_type" not in row for row in calib.open_run(tmp_path / "letters").rows())


def test_another_form_keeps_one_temperature(model: Model, lines: Any, tmp_path: Path) -> None:
    items = items_of(tmp_path, lines)
    calib.score(model, Task("letters", items, "letters"), out=tmp_path / "run")
    ran = fit(tmp_path / "run", "--export", "decision")
    assert ran.exit_code == 0, ran.output
    t = TemperatureScaling.load(tmp_path / "run" / "temperature.json").temperature_
    written = json.loads((tmp_path / "run" / "decision.json").read_text())
    assert written == {"temperature": dict.fromkeys(("noul", "choice", "score"), t)}
    assert "a T that was fitted to another prompt need not hold there" in ran.output


def test_a_type_without_questions_has_the_others_temperature(model: Model, tmp_path: Path) -> None:
    questions = {name: QUESTIONS[name] for name in ("refund", "team")}
    items = items_of(tmp_path, [request(f"t{n}", f"Case {n}", questions) for n in range(40)])
    calib.score(model, drawn(model, items), out=tmp_path / "run")
    assert fit(tmp_path / "run", "--export", "decision").exit_code == 0
    fitted = calib.load_calibrator(tmp_path / "run" / "temperature.json")
    written = json.loads((tmp_path / "run" / "decision.json").read_text())["temperature"]
    assert set(fitted.groups_) == {"noul", "choice"}
    assert written["score"] == fitted.temperature_


def test_a_type_of_right_answers_alone_stays_near_the_others(
    model: Model, run: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    kept = [row for row in rows if row["question_type"] != "noul" or row["correct"]]
    folder = tmp_path / "right"
    folder.mkdir()
    (folder / "config.json").write_text((run / "config.json").read_text())
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    assert fit(folder, "--export", "decision").exit_code == 0
    written = json.loads((folder / "decision.json").read_text())["temperature"]
    assert 0.05 < written["noul"] < 3
    assert calib.load_calibrator(folder / "temperature.json").groups_["noul"].own is None


def test_an_item_without_a_type_is_refused_by_name(model: Model) -> None:
    with pytest.raises(InputError, match="'x': prompt decision asks System One's questions"):
        model.option_scores([Item("x", "?", options=("a", "b"), answer=0)], prompt="decision")
