"""A fitted temperature as other programs take it: a line each in ``EXPORTS``.

What is exported divides the logits of tokens, where a temperature is fitted to whole options:
``OF_TOKENS`` says when the two are the same, and goes with each of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calib.calibrators.temperature import TemperatureScaling
from calib.fields import refuse_irregular
from calib.records import CalibError, InputError
from calib.runs.durable import replace

OF_TOKENS = (
    "The T of option sums equals the T of tokens only where every option is one token in one "
    "spelling, as lettered options are."
)
OPENAI_HOTTEST = 2.0


@dataclass(frozen=True, slots=True)
class Export:
    """``text`` makes it of a temperature and of the path that it is saved under.

    With ``file`` the text is written there, beside the saved temperature.
    """

    about: str
    text: Callable[[float, Path], str]
    file: str | None = None


def processor(temperature: float, saved: Path) -> str:
    return (
        f"fitted = calib.TemperatureScaling.load({str(saved)!r})  # T = {temperature:.6g}\n"
        "model.generate(**inputs, logits_processor=[fitted.logits_processor()],\n"
        "               do_sample=True, temperature=1.0, top_k=0, top_p=1.0)"
    )


def generation_config(temperature: float, saved: Path) -> str:
    """What a GenerationConfig leaves unset, ``generate`` takes from the model's own."""
    settings = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    return json.dumps(settings, indent=2)


def decision(temperature: float, saved: Path) -> str:
    """A DecisionConfig: what it leaves out has its default."""
    types = ("noul", "choice", "score")
    return json.dumps({"temperature": dict.fromkeys(types, temperature)}, indent=2)


def vllm(temperature: float, saved: Path) -> str:
    return f"SamplingParams(temperature={temperature:.6g}, top_p=1.0, top_k=-1)"


def openai(temperature: float, saved: Path) -> str:
    if temperature > OPENAI_HOTTEST:
        raise InputError(
            f"--export openai: OpenAI's API takes temperatures from 0 to {OPENAI_HOTTEST:g}, and "
            f"the fitted one is {temperature:.4g}; divide the log-probabilities that it returns"
        )
    return f'{{"temperature": {temperature:.6g}, "top_p": 1}}'


EXPORTS = {
    "processor": Export("a LogitsProcessor for generate, in Python", processor),
    "generation_config": Export(
        "settings of transformers' generate", generation_config, "generation_config.json"
    ),
    "decision": Export(
        'settings of transformers\' pipeline("decision"), which has a prompt of its own: a T that '
        "was fitted to another prompt need not hold there",
        decision,
        "decision.json",
    ),
    "vllm": Export("arguments of a vLLM call", vllm),
    "openai": Export("fields of a request to OpenAI's API", openai),
}


def export(
    fitted: TemperatureScaling, name: str, saved: str | os.PathLike[str]
) -> tuple[str, Path | None]:
    """The text of ``EXPORTS[name]``, and the file that it was written into, if it is one's.

    saved: where the temperature is saved. Raises InputError for another name, and for an OpenAI
    call hotter than there is; CalibError where no temperature was determined.
    """
    if name not in EXPORTS:
        raise InputError(f"export {name!r}: expected one of {', '.join(EXPORTS)}")
    if fitted.degenerate_:
        raise CalibError(f"{saved}: no temperature was determined to export: {fitted.reason_}")
    wanted = EXPORTS[name]
    text = wanted.text(fitted.temperature_, Path(saved))
    if wanted.file is None:
        return text, None
    path = Path(saved).parent / wanted.file
    refuse_irregular(path)
    replace(path, text + "\n")
    return text, path
