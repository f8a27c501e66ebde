"""Does one text entail another? Any Hugging Face sequence-classification model trained for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from calib.hf.loading import reasons
from calib.hf.placement import home
from calib.hf.sources import located
from calib.records import InputError


@dataclass(frozen=True)
class NLI:
    """(premise, hypothesis) pairs to "entailment", "neutral" or "contradiction", one each.

    ``hf`` is a sequence-classification model. Which class is which is read from its config's
    ``id2label``; InputError where none is called entailment.
    """

    hf: Any
    tokenizer: Any
    classes: tuple[str, ...] = field(init=False)  # by class index

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", classes_of(self.hf.config.id2label))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it can give."""
        return tuple(dict.fromkeys(self.classes))

    @torch.inference_mode()
    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """The likeliest label of each pair, by one forward pass over all of them.

        Pairs longer than the model reads lose the end of their longer text.
        """
        if not pairs:
            return []
        premises, hypotheses = map(list, zip(*pairs, strict=True))
        inputs = self.tokenizer(
            premises,
            hypotheses,
            padding=True,
            truncation="longest_first",
            max_length=min(self.tokenizer.model_max_length, longest(self.hf.config)),
            return_tensors="pt",
        ).to(self.hf.device)
        best = self.hf(**inputs).logits.argmax(dim=-1)
        return [self.classes[index] for index in best.tolist()]


def classes_of(id2label: Mapping[int, str]) -> tuple[str, ...]:
    """What each class index means, by its name in the model's config.

    A class called "not entailment" is neutral: a model of two classes knows no contradiction.
    """
    meanings = []
    for index in range(len(id2label)):
        name = "".join(c for c in id2label[index].casefold() if c.isalpha())
        if name.startswith("entail"):
            meanings.append("entailment")
        elif name.startswith("contradict"):
            meanings.append("contradiction")
        else:
            meanings.append("neutral")
    if meanings.count("entailment") != 1:
        raise InputError(
            "nli: expected a model with one class called entailment, got the classes "
            f"{', '.join(map(str, id2label.values()))}"
        )
    return tuple(meanings)


def longest(config: Any) -> int:
    """How many tokens the model has positions for."""
    return int(getattr(config, "max_position_embeddings", None) or 512)


def load_nli(name_or_path: str | Path, *, device: str | None = None, dtype: str = "float32") -> NLI:
    """A sequence-classification model from a folder or a hub name, in evaluation mode."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    where = home(device, None)
    source = located(str(name_or_path), {}, "nli")
    shared = {**source.hub, "trust_remote_code": False}
    with reasons(str(name_or_path), source, "nli"):
        tokenizer = AutoTokenizer.from_pretrained(source.name, **shared)
        model = AutoModelForSequenceClassification.from_pretrained(
            source.name, dtype=getattr(torch, dtype), **shared
        )
    return NLI(model.eval().to(where), tokenizer)
