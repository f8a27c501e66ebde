"""What transformers' ``pipeline("decision")`` does with a prompt that its tokenizer reads.

The answers are tokens of labels by themselves, not as they continue the prompt. Control tokens that
stand in a request are read as text there; here such a request is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers.utils.hub import cached_file

from calib.fields import read_object
from calib.records import CalibError, InputError, Prompt

SETTINGS, TEMPLATE = "decision.json", "decision_template.jinja"
DEFAULTS: dict[str, Any] = {
    "labels": {},
    "noul_options": ["true", "false"],
    "sanitize_control_tokens": True,
    "adapter": None,
}
"""What of a model's settings words the prompt, or says what is read behind it."""
OWN_TOKENS = ("<|mark|>", "<|split|>", "\U000f0000", "\U000f0001")
"""What the pipeline itself marks places with."""


def label_ids(prompt: Prompt, tokenizer: Any, name: str) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """The token of each option, as its only spelling. InputError where one has no single token."""
    labels = [spellings[0] for spellings in prompt.options]
    ids = [tuple(tokenizer(label, add_special_tokens=False)["input_ids"]) for label in labels]
    known = {own for own in ids if len(own) == 1 and own[0] != tokenizer.unk_token_id}
    if len(known) != len(labels):
        raise InputError(
            f"item {name!r}: expected {', '.join(labels)} to be a token each, as the decision "
            f"pipeline does, got {[tokenizer.convert_ids_to_tokens(list(own)) for own in ids]}"
        )
    return tuple((own,) for own in ids)


def refuse_control(prompt: Prompt, tokenizer: Any, template: Any, name: str) -> None:
    """InputError where the request holds a control token of the model or of the pipeline."""
    control = [
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if token.special or (token.content in str(template) and not token.content.isspace())
    ]
    found = next((token for token in (*control, *OWN_TOKENS) if token in prompt.text), None)
    if found is not None:
        raise InputError(
            f"item {name!r}: its text holds {found!r}, a control token that the decision pipeline "
            "reads as text; prompt decision does not ask it"
        )


def own_settings(hf: Any, revision: str | None) -> list[str]:
    """What of the model's own settings gives the pipeline another prompt than its default.

    revision: the commit of a model of the hub. InputError where they cannot be read.
    """
    name = hf.name_or_path
    if not name or (Path(name).is_absolute() and not Path(name).is_dir()):
        return []
    settings, template = (stored_file(name, revision, file) for file in (SETTINGS, TEMPLATE))
    stated = {} if settings is None else read_object(Path(settings))
    own = [key for key, value in DEFAULTS.items() if stated.get(key, value) != value]
    return own if template is None else [*own, TEMPLATE]


def refuse_own_settings(hf: Any, own: list[str]) -> None:
    if own:
        raise CalibError(
            f"model {hf.name_or_path!r} has {' and '.join(own)} of its own for the decision "
            "pipeline, and prompt decision is what the pipeline asks without"
        )


def stored_file(name: str, revision: str | None, file: str) -> str | None:
    commit = (revision or "").partition("+")[0]
    path: str | None = cached_file(
        name,
        file,
        revision=commit if len(commit) == 40 else None,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return path
