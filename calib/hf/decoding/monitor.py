"""``calib.Monitor``: how sure a model is of every token that one's own ``generate`` chooses.

What is kept of a step lies on the device and is a few numbers a row: no logits outlive the choice
of their token, nothing waits for the device, and ``result`` makes one copy to the host.

A call of ``generate`` is told from the next one by its list of processors, which is looked for in
``generate``'s frame: processors are told neither when decoding begins nor what kind it is.

Axis legend: R rows, L steps, V vocabulary, O options, M spellings of an option.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from calib_kernels import option_scores, row_stats
from torch import Tensor
from transformers import GenerationMixin, LogitsProcessor, LogitsProcessorList, StoppingCriteriaList
from transformers.generation.configuration_utils import GenerationMode

from calib.hf.decoding.shared_prefix import sharded, unwrapped
from calib.hf.decoding.watch import Monitored, Watch, option_ids
from calib.records import InputError

CODE = unwrapped(GenerationMixin.generate).__code__
WATCHED = (GenerationMode.SAMPLE, GenerationMode.GREEDY_SEARCH)


class Monitor(LogitsProcessor):
    """Collects log-probability, entropy, confidence and options of every step of ``generate``.

    >>> monitor = calib.Monitor(["A", "B"], tokenizer)                         # doctest: +SKIP
    >>> sequences = model.generate(**inputs, logits_processor=[monitor])       # doctest: +SKIP
    >>> monitor.result(sequences).confidence                                   # doctest: +SKIP

    Which distribution is measured depends on where it stands:

    ==================================== =================================================
    ``logits_processor=[..., monitor]``  what the processors before it leave, before the
                                         temperature and filters of the generation config
    ``custom_generate=monitor.as_model`` the model's own, before all processors
    ``custom_generate=monitor.as_drawn`` what tokens are drawn from, after all of them
    ==================================== =================================================

    options: one entry an option, a token's id or its text, or a list of such for its spellings;
    texts need the ``tokenizer``, which must make one token of each. Every call of ``generate``
    begins anew. Under ``torch.compile`` and with static caches the model's forward is what is
    compiled, and this stands outside.

    Outside ``generate``, in a loop of one's own, no end tokens are known, and a call begins anew
    where the shape of ``input_ids`` is not that of the rows so far with one token more.

    Raises InputError for unfit options, and within ``generate`` for beams, assistants, prompt
    lookup and contrastive search, in which a step's scores are not those of one chosen token.
    """

    def __init__(
        self,
        options: Sequence[int | str | Sequence[int | str]] | None = None,
        tokenizer: Any = None,
    ) -> None:
        self._options = None if options is None else option_ids(options, tokenizer)
        self._watch: Watch | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids (R, C), scores (R, V), which are returned as they are."""
        of = generating().get("prepared_logits_processor")
        watch = self._watch
        if watch is not None and watch.of is of and watch.goes_on(input_ids):
            watch.choose(input_ids[:, -1])
        else:
            watch = self._begin("given", input_ids, scores.shape[-1], of)
        # A processor behind this one may write into the scores before the token is known.
        self._measure(watch, scores.clone())
        return scores

    def as_model(
        self,
        model: Any,
        input_ids: Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> Any:
        """For ``custom_generate``: plain decoding, the model's own distribution measured."""
        first = _Step(self, "model", copies=bool(logits_processor))
        processors = LogitsProcessorList([first, *logits_processor])
        return self._decode(
            model, input_ids, processors, stopping_criteria, generation_config, model_kwargs
        )

    def as_drawn(
        self,
        model: Any,
        input_ids: Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> Any:
        """For ``custom_generate``: plain decoding, the distribution that is drawn from measured."""
        last = _Step(self, "drawn", copies=False)
        processors = LogitsProcessorList([*logits_processor, last])
        return self._decode(
            model, input_ids, processors, stopping_criteria, generation_config, model_kwargs
        )

    def result(self, sequences: Any = None) -> Monitored:
        """What was collected of the last call of ``generate``, after one copy to the host.

        sequences: what ``generate`` returned, the ids or the output that holds them. As a
        processor the monitor learns which token was chosen from the next step; without sequences
        the last step has token -1 and log-probability NaN. ``as_model`` and ``as_drawn`` need none.

        Raises InputError where nothing was watched, or where the sequences are of another call.
        """
        if self._watch is None:
            raise InputError(
                "Monitor.result: nothing was watched yet; pass logits_processor=[monitor] or "
                "custom_generate=monitor.as_drawn to generate() first"
            )
        return self._watch.result(getattr(sequences, "sequences", sequences))

    def _begin(self, distribution: str, input_ids: Tensor, vocabulary: int, of: Any) -> Watch:
        call = generating()
        refuse(call)
        ends = getattr(call.get("generation_config"), "eos_token_id", None)
        options = self._options
        if options is not None:
            if int(options.max()) >= vocabulary:
                raise InputError(
                    f"Monitor: option {int(options.max())} is no token of this model, whose "
                    f"vocabulary has {vocabulary:,}"
                )
            options = options.to(input_ids.device)
        self._watch = Watch(
            distribution,
            prompt=input_ids.shape[1],
            rows=input_ids.shape[0],
            ends=(ends,) if isinstance(ends, int) else tuple(ends or ()),
            options=options,
            of=of,
        )
        return self._watch

    def _measure(self, watch: Watch, scores: Tensor) -> None:
        stats = row_stats(scores)
        numbers = [stats.confidence, stats.entropy]
        if watch.options is not None:
            scored = option_scores(scores, watch.options)
            numbers += [scored.mass, *scored.prob.unbind(1)]
        watch.measure(scores, stats.prediction, numbers)

    def _decode(
        self,
        model: Any,
        input_ids: Tensor,
        processors: Any,
        stopping_criteria: Any,
        generation_config: Any,
        model_kwargs: dict[str, Any],
    ) -> Any:
        """Plain decoding, whose stopping criteria tell of each token right after its choice."""
        if any(processor is self for processor in processors):
            raise InputError(
                "logits_processor: this monitor watches by custom_generate already; leave it out"
            )
        self._watch = None
        output = type(model)._sample(
            model,
            input_ids,
            logits_processor=processors,
            stopping_criteria=_Chosen(self, stopping_criteria),
            generation_config=generation_config,
            synced_gpus=sharded(model),
            streamer=generating().get("streamer"),  # which a method of one's own is not given
            **model_kwargs,
        )
        watch: Watch | None = self._watch
        if watch is not None:
            watch.cut(getattr(output, "sequences", output).shape[1])
        return output


class _Step(LogitsProcessor):
    """Measures a step where it stands in ``generate``'s list of processors."""

    def __init__(self, monitor: Monitor, distribution: str, copies: bool) -> None:
        self.monitor, self.distribution, self.copies = monitor, distribution, copies

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        watch = self.monitor._watch
        if watch is None:
            watch = self.monitor._begin(self.distribution, input_ids, scores.shape[-1], self)
        self.monitor._measure(watch, scores.clone() if self.copies else scores)
        return scores


class _Chosen(StoppingCriteriaList):
    """Stopping criteria that tell which tokens were chosen, and which rows have ended."""

    def __init__(self, monitor: Monitor, criteria: Any) -> None:
        super().__init__(criteria)
        self.monitor = monitor

    def __call__(self, input_ids: Tensor, scores: Any, **how: Any) -> Any:
        ended = super().__call__(input_ids, scores, **how)
        watch = self.monitor._watch
        assert watch is not None
        watch.choose(input_ids[:, -1], ended)
        return ended


def generating() -> dict[str, Any]:
    """The local variables of the call of ``generate`` that is under way; {} outside of it."""
    frame = sys._getframe(1)
    while frame.f_code is not CODE:
        if frame.f_back is None:
            return {}
        frame = frame.f_back
    return frame.f_locals


def refuse(call: dict[str, Any]) -> None:
    """InputError for ways of decoding in which scores are not those of one chosen token."""
    mode = call.get("generation_mode")
    if call and mode not in WATCHED:
        name = "a repository's own decoding" if mode is None else mode.value.replace("_", " ")
        raise InputError(
            f"calib.Monitor watches sampling and greedy search; these settings ask for {name} "
            "(generation_config.get_generation_mode())"
        )
