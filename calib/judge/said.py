"""What a model says as its answer: without its thoughts, out of its answer tags.

Thoughts are blocks such as ``<think>...</think>``. What stands before a closing tag that nothing
opened is thought as well, since chat templates open the block themselves; a block that never
closes was cut off, and then nothing has been said. Out of what is left, the last answer tag that
holds something is the answer, cut off at the end or not.
"""

from __future__ import annotations

import json
import re

from calib.records import Answer

# Tags of thoughts: one pattern opens, one closes, whatever their pairing; models mix them up.
_THOUGHT = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|analysis|scratchpad|reflection)"
OPENS = (
    rf"<\s*{_THOUGHT}(?:\s[^<>]{{0,100}})?>",
    rf"<\|\s*(?:(?:begin_of_|start_?){_THOUGHT}|{_THOUGHT}(?:_start)?)\s*\|>",
    r"\[think(?:ing)?\]",
    r"◁think(?:ing)?▷",
    r"<\|channel>\s*thought\b",
    r"\AHere(?: is|'s|’s) my thought process:",
)
CLOSES = (
    rf"<\s*/\s*{_THOUGHT}\s*>",
    rf"<\|\s*(?:(?:/|end_of_|end_?){_THOUGHT}|{_THOUGHT}_end)\s*\|>",
    r"\[/think(?:ing)?\]",
    r"◁/think(?:ing)?▷",
    r"<channel\|>",
    r"(?<=\n)Here(?: is|'s|’s) my response:",
)
THOUGHT_TAG = re.compile(rf"(?P<opens>{'|'.join(OPENS)})|(?:{'|'.join(CLOSES)})", re.I)

_ANSWER = r"(?:final_?answer|answer|ans|final|response|solution|conclusion|output)"
ANSWER_TAG = re.compile(
    rf"(?P<opens><\s*{_ANSWER}\s*>|\[{_ANSWER}\]|<\|(?:begin_of_|start_)(?:box|{_ANSWER})\|>)"
    rf"|<\s*/\s*{_ANSWER}\s*>|\[/{_ANSWER}\]|<\|end_(?:of_)?(?:box|{_ANSWER})\|>",
    re.I,
)
# A JSON object that is all there is, in a fence or not, and the keys that hold its answer.
JSON_OBJECT = re.compile(r"\s*(?:```(?:json)?\s*)?(\{.{1,5000}\})\s*(?:```\s*)?", re.S | re.I)
ANSWER_KEY = re.compile(
    r"(?:final|correct|best)?[_ ]?(?:answer|option|choice|label)|prediction", re.I
)
BRACE = re.compile(r"(?:\${1,2}\s?)?\\boxed\s*\{|[{}]")
MATH_END = re.compile(r"\${0,2}")
BOX = re.compile(r"\\boxed\s*\{")
# The beginning of a closing tag at which the answer was cut off.
CUT_TAG = re.compile(r"<(?:/\s*[A-Za-z_]{0,20}|\|[A-Za-z_]{0,30}\|?)?\Z")

# Messages in channels: only what is said in the channel "final" is for the user. Where the special
# tokens were left out of the text, the names of the channels run into it.
CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]{0,100}<\|message\|>", re.I)
FINAL_CHANNEL = "final"
BARE_CHANNEL = re.compile(r"\A(?:analysis|commentary)(?=[A-Z])")
BARE_FINAL = "assistantfinal"

# What ends a turn: whatever follows is no longer the answer. Other special tokens say nothing.
TURN_ENDS = re.compile(
    r"<\|(?:im_end|end|return|call|endoftext|end_of_text|eot_id|eom_id|end_of_turn_token|user|start|"
    r"(?:im_start|start_header_id)\|>\s*(?:user|system)|"
    r"end_of_role)\|>|</s>|<eos>|<end_of_turn>|<end_of_utterance>|<turn\|>|<｜end▁of▁sentence｜>",
    re.I,
)
SPECIAL = re.compile(
    r"<\|(?:im_start|start_header_id)\|>\s*assistant|<\|[A-Za-z_]{3,40}\|>|<｜[^<>｜]{1,40}｜>|"
    r"<(?:bos|s|pad|unk)>|<think/>|<start_of_turn>\s*model|<\|turn>\s*model",
    re.I,
)
LEADING = re.compile(rf"(?:\s+|{SPECIAL.pattern}|{TURN_ENDS.pattern})*", re.I)
ESCAPED = re.compile(r"&lt;(/?[a-z_|]{1,30}\|?)&gt;", re.I)
MARKS = re.compile(r"[<\[◁]|&lt;|\A\s*Here|\A(?:analysis|commentary)")


def text_of(answer: Answer | str) -> str:
    """The text of an answer as a judge reads it."""
    return said(answer if isinstance(answer, str) else answer.text)


def said(text: str) -> str:
    """``text`` without thoughts and special tokens; of a text with answer tags, the last one's.

    Empty where the thoughts do not end. A text without any such tags is returned unchanged.
    """
    if not MARKS.search(text):
        return text
    tagged = ESCAPED.sub(r"<\1>", text)
    answer = without_thoughts(turn(final_channel(tagged)))
    held = last_tag(answer)
    plain = SPECIAL.sub(" ", answer if held is None else held)
    return plain if plain == text else plain.strip()


def unwrapped(text: str) -> str:
    """The answer that a JSON object holds under one key of its own; else ``text`` as it is."""
    match = JSON_OBJECT.fullmatch(text)
    if match is None:
        return text
    try:
        held = json.loads(match[1])
    except (ValueError, RecursionError):
        return text
    values = [value for key, value in held.items() if ANSWER_KEY.fullmatch(key)]
    if len(values) == 1 and isinstance(values[0], list) and len(values[0]) == 1:
        values = values[0]
    single = len(values) == 1 and isinstance(values[0], str | int | float)
    return (values[0] if isinstance(values[0], str) else json.dumps(values[0])) if single else text


def final_channel(text: str) -> str:
    """What is said in the last message for the user, of a text that is in channels."""
    channels = list(CHANNEL.finditer(text))
    if channels:
        final = [m for m in channels if m[1].casefold() == FINAL_CHANNEL]
        return text[final[-1].end() :] if final else ""
    if BARE_CHANNEL.match(text):
        return text.rpartition(BARE_FINAL)[2] if BARE_FINAL in text else ""
    return text


def turn(text: str) -> str:
    """The model's own turn: up to the first token that ends it and has something before it."""
    begin = LEADING.match(text)
    end = TURN_ENDS.search(text, begin.end() if begin else 0)
    return text[: end.start()] if end else text


def without_thoughts(text: str) -> str:
    """What stands outside of the blocks of thoughts."""
    pieces: list[str] = []
    opened: int | None = None
    start = 0
    for tag in THOUGHT_TAG.finditer(text):
        if tag["opens"]:
            if opened is None:
                pieces.append(text[start : tag.start()])
                opened = tag.end()
            continue
        if opened is None:  # opened by the template, or another block around one that closed
            pieces.clear()
        opened, start = None, tag.end()
    if opened is None:
        pieces.append(text[start:])
    else:
        pieces.append(closing_answer(text[opened:]))
    return " ".join(pieces)


def closing_answer(thoughts: str) -> str:
    """The whole answer tag in which thoughts end that no tag of their own has closed, if any."""
    tags = list(ANSWER_TAG.finditer(thoughts))
    ends = (
        tags and not tags[-1]["opens"] and not SPECIAL.sub("", thoughts[tags[-1].end() :]).strip()
    )
    return thoughts[tags[-2].start() :] if ends and len(tags) > 1 and tags[-2]["opens"] else ""


def last_tag(text: str) -> str | None:
    """What the last answer tag holds that holds anything; None where there is no such tag."""
    tags = list(ANSWER_TAG.finditer(text))
    if not tags:
        return None
    ends = [tag.start() for tag in tags[1:]] + [len(text)]
    for tag, end in reversed(list(zip(tags, ends, strict=True))):
        inside = CUT_TAG.sub("", text[tag.end() : end])
        if tag["opens"] and inside.strip():
            return inside
    return ANSWER_TAG.sub(" ", text)


def boxed(text: str) -> str | None:
    """What the last ``\\boxed{...}`` holds, its braces matched; None where there is none."""
    start = text.rfind("\\boxed")
    opened = BOX.match(text, max(start, 0))
    if opened is None:
        return None
    depth = 1
    for place in range(opened.end(), len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return text[opened.end() : place]
    return text[opened.end() :]


def unboxed(text: str, mark: str) -> str:
    """``text`` with ``mark`` and what it holds for each ``\\boxed{...}``."""
    pieces: list[str] = []
    boxes: list[bool] = []  # of the braces that are open: whether they are a box's
    start = 0
    for match in BRACE.finditer(text):
        pieces.append(text[start : match.start()])
        start = match.end()
        if match[0] != "}":
            boxes.append(match[0] != "{")
            pieces.append(mark if boxes[-1] else "{")
        elif boxes and boxes.pop():
            pieces.append(" ")
            start = MATH_END.match(text, start).end()  # type: ignore[union-attr]
        else:
            pieces.append("}")
    return "".join([*pieces, text[start:]])
