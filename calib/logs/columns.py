"""Which column of a table means what: by names that people use, or as the user says.

Names are compared without capitals, spaces, underscores, hyphens and dots. A column with the first
name of a role is used for it; without one, only one column may have any of the role's other names.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calib.records import InputError

ROLES: dict[str, tuple[str, ...]] = {
    "confidence": (
        "confidence", "conf", "confidence_score", "stated_confidence", "verbalized_confidence",
        "model_confidence", "predicted_confidence", "self_confidence", "max_prob",
        "max_probability", "top_prob", "top_probability", "msp", "p_correct", "prob_correct",
    ),
    "correct": (
        "correct", "is_correct", "correctness", "right", "is_right", "hit", "acc",
        "accuracy", "exact_match", "em", "quasi_exact_match", "judged_correct",
    ),
    "logits": ("logits", "logit", "logprobs", "log_probs", "logprob", "log_probabilities"),
    "probabilities": (
        "probabilities", "probs", "probas", "predict_proba", "class_probabilities", "softmax",
        "y_proba", "pred_proba", "prob", "proba", "probability", "y_prob", "y_pred_proba",
    ),
    "label": (
        "label", "labels", "target", "targets", "y_true", "y", "y_test", "true_label", "gold",
        "gold_label", "ground_truth", "answer", "reference",
    ),
    "prediction": (
        "prediction", "pred", "predicted", "predicted_label", "y_pred", "pred_label",
        "predicted_answer", "model_answer",
    ),
    "options": ("options", "choices", "classes", "class_names"),
    "id": (
        "id", "ids", "example_id", "question_id", "qid", "instance_id", "doc_id", "sample_id",
        "item_id", "uid", "idx", "index",
    ),
    "group": ("group", "groups", "category", "subset", "subject", "subgroup", "domain", "split"),
    "cluster": ("cluster", "clusters", "cluster_id", "image_id", "passage_id", "context_id"),
    "question": ("question", "prompt", "input", "text"),
}  # fmt: skip
SEVERAL = ("logits", "probabilities")
"""Roles that may be a column for each class, as logit_0, logit_1 and prob_cat, prob_dog."""
PREFIXES = {
    "logits": re.compile(r"(?:logits?|logprobs?|log_probs?)[_.](.+)", re.I),
    "probabilities": re.compile(r"(?:probabilit(?:y|ies)|probas?|probs?)[_.](.+)", re.I),
}
NUMBERED = re.compile(r"p[_.]?(\d+)", re.I)
LISTED = 40
"""A message names at most so many columns."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The columns of each role in a table; of roles with a column a class, also the classes."""

    columns: Mapping[str, tuple[str, ...]]
    classes: Mapping[str, tuple[str, ...]]

    def __contains__(self, role: str) -> bool:
        return role in self.columns

    def name(self, role: str) -> str:
        return self.columns[role][0]


def meant(names: Sequence[str], chosen: Mapping[str, str], path: Path) -> Meant:
    """The roles of the columns ``names``; ``chosen`` gives a role's column or pattern of columns.

    Where the user chooses confidence or correct, logits and probabilities are not looked for, and
    the reverse. Raises InputError, naming the columns, where a chosen column does not exist or two
    columns may have one role.
    """
    columns: dict[str, tuple[str, ...]] = {}
    classes: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for role, wish in chosen.items():
        columns[role] = tuple(fnmatch.filter(names, wish)) if "*" in wish else (wish,)
        if not columns[role] or not set(columns[role]) <= set(names):
            raise InputError(f"{path}: {role}: there is no column {wish!r}; {listed(names)}")
        if len(columns[role]) > 1:
            if role not in SEVERAL:
                raise InputError(f"{path}: {role}: {wish!r} names several columns; {listed(names)}")
            classes[role] = tuple(of_pattern(name, wish) for name in columns[role])
        taken |= set(columns[role])
    left = [name for name in names if name not in taken]
    for role in ROLES:
        if role in columns or unread(role, chosen):
            continue
        if role in SEVERAL and len(many := several(role, left)) > 1:
            columns[role], classes[role] = tuple(many), tuple(many.values())
        elif (name := one(role, left, path)) is not None:
            columns[role] = (name,)
    for role, of in classes.items():
        if all(name.isdigit() for name in of):
            order = sorted(range(len(of)), key=lambda k: int(of[k]))
            columns[role] = tuple(columns[role][k] for k in order)
            classes[role] = tuple(of[k] for k in order)
    return Meant(columns, classes)


def of_pattern(name: str, pattern: str) -> str:
    """The class: what ``*`` matches in ``name``; the whole name for a pattern with more signs."""
    before, _, after = pattern.partition("*")
    simple = name.startswith(before) and name.endswith(after)
    return name[len(before) : len(name) - len(after)] if simple else name


def unread(role: str, chosen: Mapping[str, str]) -> bool:
    """Whether the user's choice of columns takes the place of this role."""
    stated, scored = {"confidence", "correct"} & set(chosen), set(SEVERAL) & set(chosen)
    return bool((stated and role in SEVERAL) or (scored and role in ("confidence", "correct"))) or (
        bool(scored) and role in SEVERAL
    )


def several(role: str, names: Sequence[str]) -> dict[str, str]:
    """The columns that each hold one class, with the class."""
    matches = {name: PREFIXES[role].fullmatch(name) for name in names}
    classes = {name: match[1] for name, match in matches.items() if match}
    if not classes and role == "probabilities":
        numbered = {name: NUMBERED.fullmatch(name) for name in names}
        classes = {name: match[1] for name, match in numbered.items() if match}
    own = {plain(name): of for of, others in ROLES.items() for name in others}
    # prob_a is the first of prob_a and prob_b, though without its underscore it is "proba".
    series = any(plain(name) not in own for name in classes)
    return {
        name: of
        for name, of in classes.items()
        if plain(name) not in own or (series and own[plain(name)] == role)
    }


def one(role: str, names: Sequence[str], path: Path) -> str | None:
    """The column with the role's first name, else the only one with another of its names."""
    order = [plain(name) for name in ROLES[role]]
    candidates = [name for name in names if plain(name) in order]
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    first = [name for name in candidates if plain(name) == order[0]]
    if len(first) == 1:
        return first[0]
    raise InputError(
        f"{path}: {' and '.join(map(repr, candidates[:2]))} may both be the {role}; say which by "
        f"--format_args {role}={candidates[0]}"
    )


def plain(name: str) -> str:
    return re.sub(r"[\s_.\-]", "", name).casefold()


def listed(names: Sequence[str]) -> str:
    more = f", ... {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"the columns are {', '.join(map(repr, names[:LISTED]))}{more}"
