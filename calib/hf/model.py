"""A Hugging Face model with what is needed to drive it: ``calib.models.protocol`` fulfilled."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from calib.hf.batching import fitting, plan
from calib.hf.classes import parts_of
from calib.hf.decision import own_settings, refuse_own_settings
from calib.hf.decoding.packing import CannotPack, Packing
from calib.hf.decoding.sampling import sample_answers
from calib.hf.encoding import Encoded, encode, refuse_overlong
from calib.hf.ends import end_tokens, nested
from calib.hf.foreseen import foresee as foresee
from calib.hf.letters import Alphabet
from calib.hf.loading import load
from calib.hf.memory import Memory, remembered
from calib.hf.placement import device_map, input_device
from calib.hf.plans import Decodings, Forwards
from calib.hf.reader import Reader
from calib.hf.refusals import naming
from calib.hf.revision import template_of
from calib.hf.scoring import Scores, joined, score_batch
from calib.hf.speakers import Speakers
from calib.models.protocol import Abilities, Answering, Sampling, Scoring
from calib.records import Answer, CalibError, InputError, Item
from calib.tasks.load import default_form
from calib.tasks.prompts import FORMS, build


@dataclass(frozen=True)
class Model:
    """A Hugging Face model with its tokenizer, and its processor if it reads images."""

    name: str
    hf: Any
    tokenizer: Any
    processor: Any | None
    adapter: str | None = None  # folder or hub name of what was put on the base model
    revision: str | None = None  # of its weights, where they were loaded from (calib.hf.revision)
    speakers: Speakers = field(init=False, repr=False, compare=False)
    reader: Reader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "speakers", Speakers(self.tokenizer, self.processor))
        object.__setattr__(self, "reader", Reader(self.hf, self.speakers))

    @property
    def device(self) -> torch.device:
        """Where inputs go: the device of the first layer."""
        return input_device(self.hf)

    @property
    def facts(self) -> dict[str, Any]:
        """Model, class, dtype, device, the attention each tower really uses, the weights' revision
        and a digest of the chat template.

        A model that lies on several devices names them too, and one with an adapter its adapter.
        """
        parts = {"model": self.hf.config, **parts_of(self.hf.config)}
        facts = {
            "model": self.name,
            "class": type(self.hf).__name__,
            "parameters": sum(p.numel() for p in self.hf.parameters()),
            "dtype": str(self.hf.dtype).removeprefix("torch."),
            "device": str(self.device),
            "attention": {name: part._attn_implementation for name, part in parts.items()},
            "revision": self.revision,
            "template": template_of(self.speakers.speaker),
        }
        if places := device_map(self.hf):
            facts["device_map"] = places
        if self.adapter is not None:
            facts |= {"adapter": self.adapter, "base": self.hf.name_or_path}
        return facts

    @property
    def thinks(self) -> bool:
        """Whether the chat template lets the model think before it answers."""
        return self.speakers.thinks

    @property
    def can(self) -> Abilities:
        """What a drive may ask of it (``calib.models.protocol``)."""
        return Abilities(
            images=self.processor is not None,
            option_scores=True,
            token_logprobs=True,
            seeds=True,
            thinking=self.speakers.end_of_thoughts if self.thinks else None,
            letters=bool(self.hf.can_generate()),
        )

    @contextmanager
    def remembering(self, gigabytes: float) -> Iterator[Memory]:
        """Keep up to so many gigabytes of what was read while this is open."""
        with remembered(self.hf, gigabytes) as memory:
            self.reader.memory = memory
            try:
                yield memory
            finally:
                self.reader.memory = None

    @cached_property
    def alphabet(self) -> Alphabet:
        """Which of its tokens are letters. Reads the whole vocabulary."""
        return Alphabet(self.tokenizer)

    @cached_property
    def _own_decision(self) -> list[str]:
        return own_settings(self.hf, self.revision)

    def scores(self, items: Sequence[Item], how: Scoring) -> Forwards:
        """The forward passes that score the options of ``items``."""
        return Forwards.of(self, items, how)

    def answers(self, items: Sequence[Item], how: Answering) -> Decodings:
        """The decodings that answer ``items``."""
        return Decodings.of(self, items, how)

    def encode(
        self,
        items: Sequence[Item],
        prompt: str,
        *,
        variants: bool = False,
        options: bool = True,
        new_tokens: int = 0,
        thinking: str = "off",
    ) -> list[Encoded]:
        """Items in prompt form ``prompt``, as token ids; with their options' ids, if wanted.

        ``thinking`` is one of ``calib.models.protocol.THINKING``.

        Raises InputError, naming the item, where a prompt and its longest option, or
        ``new_tokens``, are more tokens than the model has positions, and as
        ``calib.hf.encoding.encode`` does.
        """
        if FORMS[prompt].typed:
            refuse_own_settings(self.hf, self._own_decision)
        encoded = []
        for item in items:
            built = build(item, prompt, chat=self.speakers.chat, variants=variants)
            built = built if options else replace(built, options=())
            one = encode(built, self.speakers, item.id, thinking=thinking)
            refuse_overlong(self.hf, one.length, max(one.longest, new_tokens), item.id)
            if (pair := nested(one.options)) is not None and not end_tokens(self.hf):
                shorter, longer = (self.tokenizer.decode(list(ids)) for ids in pair)
                raise InputError(
                    f"item {item.id!r}: the option {shorter!r} begins the option {longer!r}, and "
                    "this model names no end token that would tell the two answers apart"
                )
            encoded.append(one)
        return encoded

    def option_scores(
        self,
        items: Sequence[Item],
        *,
        prompt: str | None = None,
        variants: bool = False,
        thinking: str = "off",
        batch_size: int | str = "auto",
        **scoring: Any,
    ) -> list[dict[str, Any]]:
        """One dict per item, in the items' order; ``calib.score`` is this with a run folder.

        ``prompt`` is one of ``calib.tasks.prompts.FORMS``; the default is ``default_form``.
        ``scoring`` goes to ``calib.hf.scoring.score_batch``: confidence, temperature, normalize,
        histogram. Raises InputError, naming the item, for one without options and for an answer
        that is none of them.
        """
        for item in items:
            if not item.options:
                raise InputError(f"item {item.id!r} has no options to score")
            if item.answer is not None and not 0 <= item.answer < len(item.options):
                raise InputError(
                    f"item {item.id!r}: answer {item.answer} is not the index of one of its "
                    f"{len(item.options)} options"
                )
        if scoring.get("orders", 1) != 1:
            raise InputError("orders: calib.score averages over them; here expected 1")
        histogram = scoring.pop("histogram", None)
        form = prompt or default_form(items)
        how = Scoring(form, variants=variants, thinking=thinking, batch_size=batch_size, **scoring)
        forwards = self.scores(items, how)
        rows: dict[int, dict[str, Any]] = {}
        for number, batch in enumerate(forwards.batches):
            scores = forwards.launch(number, histogram=histogram)
            rows.update(zip(batch, scores.rows(), strict=True))
        return [rows[i] for i in range(len(items))]

    def score_batch(
        self, batch: Sequence[Encoded], answers: Sequence[int | None], **scoring: Any
    ) -> Scores:
        """Scores of prompts of one kind; they stay on the device until ``rows()`` is asked for."""
        with naming(self.hf, [encoded.name for encoded in batch]):
            parts = self.reader.parts(batch)
            scores = [
                score_batch(
                    self.hf,
                    part.inputs,
                    [batch[n].options for n in part.rows],
                    [answers[n] for n in part.rows],
                    source=part.source,
                    **scoring,
                )
                for part in parts
            ]
        return joined(scores, [part.rows for part in parts])

    def sample(
        self, items: Sequence[Item], *, n: int = 20, prompt: str | None = None, **sampling: Any
    ) -> list[list[Answer]]:
        """``n`` answers to each item, one item at a time; ``calib.sample`` is this with a folder.

        ``prompt``: as of ``option_scores``; ``sampling``: the other fields of
        ``calib.models.protocol.Sampling``.
        """
        how, form = Sampling(samples=n, **sampling), prompt or default_form(items)
        return [self.sample_batch([item], form, how)[0] for item in items]

    def sample_batch(
        self, items: Sequence[Item], prompt: str, how: Sampling, *, thinking: str = "own"
    ) -> list[list[Answer]]:
        """Answers to items that decode together; all have images, or none."""
        encoded = self.encode(
            items, prompt, options=False, new_tokens=how.max_new_tokens, thinking=thinking
        )
        with naming(self.hf, [item.id for item in items]):
            return self._sampled(items, encoded, how)

    def _sampled(
        self, items: Sequence[Item], encoded: Sequence[Encoded], how: Sampling
    ) -> list[list[Answer]]:
        answers: dict[int, list[Answer]] = {}
        parts = deque(self.reader.parts(encoded))
        while parts:
            part, each = parts.popleft(), how
            if how.samples * len(part.rows) > 1 and not self.reader.steps_apart(part, encoded):
                if len(part.rows) > 1:
                    for n in part.rows:
                        (one,) = self.reader.parts([encoded[n]])
                        parts.append(one._replace(rows=[n]))
                    continue
                each = replace(how, rows=1)
            names, again = [items[n].id for n in part.rows], part.source.again
            sampled = sample_answers(self.hf, part.inputs, self.tokenizer, names, each, again)
            answers.update(zip(part.rows, sampled, strict=True))
        return [answers[n] for n in range(len(items))]

    def sample_packed(
        self, items: Sequence[Item], prompt: str, how: Sampling, *, thinking: str = "own"
    ) -> Iterator[tuple[int, list[Answer]]]:
        """(i, answers to ``items[i]``), in the order in which questions are finished.

        Up to ``how.rows`` answers decode at once; where some have ended, other questions take their
        places, if the model and its memory allow it.
        """
        encoded = self.encode(
            items, prompt, options=False, new_tokens=how.max_new_tokens, thinking=thinking
        )
        sizes, kinds = [e.length for e in encoded], [bool(e.images) for e in encoded]
        for kind in plan(sizes, kinds, max(1, len(items)), self.device.type):
            left = dict.fromkeys(kind)

            def inputs(batch: Sequence[int], kind: Sequence[int] = kind) -> dict[str, Any]:
                own = [encoded[kind[number]] for number in batch]
                parts = self.reader.parts(own)
                if len(parts) > 1 or not self.reader.steps_apart(parts[0], own):
                    raise CannotPack("beside other prompts this model gives others' logits")
                return parts[0].inputs

            try:
                names, pixels = [items[i].id for i in kind], [encoded[i].pixels for i in kind]
                packing = Packing(self.hf, self.tokenizer, names, inputs, how, pixels=pixels)
                for number, answers in packing.answers():
                    del left[kind[number]]
                    yield kind[number], answers
            except CalibError:
                raise
            except Exception:  # noqa: BLE001  (what is not packing's fault comes again below)
                pass
            # What it has not come to, a group at a time, each decoded to its end.
            rest, together = list(left), max(1, how.rows // how.samples)
            while rest:
                count = fitting((encoded[i].pixels for i in rest), together)
                batch, rest = rest[:count], rest[count:]
                of_batch = self.sample_batch(
                    [items[i] for i in batch], prompt, how, thinking=thinking
                )
                yield from zip(batch, of_batch, strict=True)

    def generate(
        self, items: Sequence[Item], *, prompt: str | None = None, max_new_tokens: int = 32
    ) -> list[str]:
        """The greedy answer to each item, as text; ``prompt`` as of ``option_scores``."""
        form = prompt or default_form(items)
        encoded = self.encode(items, form, options=False, new_tokens=max_new_tokens, thinking="own")
        sizes, kinds = [e.length for e in encoded], [e.kind for e in encoded]
        pixels = [e.pixels for e in encoded]
        answers: dict[int, str] = {}
        for batch in plan(sizes, kinds, "auto", self.device.type, pixels):
            for rows, inputs, *_ in self.reader.parts([encoded[i] for i in batch]):
                with torch.inference_mode():
                    ids = self.hf.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)
                new = ids[:, inputs["input_ids"].shape[1] :]
                texts = self.tokenizer.batch_decode(new, skip_special_tokens=True)
                answers.update(
                    (batch[n], text.strip()) for n, text in zip(rows, texts, strict=True)
                )
        return [answers[i] for i in range(len(items))]


def load_model(
    name_or_path: str | Path,
    *,
    device: str | None = None,
    dtype: str = "auto",
    attn_implementation: str | None = None,
    peft: str | Path | None = None,
    **model_args: Any,
) -> Model:
    """A multimodal model or a text LLM, in evaluation mode on ``device``.

    ``embedded:base|stage1|stage2|admits`` names the embedded model; anything else is a folder or
    hub name, and ``model_args`` go to ``from_pretrained``. ``dtype="auto"`` is bfloat16 on CUDA and
    float32 elsewhere: on CPUs without matrix units bfloat16 is the slower of the two. ``peft`` is
    the folder or hub name of an adapter to put on the model; an adapter's folder may also be named
    itself, and its base is read from it. With ``device_map`` parts may lie on several devices.

    Raises InputError for what can be refused by its name or its arguments, and CalibError for a
    folder that cannot be loaded or driven.
    """
    name = str(name_or_path)
    parts = load(
        name,
        device=device,
        dtype=dtype,
        attn_implementation=attn_implementation,
        peft=None if peft is None else str(peft),
        **model_args,
    )
    return Model(name, *parts)
