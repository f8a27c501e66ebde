"""Two protocols of asking for a lettered option, and what the second cannot be asked of.

``position``  the options' probabilities where the answer begins, whatever is likeliest there.
``paper``     that of the published code: the likeliest token, and the next, until one is a letter
              of the options; its probability among all tokens is the confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from calib.records import InputError, Item
from calib.tasks.prompts import FORMS

if TYPE_CHECKING:
    from calib.models.protocol import Model, Scoring

POSITION, PAPER = "position", "paper"
PROTOCOLS = (POSITION, PAPER)
STEPS = 20
"""Steps after which a question counts as unparsed."""


def form_of(prompt: str | None, own: str, protocol: str) -> str:
    """The prompt form: ``prompt``, else the protocol's, else the task's ``own``."""
    return prompt or ("paper" if protocol == PAPER else own)


def confidence_of(confidence: str | None, protocol: str) -> str:
    """Of what a confidence is a probability: as asked, else as the protocol has it."""
    return confidence or ("vocab" if protocol == PAPER else "options")


def check_letters(how: Scoring, items: Sequence[Item] = ()) -> None:
    """InputError, in one sentence, for what the protocol ``paper`` cannot be asked of."""
    if how.protocol != PAPER:
        return
    if how.confidence != "vocab":
        raise InputError(
            f"confidence: expected vocab with protocol {PAPER}, whose confidence is a letter's "
            f"probability among all tokens, got {how.confidence!r}"
        )
    if how.orders != 1:
        raise InputError(
            f"orders: expected 1 with protocol {PAPER}, which waits for a letter of one order, "
            f"got {how.orders!r}"
        )
    if how.variants:
        raise InputError(
            f"variants: expected False with protocol {PAPER}, which steps over all spellings but "
            "the letter"
        )
    if how.prompt in FORMS and not FORMS[how.prompt].orders:
        forms = [name for name, form in FORMS.items() if form.orders]
        raise InputError(
            f"prompt: expected {', '.join(forms[:-1])} or {forms[-1]} with protocol {PAPER}, which "
            f"waits for the letter of an option, got {how.prompt}"
        )
    reasoned = next((item.id for item in items if "reasoning" in item.meta), None)
    if reasoned is not None:
        raise InputError(
            f"item {reasoned!r}: expected no reasoning with protocol {PAPER}, whose model is asked "
            "for the letter directly"
        )


def refuse_unable(model: Model, how: Scoring) -> None:
    """InputError for a model that cannot go on token by token."""
    if how.protocol == PAPER and not model.can.letters:
        raise InputError(
            f"protocol: expected {POSITION} with {model.name}, which gives no tokens one by one, "
            f"got {PAPER}"
        )
