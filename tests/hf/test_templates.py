"""Chat templates: which form of a conversation they are given, and those that fail."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from calib.hf import templates
from calib.hf.templates import rendered
from calib.records import CalibError
from tests.hf.conftest import TEMPLATE, make_processor, make_tokenizer

TEXT = [{"role": "user", "content": "Is it <b>\n red?"}]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "Is it <b>\n red?"}]}]
PICTURE = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Is it red?"}]}]

# It pastes whatever a message holds.
PASTES = "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}{% endfor %}A:"
# It adds a text to what a message holds.
ADDS = "{% for m in messages %}{{ '[' + m.role + ']' + m.content }}{% endfor %}A:"
# It goes through the parts of a message.
LISTS = (
    "{% for m in messages %}{% for p in m.content %}"
    "{{ p['text'] if p['type'] == 'text' else '<image>' }}{% endfor %}{% endfor %}A:"
)
# It goes through the parts and drops images.
BLIND = (
    "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for p in m.content if p.type == 'text' %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}A:"
)
# It insists on an image.
INSISTS = (
    "{% for m in messages %}{% if m.content[0].type != 'image' %}{{ raise_exception('none') }}"
    "{% endif %}<image>{{ m.content[1].text }}{% endfor %}A:"
)
ENDLESS = "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3


@pytest.mark.parametrize("template", [TEMPLATE, BLIND])
@pytest.mark.parametrize("turns", [TEXT, PARTS])
def test_a_template_of_both_forms_is_rendered_as_transformers_does(template: str, turns: Any):
    for speaker in (make_tokenizer(template), make_processor(template)):
        expected = speaker.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        assert rendered(speaker, turns, name="m") == expected


@pytest.mark.parametrize("template", [PASTES, ADDS])
def test_a_template_of_texts_is_given_texts(template: str):
    processor = make_processor(template)
    expected = processor.apply_chat_template(TEXT, tokenize=False, add_generation_prompt=True)
    assert rendered(processor, PARTS, name="m") == expected
    # An image is then its token on a line of its own, as in a prompt without a template.
    assert rendered(processor, PICTURE, name="m") == "[user]<image>\nIs it red?A:"


def test_a_template_of_parts_is_given_parts():
    assert rendered(make_tokenizer(LISTS), TEXT, name="m") == "Is it <b>\n red?A:"


def test_an_image_that_a_template_drops_is_put_in_its_text():
    assert rendered(make_processor(BLIND), PICTURE, name="m") == "<image>\nIs it red?A:"


def test_a_template_may_insist_on_an_image():
    assert rendered(make_processor(INSISTS), PICTURE, name="m") == "<image>Is it red?A:"


def test_an_image_that_no_token_stands_for_is_not_left_out():
    processor = make_processor(BLIND)
    processor.image_token = None
    with pytest.raises(CalibError, match="'m' leaves out the image"):
        rendered(processor, PICTURE, name="m")


def test_reasoning_may_be_cut_out_of_an_earlier_answer():
    template = "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}A:"
    turns = [TEXT[0], {"role": "assistant", "content": "<think>hm</think> red"}, TEXT[0]]
    expected = "Is it <b>\n red? redIs it <b>\n red?A:"
    assert rendered(make_tokenizer(template), turns, name="m") == expected


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}A:",
        "{{ messages[-1].content }}A:",
        "{% for m in messages[-2:] %}{{ m.content }}{% endfor %}A:",
        "{{ messages[0].content }}A:",
        "{% for m in messages | reverse %}{{ m.content }}{% endfor %}A:",
    ],
    ids=["answers", "all but the last", "the first", "all but the first", "the order"],
)
@pytest.mark.parametrize("last", ["So is it <b>\n red?", "Which? (A) red (B) blue"])
def test_a_template_that_leaves_out_an_earlier_turn_is_refused(template: str, last: str):
    turns = [TEXT[0], {"role": "assistant", "content": "A"}, {"role": "user", "content": last}]
    speaker = make_tokenizer("{% for m in messages %}{{ m.content }}{% endfor %}A:")
    assert rendered(speaker, turns, name="m") == f"Is it <b>\n red?A{last}A:"
    with pytest.raises(CalibError, match=r"^the chat template of 'm' leaves out one of the turns$"):
        rendered(make_tokenizer(template), turns, name="m")


def test_arguments_go_to_the_template():
    tokenizer = make_tokenizer(PASTES + "{{ '<think>' if thinking else '' }}")
    assert rendered(tokenizer, TEXT, name="m", thinking=True).endswith("A:<think>")
    assert rendered(tokenizer, TEXT, name="m", thinking=False).endswith("A:")


def test_of_several_templates_the_default_is_taken():
    several = {"default": TEMPLATE, "tool_use": "tools"}
    for speaker in (make_tokenizer(), make_processor()):
        expected = rendered(speaker, PARTS, name="m")
        speaker.chat_template = several
        assert rendered(speaker, PARTS, name="m") == expected
        speaker.chat_template = {"rag": TEMPLATE, "tool_use": "tools"}
        with pytest.raises(CalibError, match=r"the chat template of 'm' .*default"):
            rendered(speaker, PARTS, name="m")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ nothing.at_all }}", "'nothing' is undefined"),
        ("{{ raise_exception('no user turns') }}", "fails: no user turns"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{% include '/etc/passwd' %}", "fails: "),
        ("{% for i in range(10 ** 9) %}{% endfor %}", "Range too big"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("", "gives no text"),
        (" {% if false %}x{% endif %}\n", "gives no text"),
        ("Good morning.", "leaves out the question"),
    ],
)
@pytest.mark.parametrize("make", [make_tokenizer, make_processor])
def test_a_template_that_fails_is_one_sentence(make: Any, template: str, reason: str):
    for turns in (TEXT, PARTS):
        with pytest.raises(CalibError) as caught:
            rendered(make(template), turns, name="a/model")
        message = str(caught.value)
        assert message.startswith("the chat template of 'a/model' ")
        assert reason in message
        assert "\n" not in message


def test_an_endless_template_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(templates, "PATIENCE", 0.2)
    running = threading.active_count()
    with pytest.raises(CalibError, match=r"gives no text within 0\.2 s"):
        rendered(make_tokenizer(ENDLESS), TEXT, name="m")
    deadline = time.monotonic() + 30
    while threading.active_count() > running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() == running


def test_only_a_templates_first_text_needs_a_thread(monkeypatch: pytest.MonkeyPatch):
    tokenizer = make_tokenizer(PASTES + "<end>")
    first = rendered(tokenizer, TEXT, name="m")
    monkeypatch.setattr(threading, "Thread", lambda **_: pytest.fail("a second thread"))
    assert rendered(tokenizer, TEXT, name="m") == first
