"""An IDK set as rows of plain values, for JSONL and the ``datasets`` library, and its card."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.idk.arms import IDK
from calib.idk.build import Draws, sweep
from calib.judge.text import gold_texts
from calib.records import ImageRef, InputError, Item

Row = dict[str, Any]
NEEDED = ("model", "prompt", "temperature", "seed")
"""What a label cannot be understood without."""


def file_name(image: ImageRef) -> str:
    """An image as its path; InputError for one that has no file of its own."""
    if isinstance(image, Path):
        return str(image)
    raise InputError(
        "an image in memory or in a table cannot be named in a row; save it to a file first, or "
        "pass name=calib.idk.pictures.Copies(folder), which does"
    )


def record_rows(
    draws: Sequence[Draws],
    tau: float,
    *,
    parts: Sequence[str] | None = None,
    name: Callable[[ImageRef], str] = file_name,
) -> list[Row]:
    """One row per item: the question, its counts, its label at ``tau`` and the label's interval."""
    rows = []
    for number, drawn in enumerate(draws):
        item, interval = drawn.item, drawn.interval
        row: Row = {
            "id": item.id,
            "question": item.question,
            "options": list(item.options),
            "answer": item.answer,
            "gold": list(gold_texts(item)),
            "images": [name(image) for image in item.images],
            "group": item.group,
            "cluster": drawn.cluster,
            "n": drawn.n,
            "correct": drawn.correct,
            "refused": drawn.refused,
            "unparsed": drawn.unparsed,
            "accuracy": drawn.accuracy,
            "accuracy_low": interval.low,
            "accuracy_high": interval.high,
            "tau": tau,
            "known": drawn.known(tau),
        }
        rows.append(row if parts is None else {**row, "part": parts[number]})
    return rows


def sft_rows(
    draws: Sequence[Draws],
    tau: float,
    *,
    prompt: Callable[[Item], str] | None = None,
    refusal: str = f"{IDK}.",
    name: Callable[[ImageRef], str] = file_name,
) -> list[Row]:
    """One conversation per item: the model's own right answer where known, the refusal elsewhere.

    ``prompt`` gives the text of the user's turn; by default the question.
    """
    return [
        {
            **head(drawn, name),
            "messages": [
                {"role": "user", "content": user_text(drawn, prompt)},
                {
                    "role": "assistant",
                    "content": assistant_text(drawn) if drawn.known(tau) else refusal,
                },
            ],
            "known": drawn.known(tau),
        }
        for drawn in draws
    ]


def preference_rows(
    draws: Sequence[Draws],
    tau: float,
    *,
    prompt: Callable[[Item], str] | None = None,
    refusal: str = f"{IDK}.",
    name: Callable[[ImageRef], str] = file_name,
) -> list[Row]:
    """Pairs: answer over refusal where known, refusal over the model's wrong answer elsewhere.

    An unknown item without a wrong sample (only right ones and refusals) makes no pair.
    """
    rows = []
    for drawn in draws:
        known = drawn.known(tau)
        chosen, rejected = (assistant_text(drawn), refusal) if known else (refusal, drawn.wrong)
        if rejected is not None:
            pair = {"prompt": user_text(drawn, prompt), "chosen": chosen, "rejected": rejected}
            rows.append({**head(drawn, name), **pair, "known": known})
    return rows


def card(draws: Sequence[Draws], tau: float, provenance: Mapping[str, Any]) -> str:
    """The README of an IDK set: what it is, whose it is, how it was made, and its counts.

    ``provenance`` holds what the labels belong to: model, task, prompt, judge, samples,
    temperature, top_p, seed, versions; everything in it is listed.
    """
    lacking = [name for name in NEEDED if name not in provenance]
    if lacking:
        raise ValueError(f"provenance: {', '.join(lacking)} must be given, labels depend on it")
    known = sum(drawn.known(tau) for drawn in draws)
    n = sorted({drawn.n for drawn in draws})
    facts = "\n".join(f"| {key} | {cell(value)} |" for key, value in provenance.items())
    table = "\n".join(
        f"| {row['tau']:.2g} | {row['known']:,} | {row['unknown']:,} | {row['uncertain']:,} |"
        for row in sweep(draws)
    )
    total = len(draws)
    unparsed = sum(drawn.unparsed for drawn in draws)
    refused = sum(drawn.refused for drawn in draws)
    samples = sum(drawn.n for drawn in draws)
    return f"""---
tags: [uncertainty, i-dont-know, calibration]
---
# What {provenance["model"]} knows

{total:,} questions, {known:,} known and {total - known:,} unknown at tau = {tau:g}: known
means that at least that share of {", ".join(map(str, n))} sampled answers was right.
The labels are this model's, with this prompt and these settings; they say nothing of another model.

| setting | value |
| --- | --- |
{facts}

The same samples at other thresholds. "Uncertain" counts questions whose 95 % Clopper-Pearson
interval holds the threshold, so that new samples might label them differently.

| tau | known | unknown | uncertain |
| --- | --- | --- | --- |
{table}

Of {samples:,} samples {refused:,} were refusals and {unparsed:,} could not be read; neither counts
as right.
"""


def head(drawn: Draws, name: Callable[[ImageRef], str]) -> Row:
    return {"id": drawn.item.id, "images": [name(image) for image in drawn.item.images]}


def user_text(drawn: Draws, prompt: Callable[[Item], str] | None) -> str:
    return drawn.item.question if prompt is None else prompt(drawn.item)


def assistant_text(drawn: Draws) -> str:
    """A right sample in the model's own words, else the gold text."""
    if drawn.right is not None:
        return drawn.right
    return gold_texts(drawn.item)[0]


def cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.replace("|", "\\|").replace("\n", "<br>")
