"""States kept along stage 2: the same bytes however often training was killed, and they load."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import calib
from calib.hf import embedded
from calib.records import CalibError, InputError
from tests.hf.conftest import make_llava
from training import __main__ as command
from training import tune
from training.kept import folders, keep, steps_kept
from training.packing import Branch
from training.progress import Schedule

pytest.importorskip("peft")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # peft reads an attribute that transformers has renamed.
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),
]
STEPS = 7


class Killed(Exception):
    pass


def test_states_are_evenly_spaced_and_the_last_is_one():
    assert steps_kept(6, 300) == [50, 100, 150, 200, 250, 300]
    assert steps_kept(1, 300) == [300]
    assert steps_kept(4, 10) == [2, 5, 8, 10]
    assert steps_kept(10, 10) == list(range(1, 11))
    assert folders(Path("w"), 2, 300)[150] == Path("w/checkpoints/checkpoint-000150")


@pytest.mark.parametrize("count", ["0", "301", "-1"])
def test_a_number_of_states_that_cannot_be_is_refused(
    count: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["training", f"--keep={count}"])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert f"--keep {count}: expected a number of states from 1 to 300" in capsys.readouterr().err


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of random tokens, without pictures, and a pause after every third step."""

    def conversation(tokens: Any, picture: Any, form: str, questions: int, rng: random.Random):
        return [rng.randrange(9) for _ in range(4)], [
            Branch([rng.randrange(9)], [rng.randrange(9), 3]) for _ in range(questions)
        ]

    monkeypatch.setattr(tune, "conversation", conversation)
    monkeypatch.setattr(tune, "FORMS", ("description",))
    monkeypatch.setattr(tune, "FORM_WEIGHTS", (1.0,))
    monkeypatch.setattr(tune, "Schedule", partial(Schedule, pause_every=3))


def trained(work: Path, kept: Mapping[int, Path]) -> tuple[dict[str, torch.Tensor], float]:
    """What a training in ``work`` ends with: the adapter's weights, and the loss."""
    model = make_llava()  # seeds what is drawn, as one step after another does
    tokens: Any = type("Tokens", (), {"pad": 0})
    stage1 = work / "stage1"
    work.mkdir(exist_ok=True)
    stage1.write_bytes(b"weights")
    pictures: Any = list(range(12))
    tuned, facts = tune.train_stage2(
        model,
        tokens,
        pictures,
        torch.zeros(12, 3, 16, 16),
        steps=STEPS,
        batch=2,
        questions=2,
        checkpoint=work / "stage2.pt",
        kept=kept,
        stage1=stage1,
    )
    weights = {name: w.detach() for name, w in tuned.named_parameters() if w.requires_grad}
    return weights, facts["loss"]


def killed(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """The training dies in the step behind ``after``."""
    own, count = Schedule.step, [0]

    def step(self: Schedule, loss: Any, parameters: Any) -> None:
        count[0] += 1
        if count[0] > after:
            raise Killed
        own(self, loss, parameters)

    monkeypatch.setattr(Schedule, "step", step)


def bytes_of(work: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(work)): path.read_bytes()
        for path in sorted((work / "checkpoints").rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("after", [1, 4, 6])
def test_killed_and_resumed_it_leaves_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: None, after: int
):
    plain, loss = trained(tmp_path / "plain", {})
    whole = tmp_path / "whole"
    weights, with_kept = trained(whole, folders(whole, 3, STEPS))
    assert all(torch.equal(plain[name], weights[name]) for name in plain)
    assert with_kept == loss

    work = tmp_path / "killed"
    with monkeypatch.context() as patch:
        killed(patch, after)
        with pytest.raises(Killed):
            trained(work, folders(work, 3, STEPS))
    again, resumed = trained(work, folders(work, 3, STEPS))
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    assert resumed == loss
    assert bytes_of(work) == bytes_of(whole)
    names = {path.partition("/")[2].partition("/")[0] for path in bytes_of(work)}
    assert names == {"checkpoint-000002", "checkpoint-000005", "checkpoint-000007"}
    last = load_file(whole / "checkpoints/checkpoint-000007/adapter_model.safetensors")
    assert all(tensor.dtype == torch.bfloat16 for tensor in last.values())
    for name, tensor in last.items():
        own = name.replace(".weight", ".default.weight") if "lora" in name else None
        if own is not None:
            assert torch.equal(tensor, weights[own].to(torch.bfloat16)), name


def test_states_that_were_not_kept_begin_the_training_anew(
    tmp_path: Path, short: None, capsys: pytest.CaptureFixture[str]
):
    before, _ = trained(tmp_path, {})
    wanted = folders(tmp_path, 3, STEPS)
    again, _ = trained(tmp_path, wanted)
    assert "stage 2 begins anew: the state after step 2 was not kept" in capsys.readouterr().out
    assert all(torch.equal(before[name], again[name]) for name in before)
    assert all(folder.is_dir() for folder in wanted.values())


def test_a_kept_state_loads_by_its_folder(tmp_path: Path):
    """The shipped stage 2, kept as training keeps a state, is ``embedded:stage2``."""
    from peft import PeftModel

    base, _ = embedded.load_embedded("stage1")
    tuned = PeftModel.from_pretrained(base, embedded.WEIGHTS / "stage2")
    folder = tmp_path / "checkpoint-000300"
    keep(tuned, folder, embedded.WEIGHTS / embedded.STAGE1)
    name = "adapter_model.safetensors"
    assert (folder / name).read_bytes() == (embedded.WEIGHTS / "stage2" / name).read_bytes()
    model = calib.load_model(folder)
    stage2, _ = embedded.load_embedded("stage2")
    pairs = zip(model.hf.parameters(), stage2.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert model.facts["adapter"] == str(folder) and model.facts["revision"]

    with pytest.raises(InputError, match="the embedded model takes no revision"):
        calib.load_model(folder, revision="main")
    (folder / embedded.BASE_MARK).write_text("0" * 64)
    with pytest.raises(CalibError, match="was trained over another stage 1"):
        calib.load_model(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "embedded:stage9"
    (folder / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="got 'stage9'"):
        calib.load_model(folder)
