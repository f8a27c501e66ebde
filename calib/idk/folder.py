"""An IDK set on disk: sampled, judged, labelled, exported.

``samples/``                      the answers that the labels come from, a run of ``calib sample``
``pictures.json``                 the digest of each picture: equal ones are in one part
``results.json``                  threshold, counts, the sweep over thresholds, provenance
``README.md``                     the card; ``datasets.load_dataset`` reads the folder by it
``labels/``, ``sft/``, ``preference/``  files of rows, two per part: see ``calib.idk.files``
``images/``                       the pictures that they name, unless ``copy_images`` is False
``evaluation/``                   what ``calib.idk.ask`` makes of it

Another threshold or another judge writes everything but ``samples/`` again and draws nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.fields import (
    Fields,
    check_fields,
    is_bool,
    is_share,
    is_text,
    read_object,
)
from calib.idk.build import Draws, count, need, parts, sweep
from calib.idk.draw import Subject, answered, draw
from calib.idk.export import card, file_name, preference_rows, record_rows, sft_rows
from calib.idk.files import write_rows
from calib.idk.pictures import OWN_PICTURES, Contents, Copies
from calib.judge import answerable, refuse_unjudgeable, verdicts
from calib.judge.choice import AUTO
from calib.models.protocol import Model
from calib.records import InputError, Item
from calib.runs import Run, open_run
from calib.runs.durable import refuse_no_folder, replace
from calib.runs.folder import CONFIG, RESULTS, Progress
from calib.tasks import Task, load_task
from calib.tasks.load import checked
from calib.tasks.prompts import build as prompt_of
from calib.uncertainty.measures import unstated

SAMPLES = "samples"
CARD = "README.md"
SHARES = {"train": 0.8, "test": 0.2}
QUESTIONS = 100
"""Questions of a build without ``limit``: minutes, not hours, on two cores."""
PROVENANCE = (
    "model", "class", "parameters", "dtype", "device", "task", "questions", "prompt", "samples",
    "temperature", "top_p", "top_k", "min_p", "greedy", "max_new_tokens", "stop", "seed",
    "batching", "versions", "machine", "git", "started",
)  # fmt: skip
OF_RESULTS: Fields = {
    "tau": ("a number from 0 to 1", is_share),
    "judge": ("text", is_text),
}


@dataclass(frozen=True)
class Labelled:
    """The labels of an IDK set; ``run`` holds the samples that they come from."""

    run: Run
    draws: list[Draws]
    tau: float
    judge: str

    @property
    def known(self) -> list[bool]:
        """Whether each item is known; what nobody can answer never is."""
        return [drawn.known(self.tau) for drawn in self.draws]


def build_set(
    model: Model | str | Subject,
    task: Task | str,
    out: str | Path,
    *,
    tau: float = 1.0,
    judge: str = AUTO,
    samples: int = 10,
    temperature: float = 1.0,
    top_p: float = 0.9,
    max_new_tokens: int = 24,
    seed: int = 0,
    limit: int | None = QUESTIONS,
    copy_images: bool = True,
    progress: Progress | None = None,
    **sampling: Any,
) -> dict[str, Any]:
    """Ask each question ``samples`` times, label and export; returns what results.json holds.

    n = 10 at temperature 1.0 and top_p 0.9, tau = 1.0 are the settings of "Say I Don't Know". The
    set holds its pictures, and rows name them relative to it; without ``copy_images`` rows name the
    files where they are. The same call goes on where an earlier one was stopped. Raises InputError
    for what can be refused before a model is loaded.
    """
    task = checked(task) if isinstance(task, Task) else load_task(task)
    check(tau, samples)
    refuse_no_folder(Path(out))
    refuse_unjudgeable(task.selection(limit, seed), judge)
    run = draw(
        Subject.of(model),
        task,
        Path(out) / SAMPLES,
        limit=limit,
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        max_new_tokens=max_new_tokens,
        seed=seed,
        progress=progress,
        **sampling,
    )
    return write_set(Path(out), label(run, tau, judge), copy_images)


def label_set(
    out: str | Path,
    *,
    tau: float | None = None,
    judge: str | None = None,
    copy_images: bool = False,
) -> Any:
    """The same samples labelled at another threshold or by another judge; draws nothing.

    Pictures that were copied before stay copied.
    """
    old = labels_of(out)
    again = label(old.run, old.tau if tau is None else tau, judge or old.judge)
    before = settings_of(Path(out)).get("copy_images", False)
    return write_set(Path(out), again, copy_images or before)


def labels_of(out: str | Path) -> Labelled:
    """The labels of a built set, made again from its samples."""
    out = Path(out)
    if not (out / SAMPLES / CONFIG).is_file():
        raise InputError(f"{out}: this is not an IDK set; calib idk build makes one")
    if not (out / RESULTS).is_file():
        raise InputError(
            f"{out}: its {RESULTS} is gone, which held tau and the judge; calib idk build with the "
            "same arguments writes it again and draws nothing"
        )
    settings = settings_of(out)
    return label(open_run(out / SAMPLES), settings["tau"], settings["judge"])


def settings_of(out: Path) -> dict[str, Any]:
    """What results.json of a set holds. InputError where it is damaged."""
    settings = read_object(out / RESULTS)
    check_fields(
        settings, str(out / RESULTS), OF_RESULTS, {"copy_images": ("true or false", is_bool)}
    )
    return settings


def label(run: Run, tau: float, judge: str) -> Labelled:
    """Judge and count the samples of a finished run."""
    check(tau, int(run.config["samples"]))
    items = run.items()
    refuse_unjudgeable(items, judge)
    if len(answered(run)) < len(items):
        raise InputError(f"{run.path}: answers are missing; give the command of calib idk build")
    texts: dict[int, list[str]] = {}
    table = run.answers()
    for index, text in zip(table["index"], table["text"], strict=True):
        texts.setdefault(int(index), []).append(text)
    draws = [
        count(item, texts[i], verdicts(item, [unstated(text) for text in texts[i]], judge))
        for i, item in enumerate(items)
    ]
    return Labelled(run, draws, tau, judge)


def check(tau: float, samples: int) -> None:
    try:
        need(tau, samples)
    except ValueError as error:
        raise InputError(str(error)) from error


def write_set(out: Path, labelled: Labelled, copy_images: bool) -> dict[str, Any]:
    """The card, the exports and results.json of a labelled set."""
    draws, tau, config = labelled.draws, labelled.tau, labelled.run.config
    contents = Contents(out, str(config["items"]))
    part = parts(draws, SHARES, int(config["seed"]), contents)
    contents.close()

    def prompt_text(item: Item) -> str:
        return prompt_of(item, str(config["prompt"])).text

    copies = Copies(out) if copy_images else None
    name = copies or file_name
    exports = {
        "labels": record_rows(draws, tau, parts=part, name=name),
        "sft": sft_rows(draws, tau, prompt=prompt_text, name=name),
        "preference": preference_rows(draws, tau, prompt=prompt_text, name=name),
    }
    if copies is not None:
        copies.close()
    pictures = out if copy_images else None
    of = dict(zip((drawn.item.id for drawn in draws), part, strict=True))
    files = {
        name: write_rows(out / name, [(of[row["id"]], row) for row in rows], SHARES, pictures)
        for name, rows in exports.items()
    }
    results = {
        "format": "calib.idk/1",
        "tau": tau,
        "judge": labelled.judge,
        "copy_images": copy_images,
        **tally(draws, tau),
        "sweep": sweep(draws),
        "parts": {name: part.count(name) for name in SHARES},
        "unread_pictures": len(contents.unread),
        "provenance": provenance(labelled),
    }
    text = card(draws, tau, results["provenance"]) + (OWN_PICTURES if copy_images else "")
    replace(out / CARD, with_files(text, files))
    replace(out / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return results


def tally(draws: Sequence[Draws], tau: float) -> dict[str, Any]:
    """How many items are known, over all and by group."""
    groups: dict[str, list[Draws]] = {}
    for drawn in draws:
        groups.setdefault(drawn.item.group or "", []).append(drawn)

    def counts(some: Sequence[Draws]) -> dict[str, Any]:
        known = sum(drawn.known(tau) for drawn in some)
        samples = sum(drawn.n for drawn in some)
        return {
            "questions": len(some),
            "known": known,
            "unknown": len(some) - known,
            "unanswerable": sum(not answerable(drawn.item) for drawn in some),
            "sample_accuracy": sum(drawn.correct for drawn in some) / samples,
            "sample_refusals": sum(drawn.refused for drawn in some) / samples,
            "sample_unparsed": sum(drawn.unparsed for drawn in some) / samples,
        }

    return {
        "counts": counts(draws),
        "groups": [{"group": name, **counts(groups[name])} for name in sorted(groups)],
    }


def provenance(labelled: Labelled) -> dict[str, Any]:
    config = labelled.run.config
    facts = {name: config[name] for name in PROVENANCE if name in config}
    judge = labelled.judge
    if judge == AUTO:
        judge = "letter where there are options, else contains"
    return {**facts, "judge": judge, "tau": labelled.tau}


def with_files(text: str, files: Mapping[str, Mapping[str, str]]) -> str:
    """The card with the names by which ``datasets.load_dataset(folder, name)`` finds the rows."""
    lines = ["configs:"]
    for name, parts_of in files.items():
        if parts_of:
            lines += [f"- config_name: {name}", "  data_files:"]
            for part, path in parts_of.items():
                lines += [f"  - split: {part}", f"    path: {path}"]
    return text.replace("---\n", "---\n" + "\n".join(lines) + "\n", 1)
