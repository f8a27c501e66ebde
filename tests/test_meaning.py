"""Which samples mean the same, from the command line: entailment by hand, and the recipe."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification
from typer.testing import CliRunner

import calib
from calib import cli
from calib.records import Answer, InputError
from calib.report.markdown import markdown
from calib.report.measures import measures_page, write_measures_report
from calib.runs import Run, open_run
from calib.uncertainty.meaning import Meaning, meaning_of
from calib.uncertainty.measures import of_samples
from calib.uncertainty.recipes import RECIPES, recipe_of
from calib.uncertainty.side_by_side import cases, side_by_side, table_of
from tests.hf.conftest import make_tokenizer
from tests.sampled import make
from tests.twins import check_twins

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES = {0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"}
TEXTS = {
    "a": ["Rome", "Rome", "Oslo", "rome.", "Bern", "Paris", "Rom"],
    "b": ["Oslo", "Bern", "Bern", "Oslo", "Rome", "Oslo", "no"],
    "c": ["Rome", "Paris", "Paris!", "Vienna", "Oslo", "Rome", "yes"],
}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random one whose judgement differs from pair to pair and from side to side."""
    folder = tmp_path_factory.mktemp("nli") / "random"
    torch.manual_seed(2)
    config = BertConfig(
        vocab_size=200, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=256, initializer_range=0.5, id2label=CLASSES,
        label2id={name: index for index, name in CLASSES.items()},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.bias[2] += 0.5
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = make(tmp_path_factory.mktemp("sampled") / "run", TEXTS)
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    for row in rows:
        row["question"] = f"Which city is {row['id']}?"
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_run(folder)


def by_hand(classifier: Path, question: str, texts: list[str]) -> list[int]:
    """Pair by pair: both entail, the question before both; the first cluster that matches."""
    model = BertForSequenceClassification.from_pretrained(classifier).eval()
    tokenizer = make_tokenizer()

    def entails(one: str, other: str) -> bool:
        inputs = tokenizer([f"{question} {one}"], [f"{question} {other}"], return_tensors="pt")
        with torch.no_grad():
            return CLASSES[int(model(**inputs).logits[0].argmax())] == "ENTAILMENT"

    heads: list[str] = []
    clusters = []
    for text in texts:
        same = [h == text or (entails(h, text) and entails(text, h)) for h in heads]
        if True not in same:
            heads.append(text)
            same = [*[False] * (len(heads) - 1), True]
        clusters.append(same.index(True))
    return clusters


def entropy(clusters: list[int]) -> float:
    n = len(clusters)
    return -math.fsum(c / n * math.log(c / n) for c in Counter(clusters).values())


def test_entailment_by_hand(run: Run, classifier: Path):
    meaning = meaning_of(f"nli:{classifier}")
    asked = list(cases(run, run.items(), None, least=1))
    table = table_of(asked, None, "exact", meaning)
    expected = [
        by_hand(classifier, f"Which city is {name}?", texts[1:]) for name, texts in TEXTS.items()
    ]
    plain = [of_samples(texts[1:])["semantic_discrete"] for texts in TEXTS.values()]
    assert table["semantic_discrete"].tolist() == pytest.approx(list(map(entropy, expected)))
    assert table["semantic_discrete"].tolist() != pytest.approx(plain), "it makes a difference"
    assert len({tuple(own) for own in expected}) > 1 and any(max(own) > 0 for own in expected)
    for item, _, others in asked:
        assert meaning.clusters(others, item.question) == expected[list(TEXTS).index(item.id)]


def test_no_pair_is_judged_twice_and_batches_are_shared():
    batches: list[list[tuple[str, str]]] = []

    def entails(pairs: Any) -> list[str]:
        batches.append(list(pairs))
        return ["neutral"] * len(pairs)

    meaning = Meaning("nli:counted", entails)
    answers = [[Answer(text) for text in texts] for texts in TEXTS.values()]
    asked = [f"Which is {name}?" for name in TEXTS]
    first = meaning.of_all(answers, asked)
    pairs = [pair for batch in batches for pair in batch]
    assert len(pairs) == len(set(pairs)) and all(one.startswith("Which is ") for one, _ in pairs)
    assert len(batches) < 15, "questions side by side"
    number = len(batches)
    assert meaning.of_all(answers, asked) == first and len(batches) == number
    assert meaning.clusters([], "Which?") == [] and meaning.of_all([], []) == []


@pytest.mark.parametrize("name", ["exact", "normalized"])
def test_texts_alone(name: str):
    answers = [Answer(text) for text in ("Rome", "rome.", "Rome", "The Rome", "Oslo")]
    expected = {"exact": [0, 1, 0, 2, 3], "normalized": [0, 0, 0, 0, 1]}
    assert meaning_of(name).clusters(answers, "?") == expected[name]


def test_results_page_and_questions_say_it(run: Run, classifier: Path):
    found = side_by_side(run, equivalence=f"nli:{classifier}")
    assert found["equivalence"] == {
        "name": f"nli:{classifier}",
        "rule": f"each entails the other, the question put before both, by {classifier}",
        "match": "first",
    }
    assert found["facts"]["equivalence"] == f"nli:{classifier}"
    for example in found["examples"]["items"]:
        question, texts = f"Which city is {example['id']}?", TEXTS[example["id"]][1:]
        sizes = sorted(Counter(by_hand(classifier, question, texts)).values(), reverse=True)
        assert [cluster["n"] for cluster in example["clusters"]] == sizes
    assert f"by {classifier}" in markdown(measures_page(found, run.path)).replace("\\", "")
    own = side_by_side(run)
    assert own["equivalence"]["name"] == "normalized"
    assert "once case, articles and punctuation are folded" in markdown(
        measures_page(own, run.path)
    )


def test_the_command_reports_again(run: Run, classifier: Path):
    command = ["report", str(run.path), "--equivalence", f"nli:{classifier}"]
    ran = CliRunner().invoke(cli.app, command)
    assert ran.exit_code == 0, ran.output
    written = json.loads((run.path / "results.json").read_text())
    assert written["equivalence"]["name"] == f"nli:{classifier}"
    check_twins(run.path)
    sizes = sorted(Counter(by_hand(classifier, "Which city is a?", TEXTS["a"][1:])).values())
    data = "".join(path.read_text() for path in (run.path / "items").glob("0*.js"))
    (one,) = re.findall(r'\{"id":"a".*?"clusters":(\[\[.*?\]\])\s*,"measures"', data)
    assert sorted(map(len, json.loads(one))) == sizes
    write_measures_report(run)  # as before, for other tests


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nli:", "equivalence: expected exact, normalized or nli:NAME"),
        ("same", "equivalence: expected exact, normalized or nli:NAME"),
        ("nli:/no/such/folder", "/no/such/folder"),
    ],
)
def test_what_is_no_equivalence_is_refused(run: Run, given: str, message: str):
    with pytest.raises(InputError, match=message):
        side_by_side(run, equivalence=given)
    for command in (
        ["report", str(run.path), "--equivalence", given],
        ["sample", "--model", "nowhere", "--tasks", "easy-vqa", "--equivalence", given],
    ):
        ran = CliRunner().invoke(cli.app, command)
        assert ran.exit_code == 2 and message in " ".join(ran.output.split()), ran.output


def test_other_folders_take_none(make_run: Any, tmp_path: Path):
    single = make(tmp_path / "single", {"a": ["Rome"], "b": ["Oslo"]})
    for folder, message in (
        (make_run(tmp_path / "scored", n=60), "--equivalence goes with a run of calib sample"),
        (single, "this run holds one answer to each question"),
    ):
        ran = CliRunner().invoke(cli.app, ["report", str(folder), "--equivalence", "exact"])
        assert ran.exit_code == 2 and message in " ".join(ran.output.split())


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = [
        {"id": f"q{k}", "question": f"Which is number {k}?", "aliases": ["red", "r"]}
        for k in range(4)
    ]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "questions.jsonl"


def test_the_recipe_of_semantic_entropy(
    tiny_model: Path, classifier: Path, questions: Path, tmp_path: Path
):
    """Ten samples at 1.0 and an answer at 0.1, the very ones that calib.sample draws."""
    out = tmp_path / "run"
    command = ["sample", "--model", str(tiny_model), "--tasks", str(questions)]
    command += ["--output_path", str(out), "--recipe", "semantic-entropy"]
    ran = CliRunner().invoke(cli.app, [*command, "--equivalence", f"nli:{classifier}"])
    assert ran.exit_code == 0, ran.output
    samples, answers = open_run(out), open_run(out / "answer")
    for one, count, temperature in ((samples, 10, 1.0), (answers, 1, 0.1)):
        drawn = {n: one.config[n] for n in ("samples", "temperature", "max_new_tokens", "greedy")}
        assert drawn == {"samples": count, "temperature": temperature, "max_new_tokens": 50,
                         "greedy": False}  # fmt: skip
    plain = calib.sample(
        str(tiny_model), str(questions), samples=10, max_new_tokens=50, out=tmp_path / "plain"
    )
    assert plain.answers()["text"].tolist() == samples.answers()["text"].tolist()
    results = json.loads((out / "results.json").read_text())
    assert results["equivalence"]["name"] == f"nli:{classifier}" and results["samples"] == 10
    assert results["judged"].startswith("Judged is one separate answer to each question (temp")
    again = CliRunner().invoke(cli.app, [*command, "--equivalence", "exact"])
    assert again.exit_code == 0 and "report.html" in again.output
    assert json.loads((out / "results.json").read_text())["equivalence"]["name"] == "exact"


def test_the_published_model_is_the_default():
    assert RECIPES["semantic-entropy"].equivalence == "nli:microsoft/deberta-v2-xlarge-mnli"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--recipe", "other"], "recipe: expected one of semantic-entropy, got 'other'"),
        (["--samples", "5"], "samples: expected none with recipe semantic-entropy"),
        (["--gen_kwargs", "temperature=0.5"], "temperature: expected none with recipe"),
    ],
)
def test_what_the_recipe_fixes_is_not_taken(flags: list[str], message: str):
    command = ["sample", "--model", "nowhere", "--tasks", "easy-vqa", "--equivalence", "exact"]
    command += ["--recipe", "semantic-entropy"] if "--recipe" not in flags else []
    ran = CliRunner().invoke(cli.app, [*command, *flags])
    assert ran.exit_code == 2 and message in " ".join(ran.output.split()), ran.output
    assert recipe_of("semantic-entropy", {"rows": 4}).samples["samples"] == 10


def test_one_sample_has_nothing_to_compare():
    command = ["sample", "--model", "nowhere", "--tasks", "easy-vqa", "--equivalence", "exact"]
    ran = CliRunner().invoke(cli.app, [*command, "--samples", "1"])
    assert ran.exit_code == 2 and "--equivalence: expected two or more --samples" in ran.output
