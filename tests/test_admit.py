"""The state that can admit: its questions, its training, and what was measured, on a tiny model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import calib
from calib.hf.embedded import WEIGHTS
from calib.idk.folder import labels_of
from calib.judge import verdicts
from calib.records import InputError
from calib.runs import open_run
from calib.uncertainty.measures import unstated
from training import admit, conversations
from training.admit import Plan
from training.card import card
from training.conversations import encoded, read_rows, reply_loss, train
from training.doubts import LEVELS, noisy_task
from training.effects import MEASURED
from training.progress import Schedule

TINY = Plan(
    trained=3,
    held_out=3,
    shifted=(("easy-vqa-idk", 6),),
    samples=2,
    max_new_tokens=3,
    steps=4,
    batch=2,
    rank=2,
)


@pytest.fixture(scope="module")
def done(tiny_image_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The whole script on a random model: (facts, work folder)."""
    work = tmp_path_factory.mktemp("admits")
    return admit.run(TINY, str(tiny_image_model), work), work


def test_the_script_runs_from_end_to_end(done: Any) -> None:
    facts, work = done
    assert facts == json.loads((work / admit.FACTS).read_text())
    assert facts["train"]["counts"]["questions"] == 3 * len(LEVELS) == facts["training"]["rows"]
    assert set(facts["held_out"]) == {"noisy", "easy-vqa-idk"}
    names = [arm["name"] for arm in facts["held_out"]["noisy"]["arms"]]
    arms = ("plain", "permission", "option")
    assert names == [f"{state}, {arm}" for state in ("before", "after") for arm in arms]
    saved = load_file(work / "adapter" / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.bfloat16}
    moved = [name for name, tensor in saved.items() if "lora_B" in name and tensor.any()]
    assert len(moved) == 2 * 7  # of two layers, each linear map: B begins at 0


def test_a_finished_run_asks_and_trains_nothing_again(
    done: Any, tiny_image_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, work = done
    monkeypatch.setattr(admit, "learn", None)
    monkeypatch.setattr("calib.idk.draw.sample", None)
    assert admit.run(TINY, str(tiny_image_model), work) == facts


def test_another_plan_is_refused(done: Any, tiny_image_model: Path) -> None:
    with pytest.raises(InputError, match=r"holds a run of .*'steps': 4.*, not of .*'steps': 5"):
        admit.run(replace(TINY, steps=5), str(tiny_image_model), done[1])


def test_rates_are_counts_of_the_answers(done: Any) -> None:
    """Read anew from the records of one arm of each model, with the labels of the first."""
    facts, work = done
    labelled = labels_of(work / "noisy")
    for state in ("before", "after"):
        run = open_run(work / "noisy" / "effects" / state / "plain")
        assert (run.config["model"] == facts["model"]) == (state == "before")
        refused = right = admitted = 0
        for drawn, text in zip(labelled.draws, run.answers()["text"], strict=True):
            (verdict,) = verdicts(drawn.item, [unstated(text)], labelled.judge)
            refused += verdict.refused
            admitted += verdict.refused and drawn.correct < 2
            right += bool(verdict.correct)
        arms = {arm["name"]: arm["rates"] for arm in facts["held_out"]["noisy"]["arms"]}
        rates = arms[f"{state}, plain"]
        assert rates["truthful"]["of"] == [right + admitted, 12]
        assert rates["answered_accuracy"]["of"] == [right, 12 - refused]
        assert rates["admit_rate"]["of"][0] == admitted


def test_a_stopped_training_ends_with_the_same_weights(
    done: Any, tiny_image_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_rows(done[1] / "train")

    def trained(name: str) -> dict[str, torch.Tensor]:
        how: dict[str, Any] = {"steps": 5, "batch": 3, "rank": 2, "learning_rate": 1e-2}
        model = calib.load_model(tiny_image_model)
        checkpoint = tmp_path / f"{name}.pt"
        tuned, _ = train(model, rows, **how, checkpoint=checkpoint, seed=1, pause_every=2)
        return {n: p for n, p in tuned.state_dict().items() if "lora" in n}

    whole = trained("whole")
    step = Schedule.step

    def stopping(self: Schedule, *of: Any) -> None:
        if len(self.losses) == 3:
            raise KeyboardInterrupt
        step(self, *of)

    with monkeypatch.context() as patched:
        patched.setattr(Schedule, "step", stopping)
        with pytest.raises(KeyboardInterrupt):
            trained("stopped")
    assert torch.load(tmp_path / "stopped.pt", weights_only=False)["done"] == 2
    again = trained("stopped")
    assert whole and all(torch.equal(whole[name], again[name]) for name in whole)


def test_the_loss_is_that_of_each_reply_alone(done: Any, tiny_image_model: Path) -> None:
    model = calib.load_model(tiny_image_model)
    rows = read_rows(done[1] / "train")[:3]
    rows.append(replace(rows[0], images=(), reply="red"))  # text beside pictures
    rows.append(replace(rows[1], reply="a longer reply"))
    losses = []
    for row in rows:
        content = [{"type": "image"}] * len(row.images) + [{"type": "text", "text": row.text}]
        text = model.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        told = f"{text}{row.reply}<eos>"
        images = [conversations.open_image(path) for path in row.images] or None
        inputs = model.processor(text=[told], images=images, return_tensors="pt")
        start = len(model.tokenizer(text)["input_ids"])
        own = len(model.tokenizer(told)["input_ids"]) - start
        logprobs = model.hf(**inputs).logits[0, :-1].log_softmax(-1)
        ids = inputs["input_ids"][0]
        picked = logprobs[torch.arange(len(ids) - 1), ids[1:]]
        losses.append(-picked[-own:].mean())
    with torch.no_grad():
        found = reply_loss(model, model.hf, rows)
    # float32 sums in another order, of padded rows
    torch.testing.assert_close(found, torch.stack(losses).mean(), atol=1e-4, rtol=1e-4)


def test_labels_are_the_reply_and_its_end(done: Any, tiny_image_model: Path) -> None:
    model = calib.load_model(tiny_image_model)
    rows = read_rows(done[1] / "train")[:4]
    _, labels = encoded(model, rows)
    for row, label in zip(rows, labels, strict=True):
        assert model.tokenizer.decode(label[label != -100]) == f"{row.reply}<eos>"


def test_no_picture_is_trained_on_and_asked_about(tmp_path: Path) -> None:
    plan = Plan()
    tasks = [
        noisy_task(split, split, pictures, tmp_path, plan.seed)
        for split, pictures in (("train", plan.trained), ("test", plan.held_out))
    ]
    clusters, contents, files = [], [], []
    for task in tasks:
        clusters.append({item.meta["cluster"] for item in task.items})
        files.append([item.images[0] for item in task.items])
        contents.append({hashlib.sha256(path.read_bytes()).digest() for path in files[-1]})
        assert len(contents[-1]) == len(task.items) == len(clusters[-1]) * len(LEVELS)
    assert not clusters[0] & clusters[1] and not contents[0] & contents[1]
    again = noisy_task("train", "train", plan.trained, tmp_path / "again", plan.seed)
    read = [item.images[0].read_bytes() for item in again.items]
    assert read == [path.read_bytes() for path in files[0]]  # the seed alone decides


def test_the_card_is_that_of_the_facts() -> None:
    facts = json.loads((WEIGHTS / "facts.json").read_text())
    assert (WEIGHTS / "README.md").read_text() == card(facts)
    assert facts["admits"]["plan"] == json.loads(json.dumps(asdict(Plan())))
    for told in facts["admits"]["held_out"].values():
        assert told["counts"]["known"] + told["counts"]["unknown"] == told["counts"]["questions"]
        for arm in told["arms"]:
            for name in MEASURED:
                hits, of = arm["rates"][name]["of"]
                assert arm["rates"][name]["value"] == (hits / of if of else None)


def test_the_adapter_is_small() -> None:
    assert (WEIGHTS / "admits" / "adapter_model.safetensors").stat().st_size < 6e6
