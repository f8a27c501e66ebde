"""The study that a file declares; all that can be checked without a model is checked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from calib.fields import told
from calib.prompts.parts import checked
from calib.records import InputError
from calib.studies.findings import FINDINGS
from calib.studies.kinds import KINDS
from calib.studies.options import is_number, is_whole, positive
from calib.studies.source import Place, Source, read_source, said
from calib.studies.study import CLAIMS, ModelOf, Step, Study, TaskOf

TOP: dict[str, str] = {
    "study": "its name",
    "title": "the heading of its page",
    "question": "what it asks",
    "design": "how it goes about it",
    "claims": "of C1 to C6 which it puts to a test",
    "models": "names of models",
    "tasks": "names of tasks",
    "steps": "what is run",
    "finding": "what is made of it",
    "quick": "what --quick asks less of",
    "seeds": "numbers, for each of which all is run",
    "limits": "what it cannot say",
    "requires": "paths that have to be there, each with how it is made",
}
MODEL = {"model": "a path or name", "parameters": "millions, where the model does not say"}
TASK = {"task": "a name or file", "limit": "questions", "prompt": "a form", "wording": "by part"}
QUICK = {"limit": "questions of each task", "samples": "answers", "steps": "options by step",
         "without": "steps"}  # fmt: skip
NAME = re.compile(r"[\w][\w.+-]{0,79}")


def shipped() -> dict[str, Path]:
    """The studies that come with calib, by name, in the order in which the book has them."""
    folder = files("calib.studies") / "files"
    with as_file(folder) as path:
        found = sorted(path.glob("*.yaml"))
    return {each.stem.partition("-")[2]: each for each in found}


def find_study(name: str | Path) -> Path:
    """The file of a study: one that comes with calib, by name, or a path. InputError for none."""
    known = shipped()
    if str(name) in known:
        return known[str(name)]
    path = Path(name)
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise InputError(
            f"study {str(name)!r}: expected one of {', '.join(known)}, or a file ending in .yaml"
        )
    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    return path


def read_study(path: Path) -> Study:
    """The study that a file declares. InputError, naming the line, for what it cannot mean."""
    source = read_source(path)
    top = source.keys((), source.content, "a study", TOP)
    for name in ("study", "title", "question", "steps"):
        if name not in top:
            source.refuse((), f"{name} is missing: {TOP[name]}")
    name = source.text(("study",), top["study"], "study")
    if not NAME.fullmatch(name):
        source.refuse(("study",), f"study: expected letters, digits, . + - and _, got {told(name)}")
    finding, asked = one_key(source, ("finding",), top.get("finding", "table"), "finding", FINDINGS)
    models = {n: model_of(source, n, v) for n, v in own(source, top, "models")}
    tasks = {n: task_of(source, n, v) for n, v in own(source, top, "tasks")}
    steps: dict[str, Step] = {}
    for each, value in own(source, top, "steps"):
        place = ("steps", each)
        kind, options = one_key(source, place, value, f"step {each}", KINDS)
        step = Step(each, kind, options, (*place, kind) if isinstance(value, dict) else place)
        KINDS[kind].check(source, step, models, tasks, steps)
        steps[each] = step
    FINDINGS[finding].check(source, ("finding", finding), asked, steps)
    return Study(
        name=name,
        title=source.text(("title",), top["title"], "title"),
        question=source.text(("question",), top["question"], "question"),
        design=source.text(("design",), top.get("design", "-"), "design"),
        claims=claims_of(source, top.get("claims")),
        models=models,
        tasks=tasks,
        steps=steps,
        finding=finding,
        asked=asked,
        quick=quick_of(source, top.get("quick") or {}, steps),
        seeds=seeds_of(source, top.get("seeds", [0])),
        limits=source.text(("limits",), top.get("limits", "-"), "limits"),
        requires=required(source, top.get("requires")),
        source=source,
    )


def own(source: Source, top: Mapping[str, Any], part: str) -> list[tuple[str, Any]]:
    """The user's own names of a part, which become those of folders."""
    if part not in top:
        return []
    found = source.mapping((part,), top[part], part)
    for name in found:
        if not NAME.fullmatch(name):
            source.refuse(
                (part, name),
                f"{part}: a name has letters, digits, . + - and _, at most 80, got {told(name)}",
            )
    return list(found.items())


def one_key(
    source: Source, place: Place, value: Any, what: str, known: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """A name of ``known`` with its options: ``name`` alone, or ``{name: {option: value}}``."""
    if isinstance(value, str):
        value = {value: None}
    if not isinstance(value, dict) or len(value) != 1:
        second = list(value)[1:2] if isinstance(value, dict) else []
        got = f"{', '.join(value)} together" if second else told(value)
        source.refuse((*place, *second), f"{what}: expected one of {', '.join(known)}, got {got}")
    name, options = next(iter(value.items()))
    if name not in known:
        source.refuse((*place, name), f"{what}: expected one of {', '.join(known)}, got {name!r}")
    options = {} if options is None else options
    if not isinstance(options, dict):
        source.refuse(
            (*place, name), f"{what}: {name}: expected options with values, got {told(options)}"
        )
    return name, options


def model_of(source: Source, name: str, value: Any) -> ModelOf:
    place = ("models", name)
    if isinstance(value, str):
        return ModelOf(name, source.text(place, value, f"model {name}"))
    found = source.mapping(place, value, f"model {name}")
    if "model" not in found:
        source.refuse(place, f"model {name}: model is missing: {MODEL['model']}")
    size = found.get("parameters")
    if size is not None and not (is_number(size) and size > 0):
        source.refuse(
            (*place, "parameters"), f"parameters: expected millions above 0, got {told(size)}"
        )
    arguments = {n: v for n, v in found.items() if n not in MODEL}
    for argument, given in arguments.items():
        if not isinstance(given, (str, int, float, bool)):
            source.refuse(
                (*place, argument), f"{argument}: expected text or a number, got {told(given)}"
            )
    model = source.text((*place, "model"), found["model"], f"model {name}")
    return ModelOf(name, model, arguments, size)


def task_of(source: Source, name: str, value: Any) -> TaskOf:
    place = ("tasks", name)
    if isinstance(value, str):
        return TaskOf(name, source.text(place, value, f"task {name}"))
    found = source.keys(place, value, f"task {name}", TASK)
    if "task" not in found:
        source.refuse(place, f"task {name}: task is missing: {TASK['task']}")
    limit = found.get("limit")
    if limit is not None:
        positive(source, (*place, "limit"), limit, "limit")
    prompt = found.get("prompt")
    if prompt is not None:
        source.text((*place, "prompt"), prompt, "prompt")
    wording = found.get("wording") or {}
    for part, text in (
        source.mapping((*place, "wording"), wording, "wording").items() if wording else ()
    ):
        at = (*place, "wording", part)
        source.text(at, text, f"wording {part}")
        try:
            checked(part, text)
        except InputError as error:
            source.refuse(at, f"wording: {error}")
    task = source.text((*place, "task"), found["task"], f"task {name}")
    return TaskOf(name, task, limit, prompt, dict(wording))


def required(source: Source, value: Any) -> dict[str, str]:
    if value is None:
        return {}
    found = source.mapping(("requires",), value, "requires")
    return {n: source.text(("requires", n), v, f"requires {n}") for n, v in found.items()}


def missing(study: Study) -> str | None:
    """Why the study cannot be run here: the first path that it requires and that is not there."""
    for path, how in study.requires.items():
        if not (Path(path).exists() or (study.path.parent / path).exists()):
            return f"{path} is not there; it is made by {how}"
    return None


def claims_of(source: Source, value: Any) -> list[str]:
    if value is None:
        return []
    found = source.names(("claims",), value, "claims")
    for number, name in enumerate(found):
        if name not in CLAIMS:
            source.refuse(
                ("claims", number), f"claims: expected some of {', '.join(CLAIMS)}, got {name!r}"
            )
    return found


def seeds_of(source: Source, value: Any) -> list[int]:
    found = value if isinstance(value, list) else [value]
    if not found:
        source.refuse(("seeds",), "seeds: expected whole numbers from 0, got an empty list")
    for number, each in enumerate(found):
        if not is_whole(each, 0):
            source.refuse(
                ("seeds", number), f"seeds: expected whole numbers from 0, got {said(each)}"
            )
    source.refuse_twice(("seeds",), found, "seeds")
    return found


def quick_of(source: Source, value: Any, steps: Mapping[str, Step]) -> Mapping[str, Any]:
    found = source.keys(("quick",), value, "quick", QUICK)
    for name in ("limit", "samples"):
        if name in found:
            positive(source, ("quick", name), found[name], name)
    place = ("quick", "steps")
    for name, options in source.keys(place, found.get("steps") or {}, "quick steps", steps).items():
        KINDS[steps[name].kind].options_of(source, (*place, name), name, options)
    without = found.get("without") or []
    names = source.names(("quick", "without"), without, "without") if without else []
    for number, name in enumerate(names):
        if name not in steps:
            source.refuse(("quick", "without", number), f"without: there is no step {name!r}")
    return found
