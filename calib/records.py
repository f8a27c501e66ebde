"""The records that travel from a dataset to a report, and the two errors a user can meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from PIL import Image

ImageRef: TypeAlias = "Path | Image.Image | EncodedImage | MadeImage"


class CalibError(Exception):
    """Something failed while running; its text is one readable paragraph. Exit code 1."""


class InputError(CalibError):
    """Something that can be refused before a model is loaded. Exit code 2."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image file's bytes as a table holds them, decoded each time it is looked at.

    ``name`` says in errors where they stand.
    """

    data: bytes
    name: str


@dataclass(frozen=True, slots=True)
class MadeImage:
    """A picture that is made of ``source`` each time it is looked at, and stored nowhere.

    ``recipe`` says all that makes it: two with one source and one recipe are the same picture.
    Records hold the source and the recipe. ``make`` takes and gives an RGB picture.
    """

    source: Path | Image.Image | EncodedImage
    recipe: str
    make: Callable[[Image.Image], Image.Image] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    ``images`` are paths or PIL images; a text is taken as a path. ``answer`` is the index of the
    right option, None where it is not known. ``group`` is the row of the per-group table.

    ``meta`` may hold what the model is shown, in every prompt form but ``decision``
    (``docs/prompts.md``):

    * ``lecture``, ``context``, ``hint``: texts that stand before the question, behind the words
      "Lecture:", "Context:" and "Hint:"; empty ones are left out;
    * ``turns``: (question, answer) pairs that were said before, in their order;
    * ``instruction``: the request behind the question, in place of the form's own wording (the
      form ``reason`` keeps its own);
    * ``ask_for_text``: the same for forms that welcome an answer in words, and for no others;
    * ``cue``: what the reply begins with, as "The answer must be", before the answer;
    * ``system``: the system prompt of a chat;

    and what is told of the question:

    * ``cluster``: what resampling keeps together, as an image that several questions are about;
    * ``spellings``: per option, the texts that count as it (default: the option's own text);
    * ``aliases``: texts that count as the answer of a question without options;
    * ``answerable``: False where nobody can know the answer, so that only a refusal is right;
    * ``idk``: the index of the option that means "I don't know";
    * ``reasoning``: what the model has said before it answers;
    * ``thinking``: what it has thought in the block that its chat template opens for that;
    * ``system_one``: a System One question as its file has it, which prompt form ``decision`` asks
      (``calib.tasks.decision_prompt``).
    """

    id: str
    question: str
    images: tuple[ImageRef, ...] = ()
    options: tuple[str, ...] = ()
    answer: int | None = None
    group: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = (at_home(i) if isinstance(i, (str, Path)) else i for i in self.images)
        object.__setattr__(self, "images", tuple(own))


def at_home(path: str | Path) -> Path:
    """The path, ``~`` at its beginning replaced by the home folder where there is one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody is called so
        return Path(path)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is shown for an item.

    ``text`` is the user's turn where ``chat`` is true, else the whole text up to the answer.
    ``options`` holds, per option, the texts whose appearance right there counts as that option;
    ``begun`` is what the model is taken to have said before them, ``thoughts`` what stands in its
    template's block of thoughts; None: nothing has been thought. ``turns`` are pairs of a user's
    and the model's turn before this one; the images belong to the first of them, and ``system``
    stands before them all.

    ``places`` says where in ``text`` each image stands; without it they stand before it.
    ``decision``: it is asked as transformers' ``pipeline("decision")`` does, whose options are
    tokens by themselves.
    """

    text: str
    images: tuple[ImageRef, ...]
    options: tuple[tuple[str, ...], ...]
    chat: bool = True
    begun: str = ""
    thoughts: str | None = None
    turns: tuple[tuple[str, str], ...] = ()
    system: str = ""
    places: tuple[int, ...] = ()
    decision: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One sampled answer.

    ``tokens`` counts what was generated. ``logprob`` is the sum of the tokens' log-probabilities
    under the distribution they were drawn from, ``entropy`` the mean entropy of those
    distributions, both in nats; None where they are not known, as for an API model. ``finish`` is
    "stop" (an end token), "length" or "stop_string".
    """

    text: str
    tokens: int = 0
    logprob: float | None = None
    entropy: float | None = None
    finish: str = "stop"

    @property
    def mean_logprob(self) -> float | None:
        """Log-probability per token; None where it is not known."""
        if self.logprob is None or self.tokens == 0:
            return None
        return self.logprob / self.tokens


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of an answer.

    ``parsed`` is what the answer was taken to say (the index of an option, a text, a number), None
    where that cannot be told; such an answer is not correct. ``correct`` is None where the item
    has no known answer or the judge failed. ``refused``: the answer says that it does not know.
    ``how`` is the rule that decided.
    """

    correct: bool | None
    parsed: int | float | str | None
    refused: bool
    how: str
