"""What a ``Monitor`` has of one call of ``generate``, and what it makes of it at the end.

Axis legend: R rows, L steps, V vocabulary, O options, M spellings of an option.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calib.records import InputError

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Monitored:
    """Every step of one call of ``generate``, in nats; NaN and token -1 behind a row's end.

    ``distribution``: what was measured. "model": the model's own; "drawn": what tokens are drawn
    from; "given": what the monitor was given as a processor. ``mask`` is true up to the end of a
    row, its end token counted. ``option_prob`` is over the options alone (NaN where a filter left
    none), and times ``mass`` over the vocabulary; both are None without options.
    """

    distribution: str
    tokens: NDArray[np.int64]  # (R, L)
    mask: NDArray[np.bool_]  # (R, L)
    logprob: Floats  # (R, L) of the chosen token
    entropy: Floats  # (R, L)
    confidence: Floats  # (R, L) largest probability
    mass: Floats | None  # (R, L) probability of all options together
    option_prob: Floats | None  # (R, L, O)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(R,) tokens of each row."""
        return np.asarray(self.mask.sum(axis=1), dtype=np.int64)


class Watch:
    """Collects one call; its tensors are on the model's device, each of R rows."""

    def __init__(
        self,
        distribution: str,
        *,
        prompt: int,
        rows: int,
        ends: Sequence[int],
        options: Tensor | None,
        of: Any,
    ) -> None:
        """prompt: columns before the first chosen token; of: what tells this call from others."""
        self.distribution, self.prompt, self.rows = distribution, prompt, rows
        self.ends, self.options, self.of = ends, options, of
        self.measured: list[Tensor] = []  # L of (R, C): confidence, entropy, mass, prob of options
        self.tokens: list[Tensor] = []  # L or L - 1 of (R,), and so are the following
        self.logprob: list[Tensor] = []
        self.ended: list[Tensor] = []  # bool; empty where end tokens must tell
        self._open: tuple[Tensor, Tensor, Tensor] | None = None  # the step without its token

    def goes_on(self, input_ids: Tensor) -> bool:
        """Whether these are the rows watched so far, with one token more."""
        return input_ids.shape == (self.rows, self.prompt + len(self.measured))

    def measure(self, scores: Tensor, prediction: Tensor, numbers: Sequence[Tensor]) -> None:
        """A step: scores (R, V), their likeliest token (R,), and numbers (R,) of which the first
        is its probability."""
        self._open = scores, prediction, numbers[0]
        self.measured.append(torch.stack([number.float() for number in numbers], dim=1))

    def choose(self, token: Tensor, ended: Tensor | None = None) -> None:
        """The tokens (R,) that the step chose, and which rows a stopping criterion ended."""
        self.tokens.append(token.clone())  # a column would keep all ids of its step
        self.logprob.append(self._logprob_of(token))
        self._open = None
        if ended is not None:
            self.ended.append(ended)

    def cut(self, columns: int) -> None:
        """Forget a step that ``generate`` took back, where sequences have fewer columns."""
        steps = columns - self.prompt
        for kept in (self.measured, self.tokens, self.logprob, self.ended):
            del kept[steps:]

    def result(self, sequences: Tensor | None) -> Monitored:
        said = None if sequences is None else self._answers(sequences)
        steps = len(self.measured) if said is None else len(said)
        own, logprob = self.tokens[:steps], self.logprob[:steps]
        if len(own) < steps:
            unknown = self.measured[0].new_full((self.rows,), torch.nan)
            last = unknown.new_full((self.rows,), -1, dtype=torch.int64)
            if said is not None:
                last, unknown = said[-1], self._logprob_of(said[-1])
            own, logprob = [*own, last], [*logprob, unknown]
        tokens, said_tokens, ended, numbers = self._on_host(own, said, logprob, steps)
        if said is not None and not np.array_equal(tokens, said_tokens):
            raise InputError(
                "sequences: these are not the ids that the monitored call of generate returned"
            )
        ended = ended if self.ended else np.isin(tokens, self.ends)
        mask: NDArray[np.bool_] = np.cumsum(ended, axis=1) - ended == 0
        numbers[~mask] = np.nan
        return Monitored(
            self.distribution,
            tokens=np.where(mask, tokens, -1),
            mask=mask,
            logprob=numbers[..., -1],
            confidence=numbers[..., 0],
            entropy=numbers[..., 1],
            mass=None if self.options is None else numbers[..., 2],
            option_prob=None if self.options is None else numbers[..., 3:-1],
        )

    def _logprob_of(self, token: Tensor) -> Tensor:
        assert self._open is not None
        scores, prediction, confidence = self._open
        # The difference of two logits is exact where that of one and the log of a sum is not.
        both = scores.gather(1, torch.stack([token.to(prediction.device), prediction], dim=1))
        return (both[:, 0] - both[:, 1] + confidence.log()).float()

    def _answers(self, sequences: Tensor) -> Tensor:
        """(L, R) what the sequences say behind the prompts."""
        steps = len(self.measured)
        # ``generate`` may take back its last step, where it looks late at whether all have ended.
        whole = self.prompt + steps
        widths = (whole, max(whole - 1, self.prompt + 1))
        if sequences.dim() != 2 or len(sequences) != self.rows or sequences.shape[1] not in widths:
            raise InputError(
                f"sequences: expected shape ({self.rows}, {whole}), as the monitored call of "
                f"generate returned it, got {tuple(sequences.shape)}"
            )
        return sequences[:, self.prompt :].T

    def _on_host(
        self, own: Sequence[Tensor], said: Tensor | None, logprob: Sequence[Tensor], steps: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], Floats]:
        """Tokens, tokens that the sequences say, ends (R, L) and numbers (R, L, C + 1)."""
        tokens = torch.stack([*own])
        ended = torch.stack(self.ended[:steps]) if self.ended else torch.zeros_like(tokens)
        whole = [tokens, tokens if said is None else said.to(tokens.device), ended]
        floats = torch.cat(
            [torch.stack(self.measured[:steps]), torch.stack([*logprob])[..., None]], -1
        )
        # One table of 32-bit words is one copy.
        table = torch.cat(
            [torch.stack(whole, dim=-1).to(torch.int32), floats.view(torch.int32)], dim=-1
        )
        words = table.transpose(0, 1).contiguous().cpu().numpy()
        numbers = np.ascontiguousarray(words[..., 3:]).view(np.float32)
        return words[..., 0].astype(np.int64), words[..., 1], words[..., 2].astype(bool), numbers


def option_ids(options: Sequence[int | str | Sequence[int | str]], tokenizer: Any) -> Tensor:
    """(O, M) token ids of the options, -1 behind shorter ones.

    Raises InputError for what is no token or no one token.
    """
    if isinstance(options, str) or len(options) == 0:
        raise InputError(f"options: expected a list of token ids or texts, got {options!r}")
    spellings = [option if isinstance(option, list | tuple) else [option] for option in options]
    rows = [[token_of(one, tokenizer) for one in option] for option in spellings]
    known: dict[int, int] = {}
    for number, ids in enumerate(rows):
        for token in ids:
            if known.setdefault(token, number) != number:
                raise InputError(
                    f"options: token {token} is in two of them, which share its probability"
                )
    width = max(map(len, rows))
    if not all(rows):
        raise InputError(
            "options: expected at least one token id or text for each, got an empty list"
        )
    return torch.tensor([row + [-1] * (width - len(row)) for row in rows])


def token_of(option: Any, tokenizer: Any) -> int:
    """The id of one spelling of an option."""
    if isinstance(option, str):
        if tokenizer is None:
            raise InputError(f"options: {option!r} is a text, which needs the tokenizer as well")
        ids = tokenizer.encode(option, add_special_tokens=False)
        if len(ids) != 1:
            raise InputError(
                f"options: {option!r} is {len(ids)} tokens of this tokenizer, and a step has the "
                "probability of one"
            )
        option = ids[0]
    if isinstance(option, bool) or not isinstance(option, int) or option < 0:
        raise InputError(f"options: expected token ids from 0 or texts, got {option!r}")
    return int(option)
