"""P(True): the model is shown an answer of its own and asked whether it is true.

Kadavath et al. 2022, "Language Models (Mostly) Know What They Know": the question, some samples as
brainstormed ideas, a possible answer, and the options True and False. P(True) is the probability of
True among the two. The possible answer is the one that ``side_by_side`` judges: that of a run of
separate answers, else the first sample; the ideas are other samples.

These questions are scored as any others, in a folder of their own within the folder of the run
whose answers they ask about. The right option is True where the judge calls the answer right, so
the folder's report says how well the model judges itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calib.drive.score import score
from calib.judge import verdicts
from calib.judge.choice import AUTO
from calib.models.protocol import Model
from calib.records import Answer, InputError, Item
from calib.runs import Run, open_run
from calib.runs.kinds import need
from calib.tasks import Task
from calib.tasks.prompts import FORMS, PASSAGES, listed
from calib.uncertainty.measures import bare
from calib.uncertainty.side_by_side import P_TRUE, cases, judgeable

OPTIONS = ("True", "False")
SHOWN = 5
"""At most so many other samples are shown as ideas."""


def p_true(
    model: Model | str,
    run: Run | str | Path,
    *,
    answers: Run | str | Path | None = None,
    shown: int = SHOWN,
    prompt: str = "letters",
    judge: str = AUTO,
    out: str | Path | None = None,
    **scoring: Any,
) -> Run:
    """P(True) of one answer to each question of a sampled ``run``, as a scored run.

    The model judges the answer in ``answers``, a run of the same questions (as one at a low
    temperature), else the first sample; up to ``shown`` of the other samples are shown before it.
    ``prompt`` "letters" offers (A) True and (B) False, "options" the words. ``out`` is by default
    the folder ``p_true`` of the run whose answers are judged, where ``calib report`` looks for it.

    P(True) is the first entry of a record's ``prob``; with ``confidence="vocab"`` it is read among
    all tokens. ``scoring`` goes to ``calib.score``, as confidence, variants, batch_size, progress.
    The same call goes on where an earlier one was stopped. Raises InputError, before anything is
    scored, for arguments that cannot be used.
    """
    run = opened(run)
    separate = None if answers is None else opened(answers)
    task = questions(run, separate, shown=shown, prompt=prompt, judge=judge)
    folder = (separate or run).path / P_TRUE
    return score(model, task, out=out if out is not None else folder, **scoring)


def opened(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else open_run(run, "calib p_true")


def questions(
    run: Run, answers: Run | None, *, shown: int, prompt: str = "letters", judge: str = AUTO
) -> Task:
    """The task "Is the possible answer true?", an item for each question of ``run``, in order."""
    for each in filter(None, (run, answers)):
        need(each, "calib p_true")
    if shown < 0:
        raise InputError(f"shown: expected 0 or more samples, got {shown}")
    sampled = run.items()
    known = {item.id for item in judgeable(sampled, judge)}
    items = []
    for item, answer, others in cases(run, sampled, answers, least=0):
        gold = None
        if item.id in known:
            gold = 0 if verdicts(item, [bare(answer)], judge)[0].correct else 1
        meta = {
            "cluster": item.meta.get("cluster", item.id),
            "ask_for_text": "Answer with True or False.",
            **{name: item.meta[name] for name in (*PASSAGES, "turns") if name in item.meta},
        }
        text = worded(item, str(run.config["prompt"]), answer, others[:shown])
        items.append(Item(item.id, text, item.images, OPTIONS, gold, item.group, meta))
    return Task(f"{run.config['task']}: P(True), {shown} shown", tuple(items), prompt)


def worded(item: Item, form: str, answer: Answer, ideas: Sequence[Answer]) -> str:
    """The question as prompt form ``form`` asked it, the ideas and the answer, each on a line."""
    lines = [f"Question: {item.question}"]
    if item.options and FORMS[form].line:
        lines.append(listed(item, FORMS[form].line))
    if ideas:
        lines += ["Here are some brainstormed ideas:", *map(in_line, ideas)]
    return "\n".join(
        [*lines, f"Possible answer: {in_line(answer)}", "Is the possible answer true?"]
    )


def in_line(answer: Answer) -> str:
    return " ".join(bare(answer).text.split())
