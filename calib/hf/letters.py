"""Greedy until a letter stands: the confidence of the published code (hfutml/Calibration-MLLM).

Behind the prompt the likeliest token is taken, then the likeliest behind that, for at most STEPS
steps. The first that adds one letter of the question's options to the text, and nothing else, is
the answer; its probability in the whole vocabulary is the confidence, and the options' scores are
those of this step's logits. A letter behind a space is another text, and is stepped over. An end
token, or no letter in all of the steps, leaves the question unparsed.

The prompts are read once and the steps taken on their cache, as answers are sampled
(``calib.hf.decoding``). The first step's logits also give the reading at the fixed position
(``calib.hf.scoring``), where the options begin behind the same tokens; else that is a further pass.

Axis legend: N rows of a batch, n those that still decode, O options, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import StoppingCriteriaList

from calib.hf.decoding.loop import WORTH_CAPTURING, WORTH_LEAVING, look_every
from calib.hf.decoding.prefix import Rows
from calib.hf.decoding.sampling import generated
from calib.hf.encoding import Encoded
from calib.hf.ends import end_tokens
from calib.hf.reader import Part, Reader
from calib.hf.refusals import naming
from calib.hf.scoring import Scores, joined, of_ids, of_single_tokens
from calib.models.letters import STEPS
from calib.models.protocol import Sampling
from calib.records import InputError
from calib.tasks.files import LETTERS

if TYPE_CHECKING:
    from calib.hf.model import Model

NONE = -1
OF_POSITION = (
    "prediction", "token", "confidence_options", "confidence_vocab", "mass", "entropy",
    "vocab_entropy", "parsed", "valid", "prob", "logprob",
)  # fmt: skip
"""What a record keeps of the reading at the fixed position."""
OF_LETTER = (
    "prediction", "token", "confidence", "confidence_options", "confidence_vocab", "mass",
    "entropy", "vocab_entropy", "correct", "step",
)  # fmt: skip
"""What is null where no letter stood."""


class Alphabet:
    """The tokens of a tokenizer that add one letter to a text, and nothing else."""

    def __init__(self, tokenizer: Any) -> None:
        before = tokenizer("(", add_special_tokens=False)["input_ids"][-1]
        start = str(tokenizer.decode([before], clean_up_tokenization_spaces=False))
        both = tokenizer.batch_decode(
            [[before, token] for token in range(len(tokenizer))], clean_up_tokenization_spaces=False
        )
        places = {f"{start}{letter}": place for place, letter in enumerate(LETTERS)}
        self.letters = torch.tensor([places.get(text, NONE) for text in both])
        """(V,): which letter each token is, NONE for the others."""
        own = [int(tokenizer.convert_tokens_to_ids(letter) or 0) for letter in LETTERS]
        found = [(self.letters == place).nonzero()[:, 0].tolist() for place in range(len(LETTERS))]
        self.tokens = [
            token if token in tokens else next(iter(tokens), NONE)
            for token, tokens in zip(own, found, strict=True)
        ]
        """A token of each letter: the one that is written so, else the first; NONE for none."""

    def check(self, batch: Sequence[Encoded]) -> None:
        """InputError for an item with a letter that is no token."""
        for encoded in batch:
            tokens = self.tokens[: len(encoded.options)]
            if NONE in tokens:
                raise InputError(
                    f"item {encoded.name!r}: expected a token for each of its letters with "
                    f"protocol paper, and this tokenizer has none for "
                    f"{LETTERS[tokens.index(NONE)]!r}"
                )


@dataclass(frozen=True)
class Searched:
    """A batch on its device: the scores where a letter stood (column ``step``, NONE where none
    did), and those at the fixed position."""

    letter: Scores
    position: Scores

    def rows(self) -> list[dict[str, Any]]:
        """One dict per row, after one copy to the host of each of both."""
        both = zip(self.letter.rows(), self.position.rows(), strict=True)
        return [row_of(row, fixed) for row, fixed in both]


def row_of(row: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    """The record fields of a question; ``fixed`` is its reading at the fixed position."""
    reading = {name: fixed[name] for name in OF_POSITION}
    parsed = row["step"] != NONE
    if not parsed:
        unknown = [None] * len(row["prob"])
        row = {**row, **dict.fromkeys(OF_LETTER), "prob": unknown, "logprob": unknown}
    return {**row, "parsed": parsed, "position": reading}


def search_letters(
    model: Model,
    batch: Sequence[Encoded],
    answers: Sequence[int | None],
    *,
    alphabet: Alphabet,
    temperature: float = 1.0,
) -> Searched:
    """Both readings of N prompts; ``answers`` (N,) are the right options."""
    shared = all(one.single and not one.cut for one in batch)
    letters: list[Scores] = []
    fixed: list[Scores] = []
    numbers: list[list[int]] = []
    whole = [replace(encoded, cut=0) for encoded in batch]  # the text as it is tokenised
    with naming(model.hf, [encoded.name for encoded in batch]):
        for part in decoded_apart(model.reader, whole):
            own = [batch[n] for n in part.rows]
            walk = Walk(model, own, [answers[n] for n in part.rows], alphabet, temperature)
            letters.append(walk.taken(part.inputs))
            numbers.append(part.rows)
            # The model may be given other positions to go on from than to be read at.
            shared = shared and part.source.positions
            if shared:
                fixed.append(walk.position())
    if shared:
        return Searched(joined(letters, numbers), joined(fixed, numbers))
    read = model.score_batch(batch, answers, confidence="vocab", temperature=temperature)
    return Searched(joined(letters, numbers), read)


def decoded_apart(reader: Reader, batch: Sequence[Encoded]) -> Iterator[Part]:
    """The parts of a batch, in which prompts are read and stepped as each alone."""
    for part in reader.parts(batch):
        if len(part.rows) == 1 or reader.steps_apart(part, batch):
            yield part
            continue
        for n in part.rows:
            (one,) = reader.parts([batch[n]])
            yield one._replace(rows=[n])


class Walk:
    """The steps of N prompts, each to its letter."""

    def __init__(
        self,
        model: Model,
        batch: Sequence[Encoded],
        answers: Sequence[int | None],
        alphabet: Alphabet,
        temperature: float,
    ) -> None:
        self.model, self.batch, self.temperature = model, batch, temperature
        counts, device = [len(encoded.options) for encoded in batch], model.device
        tokens = [[*alphabet.tokens[:n], *[NONE] * (max(counts) - n)] for n in counts]
        self.tokens = torch.tensor(tokens, device=device)  # (N, O)
        self.counts = torch.tensor(counts, device=device)
        labels = [-100 if answer is None else answer for answer in answers]
        self.labels = torch.tensor(labels, device=device)
        self.ends = torch.tensor(end_tokens(model.hf), dtype=torch.long, device=device)
        self.letters = alphabet.letters.to(device)
        self.first: Tensor | None = None  # (N, V), the logits behind the prompts

    def taken(self, inputs: dict[str, Any]) -> Scores:
        """The scores where each prompt's letter stood; ``inputs`` are the prompts'."""

        def method(
            hf: Any,
            input_ids: Tensor,
            logits_processor: Any,
            stopping_criteria: Any,
            generation_config: Any,
            **kwargs: Any,
        ) -> dict[str, Tensor]:
            return self.steps(Rows(hf, input_ids, generation_config, kwargs, 1), input_ids)

        how = Sampling(samples=1, greedy=True, max_new_tokens=STEPS)
        none = StoppingCriteriaList()
        found = generated(self.model.hf, inputs, self.model.tokenizer, how, none, method)
        counts = tuple(len(encoded.options) for encoded in self.batch)
        return Scores(found.pop("logprob"), found.pop("prob"), found, counts, "vocab")

    def position(self) -> Scores:
        """The scores at the fixed position, of the first step's logits."""
        assert self.first is not None, "the steps are taken before"
        options = [encoded.options for encoded in self.batch]
        return of_single_tokens(
            self.first, options, self.labels, "vocab", temperature=self.temperature
        )

    @torch.no_grad()
    def steps(self, rows: Rows, ids: Tensor) -> dict[str, Tensor]:
        """Every column by name, and logprob and prob; rows that are done leave, or are frozen."""
        numbers = torch.arange(len(ids), device=ids.device)
        going = torch.ones_like(numbers, dtype=torch.bool)
        found: dict[str, Tensor] = {}
        self.first = rows.logits
        for step in range(STEPS):
            if step:
                rows.step(ids)
            values, token = self.at(rows.logits, numbers)
            stands = going & (values["step"] != NONE)
            lost = going & ~values["valid"]
            values["step"] = torch.where(stands & ~lost, step, NONE)
            put(found, values, numbers, stands | lost)
            going = going & ~stands & ~lost & ~torch.isin(token, self.ends)
            ids = torch.cat([ids, token[:, None]], dim=1)
            # Most models say the letter at once; later a look waits for the device.
            if step and (step + 1) % look_every(ids.device):
                continue
            left = int(going.sum())
            if left == 0:
                break
            worth = WORTH_LEAVING if rows.replayed is None else WORTH_CAPTURING
            if step and rows.may_leave and len(going) - left >= worth * len(going):
                stay = going.nonzero()[:, 0]
                rows.keep(stay)
                numbers, ids, going = numbers[stay], ids[stay], going[stay]
        return found

    def at(self, logits: Tensor, numbers: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """What logits (n, V) of the prompts ``numbers`` (n,) say, and their likeliest tokens (n,).

        ``step`` is NONE where the likeliest token is no letter of the options. Of a letter that is
        several tokens, the likeliest token takes the place of its usual one.
        """
        token = logits.argmax(1)  # of equal ones the first
        more = logits.shape[1] - len(self.letters)
        letter = torch.nn.functional.pad(self.letters, (0, max(0, more)), value=NONE)[token]
        stands = (letter >= 0) & (letter < self.counts[numbers])
        usual = self.tokens[numbers]
        place = letter.clamp(min=0, max=usual.shape[1] - 1)[:, None]
        said = torch.where(stands[:, None], token[:, None], usual.gather(1, place))
        ids = usual.scatter(1, place, said)[:, :, None]
        labels = self.labels[numbers]
        logprob, prob, columns = of_ids(logits, ids, labels, "vocab", self.temperature)
        columns["step"] = torch.where(stands, 0, NONE)
        return {"logprob": logprob, "prob": prob, **columns}, token


def put(
    found: dict[str, Tensor], values: dict[str, Tensor], numbers: Tensor, chosen: Tensor
) -> None:
    """Write the ``chosen`` (n,) rows of ``values`` down in place of what is ``found`` of them."""
    for name, value in values.items():
        if name not in found:  # the first step, of all rows
            found[name] = value.clone()
            continue
        mask = chosen if value.dim() == 1 else chosen[:, None]
        found[name][numbers] = torch.where(mask, value, found[name][numbers])
