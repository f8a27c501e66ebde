"""A judge that asks a language model, handed in as a function of text to text."""

from __future__ import annotations

import re
from collections.abc import Callable

from calib.judge.said import text_of
from calib.judge.text import gold_texts
from calib.records import Answer, Item, Verdict

PROMPT = """You compare an answer to a question with the reference answer.

Question: {question}
Reference answer: {reference}
Answer to judge: {answer}

The answer is CORRECT if it means the same as the reference, whatever its wording and detail.
It is REFUSED if it says that it does not know or cannot answer. Otherwise it is INCORRECT.
Reply with one line only, in the form
VERDICT: CORRECT or VERDICT: INCORRECT or VERDICT: REFUSED"""

VERDICT = re.compile(r"VERDICT:\s*(CORRECT|INCORRECT|REFUSED)\s*\.?", re.I)


def llm(
    ask: Callable[[str], str], *, prompt: str = PROMPT
) -> Callable[[Answer | str, Item], Verdict]:
    """A judge that fills ``prompt`` ({question}, {reference}, {answer}) and reads the reply.

    The reply's last line must be the verdict and nothing else; any other reply leaves ``correct``
    None and is quoted in ``how``.
    """

    def judge(answer: Answer | str, item: Item) -> Verdict:
        gold = gold_texts(item)
        if not gold:
            return Verdict(None, None, False, "llm: the item has no answer")
        text = text_of(answer)
        # Not str.format: answers and prompts may hold braces of their own.
        fields = {"question": item.question, "reference": " / ".join(gold), "answer": text}
        filled = re.sub(r"\{(question|reference|answer)\}", lambda m: fields[m[1]], prompt)
        reply = ask(filled).strip()
        lines = reply.splitlines()
        said = VERDICT.fullmatch(lines[-1].strip(" *`")) if lines else None
        if said is None:
            return Verdict(None, None, False, f"llm: no verdict in {reply[-80:]!r}")
        verdict = said[1].upper()
        if verdict == "REFUSED":
            return Verdict(False, None, True, "llm")
        return Verdict(verdict == "CORRECT", text, False, "llm")

    return judge
