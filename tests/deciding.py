"""System One questions, and the decision pipeline of transformers beside a model of calib's."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from calib.hf.model import Model
from calib.records import Item
from calib.tasks.files import read_file
from tests.hf.conftest import make_llama, make_llava, make_processor, make_tokenizer

QUESTIONS: dict[str, Any] = {
    "refund": {"type": "noul", "instructions": "Is a refund asked for?"},
    "angry": {"type": "noul", "instructions": {"is": "angré"}, "criteria": {"false": "calm"}},
    "team": {
        "type": "choice",
        "instructions": "Whose is it?",
        "criteria": {"billing": "Charges", "other": None, "none": {"of": ["them", 1, "é"]}},
    },
    "urgency": {"type": "score", "instructions": "How urgent?", "criteria": ["later", ["1"], "x"]},
}
PICTURED = {
    "type": "choice",
    "instructions": "Is img-1 like img-11 or img-1?",
    "criteria": {"like": "as img-11", "no": None},
}
ANSWERS = {"refund": True, "angry": False, "team": "none", "urgency": 1, "pictured": "no"}
STATES: list[Any] = [
    {"ticket": "Charged twice, déjà", "tier": [2, None, True]},
    " A text \n with a line",
    ["a", "list"],
]


def request(name: str, state: Any, questions: Any = None, **more: Any) -> dict[str, Any]:
    """A labelled line of a System One file."""
    asked = QUESTIONS if questions is None else questions
    answers = {each: ANSWERS[each] for each in asked}
    return {"id": name, "state": state, "questions": asked, "answers": answers, **more}


def asset(colour: str, size: tuple[int, int] = (20, 14)) -> dict[str, str]:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return {"type": "image", "format": "png", "data_base64": data}


def items_of(folder: Path, lines: list[dict[str, Any]]) -> tuple[Item, ...]:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return read_file(path)


def with_labels(speaker: Any) -> Any:
    """A tokenizer, or a processor's, that has Yes and No as tokens."""
    getattr(speaker, "tokenizer", speaker).add_tokens(["Yes", "No"])
    return speaker


def text_model(template: str | None = None) -> Model:
    """In float64, as all here: prompts of a batch are then summed alike to far below 1e-6."""
    made = make_tokenizer() if template is None else make_tokenizer(template)
    return Model("tiny", make_llama().double(), with_labels(made), None)


def picture_model() -> Model:
    processor = with_labels(make_processor())
    return Model("pictured", make_llava().double(), processor.tokenizer, processor)


def pipeline_of(model: Model, config: Any = None, template: str | None = None) -> Any:
    """The pipeline of the same weights, with a tokenizer of its own: it adds tokens to it."""
    from transformers import pipeline

    if model.processor is None:
        tokenizer = text_model(template).tokenizer
        return pipeline("decision", model=model.hf, tokenizer=tokenizer, decision_config=config)
    processor = picture_model().processor
    return pipeline(
        "decision",
        model=model.hf,
        tokenizer=processor.tokenizer,
        processor=processor,
        decision_config=config,
    )


def decided(decide: Any, lines: list[dict[str, Any]]) -> list[np.ndarray]:
    """The probabilities of each question's options, question by question."""
    found = []
    for line in lines:
        asked = {key: line[key] for key in ("state", "questions", "assets") if key in line}
        answers = decide(asked)
        for name in line["questions"]:
            answer = answers[name]
            true = answer.get("noul", 0.0)
            found.append(
                np.array(list(answer["probabilities"].values()))
                if "probabilities" in answer
                else np.array([true, 1 - true])
            )
    return found
