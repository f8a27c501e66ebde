"""A fitted temperature as other programs take it: a line each in ``EXPORTS``.

What is exported divides the logits of tokens, where a temperature is fitted to whole options:
``OF_TOKENS`` says when the two are the same, and goes with each of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from calib.calibrators.grouped import GroupedTemperature
from calib.calibrators.temperature import TemperatureScaling
from calib.fields import refuse_irregular
from calib.records import CalibError, InputError
from calib.runs.durable import replace
from calib.tasks.files.decisions import TYPES

OF_TOKENS = (
    "The T of option sums equals the T of tokens only where every option is one token in one "
    "spelling, as lettered options are."
)
OPENAI_HOTTEST = 2.0


@dataclass(frozen=True, slots=True)
class Export:
    """``text`` makes it of a temperature and of the path that it is saved under.

    With ``file`` the text is written there, beside the saved temperature. ``by_type`` makes it of
    the temperature of each type of question, where it can hold them.
    """

    about: str
    text: Callable[[float, Path], str]
    file: str | None = None
    by_type: Callable[[Mapping[str, float]], str] | None = None
    about_types: str = ""


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
    return decision_by_type(dict.fromkeys(TYPES, temperature))


def decision_by_type(temperatures: Mapping[str, float]) -> str:
    """A DecisionConfig: what it leaves out has its default."""
    return json.dumps({"temperature": dict(temperatures)}, indent=2)


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
        decision_by_type,
        'settings of transformers\' pipeline("decision"), with the T of each type of question',
    ),
    "vllm": Export("arguments of a vLLM call", vllm),
    "openai": Export("fields of a request to OpenAI's API", openai),
}


def export(
    fitted: TemperatureScaling | GroupedTemperature, name: str, saved: str | os.PathLike[str]
) -> tuple[str, Path | None]:
    """The text of ``EXPORTS[name]``, and the file that it was written into, if it is one's.

    fitted: one temperature, or one for each type of question, whose groups are types. saved: where
    it is saved. Raises InputError for another name, for what cannot hold a T for each type, and for
    an OpenAI call hotter than there is; CalibError where no temperature was determined.
    """
    if name not in EXPORTS:
        raise InputError(f"export {name!r}: expected one of {', '.join(EXPORTS)}")
    wanted = EXPORTS[name]
    if isinstance(fitted, GroupedTemperature):
        if wanted.by_type is None:
            able = [each for each, entry in EXPORTS.items() if entry.by_type is not None]
            raise InputError(
                f"export {name!r}: expected {', '.join(able)}, as each type of question has a "
                "temperature of its own"
            )
        of_types = map(float, fitted.temperatures_of(TYPES))
        text = wanted.by_type(dict(zip(TYPES, of_types, strict=True)))
    elif fitted.degenerate_:
        raise CalibError(f"{saved}: no temperature was determined to export: {fitted.reason_}")
    else:
        text = wanted.text(fitted.temperature_, Path(saved))
    if wanted.file is None:
        return text, None
    path = Path(saved).parent / wanted.file
    refuse_irregular(path)
    replace(path, text + "\n")
    return text, path
