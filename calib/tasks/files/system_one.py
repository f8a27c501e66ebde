"""System One's labelled JSONL: a line is a request to ``/v1/systemone`` and the right answers.

``{"id", "state", "questions": {name: question}, "answers": {name: label}}``, a question being
``{"type", "instructions", "criteria"}``.

* Each question becomes an item ``id#name``; those of one line are one cluster, and those of one
  name a group unless the line has ``group``. ``shapes.expanded`` gives it an id where it has none.
* ``state`` is ``context``: a text as it is, anything else as indented JSON.
* Options and labels: see ``decisions``. A description is shown behind its option; the option's
  own name is what counts as the answer. The labels may also stand under ``targets``, ``gold``,
  ``labels`` or ``expected``; a note counts the questions without one, which are left out.
* ``assets`` are pictures by the placeholder that stands for them in the state, the instructions or
  the criteria, each ``{"type": "image", "format", "data_base64"}`` or a path. They are shown before
  the text, in the order of their mention, and the placeholders stay. ``<image>`` alone is replaced
  as in LLaVA's conversations: it is the asset of that name, else the next of the line's images.
* Each item also has its request as it stands, for prompt form ``decision``.
* ``questions``, ``state`` and the labels may be JSON written into a text, as tables store them.
* One decision a line, ``{"state", "question", "type", "options", "label"}``, is an item ``id``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from calib.records import InputError
from calib.tasks.files.columns import SYSTEM_ONE
from calib.tasks.files.conversation import PLACEHOLDER
from calib.tasks.files.decisions import Decision, decision_of, label_index, readable
from calib.tasks.files.notes import Notes
from calib.tasks.files.placeholders import own_pictures, without_placeholders
from calib.tasks.files.values import is_absent, mapping, parse, shown

LABELS = ("answers", "targets", "gold", "labels", "expected")
OF_ONE = ("question", "type", "options", "label")
MADE = ("question", "options", "answer", "answer_index", "context", "spellings")
UNLABELLED = "questions without a label"
UNNAMED = "assets that no text names"


def is_decision(row: Mapping[str, Any]) -> bool:
    return "state" in row and ("questions" in row or ("question" in row and "type" in row))


def decision_rows(
    row: Mapping[str, Any], where: str, notes: Notes
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The questions of one line. InputError names the question that is not as described above."""
    single = "questions" not in row
    if single:
        row = as_request(row, where)
    columns = {name: value for name, value in row.items() if name not in ("model", *REQUEST)}
    labelled = [name for name in LABELS if name in columns]
    if len(labelled) != 1:
        raise InputError(
            f"{where}: expected the right answers under one of {', '.join(LABELS)}, but there are "
            + (" and ".join(labelled) or "none")
        )
    for name in (*MADE, "videos"):
        if name in columns:
            raise InputError(f"{where}: a line with state and questions can have no {name}")
    encoded = isinstance(row["questions"], str)
    questions = mapping(decoded(row["questions"], f"{where}: questions"), f"{where}: questions")
    labels = columns.pop(labelled[0])
    labels = decoded(labels, f"{where}: {labelled[0]}") if encoded else labels
    labels = mapping(labels, f"{where}: {labelled[0]}")
    unasked = sorted(set(labels) - set(questions))
    if unasked:
        raise InputError(f"{where}: {labelled[0]}: {unasked[0]!r} is not one of the questions")
    written = state_of(row["state"]) if encoded else row["state"]
    state = readable(written)
    assets = mapping(row.get("assets") or {}, f"{where}: assets")
    own = own_pictures(row, where)
    columns = {name: value for name, value in columns.items() if name not in ("image", "images")}
    name_of_line = columns.pop("id")
    mentioned: set[str] = set()
    for name, question in questions.items():
        place = f"{where}, question {name!r}"
        decision = decision_of(question, place)
        shown_assets = mentions(assets, [state, decision.instructions, *decision.texts])
        mentioned.update(shown_assets)
        if labels.get(name) is None:
            notes.add(UNLABELLED, place)
            continue
        images = list(own)
        first = len(images) + shown_assets.index(PLACEHOLDER) if PLACEHOLDER in shown_assets else 0
        pictures = 1 if PLACEHOLDER in shown_assets else len(images)
        unused = [asset for asset in assets if asset not in shown_assets]
        context, shown_decision = placed(state, decision, first, pictures, place)
        images += [image_of(assets[asset], f"{place}: asset {asset!r}") for asset in shown_assets]
        yield (
            place,
            {
                **({"group": name} if not has_group(columns) else {}),
                "cluster": str(name_of_line),
                **columns,
                "id": name_of_line if single else f"{name_of_line}#{name}",
                "context": context,
                "images": images,
                SYSTEM_ONE: {
                    "state": written,
                    "question": question,
                    "assets": shown_assets,
                    **({"unused": unused} if unused else {}),
                },
                **columns_of(shown_decision, label_index(labels[name], decision, place, notes)),
            },
        )
    for asset in assets.keys() - mentioned:
        notes.add(UNNAMED, f"{where}, {asset!r}")


def placed(
    state: str, decision: Decision, first: int, pictures: int, where: str
) -> tuple[str, Decision]:
    """The state and the question without ``<image>``; the first is picture ``first``, from 0.

    InputError where there are more of them than ``pictures``, or one is in an option.
    """
    in_option = next((text for text in decision.texts if PLACEHOLDER in text), None)
    if in_option is not None:
        raise InputError(
            f"{where}: option {shown(in_option)} has the placeholder {PLACEHOLDER}, and options "
            "are texts"
        )
    before = state.count(PLACEHOLDER)
    count = before + decision.instructions.count(PLACEHOLDER)
    if count > pictures:
        raise InputError(
            f"{where}: expected an image for each {PLACEHOLDER}, but there are {pictures} images "
            f"and {count} {PLACEHOLDER}"
        )
    instructions = without_placeholders(decision.instructions, first + before)
    return without_placeholders(state, first), replace(decision, instructions=instructions)


REQUEST = ("state", "questions", "assets")


def columns_of(decision: Decision, answer: int) -> dict[str, Any]:
    row = {
        "question": decision.instructions,
        "options": list(decision.texts),
        "answer_index": answer,
    }
    if decision.spellings:
        row["spellings"] = [list(names) for names in decision.spellings]
    return row


def as_request(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """One decision as a request of one question."""
    if "label" not in row:
        raise InputError(f"{where}: expected the right answer under label")
    options = row.get("options")
    if row["type"] == "choice" and isinstance(options, list):
        if not all(isinstance(option, str) for option in options):
            raise InputError(f"{where}: options: expected texts, got {shown(options)}")
        options = dict.fromkeys(options)
    question = {"type": row["type"], "instructions": row["question"], "criteria": options}
    if row["type"] == "noul" and isinstance(options, list):
        del question["criteria"]  # they are true and false
    rest = {name: value for name, value in row.items() if name not in OF_ONE}
    return {**rest, "questions": {"label": question}, "answers": {"label": row["label"]}}


def decoded(value: Any, where: str) -> Any:
    return parse(value, where) if isinstance(value, str) else value


def state_of(state: Any) -> Any:
    """A state that a table stores as JSON; a text that is none stays a text."""
    try:
        return decoded(state, "state")
    except InputError:
        return state


def has_group(columns: Mapping[str, Any]) -> bool:
    meta = columns.get("meta")
    own = [columns.get("group"), columns.get("category")]
    in_meta = meta.get("group") if isinstance(meta, Mapping) else None
    return not all(map(is_absent, [*own, in_meta]))


def mentions(assets: Mapping[str, Any], texts: list[str]) -> list[str]:
    """The placeholders that stand in ``texts``, in the order of their first mention."""
    said = "\n".join(texts)
    places = {name: said.find(name) for name in assets}
    return sorted((name for name in assets if places[name] >= 0), key=lambda name: places[name])


def image_of(asset: Any, where: str) -> str:
    """A picture as a path, or as an address that holds its bytes."""
    if isinstance(asset, str):
        return asset
    data = asset.get("data_base64") if isinstance(asset, Mapping) else None
    if not isinstance(data, str) or asset.get("type", "image") != "image":
        raise InputError(
            f'{where}: expected {{"type": "image", "format", "data_base64"}}, got {shown(asset)}'
        )
    return f"data:image/{asset.get('format', 'png')};base64,{data}"
