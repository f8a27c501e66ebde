"""What a drive needs of a model, whatever runs it: a library, an engine, a server.

A model makes a plan for a list of questions, and a plan does the work. Plans are made before there
is a run folder, so every refusal of a question comes first. The plan decides how questions share a
forward pass, a queue or a connection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Protocol, runtime_checkable

from calib.models.letters import POSITION, PROTOCOLS, check_letters
from calib.records import Answer, InputError, Item
from calib.runs.histogram import Histogram

BATCHING = ("plan", "packed")
THINKING = ("off", "on", "own")
Row = dict[str, Any]


def is_whole(value: Any, low: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= low


def is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


POSITIVE = (lambda value: is_whole(value, 1)), "a positive whole number"
FITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "samples": POSITIVE,
    "temperature": (
        lambda value: is_real(value) and 0 < value < math.inf,
        "a positive number (greedy=true takes the likeliest token, as at temperature 0)",
    ),
    "top_k": (lambda value: is_whole(value, 0), "a whole number, 0 (all tokens) or more"),
    "top_p": (lambda value: is_real(value) and 0 < value <= 1, "above 0 and at most 1"),
    "min_p": (lambda value: is_real(value) and 0 <= value <= 1, "from 0 to 1"),
    "greedy": (lambda value: isinstance(value, bool), "true or false"),
    "max_new_tokens": POSITIVE,
    "seed": (lambda value: is_whole(value, 0) and value < 2**64, "from 0 to 2^64 - 1"),
    "rows": POSITIVE,
    "first": (lambda value: is_whole(value, 0), "0 or more"),
    "stop": (all, "texts that are not empty"),
}
"""Of each setting whether a value is one, and what is expected."""


@dataclass(frozen=True)
class Abilities:
    """What a model can do. ``thinking`` is the text that ends its thoughts, None where it has none;
    ``seeds``: the same seed, item and sample give the same answer; ``letters``: it can go on to a
    letter (protocol ``paper``)."""

    images: bool = False
    option_scores: bool = False
    token_logprobs: bool = False
    seeds: bool = False
    thinking: str | None = None
    letters: bool = False


@dataclass(frozen=True)
class Scoring:
    """How options are scored. ``prompt`` is one of ``calib.tasks.prompts.FORMS``; the others are
    arguments of ``calib.score``.

    With ``orders`` above 1, items of one id that follow each other are one question in several
    prompts, as orders of its options (``calib.models.orders``) or wordings (``calib.prompts``), and
    a batch holds all of them. ``protocol``: ``calib.models.letters``."""

    prompt: str
    variants: bool = False
    confidence: str = "options"
    temperature: float = 1.0
    normalize: str = "sum"
    thinking: str = "off"
    batch_size: int | str = "auto"
    orders: int = 1
    protocol: str = POSITION

    def __post_init__(self) -> None:
        """InputError, naming the setting, for what no score has."""
        check_scoring(self.confidence, self.temperature, self.normalize)
        one_of("thinking", self.thinking, THINKING)
        check_batch_size(self.batch_size)
        one_of("protocol", self.protocol, PROTOCOLS)
        check_letters(self)
        check_orders(self.orders, self.confidence, self.normalize, self.thinking)


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn: samples ``first`` to ``first + samples - 1`` of each question, and
    ``rows`` is the most that decode at once."""

    samples: int = 20
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    greedy: bool = False
    max_new_tokens: int = 64
    stop: tuple[str, ...] = ()
    seed: int = 0
    rows: int = 256
    first: int = 0

    def __post_init__(self) -> None:
        """InputError, naming the setting, for what no distribution has."""
        for name, (fits, expected) in FITS.items():
            value = getattr(self, name)
            if not fits(value):
                raise InputError(f"{name}: expected {expected}, got {value!r}")


@dataclass(frozen=True)
class Answering:
    """How questions are asked (``prompt``, ``thinking``), how their answers are drawn, and whether
    answers keep to a plan that each question alone decides or are packed."""

    prompt: str
    sampling: Sampling
    batching: str = "plan"
    thinking: str = "own"

    def __post_init__(self) -> None:
        one_of("batching", self.batching, BATCHING)
        one_of("thinking", self.thinking, THINKING)


@dataclass(frozen=True)
class ScoredBatch:
    """What came of a batch: the record fields that scoring yields, question by question."""

    number: int
    rows: Sequence[Row]
    histogram: Histogram | None = None  # of the rows that have an answer, where the model made it


class ScorePlan(Protocol):
    """The work of scoring a list of questions."""

    @property
    def prompts(self) -> Sequence[str]:
        """The exact text of each question, up to where the model answers."""

    @property
    def batches(self) -> Sequence[Sequence[int]]:
        """Indices of the questions of each batch, the unit of resuming. They are a function of the
        questions and of ``Scoring`` alone."""

    def run(self, numbers: Iterable[int], bins: int | None = None) -> Iterator[ScoredBatch]:
        """The batches of these numbers, in their order; one may run while another is yielded.

        With ``bins`` a model that counts confidences where it computes them gives each batch its
        histogram of so many bins.
        """


class AnswerPlan(Protocol):
    """The work of answering a list of questions."""

    @property
    def prompts(self) -> Sequence[str]:
        """As of ``ScorePlan``."""

    def run(
        self, indices: Sequence[int], samples: int, first: int
    ) -> Iterator[tuple[int, list[Answer]]]:
        """(index, its answers ``first`` to ``first + samples - 1``) of these questions, in any
        order."""


class Model(Protocol):
    """A model as the drives know it."""

    @property
    def name(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What config.json says of the model. A run goes on with a model of the same facts; of
        ``device`` only the kind counts ("cuda:1" is "cuda")."""

    @property
    def can(self) -> Abilities: ...

    def scores(self, items: Sequence[Item], how: Scoring) -> ScorePlan:
        """Raises InputError, naming the item, for a question that cannot be scored so."""

    def answers(self, items: Sequence[Item], how: Answering) -> AnswerPlan:
        """Raises InputError, naming the item, for a question that cannot be asked so."""


@runtime_checkable
class Remembering(Protocol):
    """A model that can keep what it made of pictures, for prompts about the same ones."""

    def remembering(self, gigabytes: float) -> AbstractContextManager[Any]:
        """While this is open, no picture is encoded twice, as long as there is room."""


def one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raise InputError where ``value`` is not in ``allowed``."""
    if value not in allowed:
        raise InputError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")


def check_scoring(
    confidence: str = "options", temperature: float = 1.0, normalize: str = "sum"
) -> None:
    """InputError, naming the setting, for what no score has."""
    one_of("confidence", confidence, ("options", "vocab"))
    one_of("normalize", normalize, ("sum", "mean"))
    if normalize == "mean" and confidence == "vocab":
        raise InputError(
            "normalize: 'mean' ranks options by no probability in the vocabulary; expected 'sum' "
            "with confidence 'vocab'"
        )
    if not is_real(temperature) or not 0 < temperature < math.inf:
        raise InputError(f"temperature: expected a positive number, got {temperature!r}")


def check_orders(
    orders: int, confidence: str = "options", normalize: str = "sum", thinking: str = "off"
) -> None:
    """InputError for a number of orders that is none, and for what cannot be averaged over them."""
    if not is_whole(orders, 1):
        raise InputError(f"orders: expected a positive whole number, got {orders!r}")
    if orders == 1:
        return
    if confidence != "options":
        raise InputError(
            f"confidence: {confidence!r} is a probability behind one prompt; expected 'options' "
            f"with {orders} orders"
        )
    if normalize != "sum":
        raise InputError(
            f"normalize: {normalize!r} gives no probabilities that could be averaged; expected "
            f"'sum' with {orders} orders"
        )
    if thinking == "on":
        raise InputError(
            f"thinking: thoughts are about one order of the options; expected 'off' or 'own' with "
            f"{orders} orders"
        )


def check_batch_size(batch_size: int | str) -> None:
    """InputError for a size that is neither "auto" nor a positive number."""
    if batch_size != "auto" and not is_whole(batch_size, 1):
        raise InputError(f"batch_size: expected auto or a positive number, got {batch_size!r}")
