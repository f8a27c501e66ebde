"""Templates that let a model think: what stands before the options, mode by mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.drive.score import score
from calib.hf.encoding import encode
from calib.hf.model import Model
from calib.hf.speakers import Speakers
from calib.hf.thinking import closing, thinks
from calib.records import InputError, Item, Prompt
from calib.runs import open_run
from calib.tasks import Task
from tests.hf.conftest import make_llama, make_processor, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

TURN = "{% for m in messages %}U:{{ m.content }}\n{% endfor %}A:"
PARTS = (
    "{% for m in messages %}U:{% for part in m.content %}{% if part.type == 'image' %}<image>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{{ '\n' }}{% endfor %}A:"
)
# As public templates have it: a switch that is on unless it is turned off, one that is off unless
# it is turned on, a block that is always opened, and one that is opened or closed.
TEMPLATES = {
    "none": "",
    "off writes an empty block": (
        "{% if enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    ),
    "on opens": "{% if thinking %}<think>{% else %}</think>{% endif %}",
    "always open": "{{ '<think>\n' }}",
    "open or closed": (
        "{% if enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\n\n</think>\n\n' }}"
        "{% else %}{{ '<think>\n' }}{% endif %}"
    ),
}
EMPTY = "<think>\n\n</think>\n\n"
EXPECTED = {
    "none": ("", "", None),
    "off writes an empty block": (EMPTY, "", "<think>\nso it is\n</think>\n\n"),
    "on opens": ("</think>", "</think>", "<think>\nso it is\n</think>\n\n"),
    "always open": (EMPTY, "<think>\n", "<think>\nso it is\n</think>\n\n"),
    "open or closed": (EMPTY, "<think>\n", "<think>\nso it is\n</think>\n\n"),
}


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("pictures", [False, True])
def test_what_stands_before_the_answer(name: str, pictures: bool) -> None:
    processor = make_processor(PARTS + TEMPLATES[name]) if pictures else None
    tokenizer = processor.tokenizer if processor else make_tokenizer(TURN + TEMPLATES[name])
    prompt = Prompt("Q", (), ())
    off, own, on = EXPECTED[name]
    speakers = Speakers(tokenizer, processor)
    render = speakers.conversation(prompt)
    assert thinks(render) == (on is not None)

    def text(mode: str, thoughts: str | None = None) -> str:
        given = Prompt("Q", (), (), thoughts=thoughts)
        return speakers.templated(given, mode)[0].removeprefix("U:Q\nA:")

    assert text("off") == off
    assert text("own") == own
    if on is None:
        with pytest.raises(InputError, match="expected off or own"):
            text("on", "so it is")
        return
    assert closing(render) == "</think>"
    for thoughts in ("so it is", "<think>\nso it is\n</think>", "\n so it is\n\n"):
        assert text("on", thoughts) == on
    # To sample thoughts the block is opened by the template, or by the model.
    assert text("on") in ("", "<think>", "<think>\n")


def test_options_stand_behind_the_block() -> None:
    tokenizer = make_tokenizer(TURN + TEMPLATES["always open"])
    encoded = encode(
        Prompt("Q", (), (("red",), ("no",))), Speakers(tokenizer, None), "q", thinking="off"
    )
    assert encoded.text.endswith("</think>\n\n")
    own = encode(
        Prompt("Q", (), (("red",), ("no",))), Speakers(tokenizer, None), "q", thinking="own"
    )
    assert own.text.endswith("A:<think>\n")


def small(name: str) -> Model:
    return Model("small", make_llama(), make_tokenizer(TURN + TEMPLATES[name]), None)


def questions(n: int) -> Task:
    items = tuple(
        Item(f"q{k}", f"Which of {k}?", options=("red", "no", "yes"), answer=k % 3)
        for k in range(n)
    )
    return Task("questions", items, "options")


@pytest.mark.parametrize("name", ["off writes an empty block", "always open"])
def test_scored_with_sampled_thoughts(name: str, tmp_path: Path) -> None:
    model, task = small(name), questions(3)
    with pytest.warns(UserWarning, match=r"of 3 thoughts had not ended after 24 tokens"):
        run = score(model, task, out=tmp_path / "on", thinking="on", thinking_tokens=24)
    assert run.config["thinking"] == "on"
    sampled = open_run(tmp_path / "on" / "thinking").answers()
    rows = {row["id"]: row for row in run.rows()}
    for item, text in zip(task.items, sampled["text"], strict=True):
        begun = f"U:{item.question}\nAnswer with one word or a short phrase.\nA:<think>\n{text}\n"
        by_hand = model.option_scores(
            [Item(item.id, item.question, (), item.options, item.answer, None, {"thinking": text})],
            prompt="options",
            thinking="on",
        )[0]
        assert rows[item.id]["logprob"] == pytest.approx(by_hand["logprob"], abs=1e-4)
        (encoded,) = model.encode(
            [Item(item.id, item.question, meta={"thinking": text})],
            "options",
            options=False,
            thinking="on",
        )
        assert encoded.text == f"{begun}</think>\n\n"


def test_the_run_says_which(tmp_path: Path) -> None:
    task = questions(2)
    for name, mode, said in (("none", "off", None), ("always open", "off", "off")):
        run = score(small(name), task, out=tmp_path / name / mode, thinking=mode)
        assert run.config["thinking"] == said
    closed = score(small("always open"), task, out=tmp_path / "closed").rows()
    opened = score(small("always open"), task, out=tmp_path / "open", thinking="own").rows()
    assert abs(closed[0]["logprob"][0] - opened[0]["logprob"][0]) > 1e-3


def test_thinking_that_a_template_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected off or own, as this model's chat template has"):
        score(small("none"), questions(1), out=tmp_path, thinking="on")
    with pytest.raises(InputError, match="thinking: expected one of off, on, own, got 'maybe'"):
        score(small("none"), questions(1), out=tmp_path, thinking="maybe")


def test_thoughts_that_do_not_fit_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="and 4,000 behind it are more than the 2,048 positions"):
        score(
            small("always open"), questions(2), out=tmp_path / "run", thinking="on",
            thinking_tokens=4000,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
