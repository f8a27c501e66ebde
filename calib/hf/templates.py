"""A chat template's text of a conversation, or one sentence about why there is none.

Chat templates are programs that come with a model. They run in a sandbox, but may be broken, refuse
a conversation, loop for hours, or do with texts alone where parts (an image, a text) are expected.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from calib.hf.refusals import first_line
from calib.records import CalibError

# Seconds for the first text of a template; they take milliseconds.
PATIENCE = 20.0
# Templates that have given a text in time. One that begins to loop later is not stopped.
_timely: set[str] = set()

# What ends the thoughts before an answer.
END = "</think>"

Turns = Sequence[dict[str, Any]]
"""{"role": ..., "content": a text, or a list of {"type": "image"} and {"type": "text", ...}}."""


def rendered(speaker: Any, turns: Turns, *, name: str, **template_args: Any) -> str:
    """The text of ``turns`` up to where the model answers.

    ``speaker`` is the tokenizer or processor, ``name`` the model's, for errors, and
    ``template_args`` go to the template. Content that the template leaves out, or that it cites as
    data, is handed to it in the other form: as parts instead of a text, or as a text in which each
    image is the processor's image token on a line of its own.

    Raises CalibError where neither form is rendered, or not within ``PATIENCE`` seconds.
    """
    fault = ""
    for form in filter(None, (turns, other_form(speaker, turns))):
        render = partial(in_time, speaker, name=name, template_args=template_args)
        try:
            text = render(form)
            omitted = omission(text, form)
            if not omitted and with_images(form) and text == without_images(render, form):
                omitted = "leaves out the image"
        except CalibError:
            raise
        except Exception as error:  # noqa: BLE001 (a program's errors are whatever it raises)
            omitted = f"fails: {first_line(error)} ({type(error).__name__})"
        if not omitted:
            return text
        fault = fault or omitted
    raise CalibError(f"the chat template of {name!r} {fault}")


def other_form(speaker: Any, turns: Turns) -> Turns | None:
    """Texts as parts and parts as texts; None for images that no token stands for."""
    if all(isinstance(turn["content"], str) for turn in turns):
        return [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in turns]
    token = getattr(speaker, "image_token", None)
    if with_images(turns) and not isinstance(token, str):
        return None
    return [
        {
            **turn,
            "content": "".join(
                part["text"] if part["type"] == "text" else f"{token}\n" for part in parts(turn)
            ),
        }
        for turn in turns
    ]


def parts(turn: dict[str, Any]) -> list[dict[str, Any]]:
    content = turn["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def with_images(turns: Turns) -> bool:
    return any(part["type"] != "text" for turn in turns for part in parts(turn))


def without_images(render: Callable[[Turns], str], turns: Turns) -> str | None:
    """What the same turns give without their images; None where the template asks for some."""
    blind = [
        {**turn, "content": [part for part in parts(turn) if part["type"] == "text"]}
        for turn in turns
    ]
    try:
        return render(blind)
    except Exception:  # noqa: BLE001 (as above)
        return None


def omission(text: str, turns: Turns) -> str:
    """What is wrong with the text of these turns; "" where nothing is.

    What users and the model have said must be there as it was said, in this order, less the
    thoughts before an answer: templates cut those out. White space is the template's own affair.
    """
    if not text.strip():
        return "gives no text"
    squeezed, position = "".join(text.split()), 0
    for turn in turns:
        for part in parts(turn):
            if not isinstance(turn["content"], str) and str(part) in text:
                return "cites the parts of a message as data"
            if part["type"] != "text":
                continue
            whole = turn["role"] != "assistant"
            said = part["text"] if whole else part["text"].rpartition(END)[2]
            words = "".join(said.split())
            position = squeezed.find(words, position) + len(words)
            if position < len(words):
                return f"leaves out {'the question' if len(turns) == 1 else 'one of the turns'}"
    return ""


def in_time(speaker: Any, turns: Turns, *, name: str, template_args: dict[str, Any]) -> str:
    """The template's text; CalibError where a template's first takes longer than ``PATIENCE``.

    A thread renders it, since only a thread can be left behind; a late one gets a signal to end.
    """
    render = partial(
        speaker.apply_chat_template,
        list(turns),
        tokenize=False,
        add_generation_prompt=True,
        **template_args,
    )
    template = str(speaker.chat_template)
    if template in _timely:
        return str(render())
    texts: list[str] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            texts.append(str(render()))
        except (Exception, SystemExit) as error:  # noqa: BLE001 (raised again by who waits)
            errors.append(error)

    thread = threading.Thread(target=work, name="chat template", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
        )
        raise CalibError(f"the chat template of {name!r} gives no text within {PATIENCE:g} s")
    if errors:
        raise errors[0]
    _timely.add(template)
    return texts[0]
