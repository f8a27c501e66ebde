"""A small classifier, trained here on made-up pairs, tells which answers mean the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from calib.hf.nli import NLI, classes_of, load_nli
from calib.records import CalibError, InputError
from calib.uncertainty.semantic import semantic_entropy

# Words of one row mean the same; an animal is entailed by each.
ROWS = [["cat", "feline", "kitty"], ["dog", "hound"], ["bird", "fowl"]]
WORDS = [word for row in ROWS for word in row]
ID2LABEL = {0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"}
LABELS = {"contradiction": 0, "neutral": 1, "entailment": 2}


def relation(premise: str, hypothesis: str) -> str:
    row = {word: number for number, words in enumerate(ROWS) for word in words}
    if hypothesis == "animal" or premise == hypothesis:
        return "entailment"
    if premise == "animal":
        return "neutral"
    return "entailment" if row[premise] == row[hypothesis] else "contradiction"


def pair_tokenizer() -> PreTrainedTokenizerFast:
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "animal", *WORDS]
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(entries)}, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]"
    )


@pytest.fixture(scope="module")
def trained() -> Iterator[tuple[Any, Any]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # such a small model is slower on more
    yield train()
    torch.set_num_threads(threads)


def train() -> tuple[Any, Any]:
    torch.manual_seed(0)
    tokenizer = pair_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=16,
        id2label=ID2LABEL,
        label2id={name: index for index, name in ID2LABEL.items()},
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = BertForSequenceClassification(config)
    pairs = list(itertools.product([*WORDS, "animal"], repeat=2))
    inputs = tokenizer(*map(list, zip(*pairs, strict=True)), padding=True, return_tensors="pt")
    labels = torch.tensor([LABELS[relation(*pair)] for pair in pairs])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(1000):
        loss = model(**inputs, labels=labels).loss
        # The mean over 64 pairs: below ln(2) / 64 = 0.0108 none can be answered wrongly.
        if loss < 0.01:
            return model.eval(), tokenizer
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    raise AssertionError(f"1000 steps end at a loss of {loss:.3f}; 155 were enough from 8 seeds")


def test_labels_do_not_depend_on_the_batch(trained: tuple[Any, Any]) -> None:
    nli = NLI(*trained)
    pairs = list(itertools.product([*WORDS, "animal"], repeat=2))
    assert nli(pairs) == [relation(*pair) for pair in pairs]
    assert nli([("cat", "feline")]) == ["entailment"]
    assert nli([]) == []


def test_semantic_clusters_of_a_trained_model(trained: tuple[Any, Any]) -> None:
    nli = NLI(*trained)
    texts = ["cat", "dog", "kitty", "animal", "hound", "feline", "cat"]

    def clusters(equivalence: str) -> tuple[int, ...]:
        return semantic_entropy(texts, equivalence=equivalence, nli=nli).clusters

    assert clusters("bidirectional") == (0, 1, 0, 2, 1, 0, 0)
    assert clusters("either") == (0, 1, 0, 0, 1, 0, 0)
    assert clusters("non_contradiction") == (0, 1, 0, 0, 1, 0, 0)


def test_a_long_pair_is_cut(trained: tuple[Any, Any]) -> None:
    assert len(NLI(*trained)([("cat " * 40, "dog " * 3)])) == 1


def test_it_loads_what_was_saved(trained: tuple[Any, Any], tmp_path: Path) -> None:
    for part in trained:
        part.save_pretrained(tmp_path)
    nli = load_nli(tmp_path, device="cpu")
    assert nli.labels == ("contradiction", "neutral", "entailment")
    assert nli([("cat", "dog"), ("dog", "hound")]) == ["contradiction", "entailment"]


def test_class_names_are_read() -> None:
    assert classes_of({0: "entailment", 1: "not_entailment"}) == ("entailment", "neutral")
    order = ("entailment", "neutral", "contradiction")
    assert classes_of({0: "Entailment", 1: "neutral", 2: "contradictory"}) == order
    with pytest.raises(InputError, match="one class called entailment, got the classes LABEL_0"):
        classes_of({0: "LABEL_0", 1: "LABEL_1"})


def test_a_place_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nli '.*gone'"):
        load_nli(tmp_path / "gone", device="cpu")
    with pytest.raises(CalibError, match="nli"):
        load_nli(tmp_path, device="cpu")
