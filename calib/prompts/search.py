"""Iterative prompt optimisation, on one page: wordings in, the one that a model is honest with out.

seeds -> [rewritten -> ladder of questions -> ranked -> the best are kept] * rounds -> held out

The loop is that of the paper's second remedy (``docs/prompts.md``): every kept wording is
rewritten, all are ranked by one key, the best are kept. Here outcomes are cached by wording and
question, poor wordings are asked few questions, and the winner is judged on questions that the
search never saw.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.drive import engine
from calib.fields import read_object
from calib.models.protocol import Model, Remembering
from calib.prompts import held_out as judging
from calib.prompts.ladder import going_on, rungs
from calib.prompts.ledger import Ledger
from calib.prompts.objectives import OBJECTIVES, Numbers, Objective
from calib.prompts.parts import FORMAT, PARTS, checked, fault_of, refuse_fixed
from calib.prompts.questions import Questions, questions_of
from calib.prompts.rewriters import Rewriter, rewriter_of
from calib.prompts.settings import Settings
from calib.records import CalibError, InputError
from calib.runs.config import checked as checked_setting
from calib.runs.durable import replace
from calib.runs.folder import Progress, Work, slug
from calib.runs.kinds import PROMPT_SEARCH, RESULTS
from calib.tasks import Task
from calib.tasks.task import digest


@dataclass(frozen=True)
class PromptSearch:
    """What a search found: ``history`` round by round, the ``winner``'s text, what ``held_out``
    questions say of it, and the folder with all of it."""

    history: list[dict[str, Any]]
    winner: str
    held_out: dict[str, Any]
    path: Path


def optimize_prompts(
    model: Model | str,
    task: Task | str,
    *,
    part: str = "cue",
    seeds: Sequence[str] | None = None,
    rewriter: Rewriter | str | None = None,
    rounds: int = 10,
    keep: int = 5,
    rewrites: int = 5,
    objective: str = "ece",
    search: int | None = None,
    held_out: int | None = None,
    judged: str = "winner",
    elsewhere: Sequence[Task | str] = (),
    prompt: str | None = None,
    bins: int = 15,
    patience: int = 3,
    cache_gb: float = 4.0,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> PromptSearch:
    """Search for the wording of ``part``, a key of ``calib.prompts.parts.PARTS``, in ``out``.

    ``seeds``: wordings to begin with; ``rewriter``: "synonyms", "model" or a callable of a text
    that gives texts. In each of ``rounds`` the ``keep`` kept wordings get ``rewrites`` new ones
    each; after ``patience`` rounds of which none was kept, the search ends (0: never).
    ``objective`` is a key of ``OBJECTIVES``; with "truthful" ``task`` is the folder of an IDK set.
    ``search`` and ``held_out``: questions of each side (default 200, or half of them).
    ``judged``: "winner", or "kept" for all that were kept. ``elsewhere``: tasks on which the winner
    is judged as well. ``cache_gb``: of pictures and prompts as the model has read them, so that
    each picture is encoded once.

    The same call goes on where an earlier one was stopped, with more rounds too; ``calib report``
    makes the folder's page. Raises InputError for what is refused at once, CalibError where a seed
    cannot be asked or a wording cannot be judged.
    """
    # 1. What is asked, in which wordings, by whom.
    settings = Settings(rounds, keep, rewrites, patience, cache_gb, judged)
    if objective not in OBJECTIVES:
        raise InputError(f"objective {objective!r}: expected one of {', '.join(OBJECTIVES)}")
    wanted, seed = OBJECTIVES[objective], checked_setting("seed", seed)
    questions = questions_of(
        task,
        objective,
        prompt=prompt,
        bins=checked_setting("bins", bins),
        search=search,
        held_out=held_out,
        seed=seed,
    )
    first = first_wordings(part, seeds, questions, wanted)
    tasks = judging.tasks_elsewhere(elsewhere, questions, wanted)
    model = engine.loaded(model)
    write = rewriter if callable(rewriter) else rewriter_of(rewriter or "synonyms", model, seed)

    # 2. The folder, and what an earlier call left there.
    name = slug(f"{model.name}-{questions.task.name}-{part}")
    folder = Path(out) if out is not None else Path("runs") / name
    config = {
        **engine.facts_of(model),
        **config_of(questions, part, first, seed),
        **settings.facts,
        "rewriter": rewriter if isinstance(rewriter, str) else name_of(write),
    }
    apply = PARTS[part].apply
    for text in first:  # refused before there is a folder
        wanted.plan(model, [apply(item, text) for item in questions.items[:1]], 1, questions.how)
    before = continued(folder, rounds)
    kept = model.remembering(cache_gb) if isinstance(model, Remembering) else nullcontext()
    with Ledger(folder, config) as ledger, kept:
        # 3. Round by round.
        run = Search(model, questions, part, wanted, settings, ledger, progress)
        run.begin(first)
        while run.round < settings.rounds and not run.settled:
            run.rewrite(write)
        # 4. What the questions say that nothing was chosen by.
        result = judging.judge(run, folder, tasks, seed=seed)
    results = {"format": FORMAT, "continued": before, **run.facts, **result}
    return finished(folder, results)


def first_wordings(
    part: str, seeds: Sequence[str] | None, questions: Questions, objective: Objective
) -> list[str]:
    """The seeds, checked: every question can be asked in each."""
    if part not in PARTS:
        raise InputError(f"part {part!r}: expected one of {', '.join(PARTS)}")
    if isinstance(seeds, str):
        raise InputError(f"seeds: expected a list of texts, got {seeds!r}")
    form = questions.how.form
    refuse_fixed(part, form)
    found = list(seeds if seeds is not None else PARTS[part].seeds(form, questions.items))
    if not found:
        raise InputError("seeds: expected at least one wording to begin with")
    try:
        wordings = [checked(part, text) for text in found]
    except InputError as error:
        raise InputError(f"seeds: {error}") from error
    if len(set(wordings)) < len(wordings):
        raise InputError("seeds: every wording may appear only once")
    for text in wordings:
        objective.check([PARTS[part].apply(item, text) for item in questions.items], form)
    return wordings


def config_of(questions: Questions, part: str, seeds: Sequence[str], seed: int) -> dict[str, Any]:
    return {
        "kind": PROMPT_SEARCH,
        "task": questions.task.name,
        "source": questions.task.source,
        "questions": len(questions.items),
        "search": questions.search,
        "items": digest(questions.items),
        "part": part,
        "seeds": list(seeds),
        "seed": seed,
        **questions.facts,
    }


def name_of(rewriter: Rewriter) -> str:
    """How config.json calls a rewriter: a function's name, or its class's."""
    return str(getattr(rewriter, "__qualname__", type(rewriter).__qualname__))


class Search:
    """The state of a search: which wordings are kept, and what every round did."""

    def __init__(
        self,
        model: Model,
        questions: Questions,
        part: str,
        objective: Objective,
        settings: Settings,
        ledger: Ledger,
        progress: Progress | None = None,
    ) -> None:
        self.model, self.questions, self.part = model, questions, part
        self.objective, self.settings, self.ledger = objective, settings, ledger
        self.progress = progress
        self.round, self.idle = 0, 0
        self.kept: list[int] = []
        self.seeds: list[int] = []
        self.history: list[dict[str, Any]] = []
        self.read = self.whole_pool = 0
        """Prompts read; as many as scoring the whole pool in every round would have read."""

    @property
    def settled(self) -> bool:
        """Whether so many rounds brought nothing that no more are tried."""
        return 0 < self.settings.patience <= self.idle

    def begin(self, texts: Sequence[str]) -> None:
        """Round 0: the seeds, on all questions of the search."""
        ledger = self.ledger
        self.seeds = (
            ledger.rounds[0] if ledger.rounds else ledger.rewritten([(t, None) for t in texts])
        )
        self.ask(self.seeds, self.questions.searched)
        self.kept = self.ranked(self.seeds, self.questions.searched)[: self.settings.keep]
        self.note(new=self.seeds, ladder=[])

    def rewrite(self, rewriter: Rewriter) -> None:
        """One round: new wordings climb the ladder, and the best of all are kept."""
        self.round += 1
        ledger, settings = self.ledger, self.settings
        if self.round < len(ledger.rounds):
            new = ledger.rounds[self.round]
        else:
            new = ledger.rewritten(self.proposals(rewriter))
        pool = self.seeds if self.round == 1 else self.kept
        self.whole_pool += (len(pool) + len(new)) * self.questions.search
        alive, ladder = list(new), []
        for count in rungs(self.questions.search):
            if not alive:
                break
            self.ask(alive, range(count))
            alive = [wording for wording in alive if wording not in ledger.refused]
            ladder.append({"questions": count, "wordings": len(alive)})
            if count < self.questions.search:
                alive = self.ranked(alive, range(count))[: going_on(len(alive), settings.keep)]
        before = set(self.kept)
        ranked = self.ranked([*self.kept, *alive], self.questions.searched)
        self.kept = ranked[: settings.keep]
        self.idle = 0 if set(self.kept) - before else self.idle + 1
        self.note(new=new, ladder=ladder)

    def proposals(self, rewriter: Rewriter) -> list[tuple[str, int | None]]:
        """New texts, each with the kept wording that it was made of."""
        seen = set(self.ledger.texts)
        found: list[tuple[str, int | None]] = []
        for parent in self.kept:
            made = texts_of(rewriter, self.ledger.texts[parent], self.part)
            fresh = [text for text in dict.fromkeys(made) if text not in seen]
            found += [(text, parent) for text in fresh[: self.settings.rewrites]]
            seen.update(text for text, _ in found)
        return found

    def ask(self, wordings: Sequence[int], questions: Sequence[int]) -> None:
        """Ask what was not asked before; wordings that a question lacks are asked together."""
        todo: dict[tuple[int, ...], list[int]] = {}
        able = [w for w in wordings if w not in self.ledger.refused]
        for question in questions:
            lacks = tuple(w for w in able if (w, question) not in self.ledger.outcomes)
            if lacks:
                todo.setdefault(lacks, []).append(question)
        apply = PARTS[self.part].apply
        for lacks, own in todo.items():
            texts = [self.ledger.texts[w] for w in lacks]
            asked = [[apply(self.questions.items[q], text) for text in texts] for q in own]
            what = "1 wording" if len(texts) == 1 else f"{len(texts)} wordings"
            note = Work(f"round {self.round}, {what}", "questions")
            tell = engine.Telling(self.progress, 0, len(own), note)
            try:
                for place, outcomes in self.objective.ask(self.model, asked, self.questions.how):
                    item = self.questions.items[own[place]]
                    self.ledger.asked(own[place], item.id, lacks, outcomes)
                    tell.more(1)
            except CalibError as error:
                self.refuse(lacks, own, error)
                self.ask(wordings, questions)
                return

    def refuse(self, wordings: Sequence[int], questions: Sequence[int], error: CalibError) -> None:
        """Leave out what the model cannot be asked in, as a picture's placeholder in a text.

        Raises ``error`` where no new wording is at fault.
        """
        apply = PARTS[self.part].apply
        faults: dict[int, str] = {}
        for wording in wordings:
            text = self.ledger.texts[wording]
            left = [q for q in questions if (wording, q) not in self.ledger.outcomes]
            asked = [[apply(self.questions.items[q], text)] for q in left[:1]]
            try:
                list(self.objective.ask(self.model, asked, self.questions.how))
            except CalibError as fault:
                if wording in self.seeds:
                    raise CalibError(f"{self.part} {text!r}: {fault}") from fault
                faults[wording] = str(fault)
        if not faults:
            raise error
        self.ledger.refuse(faults)

    def numbers(self, wording: int, questions: Sequence[int]) -> Numbers:
        """What the outcomes of a wording come to; CalibError, naming it, where they do not."""
        try:
            return self.objective.numbers(
                self.ledger.of(wording, questions), self.questions.how.bins
            )
        except CalibError as error:
            raise CalibError(f"{self.part} {self.ledger.texts[wording]!r}: {error}") from error

    def ranked(self, wordings: Iterable[int], questions: Sequence[int]) -> list[int]:
        """Best first; of equal ones the first by its text."""
        texts, key = self.ledger.texts, self.objective.key
        return sorted(wordings, key=lambda w: (*key(self.numbers(w, questions)), texts[w]))

    def note(self, new: Sequence[int], ladder: list[dict[str, int]]) -> None:
        """Write down what a round did."""
        self.read = sum(q < self.questions.search for _, q in self.ledger.outcomes)
        self.history.append(
            {
                "round": self.round,
                "new": len(new),
                "ladder": ladder,
                "entered": len(set(new) & set(self.kept)),
                "kept": [self.told(w) for w in self.kept],
            }
        )

    def told(self, wording: int) -> dict[str, Any]:
        return {
            "text": self.ledger.texts[wording],
            **self.numbers(wording, self.questions.searched),
        }

    @property
    def facts(self) -> dict[str, Any]:
        """What results.json says of the search itself."""
        return {
            "model": self.model.name,
            "task": self.questions.task.name,
            "part": self.part,
            "objective": self.questions.facts["objective"],
            "searched": self.questions.search,
            "wordings": len(self.ledger.texts),
            "refused": {self.ledger.texts[w]: why for w, why in self.ledger.refused.items()},
            "planned": self.settings.rounds,
            "rounds": self.round,
            "settled": self.settled,
            "read": self.read,
            "whole_pool": self.whole_pool,
            "history": self.history,
        }


def texts_of(rewriter: Rewriter, text: str, part: str) -> list[str]:
    """What a rewriter makes of a text, less what is no wording of the part.

    Raises CalibError where it fails or gives something else than texts.
    """
    try:
        made = rewriter(text)
    except CalibError:
        raise
    except Exception as error:
        raise CalibError(
            f"rewriter: it failed on {text!r}: {error} ({type(error).__name__})"
        ) from error
    if not isinstance(made, (list, tuple)) or not all(isinstance(each, str) for each in made):
        raise CalibError(f"rewriter: expected a list of texts of {text!r}, got {made!r:.80}")
    return [each.strip() for each in made if not fault_of(part, each)]


def continued(folder: Path, rounds: int) -> bool:
    """Whether the held-out numbers of fewer rounds were there to be looked at."""
    path = folder / RESULTS
    earlier = read_object(path) if path.is_file() else {}
    planned = earlier.get("planned", rounds)
    return bool(earlier.get("continued")) or (isinstance(planned, int) and planned < rounds)


def finished(folder: Path, results: dict[str, Any]) -> PromptSearch:
    """Write results.json."""
    replace(folder / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return PromptSearch(results["history"], results["winner"], results["held_out"], folder)
