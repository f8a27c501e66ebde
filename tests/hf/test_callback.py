"""The callback against the logits themselves, on real Trainers of tiny models."""

from __future__ import annotations

import gc
import json
import math
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from calib_kernels import CalibrationHistogram, use_backend
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint
from transformers import LlamaConfig, LlamaForSequenceClassification, TrainerCallback
from transformers.modeling_outputs import CausalLMOutput

import calib
from calib.hf.callback import prefix_of
from calib.hf.decoding import listening
from calib.metrics import ece

from .evaluations import ECE, agrees, expected
from .trainers import Logger, make_trainer, rows, tiny_llama

pytestmark = pytest.mark.usefixtures("one_thread")


def records(callback: Any, name: str) -> list[dict[str, Any]]:
    return [record for record in callback.history if record["name"] == name]


def test_an_evaluation_gives_the_numbers_of_its_logits(tmp_path: Path) -> None:
    data = rows(5, seed=1)
    callback = calib.CalibrationCallback()
    trainer = make_trainer(tmp_path, eval_dataset=data, callbacks=[callback])
    found = trainer.evaluate()
    agrees(found, expected(trainer.model, data), "eval_")
    (record,) = callback.history
    assert record["rows"] == sum(int((s["labels"][1:] != -100).sum()) for s in data)
    assert (record["name"], record["invalid"]) == ("eval", 0)
    histogram = CalibrationHistogram()
    histogram.load_state_dict(callback.histograms["eval"])
    assert ece(histogram) == record[ECE]
    # A second one starts from nothing, and a forward in between belongs to none.
    with torch.no_grad():
        sample = data[0]["input_ids"][None]
        trainer.model(input_ids=sample, labels=sample)
    assert trainer.evaluate()[f"eval_{ECE}"] == found[f"eval_{ECE}"]
    assert callback.history[1]["rows"] == record["rows"]


def test_prediction_is_measured_under_its_own_name(tmp_path: Path) -> None:
    data = rows(4, seed=2)
    trainer = make_trainer(tmp_path, callbacks=[calib.CalibrationCallback(bins=10)])
    found = trainer.predict(data).metrics
    assert found["test_ece_width10_left"] > 0


@pytest.mark.parametrize("accumulation", [1, 2])
def test_every_evaluation_reaches_the_logger(tmp_path: Path, accumulation: int) -> None:
    logger = Logger()
    trainer = make_trainer(
        tmp_path,
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="steps",
        save_steps=4,
        gradient_accumulation_steps=accumulation,
        callbacks=[logger],
    )
    callback = calib.CalibrationCallback().bind(trainer)
    trainer.train()
    logged = logger.under(f"eval_{ECE}")
    assert [step for step, _ in logged] == [2, 4]
    assert logged[0][1] != logged[1][1]
    agrees(callback.history[1], expected(trainer.model, trainer.eval_dataset))
    # The save covers both evaluations.
    (saved,) = records(callback, "eval_saved")
    assert saved["rows"] == sum(entry["rows"] for entry in callback.history[:2])
    assert logger.under(f"eval_saved_{ECE}") == [(4, saved[ECE])]
    assert logger.under("eval_entropy")[0][1] == callback.history[0]["entropy"]


def test_several_evaluation_sets_and_the_best_model(tmp_path: Path) -> None:
    data = {"easy": rows(4, seed=1), "hard": rows(6, seed=2)}
    trainer = make_trainer(
        tmp_path,
        eval_dataset=data,
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="best",
        metric_for_best_model=f"eval_hard_{ECE}",
        greater_is_better=False,
    )
    callback = calib.CalibrationCallback().bind(trainer)
    trainer.train()
    easy, hard = (records(callback, f"eval_{name}") for name in data)
    assert [record["step"] for record in easy] == [record["step"] for record in hard] == [2, 4]
    agrees(easy[-1], expected(trainer.model, data["easy"]))
    assert trainer.state.best_metric == min(record[ECE] for record in hard)


def test_unbound_it_reaches_the_log_history(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path, eval_strategy="steps", eval_steps=2, callbacks=[calib.CalibrationCallback()]
    )
    trainer.train()
    steps = [e["step"] for e in trainer.state.log_history if f"eval_{ECE}" in e]
    assert steps == [2, 4]


def test_a_sequence_classifier_is_not_shifted(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=40,
        num_labels=3,
        pad_token_id=0,
        initializer_range=0.5,
    )
    model = LlamaForSequenceClassification(config)
    data = [{"input_ids": row["input_ids"], "labels": i % 3} for i, row in enumerate(rows(6))]
    trainer = make_trainer(
        tmp_path, model, eval_dataset=data, callbacks=[calib.CalibrationCallback()]
    )
    found = trainer.evaluate()
    with torch.no_grad():
        logits = model(torch.stack([row["input_ids"] for row in data])).logits
    p = logits.softmax(-1)
    labels = torch.tensor([row["labels"] for row in data])
    assert found[f"eval_{ECE}"] == pytest.approx(
        ece(p.max(-1).values.numpy(), (p.argmax(-1) == labels).numpy()), abs=1e-5
    )


def test_a_multimodal_model_is_shifted(llava: Any) -> None:
    assert listening.shifts(llava)
    assert listening.shifts(tiny_llama())
    assert not listening.shifts(torch.nn.Linear(1, 1))


@pytest.mark.parametrize("kind", ["module", "function"])
def test_a_loss_that_takes_the_labels_is_overheard(tmp_path: Path, kind: str) -> None:
    def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        logits = outputs.logits[:, :-1].flatten(0, 1)
        return F.cross_entropy(logits, labels[:, 1:].flatten())

    temperature = 2.0 if kind == "module" else 1.0
    chosen = calib.CalibratedCrossEntropy(temperature=2.0) if kind == "module" else loss
    trainer = make_trainer(tmp_path, compute_loss_func=chosen)
    calib.CalibrationCallback().bind(trainer)
    found = trainer.evaluate()
    agrees(found, expected(trainer.model, trainer.eval_dataset, temperature), "eval_")


def test_labels_never_seen_are_said(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path,
        compute_loss_func=calib.CalibratedCrossEntropy(),
        callbacks=[calib.CalibrationCallback()],
    )
    with pytest.warns(UserWarning, match=r"CalibrationCallback\(\).bind\(trainer\)"):
        found = trainer.evaluate()
    assert math.isnan(found[f"eval_{ECE}"])
    smoothing = make_trainer(tmp_path, label_smoothing_factor=0.1)
    with pytest.raises(calib.InputError, match="CalibratedCrossEntropy"):
        calib.CalibrationCallback().bind(smoothing)


@pytest.mark.parametrize("criterion", [None, calib.CalibratedCrossEntropy()], ids=["own", "ours"])
def test_an_evaluation_without_a_row_says_so(tmp_path: Path, criterion: Any) -> None:
    data = rows(5, seed=1)
    ignored = [{**row, "labels": torch.full_like(row["labels"], -100)} for row in data]
    trainer = make_trainer(tmp_path, eval_dataset=ignored, compute_loss_func=criterion)
    callback = calib.CalibrationCallback().bind(trainer)
    with pytest.warns(UserWarning, match="counted no row in this evaluation: every label is ign"):
        found = trainer.evaluate()
    assert math.isnan(found[f"eval_{ECE}"]) and callback.history == []
    if criterion is not None:
        assert found["eval_loss"] == 0.0
    with torch.no_grad():
        trainer.model.lm_head.weight.fill_(torch.nan)
    with pytest.warns(UserWarning, match=r"counted no row in this evaluation: \d+ are invalid"):
        trainer.evaluate(data)


def test_an_empty_evaluation_set_is_said_to_be_empty(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, eval_dataset=[])
    callback = calib.CalibrationCallback().bind(trainer)
    with pytest.warns(UserWarning, match="its data set is empty") as caught:
        found = trainer.evaluate()
    assert not any("bind" in str(warning.message) for warning in caught)
    assert math.isnan(found[f"eval_{ECE}"]) and callback.history == []
    callback._batches = 3  # of none of which the logits were heard
    assert "saw no logits" in (said := callback._silence(callback._running)) and "bind" not in said


def test_a_best_model_is_looked_for_among_evaluations_that_have_none(tmp_path: Path) -> None:
    ignored = [{**row, "labels": torch.full_like(row["labels"], -100)} for row in rows(4)]
    trainer = make_trainer(
        tmp_path,
        eval_dataset=ignored,
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="best",
        metric_for_best_model=f"eval_{ECE}",
        greater_is_better=False,
    )
    calib.CalibrationCallback().bind(trainer)
    with pytest.warns(UserWarning, match="every label is ignored"):
        trainer.train()
    assert trainer.state.global_step == 4
    assert trainer.state.best_model_checkpoint is None


def test_a_training_line_has_the_entropy_of_what_was_trained_on(tmp_path: Path) -> None:
    """At a learning rate of 0 the model stays what it is, so that it can be asked again."""
    data = rows(4)
    trainer = make_trainer(
        tmp_path,
        train_dataset=data,
        max_steps=2,
        logging_steps=2,
        learning_rate=0.0,
        compute_loss_func=calib.CalibratedCrossEntropy(),
    )
    calib.CalibrationCallback().bind(trainer)
    trainer.train()
    (line,) = (entry for entry in trainer.state.log_history if ECE in entry)
    agrees(line, expected(trainer.model, data))


def resumable(folder: Path, **changed: Any) -> tuple[Any, Any, Any]:
    """A trainer whose logging windows (3 steps) reach across its saves (every 2)."""
    logger = Logger()
    trainer = make_trainer(
        folder,
        max_steps=6,
        logging_steps=3,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=2,
        compute_loss_func=calib.CalibratedCrossEntropy(),
        callbacks=[logger],
        **changed,
    )
    return trainer, calib.CalibrationCallback().bind(trainer), logger


@pytest.mark.parametrize("restore", [False, True])
def test_a_resumed_run_goes_on_where_it_was(tmp_path: Path, restore: bool) -> None:
    trainer, whole, logger = resumable(tmp_path / "a")
    trainer.train()
    again, resumed, relogged = resumable(
        tmp_path / "b", restore_callback_states_from_checkpoint=restore
    )
    again.train(resume_from_checkpoint=str(tmp_path / "a" / "checkpoint-2"))
    assert resumed.history == whole.history
    assert [r["step"] for r in resumed.history] == [1, 2, 2, 3, 4, 4, 5, 6, 6]
    assert resumed.histograms == whole.histograms
    # Rows of steps 1 and 2 come from the checkpoint, those of step 3 are new.
    assert relogged.under(ECE) == logger.under(ECE)
    assert relogged.under("entropy") == logger.under("entropy")
    assert len(logger.under("entropy")) == 2
    assert [step for step, _ in relogged.under(ECE)] == [3, 6]
    state = json.loads((tmp_path / "b" / "checkpoint-4" / "trainer_state.json").read_text())
    kept = state["stateful_callbacks"]["CalibrationCallback"]["attributes"]
    assert kept["history"] == whole.history[:6]
    assert sum(kept["window"]["sums"][:15]) > 0
    listed = [type(c).__name__ for c in again.callback_handler.callbacks]
    assert listed.count("CalibrationCallback") == 1
    assert resumed in again.callback_handler.callbacks


def test_a_window_without_entropies_is_resumed_without(tmp_path: Path) -> None:
    """As checkpoints were: the first line after it has no entropy, the second one has."""
    trainer, _, logger = resumable(tmp_path / "a")
    trainer.train()
    path = tmp_path / "a" / "checkpoint-2" / "trainer_state.json"
    state = json.loads(path.read_text())
    window = state["stateful_callbacks"]["CalibrationCallback"]["attributes"]["window"]
    del window["entropies"]
    path.write_text(json.dumps(state))
    again, _, relogged = resumable(tmp_path / "b")
    again.train(resume_from_checkpoint=str(path.parent))
    assert relogged.under(ECE) == logger.under(ECE)
    assert relogged.under("entropy") == logger.under("entropy")[1:]


def test_a_checkpoint_without_the_callback_can_be_resumed_with_it(tmp_path: Path) -> None:
    settings = {"save_strategy": "steps", "save_steps": 2}
    make_trainer(tmp_path / "a", **settings).train()
    trainer = make_trainer(tmp_path / "b", **settings)
    calib.CalibrationCallback().bind(trainer)
    trainer.train(resume_from_checkpoint=str(tmp_path / "a" / "checkpoint-2"))
    assert (tmp_path / "b" / "checkpoint-4").is_dir()


def test_evaluations_before_training_are_no_part_of_a_save(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, max_steps=1, save_strategy="steps", save_steps=1)
    callback = calib.CalibrationCallback().bind(trainer)
    trainer.evaluate()
    trainer.train()
    assert [record["name"] for record in callback.history] == ["eval"]


def test_neither_logits_nor_the_callback_are_kept_alive(tmp_path: Path) -> None:
    seen: list[Any] = []
    trainer = make_trainer(tmp_path)
    callback = calib.CalibrationCallback()
    model = trainer.model
    model.register_forward_hook(lambda m, a, out: seen.append(weakref.ref(out.logits)))
    callback.on_init_end(trainer.args, None, None, model=model)
    with torch.no_grad():
        sample = rows(1)[0]["input_ids"][None]
        model(input_ids=sample, labels=sample)
    assert seen[0]() is None and callback._listener.heard is not None
    gone = weakref.ref(callback)
    del callback
    gc.collect()
    assert gone() is None
    with torch.no_grad():
        model(input_ids=sample, labels=sample)


def test_an_evaluation_that_was_broken_off_leaves_nothing(tmp_path: Path) -> None:
    calls = 0

    class Broken(TrainerCallback):
        def on_prediction_step(self, *args: Any, **kwargs: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise KeyboardInterrupt

    callback = calib.CalibrationCallback()
    trainer = make_trainer(tmp_path, callbacks=[callback, Broken()])
    assert callback.bind(trainer) is callback.bind(trainer)
    with pytest.raises(KeyboardInterrupt):
        trainer.evaluate()
    agrees(trainer.evaluate(), expected(trainer.model, trainer.eval_dataset), "eval_")
    assert trainer.callback_handler.callbacks.count(callback) == 1


class Waiting(TorchDispatchMode):
    """Raises where an operator's result is needed on the host."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        waits = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        assert func not in waits, func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("temperature", [None, 2.0])
def test_nothing_waits_for_the_device_in_a_batch(tmp_path: Path, temperature: float | None) -> None:
    criterion = calib.CalibratedCrossEntropy(temperature=temperature or 1.0, learnable=True)
    loss = criterion if temperature else None
    trainer = make_trainer(tmp_path, compute_loss_func=loss)
    callback = calib.CalibrationCallback().bind(trainer)
    logits, labels = torch.randn(2, 5, 40), torch.randint(40, (2, 5))
    output = CausalLMOutput(logits=logits)
    with use_backend("reference"), torch.no_grad(), Waiting():
        if loss is None:
            callback._listener._after_model(trainer.model, (), {"labels": labels}, output)
        else:
            loss(output, labels)
        callback.on_prediction_step(trainer.args, None, None, eval_dataloader=object())
    assert callback._running.values()["top1_accuracy"] >= 0.0
    with pytest.raises(AssertionError), Waiting():
        labels.sum().item()


@pytest.mark.parametrize("reentrant", [None, True, False])
def test_nothing_waits_for_the_device_in_a_training_step(reentrant: bool | None) -> None:
    criterion = calib.CalibratedCrossEntropy(learnable=True, z_loss=1e-4)
    logits, labels = torch.randn(2, 5, 40, requires_grad=True), torch.randint(40, (2, 5))

    def loss(logits: Any) -> Any:
        return criterion(logits, labels, num_items_in_batch=torch.tensor(10))

    with use_backend("reference"), Waiting():
        if reentrant is None:
            loss(logits).backward()
        else:
            checkpoint(loss, logits, use_reentrant=reentrant, preserve_rng_state=False).backward()
    assert int(criterion.histogram.count.sum()) == 10


def test_the_prefix_is_what_trainer_put_before_its_own_numbers() -> None:
    assert prefix_of({"eval_a_runtime": 1.0, "eval_a_mean_runtime": 2.0}) == "eval_a"
    assert prefix_of({}) == "eval"
