"""What the command's flags mean: text in, checked values out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.runs.durable import refuse_no_folder


def model_arguments(model: str, text: str, device: str | None = None) -> tuple[str, dict[str, Any]]:
    """A path or name and its arguments; ``hf`` takes the path from ``pretrained=``."""
    arguments = assignments("--model_args", text)
    if device is not None:
        arguments["device"] = device
    if model not in ("hf", "hf-multimodal"):
        return model, arguments
    if "pretrained" not in arguments:
        raise InputError(f"--model {model} needs --model_args pretrained=<path or name>")
    return str(arguments.pop("pretrained")), arguments


def assignments(flag: str, text: str) -> dict[str, Any]:
    """``name=value,name=value`` as a dict; values are ``typed``."""
    values: dict[str, Any] = {}
    for part in filter(None, (entry.strip() for entry in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise InputError(f"{flag}: expected name=value,name=value, got {part!r}")
        values[name.strip()] = typed(value.strip())
    return values


GENERATION = ("temperature", "top_k", "top_p", "min_p", "greedy", "max_new_tokens", "stop", "rows")


def generation(text: str) -> dict[str, Any]:
    """``--gen_kwargs`` by name; ``stop`` is one or more texts, separated by ``|``."""
    settings = assignments("--gen_kwargs", text)
    wrong = [name for name in settings if name not in GENERATION]
    if wrong:
        raise InputError(f"--gen_kwargs: {wrong[0]!r} is not one of {', '.join(GENERATION)}")
    if "stop" in settings:
        settings["stop"] = tuple(str(settings["stop"]).split("|"))
    return settings


def typed(value: str) -> Any:
    """true, false, none and numbers as Python's values; everything else as text."""
    words = {"true": True, "false": False, "none": None}
    if value.lower() in words:
        return words[value.lower()]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def batch(value: str) -> int | str:
    if value == "auto":
        return value
    rows = typed(value)
    if isinstance(rows, int) and rows > 0 and not isinstance(rows, bool):
        return rows
    raise InputError(f"--batch_size: expected auto or a positive number, got {value!r}")


def one_of(flag: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise InputError(f"{flag}: expected one of {', '.join(allowed)}, got {value!r}")


def one_task(tasks: str) -> None:
    """InputError where ``--tasks`` lists several, and the command takes one."""
    if "," in tasks and not Path(tasks).exists():
        raise InputError(f"--tasks: expected one task, got {tasks!r}")


def chosen(
    model: str,
    tasks: str,
    output_path: Path | None,
    include_path: Path | None,
    wordings: Sequence[str] = (),
    prompt: str | None = None,
) -> list[tuple[Any, Path]]:
    """The tasks named in ``tasks``, loaded and worded, each with the folder of its run."""
    names = [entry.strip() for entry in tasks.split(",") if entry.strip()]
    folders = run_folders(model, names, output_path)
    for folder in folders:
        refuse_no_folder(folder)
    own = [worded(load(name, include_path), wordings, prompt) for name in names]
    return list(zip(own, folders, strict=True))


def worded(task: Any, wordings: Sequence[str], prompt: str | None) -> Any:
    """The task in the wordings of ``--wording``, each of a part that ``prompt`` has a place for."""
    if not wordings:
        return task
    from calib.prompts.parts import refuse_fixed, reworded, wording_of

    parts: set[str] = set()
    for argument in wordings:
        part, text = wording_of(argument)
        if part in parts:
            raise InputError(f"--wording: {part} is worded twice; expected it once")
        parts.add(part)
        refuse_fixed(part, prompt or task.prompt)
        task = reworded(task, part, text)
    return task


def run_folders(model: str, tasks: list[str], output_path: Path | None) -> list[Path]:
    """One folder per task: ``output_path`` itself for one task, sub-folders for several."""
    if not tasks:
        raise InputError("--tasks: expected at least one name or file; calib tasks lists them")
    names = [Path(task).stem or task for task in tasks]
    if len(set(names)) < len(names):
        raise InputError(f"--tasks: {tasks} would share one folder; give the files other names")
    if output_path is not None and len(tasks) == 1:
        return [output_path]
    base = output_path or Path("runs") / "".join(
        c if c.isalnum() or c in "-._" else "_" for c in model
    )
    return [base / name for name in names]


def load(task: str, include_path: Path | None) -> Any:
    from calib.tasks import load_task

    included = include_path / task if include_path is not None else None
    return load_task(str(included) if included is not None and included.exists() else task)
