"""The forward by hand: one prompt through plain transformers, and nothing of calib's.

No padding, no batch. A continuation is read in two ways: in one full forward over prompt and
continuation (``whole``), and token by token by the model's own ``generate`` (``stepped``). Where
the two differ the model itself is not settled.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoProcessor, AutoTokenizer, GenerationConfig

from calib import Item
from calib.tasks.prompts import build
from tests.conformance.questions import ONE
from tests.conformance.records import BOUND, Unsettled, told

Inputs = dict[str, Any]
Tokens = tuple[int, ...]
# What the types of a continuation's tokens may be; which one is decided by the model's generate.
FILLS: tuple[str | int, ...] = ("last", 0, 1)


class Hand:
    """A family's model and processor, as transformers loads them."""

    def __init__(self, folder: Path, images: bool, dtype: torch.dtype = torch.float32) -> None:
        config = AutoConfig.from_pretrained(folder)
        kind = getattr(transformers, config.architectures[0])
        self.model = kind.from_pretrained(folder, dtype=dtype).eval()
        self.dtype = dtype
        self.speaker = (AutoProcessor if images else AutoTokenizer).from_pretrained(folder)
        self.tokenizer = getattr(self.speaker, "tokenizer", self.speaker)
        self.known: dict[tuple[str, Tokens], Tensor] = {}
        self.fill: str | int = FILLS[0]
        self.chat = getattr(self.speaker, "chat_template", None) is not None
        self.marked = self.chat or not images or self.marks_pictures()

    def marks_pictures(self) -> bool:
        """Whether a picture's token must be written into plain text, or the processor does that."""
        for self.marked in (True, False):
            try:
                self.whole(self.inputs([ONE]), ())
            except Exception:  # noqa: BLE001  (too many tokens, or none, or too few)
                continue
            return self.marked
        return True

    def text(self, item: Item) -> str:
        """The whole prompt. Without a chat template a picture's token stands on a line of its own,
        where the processor does not write it, and an answer cue ends the text."""
        asked = build(item, "options", chat=self.chat).text
        if not self.chat:
            token = getattr(self.speaker, "image_token", "")
            return f"{token}\n" * (len(item.images) if token and self.marked else 0) + asked
        content: Any = asked
        if self.speaker is not self.tokenizer:
            content = [{"type": "image"} for _ in item.images]
            content.append({"type": "text", "text": asked})
        turns = [{"role": "user", "content": content}]
        return str(
            self.speaker.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        )

    def options(self, item: Item) -> list[Tokens]:
        """Each option's token ids behind the prompt.

        What the processor writes behind a text, as PaliGemma's a line break, is the prompt's: an
        option's own space behind it is not doubled.
        """
        text = self.text(item)
        bare = self.ids(text)
        end = self.inputs([item])["input_ids"][0, -1:].tolist()
        tail = "" if end == bare[-1:] else str(self.tokenizer.decode(end))
        bare = self.ids(text + tail)
        found = []
        for option in item.options:
            spelled = option if self.chat or tail.isspace() else f" {option}"
            joint = self.ids(text + tail + spelled)
            if joint[: len(bare)] != bare:
                raise Unsettled(f"option {option!r} merges with the end of the prompt")
            found.append(tuple(joint[len(bare) :]))
        return found

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def inputs(self, items: Sequence[Item]) -> Inputs:
        """The processor's inputs of prompts; left-padded where they are several."""
        texts = [self.text(item) for item in items]
        bos = self.tokenizer.bos_token
        options: dict[str, Any] = {"return_tensors": "pt"}
        if bos is not None and all(text.startswith(bos) for text in texts):
            options["add_special_tokens"] = False  # as transformers does with templated text
        if len(items) > 1:
            options |= {"padding": True, "padding_side": "left"}
        try:
            found = self.processed(texts, [list(item.images) for item in items], options)
        except Exception as error:
            raise Unsettled(f"the processor by hand: {told(error)}") from error
        return self.accepted({name: self.cast(value) for name, value in found.items()})

    def cast(self, value: Any) -> Any:
        """Pictures in the model's dtype."""
        floats = isinstance(value, Tensor) and value.is_floating_point()
        return value.to(self.dtype) if floats else value

    def processed(self, texts: list[str], images: list[list[Any]], options: Inputs) -> Any:
        """Pictures go in prompt by prompt, or in one list where the processor wants it so."""
        if not any(images):
            reader = self.tokenizer if self.speaker is self.tokenizer else self.speaker
            try:
                return reader(text=texts, **options)
            except Exception:  # noqa: BLE001  (some processors want a picture)
                return transformers.BatchFeature(self.tokenizer(texts, **options))
        try:
            return self.speaker(text=texts, images=images, **options)
        except Exception:  # noqa: BLE001  (each processor refuses nested lists in its own way)
            flat = [image for row in images for image in row]
            return self.speaker(text=texts, images=flat, **options)

    def accepted(self, inputs: Inputs) -> Inputs:
        """What ``forward`` takes; ``labels`` are for training."""
        taken = inspect.signature(self.model.forward).parameters
        anything = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        return {k: v for k, v in inputs.items() if k != "labels" and (anything or k in taken)}

    @torch.no_grad()
    def whole(self, inputs: Inputs, tokens: Tokens, fill: str | int | None = None) -> Tensor:
        """(L + 1, V) logits at the prompt's end and behind each of L ``tokens``."""
        fed = extended(inputs, tokens, self.fill if fill is None else fill)
        logits: Tensor = self.model(**fed).logits
        return logits[0, -(len(tokens) + 1) :].float()

    def stepped(self, inputs: Inputs, tokens: Tokens) -> Tensor:
        """The same by the model's own cached decoding, in which ``tokens`` are forced."""
        return torch.cat(self.decoded(inputs, [[*tokens, 0]])).float()

    @torch.no_grad()
    def decoded(
        self, inputs: Inputs, rows: Sequence[Sequence[int]], samples: int = 1
    ) -> list[Tensor]:
        """Each step's logits (R, V) of plain generation, in which ``rows`` (R, L) are forced."""
        config = GenerationConfig(
            max_new_tokens=len(rows[0]), do_sample=True, top_k=0, pad_token_id=0,
            num_return_sequences=samples,
        )  # fmt: skip
        found = self.model.generate(
            **inputs,
            generation_config=config,
            prefix_allowed_tokens_fn=forced(rows),
            output_logits=True,
            return_dict_in_generate=True,
        )
        return list(found.logits)

    def logits(self, item: Item, tokens: Tokens) -> Tensor:
        """(L + 1, V) as ``whole``, where ``stepped`` says the same; else raises Unsettled."""
        key = (item.id, tokens)
        if key not in self.known:
            if len(item.images) > 1 and (item.id, ()) not in self.known:
                self.refuse_unread(item)
            self.known[key] = self.settled(self.inputs([item]), tokens)
        return self.known[key]

    def refuse_unread(self, item: Item) -> None:
        """Unsettled where transformers takes several pictures and does not read the last one."""
        last = item.images[-1]
        assert isinstance(last, Image.Image)
        other = last.transpose(Image.Transpose.ROTATE_180)
        changed = replace(item, images=(*item.images[:-1], other))
        try:
            logits = [self.whole(self.inputs([one]), ()) for one in (item, changed)]
        except Exception as error:
            raise Unsettled(f"the forward by hand: {told(error)}") from error
        if apart(*logits) < BOUND:
            raise Unsettled(f"by hand, the last of {len(item.images)} pictures is not read")

    def settled(self, inputs: Inputs, tokens: Tokens) -> Tensor:
        try:
            stepped = self.stepped(inputs, tokens)
        except Exception as error:
            raise Unsettled(f"generate by hand: {told(error)}") from error
        nearest = float("inf")
        for fill in (self.fill, *FILLS):
            try:
                whole = self.whole(inputs, tokens, fill)
            except Exception as error:
                raise Unsettled(f"the forward by hand: {told(error)}") from error
            nearest = min(nearest, apart(whole, stepped))
            if nearest <= BOUND:
                self.fill = fill
                return whole
            if set(inputs) == {"input_ids", "attention_mask"}:
                break  # there are no types of tokens to be filled
        raise Unsettled(
            f"by hand, a full forward and cached decoding differ by {nearest:.0e} in the logits"
        )

    def logprob(self, item: Item, tokens: Tokens) -> float:
        """Log-probability of ``tokens`` behind the prompt, in nats."""
        logits = self.logits(item, tokens[:-1])
        return picked(logits, tokens)


def forced(rows: Sequence[Sequence[int]]) -> Callable[[int, Tensor], list[int]]:
    """What `generate` asks for the tokens that row n may go on with: its next one of ``rows``."""
    left = [iter(row) for row in rows]
    return lambda n, ids: [next(left[n])]


def extended(inputs: Inputs, tokens: Tokens, fill: str | int) -> Inputs:
    """Prompt inputs with ``tokens`` behind them; types of tokens go on with ``fill``."""
    if not tokens:
        return inputs
    length = inputs["input_ids"].shape[1]
    found = dict(inputs)
    for name, value in inputs.items():
        per_token = name.endswith(("_ids", "_mask")) and value.dim() > 1
        if not (per_token and value.shape[:2] == (1, length)):
            continue
        if name == "input_ids":
            more = torch.tensor([tokens])
        else:
            more = value[:, -1:].repeat_interleave(len(tokens), dim=1)
            if "type_ids" in name and fill != "last":
                more = torch.full_like(more, int(fill))
        found[name] = torch.cat([value, more], dim=1)
    return found


def picked(logits: Tensor, tokens: Tokens) -> float:
    """Sum of log-probabilities of ``tokens`` (L,) under logits (L, V)."""
    logprob = logits.double().log_softmax(-1)
    return float(logprob[range(len(tokens)), list(tokens)].sum())


def apart(a: Tensor, b: Tensor) -> float:
    """The largest difference; equal infinities do not differ."""
    if a.shape != b.shape:
        return float("inf")
    different = (a - b).abs().masked_fill(a == b, 0.0)
    return float(different.nan_to_num(nan=float("inf")).max())
