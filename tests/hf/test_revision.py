"""What a model says of its weights and its chat template, and what a run makes of it."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

import calib
from calib.hf.model import Model, load_model
from calib.hf.revision import (
    BLOCK,
    BLOCKS,
    contents_of,
    digest_of,
    places,
    template_of,
)
from calib.records import InputError, Item
from tests.hf.conftest import TEMPLATE, make_llama, make_processor, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread", "offline")

ITEMS = [Item(f"q{n}", f"Is it {n}?", options=("yes", "no"), answer=n % 2) for n in range(6)]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_folder_is_told_by_what_is_in_it(folder: Path, tmp_path: Path) -> None:
    first = load_model(folder).facts["revision"]
    assert first is not None and len(first) == 12
    moved = Path(shutil.copytree(folder, tmp_path / "moved"))
    (moved / "README.md").write_text("no weights")
    assert load_model(moved).facts["revision"] == first
    hf = make_llama()
    with torch.no_grad():
        hf.model.layers[1].mlp.up_proj.weight += 1e-3  # one part trained on
    hf.save_pretrained(moved)
    other = load_model(moved).facts["revision"]
    assert other not in (None, first)


def test_every_byte_of_a_small_file_counts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    weights = tmp_path / "model.safetensors"
    data = bytearray(BLOCK * 3 + 17)
    weights.write_bytes(data)
    seen = {digest_of(tmp_path)}
    for place in (0, BLOCK, len(data) - 1):
        data[place] = 1
        weights.write_bytes(data)
        seen.add(digest_of(tmp_path))
    assert len(seen) == 4
    assert digest_of(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    "name",
    [
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "additional_chat_templates/tool.jinja",
        "processor_config.json",
        "preprocessor_config.json",
        "generation_config.json",
        "vocab.txt",
        "merges.txt",
        "tokenizer.model",
        "own.tiktoken",
        "modeling_own.py",
        "sub/model.safetensors",
        "sub/chat_template.jinja",
    ],
)
def test_all_that_decides_what_is_asked_is_content(tmp_path: Path, name: str) -> None:
    """Every byte of a file that is no weights, also of a large one; the weights' mark stays."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    before = contents_of(tmp_path, "sub"), digest_of(tmp_path)
    data = bytearray(BLOCK * BLOCKS * 3)
    seen = {before[0]}
    for place in (0, BLOCK + 1, len(data) - 1):
        data[place] += 1
        path.write_bytes(data)
        seen.add(contents_of(tmp_path, "sub"))
    assert len(seen) == (3 if name.endswith(".safetensors") else 4)  # weights are read by blocks
    assert digest_of(tmp_path) == before[1]


def test_what_decides_nothing_is_no_content(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    before = contents_of(tmp_path)
    for name in ("README.md", ".git", "trainer_state.json", "optimizer.pt", "rng_state_0.pth"):
        (tmp_path / name).write_text("other")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "config.json").write_text("other")
    assert contents_of(tmp_path) == before != contents_of(tmp_path, "runs")
    assert contents_of(tmp_path / "nowhere") is None


def test_of_a_large_file_blocks_from_end_to_end_are_read() -> None:
    size = BLOCK * BLOCKS * 1000 + 13
    found = places(size)
    assert (len(found), found[0], found[-1]) == (BLOCKS, 0, size - BLOCK)
    gaps = {after - before for before, after in pairwise(found)}
    assert max(gaps) - min(gaps) <= 1
    assert places(BLOCK * BLOCKS) == list(range(0, BLOCK * BLOCKS, BLOCK))


def test_the_hub_names_a_commit(folder: Path, tmp_path: Path) -> None:
    repository = tmp_path / "cache" / "models--owner--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    shutil.copytree(folder, repository / "snapshots" / COMMIT)
    model = load_model("owner/tiny", cache_dir=str(tmp_path / "cache"))
    assert model.facts["revision"] == COMMIT


def test_in_memory_no_revision_is_known(monkeypatch: Any, folder: Path) -> None:
    monkeypatch.chdir(folder)  # a folder of a model that is another one
    facts = Model("mine", make_llama(), make_tokenizer(), None).facts
    assert facts["revision"] is None
    assert load_model("embedded:base").facts["revision"] is None


def test_the_template_is_the_one_in_use() -> None:
    def of(tokenizer: Any, processor: Any = None) -> Any:
        return Model("m", make_llama(), tokenizer, processor).facts["template"]

    assert of(make_tokenizer(None)) is None
    assert of(make_tokenizer()) == of(make_tokenizer())
    assert of(make_tokenizer()) != of(make_tokenizer(TEMPLATE + " "))
    processor = make_processor()
    processor.chat_template = TEMPLATE + "x"
    assert of(processor.tokenizer, processor) == of(make_tokenizer(TEMPLATE + "x"))
    named = type("Speaker", (), {"chat_template": {"default": "a", "tool_use": "b"}})
    turned = type("Speaker", (), {"chat_template": {"tool_use": "b", "default": "a"}})
    assert template_of(named) == template_of(turned) is not None


def scored(folder: Path, model: Model, **how: Any) -> Any:
    return calib.score(model, calib.load_task(ITEMS), out=folder, prompt="paper", **how)


def sampled(folder: Path, model: Model, **how: Any) -> Any:
    task = calib.load_task(ITEMS)
    return calib.sample(model, task, out=folder, samples=2, max_new_tokens=2, prompt="paper", **how)


@pytest.mark.parametrize("drive", [scored, sampled])
@pytest.mark.parametrize("fact", ["revision", "template"])
def test_another_one_is_another_run(drive: Any, fact: str, tmp_path: Path) -> None:
    """In a form that uses no chat template: the prompts themselves do not differ."""

    def model(changed: bool) -> Model:
        template = TEMPLATE + " " if changed and fact == "template" else TEMPLATE
        revision = "b" if changed and fact == "revision" else "a"
        return Model("m", make_llama(), make_tokenizer(template), None, revision=revision)

    run = tmp_path / "run"
    drive(run, model(False))
    config = json.loads((run / "config.json").read_text())
    assert config[fact] == model(False).facts[fact]
    drive(run, model(False))
    with pytest.raises(InputError, match=f"belongs to another run \\({fact}: '.*' there, '.*' now"):
        drive(run, model(True))

    for before in ({}, {fact: None}):  # an earlier version's run, and one that did not know
        others = {name: value for name, value in config.items() if name != fact}
        (run / "config.json").write_text(json.dumps({**others, **before}))
        drive(run, model(True))
        now = json.loads((run / "config.json").read_text())
        assert now.get(fact) is None  # what its first questions were asked of is not known


def test_a_calibrator_is_another_models(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path / "run", n=120)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "revision": "a", "template": "t"}))
    from calib.summary.remedies import fit_runs

    fitted, results = fit_runs(run, None, method="exact", seed=0)
    path = fitted.save(tmp_path / "t.json", facts=results["facts"])
    assert calib.load_calibrator(path, use=run).made_for_["revision"] == "a"
    model = Model(config["model"], make_llama(), make_tokenizer(), None, revision="b")
    with pytest.raises(InputError, match=r"revision 'a', not 'b'.*chat template 't', not"):
        calib.load_calibrator(path, use=model)


def test_pages_name_them() -> None:
    from calib.report.facts import run_facts

    told = dict(run_facts({"model": "m", "revision": "abc", "template": None}))
    assert told == {"model": "m", "revision of the model": "abc"}
