"""Train a state that can admit: ``python -m training.admit``.

What ``calib idk`` builds is trained on and evaluated once, from end to end:

    build      label noisy pictures of easy-VQA's training split by what embedded:stage2 knows
    train      LoRA on the set's own sft rows
    held out   label noisy pictures of the test split, and two other kinds of questions
    evaluate   both models in every arm, on the same questions

Every step goes on where it was stopped, and is skipped where its result lies in the work folder.
The adapter goes to ``calib/embedded/admits``, what was measured into facts.json and the card.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import calib
from calib.hf.embedded import STAGE1, WEIGHTS, digest_of, merged
from calib.hf.model import Model
from calib.idk.draw import Subject
from calib.idk.folder import build_set, labels_of
from calib.records import InputError
from calib.runs.durable import replace
from calib.tasks import Task, load_task
from training.card import keep_admits
from training.conversations import read_rows, train
from training.doubts import noisy_task
from training.effects import MEASURED, effects

MODEL = "embedded:stage2"
STATE = "embedded:admits"
SETTINGS = "settings.json"
FACTS = "facts.json"


@dataclass(frozen=True)
class Plan:
    """How much is asked and trained. Pictures have a question at each level of noise."""

    trained: int = 60  # pictures
    held_out: int = 60  # pictures
    shifted: tuple[tuple[str, int], ...] = (("easy-vqa-idk", 90), ("capitals", 40))
    samples: int = 10
    max_new_tokens: int = 12
    steps: int = 60
    batch: int = 8
    rank: int = 4
    learning_rate: float = 1e-3
    seed: int = 0


def run(plan: Plan, model: str, work: Path) -> dict[str, Any]:
    """All steps in ``work``; returns what was measured. InputError where it is another plan's."""
    begin(plan, model, work)
    before = Subject.of(model)
    asked = noisy_task("noisy, train", "train", plan.trained, work / "pictures", plan.seed)
    build(before, asked, work / "train", plan)
    adapter = work / "adapter"
    if not (adapter / FACTS).exists():
        learn(model, work / "train", adapter, plan)

    held_out = noisy_task("noisy, test", "test", plan.held_out, work / "pictures", plan.seed)
    tasks = {"noisy": (held_out, None), **{n: (load_task(n), k) for n, k in plan.shifted}}
    for name, (task, limit) in tasks.items():
        build(before, task, work / name, plan, limit)
    after = Subject.of(tuned(model, adapter))
    found = {
        name: effects(
            labels_of(work / name), before, after, work / name / "effects", seed=plan.seed
        )
        for name in tasks
    }
    facts = {
        "model": model,
        "plan": json.loads(json.dumps(asdict(plan))),
        "train": counts_of(work / "train"),
        "training": json.loads((adapter / FACTS).read_text()),
        "held_out": {name: measured(results) for name, results in found.items()},
        "versions": {"torch": torch.__version__},
    }
    replace(work / FACTS, json.dumps(facts, indent=1) + "\n")
    return facts


def begin(plan: Plan, model: str, work: Path) -> None:
    """Note what the folder is for. InputError where it is for something else."""
    # Sets and adapter are those of these weights: of a model trained anew they say nothing.
    own = [WEIGHTS / STAGE1, WEIGHTS / "stage2" / "adapter_model.safetensors"]
    weights = [digest_of(path) for path in own] if model == MODEL else None
    settings = json.loads(json.dumps({"model": model, "weights": weights, **asdict(plan)}))
    path = work / SETTINGS
    if path.exists():
        if (earlier := json.loads(path.read_text())) != settings:
            raise InputError(f"{work}: it holds a run of {earlier}, not of {settings}")
        return
    work.mkdir(parents=True, exist_ok=True)
    replace(path, json.dumps(settings, indent=1) + "\n")


def build(subject: Subject, task: Task, out: Path, plan: Plan, limit: int | None = None) -> None:
    print(f"{out.name}: {subject.name} is asked {plan.samples} times", flush=True)
    build_set(
        subject,
        task,
        out,
        samples=plan.samples,
        max_new_tokens=plan.max_new_tokens,
        seed=plan.seed,
        limit=limit,
    )


def learn(model: str, idk_set: Path, adapter: Path, plan: Plan) -> None:
    """Train on the rows of ``idk_set`` and write the adapter; its facts come last."""
    rows = read_rows(idk_set)
    learnt, facts = train(
        calib.load_model(model),
        rows,
        steps=plan.steps,
        batch=plan.batch,
        rank=plan.rank,
        learning_rate=plan.learning_rate,
        checkpoint=adapter.with_suffix(".pt"),
        seed=plan.seed,
    )
    learnt.to(torch.bfloat16).save_pretrained(adapter)
    (adapter / "README.md").unlink(missing_ok=True)  # peft's empty card; ours lies above
    told = {**facts, "rows": len(rows), "threads": torch.get_num_threads()}
    replace(adapter / FACTS, json.dumps(told, indent=1) + "\n")


def tuned(model: str, adapter: Path) -> Model:
    """``model`` with the weights of ``adapter`` put into its own, as the state is loaded."""
    before = calib.load_model(model)
    hf = merged(before.hf, adapter).eval()
    name = STATE if model == MODEL else f"{model}, tuned to admit"
    return dataclasses.replace(before, name=name, hf=hf)


def counts_of(idk_set: Path) -> dict[str, Any]:
    results = json.loads((idk_set / "results.json").read_text())
    return {"counts": results["counts"], "groups": results["groups"]}


def measured(results: dict[str, Any]) -> dict[str, Any]:
    """What the card says of one set of held-out questions."""
    return {
        "counts": results["counts"],
        "arms": [arm_of(arm) for arm in results["arms"]],
        "comparisons": results["comparisons"],
        "by_group": results["by_group"],
    }


def arm_of(arm: dict[str, Any]) -> dict[str, Any]:
    rates = {name: arm["rates"][name] for name in MEASURED}
    return {"name": arm["name"], "unparsed": arm["unparsed"], "rates": rates}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        prog="python -m training.admit",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default=MODEL, help="what is trained; only stage2 is shipped")
    parser.add_argument("--work", type=Path, default=Path("runs/admits"), help="sets, checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    facts = run(Plan(seed=arguments.seed), arguments.model, arguments.work)
    print(arguments.work / FACTS)
    if arguments.model == MODEL and arguments.seed == 0:
        shutil.copytree(arguments.work / "adapter", WEIGHTS / "admits", dirs_exist_ok=True)
        (WEIGHTS / "admits" / FACTS).unlink()  # facts.json beside the card has them
        keep_admits(facts)


if __name__ == "__main__":
    main()
